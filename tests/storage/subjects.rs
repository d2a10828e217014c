//! Subjects on a disk: who is behind references, how images go from one to another and back, what holds them, and that what was
//! written about somebody goes with them.

use std::collections::BTreeMap;

use bertillon::audit::Caller;
use bertillon::base::ids::{GalleryName, SubjectRef, TemplateId};
use bertillon::casework::CaseworkError;
use bertillon::casework::subjects::SubjectRoom;
use bertillon::gallery::{Access, Erase, GalleryError, TemplateImport, Vault};
use bertillon::policy::{DatedFacts, Disposal, Fact, ImageFacts};
use bertillon::records::Records;
use bertillon::records::subjects::{SubjectError, SubjectState};
use bertillon::segment::Precision;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use crate::bulk::described;
use crate::traces::windows;
use crate::{enrol, model_id, name, new_vault, on, open, raw, reference, run, search, subject};

const ALL: usize = 500;

async fn room(vault: &Vault) -> SubjectRoom {
    SubjectRoom::enter(vault, &Caller::new("supervisor 3", "a test", None), &name()).await.unwrap()
}

/// Live subjects with their images' numbers.
async fn standing(vault: &Vault) -> BTreeMap<String, Vec<i64>> {
    let room = room(vault).await;
    let mut found = BTreeMap::new();
    for subject in room.list(0, ALL).await.unwrap() {
        let reference = subject.reference.unwrap();
        let images = room.show(&reference, 0, ALL).await.unwrap().images;
        assert_eq!(images.len(), subject.images);
        found.insert(reference.to_string(), images.into_iter().map(|image| image.id).collect());
    }
    found
}

fn refused<T: std::fmt::Debug>(result: Result<T, CaseworkError>) -> SubjectError {
    match result {
        Err(CaseworkError::Subject(error)) => error,
        other => panic!("not refused: {other:?}"),
    }
}

async fn called(vault: &Vault, template: u64) -> SubjectRef {
    vault.references(&name(), &[TemplateId(template)]).await.unwrap()[&TemplateId(template)].subject.clone()
}

