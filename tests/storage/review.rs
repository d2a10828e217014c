//! Reviews on a disk: two people make a lead, two clicks at once have one winner, and everything is told.

use std::path::Path;

use bertillon::audit::searched::Named;
use bertillon::audit::{Caller, Event};
use bertillon::base::hex;
use bertillon::base::ids::TemplateId;
use bertillon::casework::CaseworkError;
use bertillon::casework::review::view::Shown;
use bertillon::casework::review::{Finding, Outcome, Refusal, ReviewError, ReviewRoom, State, View};
use bertillon::gallery::{Access, Erase, Vault};
use bertillon::policy::{Policy, Role, Roles, Stated};
use bertillon::records::{EventFilter, Records, SearchRecord, Statement};
use bertillon::segment::Precision;
use sha2::{Digest as _, Sha256};

use crate::records_at::{self, by_hand};
use crate::{enrol, name, new_vault, options, reference, run, search, subject};

const SEARCHED: [u64; 5] = [3, 1, 5, 2, 4];

fn person(vault: &Vault, name: &str) -> ReviewRoom {
    // Who searched in these tests is "examiner 7".
    let caller = Caller::new(name, "test", None);
    let policy = Policy::builtin().unwrap();
    ReviewRoom::under(policy, vault, &caller, Some(Roles::of(&Role::ALL))).unwrap()
}

/// A vault with a search of five candidates, of five people.
async fn searched(data: &Path) -> (Vault, i64) {
    let vault = new_vault(data, Precision::F32).await;
    enrol(&vault, (1..=6).map(|key| reference(key, key)).collect()).await;
    let candidates = SEARCHED.map(TemplateId);
    let ids = vault.record_searches(&[search(&candidates), search(&[])]).await.unwrap();
    (vault, ids[0])
}

fn refusal(result: Result<State, CaseworkError>) -> Refusal {
    match result {
        Err(CaseworkError::Review(ReviewError::Refused(refusal))) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn named(id: u64) -> Finding {
    Finding::Possible(TemplateId(id))
}

async fn looks_and_names(room: &ReviewRoom, review: i64, id: u64) -> State {
    room.claim(review).await.unwrap();
    room.see(review).await.unwrap();
    room.decide(review, named(id), Some("ear, scar at the chin")).await.unwrap()
}

async fn told(vault: &Vault, object: &str) -> Vec<Event> {
    let filter = EventFilter { kind: None, object: Some(object.to_owned()) };
    let mut events = vault.audit_book().newest(&filter, 100).await.unwrap();
    events.reverse();
    events.iter().map(|event| serde_json::from_str(&event.body).unwrap()).collect()
}

fn templates(view: &View) -> Vec<u64> {
    view.candidates.iter().map(|candidate| candidate.template.0).collect()
}

#[test]
fn a_lead_carries_two_names_and_each_step_is_told() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let (vault, search) = searched(home.path()).await;
        let (ann, bob, cid) = (person(&vault, "ann"), person(&vault, "bob"), person(&vault, "cid"));
        let review = ann.open(search).await.unwrap();
        let again = bob.open(search).await.unwrap_err();
        assert!(matches!(again, CaseworkError::Review(ReviewError::Reviewed { .. })), "{again}");
        let none = bob.open(search + 1).await.unwrap_err();
        assert!(matches!(none, CaseworkError::Review(ReviewError::NoCandidates(_))), "{none}");
        let unknown = bob.open(99).await.unwrap_err();
        assert!(matches!(unknown, CaseworkError::Review(ReviewError::NoSearch(99))), "{unknown}");
        assert_eq!(looks_and_names(&ann, review, 5).await.as_str(), "awaiting_second");
        assert_eq!(refusal(ann.claim(review).await), Refusal::SamePerson);
        assert_eq!(refusal(ann.decide(review, named(5), None).await), Refusal::AlreadyDecided);
        assert_eq!(looks_and_names(&bob, review, 2).await.as_str(), "conflict");
        assert!(cid.leads(10).await.unwrap().is_empty());
        let state = looks_and_names(&cid, review, 5).await;
        assert_eq!(state.as_str(), "lead");
        let leads = cid.leads(10).await.unwrap();
        assert_eq!(leads.len(), 1);
        assert_eq!(leads[0].named_by, ["ann", "cid"]);
        assert_eq!(
            (leads[0].dissent.as_deref(), leads[0].template, leads[0].search),
            (Some("bob"), TemplateId(5), search)
        );
        assert_eq!(refusal(bob.withdraw(review, "no").await), Refusal::WrongState);
        let lead = bob.outcome(leads[0].id, Outcome::Eliminated).await.unwrap();
        assert_eq!(lead.outcomes[0].0, "eliminated");
        let events = told(&vault, &format!("review:{review}")).await;
        let kinds: Vec<_> = events.iter().map(|event| (event.kind.as_str(), event.actor.as_str())).collect();
        let wanted = [
            ("review.opened", "ann"),
            ("review.claimed", "ann"),
            ("review.read", "ann"),
            ("review.decided", "ann"),
            ("review.claimed", "ann"),
            ("review.decided", "ann"),
            ("review.claimed", "bob"),
            ("review.read", "bob"),
            ("review.decided", "bob"),
            ("review.claimed", "cid"),
            ("review.read", "cid"),
            ("review.decided", "cid"),
            ("review.withdrawn", "bob"),
        ];
        assert_eq!(kinds, wanted);
        let refused: Vec<_> = events.iter().map(|event| event.outcome == bertillon::audit::Outcome::Refused).collect();
        assert_eq!(refused.iter().filter(|refused| **refused).count(), 3, "{refused:?}");
        assert_eq!(events[11].objects, [format!("review:{review}"), "template:5".to_owned(), "lead:1".to_owned()]);
        let of_lead: Vec<_> = told(&vault, "lead:1").await.into_iter().map(|event| event.kind).collect();
        assert_eq!(of_lead, ["review.decided", "lead.listed", "lead.outcome"]);
        vault.close().await;
    });
}

