//! Unsolved probes on a disk: who may put what on the list, that nothing on it outlives its picture, and that no rescan prolongs it.

use std::path::Path;
use std::sync::Arc;

use bertillon::audit::{Caller, Event};
use bertillon::base::day::Day;
use bertillon::base::ids::TemplateId;
use bertillon::casework::access::users;
use bertillon::casework::review::{Finding, ReviewRoom};
use bertillon::casework::unsolved::{UnsolvedError, UnsolvedRoom};
use bertillon::casework::{CaseworkError, Desk};
use bertillon::gallery::{Erase, GalleryError, NewReference};
use bertillon::policy::{NotAdmitted, Policy, Role, Roles, Stated};
use bertillon::records::{EventFilter, GallerySeen, Over, RecordsError, SearchOf, SearchRecord, Statement};
use bertillon::rights::Grant;

use crate::bulk::desk;
use crate::pictures::{blobs, of, picture, seen};
use crate::{enrol, name, reference, run, search, subject};

const LATER: &str = "2999-01-01T00:00:00Z";
const SEARCHED_FOR: &str = "a till was robbed";

/// Xena examines custody and elle another gallery, una supervises, vic verifies.
async fn house(home: &Path) -> Arc<Desk> {
    let desk = desk(home).await;
    let model = desk.catalogue.set("mtcnn-dlib").unwrap().id();
    let all = (1..=3).map(|key| NewReference { model: model.clone(), ..reference(key, key) });
    enrol(&desk.vault, all.collect()).await;
    let people =
        [("xena", "examiner:custody"), ("elle", "examiner:elsewhere"), ("una", "supervisor"), ("vic", "verifier")];
    for (name, role) in people {
        let grants: [Grant; 1] = [role.parse().unwrap()];
        users::add(&desk, &Caller::new("root", "a test", None), &name.parse().unwrap(), "", &grants).await.unwrap();
    }
    Arc::new(desk)
}

async fn room(desk: &Arc<Desk>, who: &str) -> UnsolvedRoom {
    UnsolvedRoom::enter(desk, &Caller::new(who, "a test", None)).await.unwrap()
}

/// A search with that picture, which has seen the gallery up to a template.
fn searched(picture: &[u8], of_whom: Option<SearchOf>, last: u64) -> SearchRecord {
    let (purpose, reason) = (Some("investigate_crime".to_owned()), Some(SEARCHED_FOR.to_owned()));
    let stated = Stated { purpose, reason, ..Stated::default() };
    let stated = Some(Statement { stated, policy_sha256: [7; 32], of: of_whom });
    let seen = GallerySeen { last_template: TemplateId(last), live: last };
    SearchRecord { stated, seen, probe_sha256: of(picture), ..search(&[3, 1].map(TemplateId)) }
}

/// Its number.
async fn search_keeping(desk: &Desk, key: u64, until: &str) -> i64 {
    let came = picture(key, 50_000);
    let sealed = desk.vault.seal_probes(&name(), vec![Arc::clone(&came)], until).await.unwrap();
    desk.vault.record_searches_keeping(&name(), vec![searched(&came, None, 3)], sealed).await.unwrap()[0]
}

/// Reviews a search: one names nobody, or two name a candidate.
async fn reviewed(desk: &Desk, search: i64, lead: bool) {
    let mut policy = Policy::builtin().unwrap();
    policy.review.negatives_percent = 0;
    let under = |who: &str| {
        let caller = Caller::new(who, "test", None);
        ReviewRoom::under(policy.clone(), &desk.vault, &caller, Some(Roles::of(&Role::ALL))).unwrap()
    };
    let review = under("ann").open(search).await.unwrap();
    let finding = if lead { Finding::Possible(TemplateId(3)) } else { Finding::parse("exclusion", None).unwrap() };
    for who in ["ann", "bob"].into_iter().take(1 + usize::from(lead)) {
        let room = under(who);
        room.claim(review).await.unwrap();
        room.see(review).await.unwrap();
        room.decide(review, finding, None).await.unwrap();
    }
}

/// Opens a review, in which the first names somebody and nobody decided after them.
async fn named(desk: &Desk, search: i64) {
    let caller = Caller::new("ann", "test", None);
    let all = Some(Roles::of(&Role::ALL));
    let room = ReviewRoom::under(Policy::builtin().unwrap(), &desk.vault, &caller, all).unwrap();
    let review = room.open(search).await.unwrap();
    room.claim(review).await.unwrap();
    room.see(review).await.unwrap();
    room.decide(review, Finding::Possible(TemplateId(3)), None).await.unwrap();
}

