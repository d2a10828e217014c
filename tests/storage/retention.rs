//! Retention on a disk: what is due is listed, decided and erased, never what is held, and each erasure ends in a certificate that
//! others can check.

use std::process::Command;
use std::sync::Arc;

use bertillon::audit::{Caller, Event, Happening, Identity, Kind};
use bertillon::base::day::Day;
use bertillon::base::hex;
use bertillon::base::ids::TemplateId;
use bertillon::base::limits::CERTIFICATE_BACKUPS_MAX;
use bertillon::casework::access::users;
use bertillon::casework::certificate::{self, NotCertified};
use bertillon::casework::daily::{self, Daily, DayDone};
use bertillon::casework::subjects::SubjectRoom;
use bertillon::casework::{CaseworkError, Desk, keys};
use bertillon::gallery::{Erase, GalleryError, NewReference, ToKeep};
use bertillon::pictures::Source;
use bertillon::policy::{DatedFacts, Disposal, Fact, ImageFacts};
use bertillon::records::EventFilter;
use bertillon::records::subjects::{Decided, SubjectError};
use bertillon::rights::Rights;
use bertillon::segment::Precision;

use crate::bulk::desk;
use crate::pictures::{of, picture};
use crate::told::program;
use crate::traces::{traces, windows};
use crate::{enrol, name, reference, run, subject};

pub(crate) const ALL: usize = 500;

pub(crate) fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn known(key: u64, disposal: Disposal, captured_on: &str) -> NewReference {
    let facts = ImageFacts { captured_on: Some(day(captured_on)), disposal, ..ImageFacts::default() };
    NewReference { about: DatedFacts { facts, clock: None }, ..reference(key, key) }
}

/// With the model of the desk's gallery.
async fn add(desk: &Desk, new: Vec<NewReference>) {
    let model = desk.catalogue.set("mtcnn-dlib").unwrap().id();
    enrol(&desk.vault, new.into_iter().map(|new| NewReference { model: model.clone(), ..new }).collect()).await;
}

pub(crate) async fn room(desk: &Desk, who: &str) -> SubjectRoom {
    SubjectRoom::enter(&desk.vault, &Caller::new(who, "a test", None), &name()).await.unwrap()
}

/// Convicted long ago (1), lately (2), acquitted (3), undecided (4), acquitted and held (5), convicted under 18 (6).
pub(crate) async fn people(desk: &Desk) {
    let mut young = known(6, Disposal::Convicted, "2026-06-01");
    young.about.facts.under18 = Some(true);
    let all = vec![
        known(1, Disposal::Convicted, "2015-01-01"),
        known(2, Disposal::Convicted, "2026-01-01"),
        known(3, Disposal::Acquitted, "2026-10-01"),
        known(4, Disposal::NoneYet, "2026-11-01"),
        known(5, Disposal::NoFurtherAction, "2020-05-05"),
        young,
    ];
    add(desk, all).await;
}

async fn listed(room: &SubjectRoom, on: &str, overdue: bool) -> Vec<i64> {
    room.due((day(on), overdue), None, ALL).await.unwrap().into_iter().map(|due| due.image.id).collect()
}