#[test]
fn who_has_yet_to_decide_sees_nothing_that_could_sway_them() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let (vault, search) = searched(home.path()).await;
        let review = person(&vault, "ann").open(search).await.unwrap();
        let mut orders = Vec::new();
        for name in ["ann", "bob"] {
            let room = person(&vault, name);
            let unclaimed = room.see(review).await.unwrap_err();
            assert!(
                matches!(unclaimed, CaseworkError::Review(ReviewError::Refused(Refusal::NotClaimed))),
                "{unclaimed}"
            );
            room.claim(review).await.unwrap();
            assert_eq!(refusal(room.decide(review, named(1), None).await), Refusal::DecidedUnseen);
            let view = room.see(review).await.unwrap();
            assert!(view.blind && view.decisions.is_empty(), "{view:?}");
            for candidate in &view.candidates {
                assert_eq!((candidate.rank, candidate.score), (None, None));
                assert_eq!((&candidate.subject, &candidate.source), (&None, &None));
                assert!(candidate.image_sha256.is_some());
            }
            assert_eq!(room.see(review).await.unwrap(), view, "each look shows the same");
            orders.push(templates(&view));
            assert_eq!(refusal(room.decide(review, named(6), None).await), Refusal::NotOnList);
            let finding = if name == "ann" { named(1) } else { Finding::Exclusion };
            room.decide(review, finding, None).await.unwrap();
            let view = room.see(review).await.unwrap();
            assert!(!view.blind && !view.decisions.is_empty());
            assert_eq!(templates(&view), SEARCHED);
            assert_eq!(view.candidates[1].subject.as_deref(), Some(subject(1).as_str()));
            assert_eq!((view.candidates[1].rank, view.candidates[1].score), (Some(2), Some(0.5)));
        }
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [1, 2, 3, 4, 5]);
            assert_ne!(order, &SEARCHED);
        }
        assert_ne!(orders[0], orders[1]);
        vault.close().await;
    });
}