fn error(result: Result<impl std::fmt::Debug, CaseworkError>) -> UnsolvedError {
    match result {
        Err(CaseworkError::Unsolved(error)) => error,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn what_led_to_nobody_is_listed_by_who_may_and_nothing_else() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = house(home.path()).await;
        let (xena, una) = (room(&desk, "xena").await, room(&desk, "una").await);
        let (closed, open, lead) = (
            search_keeping(&desk, 1, LATER).await,
            search_keeping(&desk, 2, LATER).await,
            search_keeping(&desk, 3, LATER).await,
        );
        reviewed(&desk, closed, false).await;
        reviewed(&desk, lead, true).await;
        let bare = desk.vault.record_searches(&[search(&[])]).await.unwrap()[0];
        let other = room(&desk, "elle").await.add(closed, "a reason").await;
        assert_eq!(error(other), UnsolvedError::NotAllowed(name()));
        assert!(matches!(room(&desk, "vic").await.add(closed, "x").await, Err(CaseworkError::NotAllowed { .. })));
        assert_eq!(error(xena.add(77, "a reason").await), UnsolvedError::NoSearch(77));
        assert_eq!(error(xena.add(closed, " ").await), UnsolvedError::Reason);
        assert_eq!(xena.add(closed, "the only still of a series").await.unwrap(), 1);
        assert_eq!(error(xena.add(closed, "again").await), UnsolvedError::Listed { search: closed, unsolved: 1 });
        assert_eq!(error(xena.add(open, "not over").await), UnsolvedError::NotOver(open));
        assert_eq!(una.add(open, "a supervisor names it").await.unwrap(), 2);
        assert_eq!(error(una.add(lead, "a reason").await), UnsolvedError::Lead(lead));
        assert_eq!(error(una.add(bare, "a reason").await), UnsolvedError::NoPicture(bare));
        // What became a lead on the list is not searched anew.
        reviewed(&desk, open, true).await;
        assert_eq!(error(una.rescan(2).await), UnsolvedError::Lead(open));
        let numbers = |found: Vec<bertillon::records::unsolved::UnsolvedRecord>| {
            found.into_iter().map(|entry| entry.id).collect::<Vec<_>>()
        };
        assert_eq!(numbers(xena.list(None, 50).await.unwrap()), [2, 1]);
        assert_eq!(numbers(xena.list(Some(2), 50).await.unwrap()), [1]);
        assert_eq!(numbers(room(&desk, "elle").await.list(None, 50).await.unwrap()), Vec::<i64>::new());
        xena.remove(1).await.unwrap();
        assert_eq!(error(xena.remove(1).await), UnsolvedError::NotListed(1));
        assert_eq!(error(xena.rescan(1).await), UnsolvedError::NotListed(1));
        assert_eq!(numbers(xena.list(None, 50).await.unwrap()), [2]);
        assert_eq!(xena.add(closed, "it is wanted again").await.unwrap(), 3);
        let filter = EventFilter { kind: None, object: Some("unsolved:1".to_owned()) };
        let events = desk.vault.audit_book().newest(&filter, 50).await.unwrap();
        let events: Vec<Event> = events.iter().map(|event| serde_json::from_str(&event.body).unwrap()).collect();
        let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!((kinds.first(), kinds.last()), (Some(&"unsolved.removed"), Some(&"unsolved.added")));
        assert!(!format!("{events:?}").contains("series"), "free text has no place in the log");
    });
}

/// What was stated goes with it, who authorised it too; whoever that was does not ask for it.
#[test]
fn a_rescan_states_who_authorised_the_search_and_is_not_asked_for_by_them() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = house(home.path()).await;
        let came = picture(1, 50_000);
        let sealed = desk.vault.seal_probes(&name(), vec![Arc::clone(&came)], LATER).await.unwrap();
        let some = |text: &str| Some(text.to_owned());
        let stated = Stated {
            purpose: some("investigate_crime"),
            lawful_basis: some("law_enforcement_task"),
            seriousness: some("indictable"),
            case_ref: some("CR/1/26"),
            reason: some(SEARCHED_FOR),
            authoriser: some("Una"),
        };
        let stated = Some(Statement { stated, policy_sha256: [7; 32], of: None });
        let record = SearchRecord { stated, threshold: None, ..searched(&came, None, 3) };
        let search = desk.vault.record_searches_keeping(&name(), vec![record], sealed).await.unwrap()[0];
        let (una, xena) = (room(&desk, "una").await, room(&desk, "xena").await);
        una.add(search, "the only still").await.unwrap();
        let refused = una.rescan(1).await.unwrap_err();
        assert!(matches!(refused, CaseworkError::NotAdmitted(NotAdmitted::OwnAuthoriser)), "{refused}");
        let filter = EventFilter::default();
        let newest = desk.vault.audit_book().newest(&filter, 1).await.unwrap();
        let event: Event = serde_json::from_str(&newest[0].body).unwrap();
        assert_eq!((event.kind.as_str(), event.actor.as_str()), ("search.run", "una"));
        assert!(newest[0].body.contains("own-authoriser"), "{}", newest[0].body);
        // What is no picture goes no further than that: the policy had nothing against it.
        let refused = xena.rescan(1).await.unwrap_err();
        assert!(!matches!(refused, CaseworkError::NotAdmitted(_)), "{refused}");
    });
}