#[test]
fn what_is_due_is_listed_by_its_date_and_kept_by_two_people_only() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = desk(home.path()).await;
        people(&desk).await;
        let (una, vic) = (room(&desk, "una").await, room(&desk, "vic").await);
        assert_eq!(listed(&una, "2026-11-22", false).await, [5, 1, 6, 3], "the longest due first");
        assert_eq!(listed(&una, "2026-11-22", true).await, [5, 1, 6, 3]);
        assert!(listed(&una, "2020-06-03", true).await.is_empty(), "30 days are left for a review");
        assert_eq!(listed(&una, "2020-06-04", true).await, [5]);
        assert_eq!(listed(&una, "2027-11-01", false).await, [5, 1, 6, 3, 4]);
        let first = una.due((day("2026-11-22"), false), None, 2).await.unwrap();
        let last = first.last().unwrap();
        let rest =
            una.due((day("2026-11-22"), false), Some((last.image.clock.unwrap().review, last.image.id)), ALL).await;
        assert_eq!(rest.unwrap().iter().map(|due| due.image.id).collect::<Vec<_>>(), [6, 3]);
        // The convicted by one person, the acquitted by two who decide the same.
        let (today, until) = (day("2026-11-22"), day("2028-01-01"));
        assert_eq!(una.keep(1, until, "a pattern of violence", today).await.unwrap(), Decided::Stands);
        assert_eq!(una.keep(3, until, "an exceptional reason", today).await.unwrap(), Decided::WaitsForAnother);
        let again = una.keep(3, until, "the same person", today).await.unwrap_err();
        assert!(matches!(again, CaseworkError::Subject(SubjectError::SamePerson)), "{again}");
        assert_eq!(listed(&una, "2026-11-22", true).await, [5, 6, 3], "one person's word keeps nobody");
        assert_eq!(vic.keep(3, day("2027-01-01"), "for less", today).await.unwrap(), Decided::WaitsForAnother);
        assert_eq!(una.keep(3, day("2027-01-01"), "agreed", today).await.unwrap(), Decided::Stands);
        assert_eq!(listed(&una, "2026-12-31", false).await, [5, 6]);
        assert_eq!(listed(&una, "2027-01-01", false).await, [5, 6, 3]);
        for wrong in ["2026-11-22", "2036-11-23"] {
            let wrong = una.keep(1, day(wrong), "x", today).await.unwrap_err();
            assert!(matches!(wrong, CaseworkError::Subject(SubjectError::Decision(_))), "{wrong}");
        }
        // What changes no date leaves the decision; with other dates it was about something else.
        una.set(3, &[(Fact::Under18, "no".to_owned()), (Fact::Pose, "frontal".to_owned())]).await.unwrap();
        assert_eq!(listed(&una, "2026-12-31", false).await, [5, 6]);
        una.set(3, &[(Fact::CapturedOn, "2026-09-30".to_owned())]).await.unwrap();
        assert_eq!(listed(&una, "2026-12-31", false).await, [5, 6, 3]);
        desk.vault.clone().close().await;
    });
}

/// Who comes once with their key and once by an account is one person, and an account of nobody is none.
#[test]
fn nobody_keeps_alone_what_takes_two_by_coming_in_two_ways() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = desk(home.path()).await;
        people(&desk).await;
        let (today, until) = (day("2026-11-22"), day("2028-01-01"));
        let me = Caller::new("root", "a test", None);
        let mut keys = Vec::new();
        for who in ["ann", "bob"] {
            let grants = vec!["supervisor".parse().unwrap()];
            let user = users::add(&desk, &me, &who.parse().unwrap(), "", &grants).await.unwrap();
            let rights = Rights { grants, limits: None };
            let identity = Identity { user: user.id, name: user.name, key: Some("00ff00ff".to_owned()), rights };
            let caller = Caller::user(identity, None, 1);
            keys.push(SubjectRoom::enter(&desk.vault, &caller, &name()).await.unwrap());
        }
        assert_eq!(keys[0].keep(3, until, "an exceptional reason", today).await.unwrap(), Decided::WaitsForAnother);
        let as_root = room(&desk, "root").await.keep(3, until, "agreed", today).await.unwrap_err();
        assert!(matches!(as_root, CaseworkError::Access(_)), "{as_root}");
        let as_ann = room(&desk, "ann").await.keep(3, until, "agreed", today).await.unwrap_err();
        assert!(matches!(as_ann, CaseworkError::Subject(SubjectError::SamePerson)), "{as_ann}");
        assert_eq!(listed(&keys[0], "2026-11-22", true).await, [5, 1, 6, 3]);
        assert_eq!(keys[1].keep(3, until, "agreed", today).await.unwrap(), Decided::Stands);
        assert_eq!(listed(&keys[0], "2026-11-22", true).await, [5, 1, 6]);
        desk.vault.clone().close().await;
    });
}

