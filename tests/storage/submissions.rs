//! Submissions on a disk: what is acknowledged by a receipt is there to the bit, its submitter sees nothing of the work on it, and it goes
//! when its time is over.

use std::path::Path;
use std::sync::Arc;

use bertillon::audit::{Caller, Event, Identity};
use bertillon::base::hex;
use bertillon::base::ids::{GalleryName, TemplateId};
use bertillon::base::limits::{SUBMISSION_IMAGES_MAX, SUBMISSIONS_WAITING_MAX};
use bertillon::casework::access::users;
use bertillon::casework::review::{Finding, Refusal as NoReview, ReviewError, ReviewRoom};
use bertillon::casework::submissions::{
    HandedIn, NotReceived, Receipt, Refusal, Shown, State, SubmissionError, SubmissionRoom,
};
use bertillon::casework::{CaseworkError, Desk, keys};
use bertillon::gallery::{Access, GalleryError, Vault};
use bertillon::http::submission_shapes::SubmissionShape;
use bertillon::policy::{Policy, Role, Roles, Stated};
use bertillon::records::submissions::Told;
use bertillon::records::{EventFilter, RecordsError, SearchOf, SearchRecord, Statement};
use bertillon::rights::{Grant, Rights};

use crate::bulk::desk;
use crate::pictures::{blobs, of, seen};
use crate::told::program;
use crate::{enrol, open, options, reference, run, search};

/// A small picture that no other is: a bitmap of 24 bits a pixel.
fn still(key: u8) -> Arc<[u8]> {
    let (side, data) = (64_u32, 64 * 64 * 3_u32);
    let mut bytes = b"BM".to_vec();
    for number in [54 + data, 0, 54, 40, side, side] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&[1, 0, 24, 0]);
    bytes.extend_from_slice(&[0; 24]);
    bytes.extend((0..data).map(|place| (place.wrapping_mul(2_654_435_761) >> 13) as u8 ^ key.wrapping_mul(37)));
    bytes.into()
}

fn told(reference: &str) -> Told {
    Told { reference: reference.to_owned(), place: Some("the shop at the corner".to_owned()), time: None }
}

/// Sam and sal hand in, xena examines, una supervises.
async fn house(home: &Path) -> Arc<Desk> {
    let desk = desk(home).await;
    for (name, role) in [("sam", "submitter"), ("sal", "submitter"), ("xena", "examiner"), ("una", "supervisor")] {
        let grants: [Grant; 1] = [role.parse().unwrap()];
        users::add(&desk, &Caller::new("root", "a test", None), &name.parse().unwrap(), "", &grants).await.unwrap();
    }
    Arc::new(desk)
}

async fn room(desk: &Arc<Desk>, who: &str) -> SubmissionRoom {
    SubmissionRoom::enter(desk, &Caller::new(who, "a test", None)).await.unwrap()
}

async fn handed_in(desk: &Arc<Desk>, who: &str, stills: &[u8], reference: &str) -> Result<HandedIn, CaseworkError> {
    room(desk, who).await.hand_in(stills.iter().map(|key| still(*key)).collect(), told(reference)).await
}

fn error(result: Result<impl std::fmt::Debug, CaseworkError>) -> SubmissionError {
    match result {
        Err(CaseworkError::Submission(error)) => error,
        other => panic!("not refused: {other:?}"),
    }
}

async fn read(room: &SubmissionRoom, id: i64, number: i64) -> Vec<u8> {
    let mut all = Vec::new();
    let reader = room.picture(id, number).await.unwrap();
    reader
        .read(|chunk| {
            all.extend_from_slice(chunk);
            Ok(())
        })
        .unwrap();
    all
}

async fn events(vault: &Vault, id: i64) -> Vec<Event> {
    let filter = EventFilter { kind: None, object: Some(format!("submission:{id}")) };
    let mut found = vault.audit_book().newest(&filter, 100).await.unwrap();
    found.reverse();
    found.iter().map(|event| serde_json::from_str(&event.body).unwrap()).collect()
}