/// What somebody was shown is in the log by a hash that anybody can make who has docs/REVIEW.md and docs/AUDIT_FORMAT.md.
#[test]
fn a_view_has_the_hash_and_the_order_that_the_page_says() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let (vault, search) = searched(home.path()).await;
        let ann = person(&vault, "ann");
        let review = ann.open(search).await.unwrap();
        ann.claim(review).await.unwrap();
        let view = ann.see(review).await.unwrap();
        let sha256 = |text: String| hex::encode(&Sha256::digest(text));
        let mut order = SEARCHED;
        order.sort_by_key(|template| sha256(format!("bertillon view 1\n{review} {template} ann")));
        assert_eq!(templates(&view), order);
        let listed = vault.disclosure_book().search(search).await.unwrap().unwrap().candidates;
        let entry = |template: u64| {
            let one = listed.iter().find(|one| one.template == template).unwrap();
            let Named::Salted(salt) = one.named else { panic!("{one:?}") };
            let bits = format!("{:08x}", one.score.to_bits());
            sha256(format!("bertillon candidate 1\n{salt} {search} {} {template} {bits}\n", one.rank))
        };
        let head = format!("bertillon view 1\n{review} ann\n");
        let lines: Vec<String> = order.iter().map(|template| format!("{} - - -\n", entry(*template))).collect();
        assert_eq!(hex::encode(&view.sha256), sha256(head.clone() + &lines.concat()));
        ann.decide(review, Finding::Exclusion, None).await.unwrap();
        let view = ann.see(review).await.unwrap();
        let line = |one: &Shown| {
            let Shown { template, rank, score, .. } = one;
            format!("{} {} {:08x} named\n", entry(template.0), rank.unwrap(), score.unwrap().to_bits())
        };
        let lines: Vec<String> = view.candidates.iter().map(line).collect();
        assert_eq!(hex::encode(&view.sha256), sha256(head + &lines.concat()));
        vault.close().await;
    });
}

#[test]
fn somebody_erased_since_is_no_candidate_any_more() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let (vault, search) = searched(home.path()).await;
        let ann = person(&vault, "ann");
        let review = ann.open(search).await.unwrap();
        ann.claim(review).await.unwrap();
        ann.see(review).await.unwrap();
        vault.erase(&name(), Erase::Subject(subject(5)), |_| ()).await.unwrap();
        assert_eq!(refusal(ann.decide(review, named(5), None).await), Refusal::NotOnList);
        let view = ann.see(review).await.unwrap();
        assert_eq!((view.erased, view.candidates.len()), (1, 4));
        ann.withdraw(review, "the reference was erased").await.unwrap();
        assert_eq!(refusal(ann.claim(review).await), Refusal::WrongState);
        let blank = ann.withdraw(review, "  ").await.unwrap_err();
        assert!(matches!(blank, CaseworkError::Review(ReviewError::Reason { .. })), "{blank}");
        vault.close().await;
    });
}

/// Two processes, as two workbenches beside a server are.
#[test]
fn of_two_clicks_at_once_one_wins() {
    const ROUNDS: usize = 12;
    let home = tempfile::tempdir().unwrap();
    let data = home.path();
    let reviews: Vec<i64> = run(async {
        let (vault, _) = searched(data).await;
        let mut reviews = Vec::new();
        for _ in 0..ROUNDS {
            let ids = vault.record_searches(&[search(&SEARCHED.map(TemplateId))]).await.unwrap();
            reviews.push(person(&vault, "ann").open(ids[0]).await.unwrap());
        }
        vault.close().await;
        reviews
    });
    let gate = std::sync::Barrier::new(2);
    // What goes wrong is handed out of the threads: one that panicked would leave the other waiting at the gate.
    let clicks = |who: &'static str| {
        let (gate, reviews) = (&gate, &reviews);
        move || {
            run(async {
                let vault = Vault::open(data, Access::Reader, options()).await.unwrap();
                let room = person(&vault, who);
                let mut won = Vec::new();
                for review in reviews {
                    gate.wait();
                    won.push(match room.claim(*review).await {
                        Ok(state) => Ok(state.claim().is_some_and(|claim| claim.by.0 == who)),
                        Err(CaseworkError::Review(ReviewError::Refused(Refusal::ClaimedByOther))) => Ok(false),
                        Err(other) => Err(other.to_string()),
                    });
                }
                vault.close().await;
                won
            })
        }
    };
    let (one, other) = at_once(clicks("ann"), clicks("bob"));
    let anns: Vec<bool> = one.into_iter().map(Result::unwrap).collect();
    for (ann, bob) in anns.iter().zip(other) {
        assert_ne!(*ann, bob.unwrap(), "one of two wins, and never both");
    }
    // The same person in two windows: one decision.
    let decides = || {
        let (gate, reviews, anns) = (&gate, &reviews, &anns);
        move || {
            run(async {
                let vault = Vault::open(data, Access::Reader, options()).await.unwrap();
                let mut made = Vec::new();
                for (review, ann) in reviews.iter().zip(anns) {
                    let room = person(&vault, if *ann { "ann" } else { "bob" });
                    let seen = room.see(*review).await.map_err(|error| error.to_string());
                    gate.wait();
                    let decided = room.decide(*review, named(3), None).await;
                    gate.wait();
                    made.push(seen.and(match decided {
                        Ok(_) => Ok(true),
                        Err(CaseworkError::Review(ReviewError::Refused(Refusal::AlreadyDecided))) => Ok(false),
                        Err(other) => Err(other.to_string()),
                    }));
                }
                vault.close().await;
                made
            })
        }
    };
    let (one, other) = at_once(decides(), decides());
    for (one, other) in one.into_iter().zip(other) {
        assert_ne!(one.unwrap(), other.unwrap(), "one decision, and not none");
    }
}