#[test]
fn nobody_sets_alone_what_lets_stay_what_is_presumed_to_go() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = desk(home.path()).await;
        people(&desk).await;
        let (una, vic) = (room(&desk, "una").await, room(&desk, "vic").await);
        let set = async |image: i64, fact: Fact, text: &str| una.set(image, &[(fact, text.to_owned())]).await;
        let walks = [
            (3, Fact::Disposal, "convicted"),
            (3, Fact::Disposal, "none_yet"),
            (3, Fact::DisposedOn, "2026-11-20"),
            (3, Fact::CapturedOn, "2026-11-22"),
            (5, Fact::CapturedOn, ""),
            (6, Fact::Under18, "no"),
            (6, Fact::Under18, ""),
            (6, Fact::Disposal, "none_yet"),
        ];
        for (image, fact, text) in walks {
            let refused = set(image, fact, text).await;
            assert!(
                matches!(refused, Err(CaseworkError::Subject(SubjectError::PresumedToGo(of))) if of == image),
                "{image} {fact:?} {text}: {refused:?}"
            );
        }
        assert_eq!(listed(&una, "2026-11-22", true).await, [5, 1, 6, 3], "nothing was changed");
        // What changes nothing of that can be set, and the log says which fields were.
        una.set(3, &[(Fact::Pose, "frontal".to_owned()), (Fact::CapturedOn, "2026-09-30".to_owned())]).await.unwrap();
        let filter = EventFilter { kind: Some(Kind::ImageDescribed), object: None };
        let told = desk.vault.audit_book().newest(&filter, ALL).await.unwrap();
        assert_eq!(told.len(), 1);
        assert!(told[0].body.contains(r#""detail":{"captured_on":"changed","pose":"changed"}"#), "{}", told[0].body);
        // By one it is not kept; by two for too short a time neither; then it is.
        let today = day("2026-11-22");
        for (until, enough) in [(day("2028-01-01"), false), (day("2033-01-01"), true)] {
            una.keep(3, until, "the record was wrong", today).await.unwrap();
            let early = set(3, Fact::Disposal, "convicted").await;
            assert!(matches!(early, Err(CaseworkError::Subject(SubjectError::PresumedToGo(3)))), "{early:?}");
            assert_eq!(vic.keep(3, until, "so it was", today).await.unwrap(), Decided::Stands);
            assert_eq!(set(3, Fact::Disposal, "convicted").await.is_ok(), enough, "{until}");
        }
        desk.vault.clone().close().await;
    });
}

#[test]
fn one_person_does_not_undo_what_was_decided() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = desk(home.path()).await;
        people(&desk).await;
        add(&desk, vec![known(7, Disposal::Acquitted, "2026-11-20")]).await;
        let (una, vic) = (room(&desk, "una").await, room(&desk, "vic").await);
        let today = day("2026-11-22");
        una.delete(4, "they asked for it").await.unwrap();
        una.delete(7, "acquitted").await.unwrap();
        vic.set(4, &[(Fact::Pose, "frontal".to_owned())]).await.unwrap();
        vic.set(4, &[]).await.unwrap();
        assert_eq!(vic.keep(7, day("2028-01-01"), "alone", today).await.unwrap(), Decided::WaitsForAnother);
        let due = una.due((day("2027-01-01"), true), None, ALL).await.unwrap();
        let decided = due.iter().find(|due| due.image.id == 7).unwrap().decided.clone();
        assert_eq!(decided.as_deref(), Some("delete"), "what stands, not what waits");
        // Kept by one person, as it may be, since a run found it: the run leaves it.
        vic.keep(1, day("2028-01-01"), "a pattern of violence", today).await.unwrap();
        for (template, goes) in [(1, false), (2, false), (4, true), (3, true)] {
            let erased = desk.vault.erase(&name(), Erase::Due(TemplateId(template), today), |_| ()).await;
            match erased {
                Ok(erased) => assert!(goes && erased.templates == [TemplateId(template)], "{template}"),
                Err(error) => assert!(!goes && matches!(error, GalleryError::NothingToErase { .. }), "{error}"),
            }
        }
        assert_eq!(una.run_retention(&desk, today, ALL).await.unwrap().erased, [5, 6, 7]);
        desk.vault.clone().close().await;
    });
}