async fn execute(desk: &Desk, statement: &'static str) {
    let pool = crate::records_at::by_hand(&desk.settings.data.folder).await;
    sqlx::query(statement).execute(&pool).await.unwrap();
    pool.close().await;
}

#[test]
fn a_receipt_says_what_came_and_is_checked_elsewhere() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = house(home.path()).await;
        let done = handed_in(&desk, "sam", &[1, 2], "SHOP/8/26").await.unwrap();
        assert!(!done.again && done.shown.record.id == 1 && done.shown.record.state == "received");
        let data = desk.settings.data.folder.clone();
        let key = keys::public_key(&data).unwrap().unwrap();
        let sealed = done.shown.receipt.clone().unwrap();
        let receipt = Receipt::open(&sealed, Some(key)).unwrap();
        assert_eq!((receipt.submission, receipt.submitter.as_str()), (1, "sam"));
        assert_eq!(receipt.is_of(&[1, 2].map(|one| hex::encode(&of(&still(one))))), Ok(()));
        assert_eq!(receipt.is_of(&[hex::encode(&of(&still(3)))]), Err(NotReceived::OtherPicture(1)));
        let stated = serde_json::to_value(&events(&desk.vault, 1).await[0]).unwrap();
        assert_eq!(stated["detail"]["receipt"], hex::encode(&of(sealed.body.as_bytes())), "the log binds the receipt");
        assert!(!stated.to_string().contains("SHOP"), "free text has no place in the log");
        // Whoever works on it gets the pictures to the bit; in no file can they be read.
        for (number, one) in [(1, 1), (2, 2)] {
            assert_eq!(read(&room(&desk, "xena").await, 1, number).await, &still(one)[..]);
            assert_eq!(seen(&data, &still(one)[54..2_000]), 0);
        }
        let (file, shown) = (home.path().join("receipt.json"), room(&desk, "sam").await.show(1).await.unwrap());
        assert_eq!(shown.receipt.as_ref(), Some(&sealed), "the same each time");
        fs_err::write(&file, serde_json::to_string(&sealed).unwrap()).unwrap();
        fs_err::write(home.path().join("one.bmp"), still(1)).unwrap();
        fs_err::write(home.path().join("other.bmp"), still(9)).unwrap();
        let (key, file) = (key.to_string(), file.display().to_string());
        let verify = |image: &str, key: &[&str]| {
            let image = home.path().join(image).display().to_string();
            let arguments = [&["submission", "verify-receipt", &file, "--image", &image][..], key].concat();
            program(home.path(), &arguments).status.code()
        };
        assert_eq!(verify("one.bmp", &["--key", &key]), Some(0));
        assert_eq!(verify("one.bmp", &[]), Some(3), "nobody vouches for the key");
        assert_eq!(verify("one.bmp", &["--key", &"00".repeat(32)]), Some(1));
        assert_eq!(verify("other.bmp", &["--key", &key]), Some(1));
        let forged = serde_json::to_string(&sealed).unwrap().replacen("sam", "sal", 1);
        fs_err::write(&file, forged).unwrap();
        assert_eq!(verify("one.bmp", &["--key", &key]), Some(1));
    });
}

#[test]
fn the_same_again_is_the_same_submission_and_anything_else_of_it_is_refused() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = house(home.path()).await;
        let first = handed_in(&desk, "sam", &[1, 2], "SHOP/8/26").await.unwrap();
        // A picture twice in one submission is there once.
        let again = handed_in(&desk, "sam", &[2, 1, 2], " SHOP/8/26 ").await.unwrap();
        assert!(again.again && again.shown == first.shown);
        for (stills, reference) in [(&[1, 2][..], "SHOP/9/26"), (&[1], "SHOP/8/26"), (&[3, 2], "SHOP/8/26")] {
            let refused = error(handed_in(&desk, "sam", stills, reference).await);
            assert!(matches!(refused, SubmissionError::HandedIn { submission: 1, .. }), "{refused}");
        }
        assert_eq!(blobs(&desk.settings.data.folder).len(), 2, "what was refused left nothing");
        assert!(!handed_in(&desk, "sal", &[1], "a bus").await.unwrap().again, "others have their own");
        let kinds: Vec<String> = events(&desk.vault, 1).await.into_iter().map(|event| event.kind).collect();
        assert_eq!(kinds, ["submission.handed_in", "submission.handed_in"]);
    });
}