fn at_once<T: Send>(one: impl FnOnce() -> T + Send, other: impl FnOnce() -> T + Send) -> (T, T) {
    std::thread::scope(|scope| {
        let (one, other) = (scope.spawn(one), scope.spawn(other));
        (one.join().unwrap(), other.join().unwrap())
    })
}

#[test]
fn a_claim_that_ran_out_is_anybodys() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let (vault, search) = searched(home.path()).await;
        let (ann, bob) = (person(&vault, "ann"), person(&vault, "bob"));
        let review = ann.open(search).await.unwrap();
        ann.claim(review).await.unwrap();
        ann.see(review).await.unwrap();
        assert_eq!(refusal(bob.claim(review).await), Refusal::ClaimedByOther);
        let pool = by_hand(home.path()).await;
        sqlx::query("UPDATE review SET claimed_until = '2026-01-01T00:00:00Z'").execute(&pool).await.unwrap();
        assert!(ann.list(None, 10).await.unwrap()[0].claim.is_none());
        assert_eq!(refusal(ann.decide(review, named(1), None).await), Refusal::NotClaimed);
        bob.claim(review).await.unwrap();
        assert_eq!(refusal(ann.decide(review, named(1), None).await), Refusal::ClaimedByOther);
        assert_eq!(refusal(bob.decide(review, named(1), None).await), Refusal::DecidedUnseen);
        for statement in ["UPDATE review_decision SET person = 'x'", "DELETE FROM review_decision"] {
            looks_and_decides_nothing(&bob, review).await;
            let changed = sqlx::query(statement).execute(&pool).await;
            assert!(changed.unwrap_err().to_string().contains("decisions stay"));
        }
        pool.close().await;
        vault.close().await;
    });
}

async fn looks_and_decides_nothing(room: &ReviewRoom, review: i64) {
    // The second time it is decided already.
    let decided = room.decide(review, Finding::Inconclusive, None).await;
    assert!(decided.is_ok() || refusal(decided) == Refusal::AlreadyDecided);
}

#[test]
fn roles_and_names_are_wanted() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let (vault, search) = searched(home.path()).await;
        for name in ["not signed in", "the server itself", ""] {
            let nobody = ReviewRoom::enter(&vault, &Caller::new(name, "test", None)).await;
            assert!(matches!(nobody, Err(CaseworkError::Review(ReviewError::Nobody))), "{name}");
        }
        let review = person(&vault, "ann").open(search).await.unwrap();
        let policy = || Policy::builtin().unwrap();
        let caller = Caller::new("eve", "test", None);
        let eve = |roles: &[Role]| ReviewRoom::under(policy(), &vault, &caller, Some(Roles::of(roles))).unwrap();
        let auditor = eve(&[Role::Auditor, Role::Administrator, Role::Submitter, Role::Evaluator]);
        assert_eq!(refusal(auditor.claim(review).await), Refusal::NotAllowed);
        assert!(auditor.list(None, 10).await.is_err() && auditor.leads(10).await.is_err());
        assert!(auditor.see(review).await.is_err());
        assert_eq!(refusal(eve(&[Role::Examiner]).withdraw(review, "no").await), Refusal::NotAllowed);
        assert_eq!(person(&vault, "ann").list(Some("open"), 10).await.unwrap().len(), 1);
        // Whoever asked for the search is "examiner 7": they may be one of the two.
        let asked = person(&vault, "examiner 7");
        assert_eq!(looks_and_names(&asked, review, 3).await.as_str(), "awaiting_second");
        assert_eq!(looks_and_names(&person(&vault, "ann"), review, 3).await.as_str(), "lead");
        vault.close().await;
    });
}