#[test]
fn references_of_one_name_are_one_subject_and_moves_are_undone() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, vec![reference(1, 1), reference(2, 1), reference(3, 2)]).await;
        enrol(&vault, vec![reference(4, 2), reference(5, 3)]).await;
        let before = standing(&vault).await;
        let (a, b, c) = (subject(1), subject(2), subject(3));
        let wanted = [(a.to_string(), vec![1, 2]), (b.to_string(), vec![3, 4]), (c.to_string(), vec![5])];
        assert_eq!(before, wanted.into());
        let searched = vault.record_searches(&[search(&[TemplateId(3), TemplateId(1)])]).await.unwrap()[0];
        let room = room(&vault).await;
        let page = room.list(1, 1).await.unwrap();
        assert_eq!((page.len(), page[0].id), (1, 2), "pages go by numbers");

        // Two are one person.
        let merge = room.merge(&b, &a, "same fingerprints").await.unwrap();
        assert_eq!(called(&vault, 3).await, a);
        assert_eq!(standing(&vault).await[a.as_str()], [1, 2, 3, 4]);
        assert_eq!(room.show(&b, 0, ALL).await.unwrap().subject.state, SubjectState::Merged);
        assert_eq!(vault.templates_of_subjects(&name(), std::slice::from_ref(&b)).await.unwrap().len(), 4);
        enrol(&vault, vec![reference(6, 2)]).await;
        assert_eq!(called(&vault, 6).await, a, "whoever is enrolled as the other is who they are");
        assert!(matches!(refused(room.merge(&b, &c, "again").await), SubjectError::NotLive { id: 2, state: "merged" }));
        assert!(matches!(refused(room.merge(&a, &a, "x").await), SubjectError::Same(1)));
        assert!(matches!(refused(room.merge(&a, &subject(9), "x").await), SubjectError::NoSubject(_)));
        assert!(matches!(refused(room.merge(&a, &c, "  ").await), SubjectError::Decision(_)));

        // One of them was somebody else.
        assert!(matches!(refused(room.split(&a, c.as_str(), &[3], "x").await), SubjectError::Taken(3)));
        assert!(matches!(refused(room.split(&a, "new", &[5], "x").await), SubjectError::NoImage { image: 5, .. }));
        assert!(matches!(refused(room.split(&c, "new", &[5], "x").await), SubjectError::NothingLeft(3)));
        let split = room.split(&a, "somebody new", &[3], "another face").await.unwrap();
        assert_eq!(called(&vault, 3).await.as_str(), "somebody new");
        let SubjectError::MovedOn { of, image: 3, since } = refused(room.undo(merge, "x").await) else { panic!() };
        assert!(of == merge && since.contains("moved again"));
        let reassigned = room.reassign(5, &a, "a mistake at the desk").await.unwrap();
        assert!(!standing(&vault).await.contains_key(c.as_str()), "nobody without an image is listed");
        for (back, reason) in [(reassigned, "no mistake"), (split, "the same face"), (merge, "other fingerprints")] {
            room.undo(back, reason).await.unwrap();
        }
        assert!(matches!(refused(room.undo(merge, "x").await), SubjectError::Undone(_)));
        assert!(matches!(refused(room.undo(99, "x").await), SubjectError::NoMove(99)));
        let mut after = standing(&vault).await;
        // What was enrolled for the merged subject meanwhile stays where it came.
        assert_eq!(after.get_mut(a.as_str()).unwrap().pop(), Some(6));
        assert_eq!(after, before);
        let (_, moves) = room.history(&a, None, ALL).await.unwrap();
        let told: Vec<_> = moves.iter().map(|one| (one.kind.as_str(), one.images, one.undone.is_some())).collect();
        assert_eq!(told, [("reassign", 1, true), ("split", 1, true), ("merge", 2, true)]);
        assert_eq!(moves[2].reason, "same fingerprints");
        assert_eq!(vault.subject_book().subject(4).await.unwrap().unwrap().state, SubjectState::Empty);
        vault.close().await;
        let records = Records::open(home.path(), crate::records_at::url().as_ref()).await.unwrap();
        let shown: Vec<u64> = records.shown(searched).await.unwrap().iter().map(|one| one.template.0).collect();
        assert_eq!(shown, [3, 1], "records of searches never change");
        records.close().await;
    });
}

/// Whatever is moved and undone in whatever order: each image is one subject's, and undoing all that can be undone, newest first,
/// leads back to the beginning.
#[test]
fn moves_lose_no_image_and_lead_back() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, (1..=24).map(|key| reference(key, key % 6)).collect()).await;
        let (before, room) = (standing(&vault).await, room(&vault).await);
        let mut state = 7_u64;
        let mut draw = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let (mut made, mut undone) = (Vec::new(), 0);
        for step in 0..120 {
            let now = standing(&vault).await;
            let mut images: Vec<i64> = now.values().flatten().copied().collect();
            images.sort_unstable();
            assert_eq!(images, (1..=24).collect::<Vec<i64>>(), "step {step}");
            let names: Vec<SubjectRef> = now.keys().map(|name| name.parse().unwrap()).collect();
            let (one, other) = (&names[draw(names.len())], &names[draw(names.len())]);
            let image = 1 + draw(24) as i64;
            let done = match draw(4) {
                0 => room.merge(one, other, "merge").await,
                1 => room.split(one, &format!("split {step}"), &now[one.as_str()][..1], "split").await,
                2 => room.reassign(image, other, "reassign").await,
                _undo => {
                    let id = 1 + draw(step + 1) as i64;
                    let result = room.undo(id, "undo").await;
                    undone += usize::from(result.is_ok());
                    made.retain(|one| result.is_err() || *one != id);
                    continue;
                }
            };
            made.extend(done.ok());
        }
        assert!(undone > 3 && made.len() > 10, "{undone} undone, {} stand", made.len());
        for id in made.into_iter().rev() {
            room.undo(id, "all of it").await.unwrap();
        }
        assert_eq!(standing(&vault).await, before);
        vault.close().await;
    });
}