#[test]
fn a_submitter_sees_their_own_and_nothing_of_the_work() {
    const WHY: &str = "nobody like that in custody";
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = house(home.path()).await;
        handed_in(&desk, "sam", &[1], "SHOP/8/26").await.unwrap();
        handed_in(&desk, "sal", &[2], "a bus").await.unwrap();
        let (sam, xena) = (room(&desk, "sam").await, room(&desk, "xena").await);
        let numbers = |found: Vec<Shown>| found.iter().map(|shown| shown.record.id).collect::<Vec<_>>();
        assert_eq!(numbers(sam.list(None, None, 50).await.unwrap()), [1]);
        assert_eq!(numbers(xena.list(None, None, 50).await.unwrap()), [2, 1]);
        assert_eq!(numbers(xena.list(None, Some(2), 50).await.unwrap()), [1]);
        assert_eq!(
            error(sam.show(2).await),
            error(sam.show(77).await.map_err(|_| SubmissionError::NoSubmission(2).into()))
        );
        for refused in [
            sam.take(1).await.err(),
            sam.close(1, WHY).await.err(),
            sam.picture(1, 1).await.err(),
            sam.erase(1).await.err(),
        ] {
            assert!(matches!(refused, Some(CaseworkError::NotAllowed { .. })), "{refused:?}");
        }
        assert!(matches!(xena.hand_in(vec![still(5)], told("x")).await, Err(CaseworkError::NotAllowed { .. })));
        assert_eq!(xena.take(1).await.unwrap(), State::Taken);
        assert_eq!(error(xena.take(1).await), SubmissionError::Refused(1, Refusal::Taken));
        assert_eq!(xena.close(1, WHY).await.unwrap(), State::Closed);
        assert_eq!(error(xena.close(1, WHY).await), SubmissionError::Refused(1, Refusal::Closed));
        assert_eq!(numbers(xena.list(Some(State::Closed), None, 50).await.unwrap()), [1]);
        let seen = serde_json::to_string(&SubmissionShape::from(&sam.show(1).await.unwrap())).unwrap();
        assert!(seen.contains("\"state\":\"closed\"") && seen.contains("\"work\":null"), "{seen}");
        assert!(!seen.contains("xena") && !seen.contains("custody"), "{seen}");
        let work = xena.show(1).await.unwrap().work.unwrap();
        assert_eq!((work.closed.unwrap().0.as_str(), work.reason.as_deref()), ("xena", Some(WHY)));
        let told = serde_json::to_string(&events(&desk.vault, 1).await).unwrap();
        assert!(["submission.taken", "submission.closed", "submission.read"].iter().all(|kind| told.contains(kind)));
        assert!(!told.contains("nobody like"), "free text has no place in the log");
        let stranger = SubmissionRoom::enter(&desk, &Caller::new("root", "a test", None)).await;
        assert!(matches!(stranger.err(), Some(CaseworkError::Submission(SubmissionError::NoUser(_)))));
    });
}

