//! Rules that take two people: what they adopt counts from the next request on, nobody is two people, and what was changed after it was
//! approved counts no more.

use bertillon::audit::{Caller, Outcome};
use bertillon::base::ids::ModelId;
use bertillon::casework::CaseworkError;
use bertillon::casework::governing::{Chamber, GoverningError, Refusal, State, Voice, in_force};
use bertillon::casework::operating_points::{install, one};
use bertillon::policy::parse::BUILTIN;
use bertillon::rights::Permission;

use super::operating_points::point;
use super::reviews::{refused, searched};
use super::rights::Beside;
use super::server::{Answer, Form, Server, settings};
use crate::SEARCHES;

/// What an examiner states for a robbery.
const STATED: [(&str, &str); 5] = [
    ("purpose", "investigate_crime"),
    ("lawful_basis", "law_enforcement_task"),
    ("seriousness", "indictable"),
    ("case_ref", "CR/1/26"),
    ("reason", "robbery, only still"),
];

/// A server whose gallery was searched, and the people here.
struct House {
    server: Server,
    beside: Beside,
}

impl House {
    fn new() -> Self {
        let (server, _) = searched();
        let beside = Beside::new(&server);
        for (name, role) in [
            ("ann", "supervisor"),
            ("bob", "supervisor"),
            ("cid", "supervisor"),
            ("xena", "examiner"),
            ("ada", "auditor"),
            ("elle", "evaluator:custody"),
        ] {
            beside.add(name, &[role]);
        }
        Self { server, beside }
    }

    fn chamber(&self, name: &str) -> Result<Chamber, CaseworkError> {
        let caller = Caller::new(name, "command line of a test", None);
        self.beside.runtime.block_on(Chamber::enter(&self.beside.desk, &caller))
    }

    fn propose(&self, name: &str, text: &str) -> Result<i64, CaseworkError> {
        let chamber = self.chamber(name)?;
        self.beside.runtime.block_on(chamber.propose_policy(text, "a test", "a robbery is not enough"))
    }

    fn say(&self, name: &str, proposal: i64, voice: Voice) -> Result<State, CaseworkError> {
        let chamber = self.chamber(name)?;
        self.beside.runtime.block_on(chamber.say(proposal, voice, None))
    }

    fn search(&self, key: &str, more: &[(&str, &str)]) -> Answer {
        let form = Form::default().image("probe.jpg", b"no picture");
        let form = STATED.iter().chain(more).fold(form, |form, (name, value)| form.text(name, value));
        self.server.post_form_as(key, SEARCHES, form)
    }
}