#[test]
fn what_is_held_takes_no_room_from_what_can_go() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = desk(home.path()).await;
        people(&desk).await;
        let una = room(&desk, "una").await;
        let hold = una.place_hold(&subject(1), "an appeal").await.unwrap();
        for erased in [3, 5, 6] {
            let ran = una.run_retention(&desk, day("2026-11-22"), 1).await.unwrap();
            assert_eq!((ran.erased.as_slice(), ran.held.as_slice(), ran.more), (&[erased][..], &[(1, hold)][..], true));
            assert_eq!(ran.held_in_all, 1);
        }
        let ran = una.run_retention(&desk, day("2026-11-22"), 1).await.unwrap();
        assert!(ran.erased.is_empty() && !ran.more);
        desk.vault.clone().close().await;
    });
}

#[test]
fn a_run_erases_what_expired_or_was_decided_and_nothing_that_is_held() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = desk(home.path()).await;
        people(&desk).await;
        let una = room(&desk, "una").await;
        let hold = una.place_hold(&subject(5), "an appeal").await.unwrap();
        let held = una.delete(5, "x").await.unwrap_err();
        assert!(matches!(held, CaseworkError::Subject(SubjectError::Held { .. })), "{held}");
        una.delete(4, "they asked for it").await.unwrap();
        una.keep(1, day("2028-01-01"), "a pattern of violence", day("2026-11-22")).await.unwrap();
        let before = windows(&home.path().join("data"), 12);
        let ran = una.run_retention(&desk, day("2026-11-22"), ALL).await.unwrap();
        assert_eq!((ran.erased.as_slice(), ran.held.as_slice(), ran.more), (&[3, 4, 6][..], &[(5, hold)][..], false));
        let after = windows(&home.path().join("data"), 12);
        for key in [3, 4, 6] {
            for (what, trace) in traces(key, key, Precision::F16) {
                assert!(!after.contains(&trace), "the {what} of {key} is still in a file");
            }
        }
        assert!(before.contains(&b"they asked f"[..]) && !after.contains(&b"they asked f"[..]));
        assert_eq!(desk.vault.snapshot(&name()).await.unwrap().live(), 3);
        assert!(una.run_retention(&desk, day("2026-11-22"), ALL).await.unwrap().erased.is_empty());
        una.lift_hold(hold, "dismissed").await.unwrap();
        let ran = una.run_retention(&desk, day("2026-11-22"), ALL).await.unwrap();
        assert_eq!(ran.erased, [5]);
        assert_eq!(ran.certificates.len(), 1);
        desk.vault.clone().close().await;
    });
}

#[test]
fn a_server_erases_by_itself_what_is_over_if_it_is_set_to_and_stops_between_erasures() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let mut desk = desk(home.path()).await;
        people(&desk).await;
        room(&desk, "una").await.place_hold(&subject(5), "an appeal").await.unwrap();
        let done = daily::run_all(&desk, day("2026-11-22"), || true).await.unwrap();
        assert_eq!(
            (done, desk.vault.snapshot(&name()).await.unwrap().live()),
            (DayDone::default(), 6),
            "it was to stop"
        );
        desk.settings.retention.daily = true;
        let desk = Arc::new(desk);
        let daily = Daily::start(&desk);
        // 3 was acquitted, 6 was a child, 1 was convicted long ago; what else is over depends on the day on which this runs.
        let gone = [1, 3, 6].map(TemplateId);
        for _try in 0..600 {
            if desk.vault.references(&name(), &gone).await.unwrap().is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        daily.stop().await;
        let left = desk.vault.references(&name(), &(1..=6).map(TemplateId).collect::<Vec<_>>()).await.unwrap();
        assert!([1, 3, 6].iter().all(|id| !left.contains_key(&TemplateId(*id))), "{:?}", left.keys());
        assert!(left.contains_key(&TemplateId(5)), "who is held stays");
        let filter = EventFilter { kind: Some(Kind::RetentionRun), object: None };
        let told = desk.vault.audit_book().newest(&filter, 1).await.unwrap();
        let event: Event = serde_json::from_str(&told[0].body).unwrap();
        assert_eq!(event.origin, "the policy's periods");
        desk.vault.clone().close().await;
    });
}