#[test]
fn what_can_not_be_taken_in_is_named_and_leaves_nothing() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = house(home.path()).await;
        let sam = room(&desk, "sam").await;
        let stills = |count: usize| (0..count).map(|key| still(key as u8)).collect::<Vec<_>>();
        for count in [0, SUBMISSION_IMAGES_MAX + 1] {
            assert_eq!(error(sam.hand_in(stills(count), told("x")).await), SubmissionError::Pictures(count));
        }
        let text: Arc<[u8]> = b"To whom it may concern".as_slice().into();
        let refused = error(sam.hand_in(vec![still(1), text], told("x")).await);
        assert!(matches!(refused, SubmissionError::Picture { number: 2, .. }), "{refused}");
        assert_eq!(error(sam.hand_in(stills(1), told(" ")).await), SubmissionError::Text("reference"));
        assert_eq!(error(sam.hand_in(stills(1), told(&"x".repeat(1_025))).await), SubmissionError::Text("reference"));
        let place = Told { place: Some("x".repeat(1_025)), ..told("x") };
        assert_eq!(error(sam.hand_in(stills(1), place).await), SubmissionError::Text("place"));
        sam.hand_in(stills(SUBMISSION_IMAGES_MAX), told("x")).await.unwrap();
        assert_eq!(blobs(&desk.settings.data.folder).len(), SUBMISSION_IMAGES_MAX);
        const { assert!(SUBMISSIONS_WAITING_MAX < 1_000, "as the statement has it") };
        execute(
            &desk,
            "WITH RECURSIVE n (id) AS (SELECT 2 UNION ALL SELECT id + 1 FROM n WHERE id < 1000) INSERT INTO submission \
             (id, submitter, state, kept, received_at, expires_at) \
             SELECT id, 'sam', 'received', 'kept', '2026-11-22T10:00:00Z', '2999-01-01T00:00:00Z' FROM n",
        )
        .await;
        let full = handed_in(&desk, "sam", &[99], "x").await.unwrap_err();
        assert!(matches!(&full, CaseworkError::Gallery(GalleryError::Records(RecordsError::TooMany { .. }))), "{full}");
        assert_eq!(blobs(&desk.settings.data.folder).len(), SUBMISSION_IMAGES_MAX);
        handed_in(&desk, "sal", &[99], "x").await.unwrap();
    });
}

#[test]
fn what_was_handed_in_goes_when_its_time_is_over() {
    const WORDS: &str = "two men in a green van";
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = house(home.path()).await;
        let data = desk.settings.data.folder.clone();
        handed_in(&desk, "sam", &[1], WORDS).await.unwrap();
        handed_in(&desk, "sam", &[2], "SHOP/9/26").await.unwrap();
        let (sam, una) = (room(&desk, "sam").await, room(&desk, "una").await);
        assert_eq!(una.erase_due().await.unwrap(), 0);
        execute(&desk, "UPDATE submission SET expires_at = '2020-01-01T00:00:00Z' WHERE id = 1").await;
        assert!(seen(&data, WORDS.as_bytes()) > 0, "the search for traces finds what is there");
        let files = blobs(&data);
        let second_names = home.path().join("second");
        fs_err::create_dir(&second_names).unwrap();
        for (number, path) in files.iter().enumerate() {
            fs_err::hard_link(path, second_names.join(number.to_string())).unwrap();
        }
        assert_eq!((una.erase_due().await.unwrap(), una.erase_due().await.unwrap()), (1, 0));
        let left = blobs(&data);
        assert_eq!((files.len(), left.len()), (2, 1));
        for (number, path) in files.iter().enumerate() {
            let bytes = fs_err::read(second_names.join(number.to_string())).unwrap();
            assert_eq!(bytes.iter().all(|byte| *byte == 0), !left.contains(path), "overwritten, not only unlinked");
        }
        assert_eq!(seen(&data, WORDS.as_bytes()), 0, "nor are the words");
        let shown = sam.show(1).await.unwrap();
        assert!(shown.receipt.is_none() && shown.record.told.is_none(), "that there was one stays");
        assert!(matches!(una.erase(1).await, Err(CaseworkError::Gallery(GalleryError::NoSubmission(1)))));
        let xena = room(&desk, "xena").await;
        assert_eq!(error(xena.take(1).await), SubmissionError::Refused(1, Refusal::Erased));
        assert!(matches!(xena.picture(1, 1).await.err(), Some(CaseworkError::Gallery(GalleryError::NoSubmission(1)))));
        assert_eq!(read(&xena, 2, 1).await, &still(2)[..]);
        assert!(matches!(xena.picture(2, 2).await.err(), Some(CaseworkError::Gallery(GalleryError::NoSubmission(2)))));
        // What is gone can be handed in anew.
        assert_eq!(handed_in(&desk, "sam", &[1], WORDS).await.unwrap().shown.record.id, 3);
        una.erase(3).await.unwrap();
        assert_eq!(seen(&data, WORDS.as_bytes()), 0);
    });
}