#[test]
fn what_is_held_is_not_erased_and_leaves_nobody() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, (1..=4).map(|key| reference(key, key / 2)).collect()).await;
        let (room, held) = (room(&vault).await, subject(1));
        let one = room.place_hold(&held, "an appeal").await.unwrap();
        let other = room.place_hold(&held, "a complaint").await.unwrap();
        for what in [Erase::Subject(held.clone()), Erase::Template(TemplateId(2))] {
            let error = vault.erase(&name(), what, |_| ()).await.unwrap_err();
            assert!(matches!(error, GalleryError::Held { hold, .. } if hold == one), "{error}");
            assert!(!error.to_string().contains("person"), "{error}");
        }
        assert!(matches!(refused(room.merge(&held, &subject(2), "x").await), SubjectError::Held { .. }));
        assert!(matches!(refused(room.reassign(2, &subject(2), "x").await), SubjectError::Held { .. }));
        room.lift_hold(one, "dismissed").await.unwrap();
        assert!(matches!(refused(room.lift_hold(one, "again").await), SubjectError::NoHold(_)));
        assert!(vault.erase(&name(), Erase::Subject(held.clone()), |_| ()).await.is_err(), "the other hold stands");
        let standing: Vec<_> = room.holds(0, false, ALL).await.unwrap().into_iter().map(|hold| hold.id).collect();
        assert_eq!(standing, [other]);
        vault.close().await;
        let vault = open(home.path()).await;
        assert_eq!(vault.snapshot(&name()).await.unwrap().live(), 4, "not even begun");
        let room = self::room(&vault).await;
        room.lift_hold(other, "withdrawn").await.unwrap();
        vault.erase(&name(), Erase::Subject(held), |_| ()).await.unwrap();
        let holds = room.holds(0, true, ALL).await.unwrap();
        assert!(holds.len() == 2 && holds.iter().all(|hold| hold.reference.is_none() && hold.lifted.is_some()));
        assert!(holds.iter().all(|hold| hold.reason.bytes().all(|byte| byte == b'x')), "{holds:?}");
        vault.close().await;
    });
}

#[test]
fn nothing_that_was_called_or_written_is_left_of_who_was_erased() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, (1..=40).map(|key| reference(key, key / 2)).collect()).await;
        let room = room(&vault).await;
        // 3 becomes 2's, an image of 4 becomes 5's, 6 is held and restricted for a while.
        room.merge(&subject(3), &subject(2), "reason the first, of three").await.unwrap();
        let moved = room.show(&subject(4), 0, ALL).await.unwrap().images[0].id;
        room.reassign(moved, &subject(5), "reason the second, of four").await.unwrap();
        let hold = room.place_hold(&subject(6), "reason the third, of six").await.unwrap();
        room.lift_hold(hold, "reason the fourth, of six").await.unwrap();
        room.restrict(&subject(6), true, "reason the fifth, of six").await.unwrap();
        let texts = |ids: &[u64]| -> Vec<Vec<u8>> {
            ids.iter().map(|id| subject(*id).as_str().as_bytes()[..12].to_vec()).collect()
        };
        let reasons: Vec<Vec<u8>> = ["the first, o", "the second, ", "the third, o", "the fourth, ", "the fifth, o"]
            .map(|text| text.as_bytes().to_vec())
            .into();
        let before = windows(home.path(), 12);
        assert!(texts(&[2, 3, 4, 5, 6]).iter().chain(&reasons).all(|text| before.contains(text)));
        // By the name it was merged under; 4 keeps nothing although an image of theirs lives on as 5's.
        for (whose, count) in [(3, 4), (4, 1), (6, 2)] {
            let erased = vault.erase(&name(), Erase::Subject(subject(whose)), |_| ()).await.unwrap();
            assert_eq!(erased.templates.len(), count, "{whose}");
            // Later changes move rows about.
            enrol(&vault, vec![reference(100 + whose, 100 + whose)]).await;
        }
        let after = windows(home.path(), 12);
        for (whose, text) in [2, 3, 4, 6].into_iter().zip(texts(&[2, 3, 4, 6])) {
            assert!(!after.contains(&text), "what {whose} was called is still in a file");
        }
        assert!(reasons.iter().all(|text| !after.contains(text)));
        assert!(texts(&[5, 7]).iter().all(|text| after.contains(text)), "the others are untouched");
        assert_eq!(called(&vault, 8).await, subject(5));
        let back = refused(room.undo(2, "x").await);
        assert!(matches!(back, SubjectError::NotLive { state: "erased", .. }), "{back:?}");
        let SubjectError::MovedOn { since, .. } = refused(room.undo(1, "x").await) else { panic!() };
        assert!(since.contains("erased"));
        vault.close().await;
    });
}