#[test]
fn an_erasure_ends_in_a_certificate_that_anybody_can_check() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = desk(home.path()).await;
        let data = home.path().join("data");
        add(&desk, vec![reference(1, 1), reference(2, 1), reference(3, 2)]).await;
        desk.vault.backup(&name(), &home.path().join("copy"), |_, _| ()).await.unwrap();
        // Those of another gallery, made since, put none of this one's aside.
        for _ in 0..=CERTIFICATE_BACKUPS_MAX {
            desk.vault.tell(&Happening::new(Kind::GalleryBackedUp).of(&"other".parse().unwrap())).await.unwrap();
        }
        let una = Caller::new("una", "a test", None);
        // Without a key to sign by nothing is erased: the salt would be lost.
        let key_file = data.join(keys::SIGNING_KEY);
        keys::signing_key(&data).unwrap();
        let key = fs_err::read(&key_file).unwrap();
        fs_err::write(&key_file, "damaged").unwrap();
        let unsigned = certificate::erase(&desk, &una, &name(), Erase::Subject(subject(1))).await;
        assert!(matches!(unsigned, Err(CaseworkError::Key { .. })), "{unsigned:?}");
        assert_eq!(desk.vault.snapshot(&name()).await.unwrap().live(), 3);
        fs_err::write(&key_file, key).unwrap();
        let done = certificate::erase(&desk, &una, &name(), Erase::Subject(subject(1))).await.unwrap();
        let number = done.certificate.unwrap();
        let sealed = certificate::show(&desk, &una, number).await.unwrap();
        let key = keys::public_key(&data).unwrap().unwrap();
        let made = sealed.open(Some(key)).unwrap();
        assert_eq!(
            (made.templates.as_slice(), made.images.as_slice(), made.what.as_str()),
            (&[1, 2][..], &[1, 2][..], "subject")
        );
        assert_eq!((made.asked_by.as_str(), &made.folder), ("una", &desk.vault.audit_book().folder().await.unwrap()));
        assert_eq!(desk.vault.audit_book().hash_at(made.event).await.unwrap(), Some(made.event_hash.clone()));
        assert!(made.not_reached[0].what.starts_with("backup of "), "{:?}", made.not_reached);
        for named in ["copies of the data folder", "rows of decisions"] {
            assert_eq!(made.not_reached.iter().filter(|one| one.what.starts_with(named)).count(), 1, "{named}");
        }
        assert!(made.not_reached.iter().filter(|one| one.what.contains("backup")).count() == 1, "only this gallery's");
        let salt = hex::encode(&done.erased.begun.unwrap().salt.unwrap());
        assert_eq!(made.is_about(subject(1).as_str(), &salt), Ok(()));
        assert_eq!(made.is_about(subject(2).as_str(), &salt), Err(NotCertified::OtherSubject));
        let bytes = windows(&data, 16);
        assert!(!bytes.contains(&salt.as_bytes()[..16]), "the salt is kept nowhere");
        assert!(!bytes.contains(&hex::decode_32(&salt.repeat(2)).unwrap()[..16]));
        assert!(matches!(certificate::show(&desk, &una, 99).await, Err(CaseworkError::Erasure(_))));
        desk.vault.clone().close().await;

        // By the program, in a folder without data.
        let elsewhere = tempfile::tempdir().unwrap();
        let file = elsewhere.path().join("certificate.json");
        let text = serde_json::to_string(&sealed).unwrap();
        let verify = |text: &str, args: &[&str]| {
            fs_err::write(&file, text).unwrap();
            let mut command = Command::new(env!("CARGO_BIN_EXE_bertillon"));
            command.current_dir(elsewhere.path()).args(["retention", "verify-certificate", "certificate.json"]);
            command.args(args).output().unwrap().status.code().unwrap()
        };
        let key = key.to_string();
        assert_eq!(verify(&text, &["--key", &key]), 0);
        assert_eq!(verify(&text, &[]), 3);
        assert_eq!(verify(&text, &["--key", &key, "--subject", subject(1).as_str(), "--salt", &salt]), 0);
        assert_eq!(verify(&text, &["--key", &key, "--subject", subject(2).as_str(), "--salt", &salt]), 1);
        assert_eq!(verify(&text, &["--key", &"0".repeat(64)]), 1);
        assert_eq!(verify(&text.replace("una", "ann"), &["--key", &key]), 1);
        assert_eq!(verify("{}", &[]), 1);
        assert_eq!(fs_err::read_dir(elsewhere.path()).unwrap().count(), 1, "nothing else was written");
    });
}