/// A process ends between the sealing of a picture and its record; or in the middle of an erasure.
#[test]
fn what_was_cut_short_is_finished_by_whoever_comes_next() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = house(home.path()).await;
        let data = desk.settings.data.folder.clone();
        handed_in(&desk, "sam", &[1], "SHOP/8/26").await.unwrap();
        handed_in(&desk, "sam", &[3], "SHOP/9/26").await.unwrap();
        let kept_as = GalleryName::of_submissions();
        desk.vault.seal_probes(&kept_as, vec![still(2)], "2999-01-01T00:00:00Z").await.unwrap();
        execute(&desk, "UPDATE submission SET kept = 'erasing' WHERE id = 2").await;
        assert_eq!(blobs(&data).len(), 3);
        Arc::into_inner(desk).unwrap().vault.close().await;
        let vault = open(&data).await;
        assert_eq!(blobs(&data).len(), 2, "what nobody was told of is gone, and what somebody was told of is not");
        assert_eq!(vault.erase_submissions_due().await.unwrap(), 1);
        assert_eq!(blobs(&data).len(), 1);
        vault.close().await;
        let vault = Vault::open(&data, Access::Reader, options()).await.unwrap();
        assert_eq!(vault.submitted(1, 1).await.unwrap().plain_bytes(), still(1).len() as u64);
        assert!(kept_as.as_str().parse::<GalleryName>().is_err(), "no gallery is called so");
        vault.close().await;
    });
}

fn searched(submission: i64) -> SearchRecord {
    let stated = Stated { purpose: Some("investigate_crime".to_owned()), ..Stated::default() };
    let stated = Some(Statement { stated, policy_sha256: [7; 32], of: Some(SearchOf::Submission(submission)) });
    SearchRecord { stated, ..search(&[3, 1].map(TemplateId)) }
}

#[test]
fn a_search_takes_its_submission_and_none_that_is_over() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = house(home.path()).await;
        handed_in(&desk, "sam", &[1], "SHOP/8/26").await.unwrap();
        let model = desk.catalogue.set("mtcnn-dlib").unwrap().id();
        let all = (1..=3).map(|key| bertillon::gallery::NewReference { model: model.clone(), ..reference(key, key) });
        enrol(&desk.vault, all.collect()).await;
        let ids = desk.vault.record_searches(&[searched(1), searched(1)]).await.unwrap();
        let xena = room(&desk, "xena").await;
        let shown = xena.show(1).await.unwrap();
        let work = shown.work.unwrap();
        assert_eq!((shown.record.state.as_str(), &work.searches), ("taken", &ids));
        assert_eq!(work.taken.unwrap().0, "examiner 7", "by whoever searched");
        let told = events(&desk.vault, 1).await;
        assert!(told.iter().any(|event| event.kind == "search.run" && event.objects.contains(&"search:2".to_owned())));
        // Who handed the picture in and who asked for the search can't carry a lead together.
        let under = |who: &str| {
            let caller = Caller::new(who, "test", None);
            ReviewRoom::under(Policy::builtin().unwrap(), &desk.vault, &caller, Some(Roles::of(&Role::ALL))).unwrap()
        };
        let review = under("sam").open(ids[0]).await.unwrap();
        for (who, refused) in [("sam", false), ("examiner 7", true)] {
            let room = under(who);
            let claimed = room.claim(review).await;
            let not_independent =
                matches!(claimed, Err(CaseworkError::Review(ReviewError::Refused(NoReview::NotIndependent))));
            assert_eq!(not_independent, refused, "{who}: {claimed:?}");
            if !refused {
                room.see(review).await.unwrap();
                room.decide(review, Finding::Possible(TemplateId(3)), None).await.unwrap();
            }
        }
        xena.close(1, "done").await.unwrap();
        let before = desk.vault.audit_book().head().await.unwrap().seq();
        for over in [1, 77] {
            let refused = desk.vault.record_searches(&[searched(over)]).await.unwrap_err();
            let GalleryError::Records(RecordsError::SubmissionOver(number)) = refused else { panic!("{refused}") };
            assert_eq!(number, over);
        }
        assert_eq!(desk.vault.audit_book().head().await.unwrap().seq(), before, "nothing was recorded");
        assert_eq!(xena.show(1).await.unwrap().work.unwrap().searches, ids);
    });
}