#[test]
fn nothing_on_the_list_outlives_its_picture_and_no_rescan_prolongs_it() {
    const WHY: &str = "the only still of the series";
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = house(home.path()).await;
        let una = room(&desk, "una").await;
        let search = search_keeping(&desk, 1, "2020-01-01T00:00:00Z").await;
        let other = search_keeping(&desk, 2, LATER).await;
        assert_eq!((una.add(search, WHY).await.unwrap(), una.add(other, "stays").await.unwrap()), (1, 2));
        let entry = una.list(None, 50).await.unwrap().pop().unwrap();
        assert_eq!((entry.expires_at.as_str(), entry.searched_to), ("2020-01-01T00:00:00Z", TemplateId(3)));
        // As a rescan records itself: of the picture that is there, when the gallery had grown.
        let again = searched(&picture(1, 50_000), Some(SearchOf::Unsolved(1)), 9);
        let rescan = desk.vault.record_searches(std::slice::from_ref(&again)).await.unwrap()[0];
        let entry = una.list(None, 50).await.unwrap().pop().unwrap();
        assert_eq!((entry.rescans.as_slice(), entry.searched_to), (&[rescan][..], TemplateId(9)));
        assert_eq!(entry.expires_at, "2020-01-01T00:00:00Z");
        assert_eq!(error(una.add(rescan, "again").await), UnsolvedError::Rescan { search: rescan, unsolved: 1 });
        let probes = desk.vault.probes_after(0).await.unwrap();
        assert_eq!((probes.len(), &probes[0].searches), (2, &vec![search, rescan]), "no second picture");
        let data = desk.settings.data.folder.clone();
        assert!(seen(&data, WHY.as_bytes()) > 0, "the search for traces finds what is there");
        assert_eq!(desk.vault.erase_probes_due().await.unwrap(), 1);
        assert_eq!((blobs(&data).len(), seen(&data, WHY.as_bytes())), (1, 0));
        assert_eq!(una.list(None, 50).await.unwrap().iter().map(|entry| entry.id).collect::<Vec<_>>(), [2]);
        assert_eq!(error(una.rescan(1).await), UnsolvedError::NotListed(1));
        let refused = desk.vault.record_searches(&[again]).await.unwrap_err();
        assert!(matches!(refused, GalleryError::Records(RecordsError::UnsolvedOver(1))), "{refused}");
        assert_eq!(error(una.add(search, "again").await), UnsolvedError::NoPicture(search));
        // With the gallery's key goes every picture, and with these the list.
        desk.vault.destroy_gallery_key(&name()).await.unwrap();
        assert_eq!(una.list(None, 50).await.unwrap(), []);
    });
}

#[test]
fn with_the_list_of_its_search_goes_the_entry_and_with_whom_it_is_about_its_words() {
    const WHY: [&str; 3] = ["removed and put back since", "looks like the man with the van", "of nobody in particular"];
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = house(home.path()).await;
        let una = room(&desk, "una").await;
        let (first, second) = (search_keeping(&desk, 1, LATER).await, search_keeping(&desk, 2, LATER).await);
        una.add(first, WHY[0]).await.unwrap();
        una.remove(1).await.unwrap();
        una.add(first, WHY[2]).await.unwrap();
        una.add(second, WHY[1]).await.unwrap();
        // One who reviews a rescan of the second names somebody; another does not.
        let again = searched(&picture(2, 50_000), Some(SearchOf::Unsolved(3)), 9);
        let rescan = desk.vault.record_searches(&[again]).await.unwrap()[0];
        for search in [rescan, second] {
            named(&desk, search).await;
        }
        let data = desk.settings.data.folder.clone();
        assert!(WHY.iter().all(|why| seen(&data, why.as_bytes()) > 0), "the search for traces finds what is there");
        desk.vault.erase(&name(), Erase::Subject(subject(3)), |_| ()).await.unwrap();
        let left = WHY.map(|why| seen(&data, why.as_bytes()) > 0);
        assert_eq!(left, [true, false, true], "what was written about who is gone, and nothing else");
        assert_eq!(una.list(None, 50).await.unwrap()[0].reason, None);
        let refused = error(una.rescan(3).await);
        assert!(matches!(refused, UnsolvedError::NotAgain { .. }), "what is erased is not stated anew: {refused}");
        // The period of lists is over before that of the picture. What is under review stays.
        let over = Day::today().plus_days(1);
        assert_eq!(desk.vault.empty_lists(&name(), Over { lists: over, leads: over }).await.unwrap(), 1);
        assert_eq!(una.list(None, 50).await.unwrap().iter().map(|entry| entry.id).collect::<Vec<_>>(), [3]);
        assert_eq!(WHY.map(|why| seen(&data, why.as_bytes())), [0; 3], "also of the entry that was removed");
        assert_eq!(error(una.rescan(2).await), UnsolvedError::NotListed(2));
        let rescan =
            SearchRecord { candidates: Vec::new(), ..searched(&picture(1, 50_000), Some(SearchOf::Unsolved(2)), 9) };
        let refused = desk.vault.record_searches(&[rescan]).await.unwrap_err();
        assert!(matches!(refused, GalleryError::Records(RecordsError::UnsolvedOver(2))), "{refused}");
        let refused = una.add(first, "again").await.unwrap_err().to_string();
        assert!(refused.contains("was emptied"), "{refused}");
    });
}