#[test]
fn a_certificate_says_how_many_kept_pictures_went() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = desk(home.path()).await;
        let model = desk.catalogue.set("mtcnn-dlib").unwrap().id();
        for key in 1..=2 {
            let picture = picture(key, 70_000);
            let image_sha256 = of(&picture);
            let new = NewReference { image_sha256, model: model.clone(), ..reference(key, 1) };
            let pictures = ToKeep::from([(image_sha256, Source::Memory(picture))]);
            desk.vault.enrol_keeping(&name(), vec![new], pictures).await.unwrap();
        }
        add(&desk, vec![reference(3, 2)]).await;
        let una = Caller::new("una", "a test", None);
        for (key, gone) in [(1, 2), (2, 0)] {
            let done = certificate::erase(&desk, &una, &name(), Erase::Subject(subject(key))).await.unwrap();
            let sealed = certificate::show(&desk, &una, done.certificate.unwrap()).await.unwrap();
            let places = sealed.open(None).unwrap().places;
            let pictures = places.iter().find(|place| place.place.starts_with("kept pictures")).unwrap();
            assert_eq!(pictures.count, gone);
        }
        desk.vault.clone().close().await;
    });
}

/// The process ends between the erasure and the signature: the certificate is made when it is next asked for, or by the next erasure.
#[test]
fn a_certificate_is_made_later_where_it_could_not_be_made_at_once() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = desk(home.path()).await;
        add(&desk, (1..=3).map(|key| reference(key, key)).collect()).await;
        desk.vault.erase(&name(), Erase::Template(TemplateId(1)), |_| ()).await.unwrap();
        assert_eq!(desk.vault.uncertified(&name()).await.unwrap(), [1]);
        let una = Caller::new("una", "a test", None);
        let sealed = certificate::show(&desk, &una, 1).await.unwrap();
        assert_eq!(sealed.open(None).unwrap().templates, [1]);
        assert_eq!(certificate::show(&desk, &una, 1).await.unwrap(), sealed, "once, and then the same");
        desk.vault.erase(&name(), Erase::Template(TemplateId(2)), |_| ()).await.unwrap();
        certificate::erase(&desk, &una, &name(), Erase::Template(TemplateId(3))).await.unwrap();
        assert!(desk.vault.uncertified(&name()).await.unwrap().is_empty());
        assert_eq!(certificate::show(&desk, &una, 2).await.unwrap().open(None).unwrap().templates, [2]);
        desk.vault.clone().close().await;
    });
}