#[test]
fn what_a_search_states_is_kept_with_it() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let (vault, _) = searched(home.path()).await;
        let some = |text: &str| Some(text.to_owned());
        let stated = Stated {
            purpose: some("investigate_crime"),
            lawful_basis: some("law_enforcement_task"),
            seriousness: None,
            case_ref: some("CR/77/26"),
            reason: some("the only still"),
            authoriser: some("Insp. Una Müller"),
        };
        let statement = Statement { stated, policy_sha256: [7; 32], of: None };
        let with = SearchRecord { stated: Some(statement.clone()), ..search(&[TemplateId(1)]) };
        let ids = vault.record_searches(&[with, search(&[TemplateId(2)])]).await.unwrap();
        let records = Records::open_beside(home.path(), records_at::url().as_ref()).await.unwrap().unwrap();
        assert_eq!(records.stated(ids[0]).await.unwrap(), Some(statement));
        assert_eq!(records.stated(ids[1]).await.unwrap(), None);
        records.close().await;
        let events = told(&vault, &format!("search:{}", ids[0])).await;
        let detail = serde_json::to_value(&events[0].detail).unwrap();
        assert_eq!((&detail["stated"], &detail["policy"]), (&5.into(), &"07".repeat(32).into()));
        let told = serde_json::to_string(&events).unwrap();
        let said = ["CR/77", "still", "Una"];
        assert!(!said.iter().any(|said| told.contains(said)), "free text has no place in the log");
        vault.close().await;
    });
}

#[test]
fn what_was_written_about_somebody_is_erased_with_them() {
    const WRITTEN: [&str; 3] = ["scar at the chin, as told", "the gait, seen at once", "robbery with a green van"];
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, (1..=6).map(|key| reference(key, key)).collect()).await;
        let stated = Stated {
            purpose: Some("investigate_crime".to_owned()),
            case_ref: Some("case number 4711/26".to_owned()),
            reason: Some(WRITTEN[2].to_owned()),
            ..Stated::default()
        };
        let statement = Statement { stated, policy_sha256: [7; 32], of: None };
        let record = || SearchRecord { stated: Some(statement.clone()), ..search(&SEARCHED.map(TemplateId)) };
        let ids = vault.record_searches(&[record()]).await.unwrap();
        let (ann, bob) = (person(&vault, "ann"), person(&vault, "bob"));
        let review = ann.open(ids[0]).await.unwrap();
        for (room, words) in [(&ann, WRITTEN[0]), (&bob, WRITTEN[1])] {
            room.claim(review).await.unwrap();
            room.see(review).await.unwrap();
            room.decide(review, named(5), Some(words)).await.unwrap();
        }
        let in_files = |text: &str| crate::traces::windows(home.path(), 12).contains(&text.as_bytes()[..12]);
        // Somebody else who stood on the list, and was named by nobody.
        vault.erase(&name(), Erase::Template(TemplateId(3)), |_| ()).await.unwrap();
        assert!(WRITTEN.into_iter().all(in_files), "the search for traces finds what is there");
        vault.erase(&name(), Erase::Subject(subject(5)), |_| ()).await.unwrap();
        for words in WRITTEN {
            assert!(!in_files(words), "{words}");
        }
        assert!(in_files("case number 4711/26"), "what the search is accounted for by stays");
        assert_eq!(ann.leads(10).await.unwrap()[0].named_by, ["ann", "bob"]);
        vault.close().await;
    });
}