#[test]
fn what_is_known_of_images_comes_with_them_and_has_its_dates() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        let facts = ImageFacts { captured_on: Some("2026-01-31".parse().unwrap()), ..ImageFacts::default() };
        let mut new = reference(1, 1);
        new.about = DatedFacts { facts: facts.clone(), clock: None };
        enrol(&vault, vec![new]).await;
        let room = room(&vault).await;
        let fields = [(Fact::Disposal, "acquitted".to_owned()), (Fact::DisposedOn, "2026-02-01".to_owned())];
        let about = room.set(1, &fields).await.unwrap();
        assert_eq!(
            about.facts,
            ImageFacts { disposal: Disposal::Acquitted, disposed_on: Some("2026-02-01".parse().unwrap()), ..facts }
        );
        let shown = room.show(&subject(1), 0, ALL).await.unwrap().images.remove(0);
        assert_eq!((shown.facts, shown.clock), (about.facts, about.clock));
        assert_eq!(shown.clock.unwrap().review.to_string(), "2026-02-01", "who was acquitted is due on that day");
        let wrong = refused(room.set(1, &[(Fact::LawfulBasis, "curiosity".to_owned())]).await);
        assert!(matches!(&wrong, SubjectError::Decision(said) if said.contains("law_enforcement_task")), "{wrong}");
        assert!(matches!(refused(room.set(9, &fields).await), SubjectError::NoImage { image: 9, .. }));
        vault.close().await;
    });
}

#[test]
fn an_import_taken_back_leaves_no_subject() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, (1..=5).map(|key| reference(key, 4000 + key)).collect()).await;
        let before = standing(&vault).await;
        let fill = |row: u64, out: &mut [f32]| {
            out.copy_from_slice(&raw(9000 + row));
            Ok(())
        };
        // Some join subjects that there are; then it fails.
        let describe = |row| if row == 90 { Err("enough".to_owned()) } else { Ok(described(row)) };
        let import = TemplateImport { gallery: name(), model: model_id(1), count: 120, job: None };
        vault.import_templates(import, fill, describe, |_| ()).await.unwrap_err();
        assert_eq!(standing(&vault).await, before);
        // Empties the records' journal too.
        vault.erase(&name(), Erase::Subject(subject(4005)), |_| ()).await.unwrap();
        let bytes = windows(home.path(), 12);
        assert!(!bytes.contains(&subject(4030).as_str().as_bytes()[..12]), "who came with it is gone");
        assert!(bytes.contains(&subject(4001).as_str().as_bytes()[..12]), "who was there before is not");
        enrol(&vault, vec![reference(7, 4030)]).await;
        assert_eq!(standing(&vault).await.len(), before.len(), "one went, one came");
        vault.close().await;
    });
}