#[test]
fn the_commands_show_move_hold_and_erase() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    run(async {
        let desk = desk(home.path()).await;
        people(&desk).await;
        desk.vault.clone().close().await;
    });
    let json = |args: &[&str]| -> serde_json::Value {
        let output = program(&data, args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let who = |key: u64| subject(key).to_string();
    let listed = json(&["subject", "list", "custody", "--limit", "2", "--after", "1", "--json"]);
    assert_eq!((&listed[0]["id"], &listed[1]["subject"]), (&2.into(), &who(3).into()));
    let merged = json(&["subject", "merge", "custody", &who(2), &who(1), "--reason", "one person", "--json"]);
    assert_eq!(merged["move"], 1);
    let shown = json(&["subject", "show", "custody", &who(1), "--json"]);
    assert_eq!((&shown["images"], &shown["image_records"][1]["facts"]["disposal"]), (&2.into(), &"convicted".into()));
    let history = json(&["subject", "history", "custody", &who(2), "--json"]);
    assert_eq!((&history["subject"]["merged_into"], &history["moves"][0]["reason"]), (&1.into(), &"one person".into()));
    json(&["subject", "undo", "custody", "1", "--reason", "two people", "--json"]);
    let set =
        json(&["subject", "set", "custody", "4", "disposal_outcome=acquitted", "disposed_on=2026-11-02", "--json"]);
    assert_eq!(set["dates"]["review_due"], "2026-11-02");
    let hold = json(&["hold", "place", "custody", &who(5), "--reason", "an appeal", "--json"]);
    assert_eq!(hold["hold"], 1);
    let refused = program(&data, &["gallery", "erase", "custody", "--subject", &who(5), "--yes"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("legal hold 1"));
    json(&["subject", "restrict", "custody", &who(6), "--reason", "a complaint", "--json"]);
    let due = json(&["retention", "due", "custody", "--day", "2026-11-22", "--json"]);
    let numbers: Vec<i64> = due.as_array().unwrap().iter().map(|one| one["image"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [5, 1, 6, 3, 4]);
    assert_eq!(
        (&due[0]["hold"], &due[0]["presumed_to_go"], &due[1]["presumed_to_go"]),
        (&1.into(), &true.into(), &false.into())
    );
    let later = Day::today().plus_months(60).to_string();
    let keep = ["retention", "review", "custody", "1", "--keep-until", &later, "--reason", "violence", "--json"];
    assert_eq!(json(&keep)["waits_for_another"], false);
    json(&["retention", "review", "custody", "4", "--delete", "--reason", "they asked for it", "--json"]);
    assert!(!program(&data, &["retention", "run", "custody"]).status.success(), "nothing without --yes");
    let ran = json(&["retention", "run", "custody", "--yes", "--json"]);
    let erased: Vec<i64> = ran["erased"].as_array().unwrap().iter().map(|one| one.as_i64().unwrap()).collect();
    assert!(
        [3, 4, 6].iter().all(|id| erased.contains(id)) && !erased.contains(&5) && !erased.contains(&1),
        "{erased:?}"
    );
    assert_eq!(ran["held"][0]["hold"], 1);
    let place = erased.iter().position(|id| *id == 3).unwrap();
    let made = &ran["certificates"][place];
    let (number, salt) = (&made["certificate"], made["salt"].as_str().unwrap());
    let certificate = program(&data, &["retention", "certificate", &number.to_string()]);
    let file = home.path().join("certificate.json");
    fs_err::write(&file, certificate.stdout).unwrap();
    let key = fs_err::read_to_string(data.join("audit/signing.pub")).unwrap();
    let file = file.to_str().unwrap();
    let about = ["--subject", &who(3), "--salt", salt, "--json"];
    let verify = ["retention", "verify-certificate", file, "--key", key.trim()];
    assert_eq!(json(&[&verify[..], &about[..]].concat())["about_subject"], true);
    let lifted = json(&["hold", "lift", "custody", "1", "--reason", "dismissed", "--json"]);
    assert_eq!(lifted["lifted"], true);
}