fn refusal<T: std::fmt::Debug>(result: Result<T, CaseworkError>) -> Refusal {
    match result {
        Err(CaseworkError::Governing(GoverningError::Refused(refusal))) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// The built-in policy, with another least seriousness of custody searches.
fn stricter(name: &str) -> String {
    let text = BUILTIN.replace("galleries = { \"*\" = \"either_way\" }", "galleries = { \"*\" = \"threat_to_life\" }");
    text.replace("Built-in: retrospective search, strict", name)
}

#[test]
fn an_adopted_policy_took_two_people_and_counts_from_the_next_search_on() {
    let house = House::new();
    let xena = house.beside.key("xena", None, 6_000).0;
    // Through to the model, which nobody has here.
    refused(&house.search(&xena, &[]), 409, "other-model");
    let (first, second) =
        (house.propose("ann", &stricter("First")).unwrap(), house.propose("bob", &stricter("Second")).unwrap());
    assert_eq!(refusal(house.say("ann", first, Voice::Approve)), Refusal::OwnProposal);
    let event = house.beside.newest();
    assert_eq!(
        (event.kind.as_str(), event.actor.as_str(), event.outcome),
        ("proposal.approved", "ann", Outcome::Refused)
    );
    assert_eq!(refusal(house.say("xena", first, Voice::Approve)), Refusal::NotAllowed);
    assert!(matches!(
        house.propose("xena", &stricter("Mine")),
        Err(CaseworkError::NotAllowed { permission: Permission::PolicyPropose, .. })
    ));
    assert!(matches!(
        house.propose("root", &stricter("Mine")),
        Err(CaseworkError::Governing(GoverningError::NoUser(_)))
    ));
    assert!(matches!(house.propose("ann", BUILTIN), Err(CaseworkError::Governing(GoverningError::NothingNew(_)))));
    let contradiction = BUILTIN.replace("\"policy\", \"role\", ", "");
    assert!(matches!(house.propose("ann", &contradiction), Err(CaseworkError::Governing(GoverningError::Unfit(_)))));
    refused(&house.search(&xena, &[]), 409, "other-model");

    assert_eq!(house.say("bob", first, Voice::Approve).unwrap(), State::Adopted);
    let event = house.beside.newest();
    assert_eq!((event.kind.as_str(), event.actor.as_str(), event.outcome), ("proposal.approved", "bob", Outcome::Ok));
    assert_eq!(event.objects, [format!("proposal:{first}")]);
    refused(&house.search(&xena, &[]), 403, "not-serious-enough");
    let now = house.beside.runtime.block_on(in_force(&house.beside.desk.vault)).unwrap();
    assert_eq!((now.number, now.policy.name.as_str()), (1, "First"));
    // Whoever approved the other one saw what it changes of the policy before.
    assert_eq!(refusal(house.say("ann", second, Voice::Approve)), Refusal::Overtaken);
    assert_eq!(house.say("bob", second, Voice::Withdraw).unwrap(), State::Withdrawn);
    assert_eq!(refusal(house.say("cid", first, Voice::Reject)), Refusal::Over(State::Adopted));
    let (record, _) = house.beside.runtime.block_on(house.chamber("ada").unwrap().show(first)).unwrap();
    let said: Vec<_> = record.voices.iter().map(|voice| (voice.person.as_str(), voice.said.as_str())).collect();
    assert_eq!((record.proposed_by.as_str(), said), ("ann", vec![("bob", "approved")]));
}

/// Who asks and who authorises are two: a force's policy may want the second to be named, and it is never the first.
#[test]
fn a_policy_can_want_every_search_to_be_authorised_by_somebody_else() {
    let house = House::new();
    let xena = house.beside.key("xena", None, 6_000).0;
    refused(&house.search(&xena, &[("authoriser", "Xena")]), 403, "own-authoriser");
    refused(&house.search(&xena, &[("authoriser", "Insp. Una")]), 409, "other-model");
    let wanting = BUILTIN.replace("\"case_ref\", \"reason\"]", "\"case_ref\", \"reason\", \"authoriser\"]");
    let wanting = wanting.replace("Built-in: retrospective search, strict", "Authorised");
    let proposal = house.propose("ann", &wanting).unwrap();
    refused(&house.search(&xena, &[]), 409, "other-model");
    assert_eq!(house.say("bob", proposal, Voice::Approve).unwrap(), State::Adopted);
    let answer = house.search(&xena, &[]);
    assert!(answer.text().contains("authoriser"), "{}", answer.text());
    refused(&answer, 422, "not-stated");
    refused(&house.search(&xena, &[("authoriser", " xena ")]), 403, "own-authoriser");
    let event = house.beside.newest();
    assert_eq!((event.kind.as_str(), event.actor.as_str(), event.outcome), ("search.run", "xena", Outcome::Refused));
    assert!(format!("{:?}", event.detail).contains("own-authoriser"), "{event:?}");
    refused(&house.search(&xena, &[("authoriser", "a\u{7}b")]), 422, "unprintable");
    refused(&house.search(&xena, &[("authoriser", "Insp. Una")]), 409, "other-model");
}

/// Whoever can write the data base can write anything; that it is seen is what the hash is for. Nothing is searched by such rules.
#[test]
fn a_policy_that_was_changed_after_its_approval_lets_nobody_search() {
    let house = House::new();
    let xena = house.beside.key("xena", None, 6_000).0;
    let proposal = house.propose("ann", &stricter("First")).unwrap();
    assert_eq!(house.say("bob", proposal, Voice::Approve).unwrap(), State::Adopted);
    refused(&house.search(&xena, &[]), 403, "not-serious-enough");
    let data = house.server.data.path();
    house.beside.drop_trigger(data, "proposal_says_what_it_said", "proposal");
    house.beside.execute(data, "UPDATE proposal SET body = REPLACE(body, 'threat_to_life\" }', 'summary\" }')");
    refused(&house.search(&xena, &[]), 409, "governing");
}

#[test]
fn two_who_approve_at_once_adopt_one_policy_each_but_one_of_them() {
    let house = House::new();
    let proposals =
        [house.propose("ann", &stricter("First")).unwrap(), house.propose("ann", &stricter("Second")).unwrap()];
    let (bob, cid) = (house.chamber("bob").unwrap(), house.chamber("cid").unwrap());
    let (one, other) = house.beside.runtime.block_on(async {
        tokio::join!(bob.say(proposals[0], Voice::Approve, None), cid.say(proposals[1], Voice::Approve, None))
    });
    let adopted = [&one, &other].into_iter().filter(|said| matches!(said, Ok(State::Adopted))).count();
    assert_eq!(adopted, 1, "{one:?} {other:?}");
    let lost = if one.is_ok() { other } else { one };
    assert_eq!(refusal(lost), Refusal::Overtaken);
    assert_eq!(house.beside.runtime.block_on(in_force(&house.beside.desk.vault)).unwrap().number, 1);
}

#[test]
fn users_search_at_points_that_two_others_approved_and_at_no_others() {
    let house = House::new();
    let data = house.server.data.path();
    let model = ModelId { name: "numbers".to_owned(), hash: [1; 32] };
    let mut night = point("night", 0.01, 0.4, (0, 100));
    (night.model, night.model_sha256) = (model.name, bertillon::base::hex::encode(&model.hash));
    let file = install(&settings(data), &night).unwrap();
    let [xena, una, elle] = ["xena", "ann", "elle"].map(|name| house.beside.key(name, None, 6_000).0);
    let at_night = [("operating_point", "night")];
    let by_rate = [("target_fpir", "0.01"), ("gallery_class", "a test")];
    for asked in [&at_night[..], &by_rate] {
        refused(&house.search(&xena, asked), 409, "operating-point");
    }
    // A bare number only where the policy allows it: to evaluators, in the galleries that are named for them.
    refused(&house.search(&una, &[("threshold", "0.4")]), 403, "threshold-not-allowed");
    refused(&house.search(&elle, &[("threshold", "0.4")]), 403, "role-not-allowed");

    let propose = |name: &str| {
        let chamber = house.chamber(name).unwrap();
        house.beside.runtime.block_on(chamber.propose_point(&one(data, "night").unwrap(), "for stills of the night"))
    };
    let proposal = propose("ann").unwrap();
    assert_eq!(house.say("bob", proposal, Voice::Approve).unwrap(), State::Open);
    assert_eq!(refusal(house.say("bob", proposal, Voice::Approve)), Refusal::Twice);
    refused(&house.search(&xena, &at_night), 409, "operating-point");
    assert_eq!(house.say("cid", proposal, Voice::Approve).unwrap(), State::Adopted);
    for asked in [&at_night[..], &by_rate] {
        refused(&house.search(&xena, asked), 409, "other-model");
    }
    assert!(matches!(propose("ann"), Err(CaseworkError::Governing(GoverningError::NothingNew(_)))));

    // Another threshold under the name that was approved.
    let text = fs_err::read_to_string(&file).unwrap();
    fs_err::write(&file, text.replace("0.4", "0.3")).unwrap();
    refused(&house.search(&xena, &at_night), 409, "governing");
    fs_err::write(&file, text).unwrap();
    refused(&house.search(&xena, &at_night), 409, "other-model");
    // Another name among those who approved it.
    house.beside.drop_trigger(data, "signed_point_is_kept", "signed_point");
    house.beside.execute(data, "UPDATE signed_point SET statement = REPLACE(statement, 'bob', 'eve')");
    refused(&house.search(&xena, &at_night), 409, "governing");
}

#[test]
fn a_point_takes_as_many_as_the_policy_wants_by_now() {
    let house = House::new();
    house.beside.add("dan", &["supervisor"]);
    let data = house.server.data.path();
    let mut night = point("night", 0.01, 0.4, (0, 100));
    (night.model, night.model_sha256) = ("numbers".to_owned(), bertillon::base::hex::encode(&[1; 32]));
    install(&settings(data), &night).unwrap();
    let chamber = house.chamber("ann").unwrap();
    let night = one(data, "night").unwrap();
    let proposal = house.beside.runtime.block_on(chamber.propose_point(&night, "for stills of the night")).unwrap();
    assert_eq!(house.say("bob", proposal, Voice::Approve).unwrap(), State::Open);
    let three =
        BUILTIN.replace("approvers = 2", "approvers = 3").replace("Built-in: retrospective search, strict", "Three");
    let policy = house.propose("ann", &three).unwrap();
    assert_eq!(house.say("bob", policy, Voice::Approve).unwrap(), State::Adopted);
    assert_eq!(
        house.say("cid", proposal, Voice::Approve).unwrap(),
        State::Open,
        "two were enough when it was proposed"
    );
    assert_eq!(house.say("dan", proposal, Voice::Approve).unwrap(), State::Adopted);
}