#[test]
fn a_backup_brings_subjects_merges_and_holds_back() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(&home.path().join("data"), Precision::F32).await;
        enrol(&vault, (1..=12).map(|key| reference(key, key / 2)).collect()).await;
        let room = room(&vault).await;
        room.merge(&subject(2), &subject(1), "one person").await.unwrap();
        room.place_hold(&subject(1), "an appeal").await.unwrap();
        room.restrict(&subject(3), true, "a complaint").await.unwrap();
        vault.backup(&name(), &home.path().join("copy"), |_, _| ()).await.unwrap();
        // Erased afterwards: not in what is restored.
        vault.erase(&name(), Erase::Subject(subject(5)), |_| ()).await.unwrap();
        let again = "again".parse().unwrap();
        vault.restore(&home.path().join("copy"), Some(again), None, on).await.unwrap();
        let again = "again".parse().unwrap();
        let caller = Caller::new("supervisor 3", "a test", None);
        let other = SubjectRoom::enter(&vault, &caller, &again).await.unwrap();
        let (here, there) = (room.list(0, ALL).await.unwrap(), other.list(0, ALL).await.unwrap());
        let plain = |subjects: &[bertillon::records::subjects::SubjectRecord]| -> Vec<_> {
            let one = |one: &bertillon::records::subjects::SubjectRecord| {
                (one.reference.clone(), one.images, one.restricted_at.is_some())
            };
            subjects.iter().map(one).collect()
        };
        assert_eq!(plain(&there), plain(&here));
        assert!(there.iter().all(|new| here.iter().all(|old| old.id != new.id)));
        let held = vault.erase(&again, Erase::Subject(subject(2)), |_| ()).await.unwrap_err();
        assert!(matches!(held, GalleryError::Held { .. }), "known under the other name, and held: {held}");
        assert_eq!(vault.restricted_templates(&again).await.unwrap(), [TemplateId(6), TemplateId(7)]);
        let hold = other.holds(0, false, ALL).await.unwrap()[0].id;
        other.lift_hold(hold, "over").await.unwrap();
        assert_eq!(vault.erase(&again, Erase::Subject(subject(2)), |_| ()).await.unwrap().templates.len(), 4);
        let mut left = other.list(0, ALL).await.unwrap();
        left.retain(|one| one.reference == Some(subject(1)) || one.reference == Some(subject(2)));
        assert!(left.is_empty());
        vault.close().await;
    });
}

#[test]
fn whom_a_gallery_restricts_or_holds_since_a_backup_is_restricted_and_held_in_what_is_restored_beside_it() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(&home.path().join("data"), Precision::F32).await;
        enrol(&vault, (1..=12).map(|key| reference(key, key / 2)).collect()).await;
        let room = room(&vault).await;
        room.place_hold(&subject(4), "came with the backup").await.unwrap();
        vault.backup(&name(), &home.path().join("copy"), |_, _| ()).await.unwrap();
        room.restrict(&subject(3), true, "a complaint").await.unwrap();
        room.place_hold(&subject(1), "an appeal").await.unwrap();
        room.merge(&subject(2), &subject(1), "one person, as it turned out").await.unwrap();
        let lifted = room.place_hold(&subject(5), "a mistake").await.unwrap();
        room.lift_hold(lifted, "it was one").await.unwrap();
        let again: GalleryName = "again".parse().unwrap();
        vault.restore(&home.path().join("copy"), Some(again.clone()), None, on).await.unwrap();
        assert_eq!(vault.restricted_templates(&again).await.unwrap(), [TemplateId(6), TemplateId(7)]);
        let other = SubjectRoom::enter(&vault, &Caller::new("supervisor 3", "a test", None), &again).await.unwrap();
        let held = other.holds(0, false, ALL).await.unwrap();
        let found = async |wanted: &SubjectRef| other.show(wanted, 0, 1).await.unwrap().subject.id;
        let mut wanted = [found(&subject(4)).await, found(&subject(1)).await, found(&subject(2)).await];
        wanted.sort_unstable();
        let mut seen: Vec<_> = held.iter().map(|hold| hold.subject).collect();
        seen.sort_unstable();
        assert_eq!(seen, wanted, "once each, and 2 too, who is 1 by now");
        for key in [1, 2, 4] {
            let refused = vault.erase(&again, Erase::Subject(subject(key)), |_| ()).await.unwrap_err();
            assert!(matches!(refused, GalleryError::Held { .. }), "{key}: {refused}");
        }
        vault.erase(&again, Erase::Subject(subject(5)), |_| ()).await.unwrap();
        vault.close().await;
    });
}