/// Made anew, the search has another number and maybe another who asks; the picture is of who handed it in.
#[test]
fn who_handed_a_picture_in_has_a_part_in_its_rescan_too() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = house(home.path()).await;
        handed_in(&desk, "sam", &[1], "SHOP/8/26").await.unwrap();
        let model = desk.catalogue.set("mtcnn-dlib").unwrap().id();
        let all = (1..=3).map(|key| bertillon::gallery::NewReference { model: model.clone(), ..reference(key, key) });
        enrol(&desk.vault, all.collect()).await;
        let gallery = crate::name();
        let sealed = desk.vault.seal_probes(&gallery, vec![still(1)], "2999-01-01T00:00:00Z").await.unwrap();
        let first = SearchRecord { probe_sha256: of(&still(1)), ..searched(1) };
        let ids = desk.vault.record_searches_keeping(&gallery, vec![first.clone()], sealed).await.unwrap();
        let entry = desk.vault.unsolved_book().add(ids[0], "una", "the only still").await.unwrap().unwrap();
        let anew = |who: &str| {
            let of = Some(SearchOf::Unsolved(entry));
            let stated = first.stated.clone().map(|statement| Statement { of, ..statement });
            SearchRecord { stated, actor: who.to_owned(), ..first.clone() }
        };
        let rescans = desk.vault.record_searches(&[anew("rea"), anew("rea")]).await.unwrap();
        let bare = SearchRecord { actor: "rea".to_owned(), ..search(&[TemplateId(3)]) };
        let bare = desk.vault.record_searches(&[bare]).await.unwrap()[0];
        let under = |who: &str| {
            let caller = Caller::new(who, "test", None);
            ReviewRoom::under(Policy::builtin().unwrap(), &desk.vault, &caller, Some(Roles::of(&Role::ALL))).unwrap()
        };
        for (search, first, second, refused) in
            [(rescans[0], "rea", "sam", true), (rescans[1], "sam", "rea", true), (bare, "rea", "sam", false)]
        {
            let review = under(first).open(search).await.unwrap();
            under(first).claim(review).await.unwrap();
            under(first).see(review).await.unwrap();
            under(first).decide(review, Finding::Possible(TemplateId(3)), None).await.unwrap();
            let claimed = under(second).claim(review).await;
            let not_independent =
                matches!(claimed, Err(CaseworkError::Review(ReviewError::Refused(NoReview::NotIndependent))));
            assert_eq!(not_independent, refused, "{first}, then {second}: {claimed:?}");
            assert!(under("vic").claim(review).await.is_ok() || !refused, "somebody else may");
        }
    });
}

#[test]
fn a_key_that_may_less_shows_less() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = house(home.path()).await;
        handed_in(&desk, "sam", &[1], "SHOP/8/26").await.unwrap();
        let mut rights = Rights { grants: vec!["examiner".parse().unwrap()], limits: None };
        rights.limits = Some(bertillon::rights::Limits {
            permissions: [bertillon::rights::Permission::SubmissionRead].into(),
            galleries: None,
        });
        let identity = Identity { user: 3, name: "xena".parse().unwrap(), key: Some("00ff00ff".to_owned()), rights };
        let xena = SubmissionRoom::enter(&desk, &Caller::user(identity, None, 1)).await.unwrap();
        assert_eq!(xena.list(None, None, 50).await.unwrap(), [], "without the right to work, one's own only");
        assert_eq!(error(xena.show(1).await), SubmissionError::NoSubmission(1));
        assert!(matches!(xena.take(1).await, Err(CaseworkError::NotAllowed { .. })));
    });
}