/// A dump of release 5 has one live reference; here two more, of which one shares its subject.
#[test]
fn references_of_an_older_release_get_subjects_and_images() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("records.sqlite");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true).foreign_keys(false);
        let pool = SqlitePool::connect_with(options).await.unwrap();
        let dump = fs_err::read_to_string("tests/fixtures/records-5.sql").unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(dump)).execute(&pool).await.unwrap();
        let more = "INSERT INTO template SELECT gallery, 3, state, subject_key, image_key + 1, NULL FROM template WHERE id = 1; \
             INSERT INTO template SELECT gallery, 4, state, subject_key + 1, image_key + 2, NULL FROM template WHERE id = 1; \
             INSERT INTO reference_detail SELECT gallery, 3, subject, image_sha256, source, quality, 1, 1, enrolled_at \
             FROM reference_detail WHERE template_id = 1; \
             INSERT INTO reference_detail SELECT gallery, 4, 'another one', image_sha256, source, quality, 1, 1, enrolled_at \
             FROM reference_detail WHERE template_id = 1; UPDATE gallery SET last_template_id = 4;";
        sqlx::raw_sql(more).execute(&pool).await.unwrap();
        pool.close().await;
        for _twice in 0..2 {
            let records = Records::create(&path).await.unwrap();
            let book = records.subject_book(&Caller::itself("a test"));
            let found = book.list(&name(), 0, ALL).await.unwrap();
            let plain: Vec<_> =
                found.iter().map(|one| (one.id, one.reference.as_ref().unwrap().as_str(), one.images)).collect();
            assert_eq!(plain, [(1, "one", 2), (2, "another one", 1)]);
            let images = book.images(1, 0, ALL).await.unwrap();
            assert_eq!(images.iter().map(|image| (image.id, image.template.0)).collect::<Vec<_>>(), [(1, 1), (2, 3)]);
            assert_eq!((images[0].created_on.to_string().as_str(), images[0].clock), ("2026-11-22", None));
            assert_eq!(
                records.details(&name(), &[TemplateId(4)]).await.unwrap()[&TemplateId(4)].subject.as_str(),
                "another one"
            );
            records.close().await;
        }
    });
}

/// By hand: `cargo nextest run --release --test storage --run-ignored only -E 'test(million_subjects)' --no-capture`.
#[test]
#[ignore = "writes two gigabytes"]
fn a_million_subjects_import_within_fifteen_minutes_and_pages_are_quick() {
    const COUNT: u64 = 1_000_000;
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = Vault::open(home.path(), Access::Writer, crate::records_at::vault_options()).await.unwrap();
        vault.create_gallery(&name(), &model_id(1), crate::dimension(), Precision::F32, "test").await.unwrap();
        let fill = |row: u64, out: &mut [f32]| {
            out.copy_from_slice(&raw(row));
            Ok(())
        };
        let policy = bertillon::policy::Policy::builtin().unwrap();
        let (periods, today) = (policy.periods(&name()).cloned(), bertillon::base::day::Day::today());
        let describe = move |row: u64| {
            let facts =
                ImageFacts { disposal: Disposal::ALL[row as usize % Disposal::ALL.len()], ..ImageFacts::default() };
            let mut described = described(row);
            described.subject = format!("CU/{:09}", row.wrapping_mul(7_919) % COUNT).parse().unwrap();
            described.about = DatedFacts::under(periods.as_ref(), facts, today);
            Ok(described)
        };
        let began = std::time::Instant::now();
        let import = TemplateImport { gallery: name(), model: model_id(1), count: COUNT, job: None };
        vault.import_templates(import, fill, describe, |_| ()).await.unwrap();
        let imported = began.elapsed();
        let (book, mut slowest) = (vault.subject_book(), std::time::Duration::ZERO);
        for after in [0, 10, 333_333, 500_000, 999_900] {
            let began = std::time::Instant::now();
            let page = book.list(&name(), after, 50).await.unwrap();
            slowest = slowest.max(began.elapsed());
            assert_eq!(page.len(), 50);
            let began = std::time::Instant::now();
            book.called(&name(), page[7].reference.as_ref().unwrap()).await.unwrap();
            assert_eq!(book.images(page[7].id, 0, 50).await.unwrap().len(), 1);
            slowest = slowest.max(began.elapsed());
        }
        let bytes = fs_err::metadata(home.path().join("records.sqlite")).unwrap().len();
        println!("{COUNT} subjects in {imported:?}, slowest page {slowest:?}, records {} MiB", bytes >> 20);
        assert!(imported.as_secs() < 15 * 60 && slowest.as_millis() < 50);
        vault.close().await;
    });
}
