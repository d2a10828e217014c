//! Importing templates of people: all or none, whose they are, and what is refused.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::time::{Duration, Instant};

use bertillon::base::ids::TemplateId;
use bertillon::casework::Desk;
use bertillon::casework::bulk::{self, BulkImport};
use bertillon::gallery::{Access, Erase, GalleryError, Imported, ImportedReference, TemplateImport, Vault};
use bertillon::policy::DatedFacts;
use bertillon::records::Attribute;
use bertillon::segment::Precision;
use bertillon::settings::Settings;
use bertillon::settings::back_end::BackEnd;
use bertillon::settings::flags::Flags;

use crate::traces::windows;
use crate::{
    dimension, enrol, live, model_id, name, new_vault, on, open, options, raw, reference, run, search, subject,
    template,
};

pub(crate) fn described(row: u64) -> ImportedReference {
    let attributes = vec![Attribute::new("capture_year", &(2000 + row % 25).to_string()).unwrap()];
    let (subject, source) = (subject(4000 + row / 2), format!("{row:07} of the old system"));
    ImportedReference { subject, source, attributes, about: DatedFacts::default() }
}

async fn import(vault: &Vault, count: u64, bad_row: u64, bad_record: u64) -> Result<Imported, GalleryError> {
    let fill = move |row: u64, out: &mut [f32]| {
        // Any length: it is scaled.
        let scale = if row == bad_row { 0.0 } else { 3.0 + row as f32 };
        out.iter_mut().zip(raw(9000 + row)).for_each(|(to, from)| *to = from * scale);
        Ok(())
    };
    let describe = move |row| if row == bad_record { Err("nobody".to_owned()) } else { Ok(described(row)) };
    vault
        .import_templates(
            TemplateImport { gallery: name(), model: model_id(1), count, job: None },
            fill,
            describe,
            |_| (),
        )
        .await
}

#[test]
fn imported_templates_are_references_like_others() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, (1..=5).map(|key| reference(key, key)).collect()).await;
        let imported = import(&vault, 250, u64::MAX, u64::MAX).await.unwrap();
        assert_eq!((imported.first, imported.last, imported.segments), (TemplateId(6), TemplateId(255), 3));
        enrol(&vault, vec![reference(300, 300)]).await;
        vault.close().await;
        let vault = open(home.path()).await;
        vault.verify(&name(), |_, _| ()).await.unwrap();
        let seen = live(&vault.snapshot(&name()).await.unwrap());
        assert_eq!(seen.len(), 256);
        let near: Vec<f32> = seen[&16].iter().map(|&bits| f32::from_bits(bits)).collect();
        let wanted = template(9010);
        assert!(near.iter().zip(wanted.values()).all(|(a, b)| (a - b).abs() < 1e-6), "row 10 is template 16");
        let found = vault.references(&name(), &[TemplateId(16)]).await.unwrap();
        assert_eq!(found[&TemplateId(16)].subject, described(10).subject);
        assert_eq!(vault.snapshot(&name()).await.unwrap().live_synthetic(), 0);
        let year = vault.templates_between(&name(), &"capture_year".parse().unwrap(), 2003..=2003).await.unwrap();
        assert_eq!(year, (0..10).map(|i| TemplateId(6 + 3 + 25 * i)).collect::<Vec<_>>());
        let erased = vault.erase(&name(), Erase::Subject(subject(4005)), |_| ()).await.unwrap();
        assert_eq!(erased.templates, [TemplateId(16), TemplateId(17)]);
        let bytes = windows(home.path(), 12);
        assert!(!bytes.contains(&described(10).source.as_bytes()[..12]) && !bytes.contains(&b"0004005 pers"[..]));
        vault.close().await;
    });
}

#[test]
fn an_import_that_fails_leaves_nothing() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, (1..=5).map(|key| reference(key, key)).collect()).await;
        let before = live(&vault.snapshot(&name()).await.unwrap());
        for (bad_row, bad_record, at) in [(120, u64::MAX, 120), (u64::MAX, 230, 230)] {
            let refused = import(&vault, 250, bad_row, bad_record).await;
            assert!(matches!(&refused, Err(GalleryError::ImportRow { row, .. }) if *row == at), "{refused:?}");
            assert_eq!(live(&vault.snapshot(&name()).await.unwrap()), before);
            let subjects = vault.templates_of_subjects(&name(), &[subject(4000), subject(4100)]).await.unwrap();
            assert!(subjects.is_empty());
        }
        let other = vault
            .import_templates(
                TemplateImport { gallery: name(), model: model_id(2), count: 1, job: None },
                |_, _| Ok(()),
                |_| Err(String::new()),
                |_| (),
            )
            .await;
        assert!(matches!(other, Err(GalleryError::OtherModel { .. })), "{other:?}");
        let files = fs_err::read_dir(home.path().join("gallery/custody")).unwrap();
        let names: Vec<_> = files.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(names.iter().filter(|name| name.starts_with("segment")).count(), 1, "{names:?}");
        // Five transactions of references were taken back, and their ids are not given again.
        assert_eq!(enrol(&vault, vec![reference(6, 6)]).await, [TemplateId(206)]);
        assert_eq!(vault.galleries().await.unwrap()[0].erased, 0, "nobody erased anything");
        vault.verify(&name(), |_, _| ()).await.unwrap();
        vault.close().await;
        let vault = open(home.path()).await;
        let after: BTreeMap<_, _> = live(&vault.snapshot(&name()).await.unwrap());
        assert_eq!(after.len(), 6);
        vault.close().await;
    });
}

/// What an import does while it waits at row 150 of 250: three transactions of references are committed, and count for nothing.
fn halting(told: mpsc::Sender<()>, go_on: mpsc::Receiver<()>) -> impl FnMut(u64) -> Result<ImportedReference, String> {
    move |row| {
        if row == 150 {
            told.send(()).unwrap();
            // Others wait for sockets meanwhile, where records are on PostgreSQL: a blocked worker of the runtime may be who looks at them.
            let waited = tokio::task::block_in_place(|| go_on.recv());
            waited.map_err(|_| "the import was stopped".to_owned())?;
        }
        Ok(described(row))
    }
}

pub(crate) fn raw_rows() -> impl FnMut(u64, &mut [f32]) -> Result<(), String> + Send + 'static {
    |row, out| {
        out.copy_from_slice(&raw(9000 + row));
        Ok(())
    }
}

#[test]
fn beside_an_import_searches_are_recorded_and_changes_are_refused() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap();
    runtime.block_on(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, (1..=5).map(|key| reference(key, key)).collect()).await;
        let before = live(&vault.snapshot(&name()).await.unwrap());
        let ((told, is_there), (go_on, waits)) = (mpsc::channel(), mpsc::channel());
        let importing = {
            let vault = vault.clone();
            let import = TemplateImport { gallery: name(), model: model_id(1), count: 250, job: None };
            tokio::spawn(async move { vault.import_templates(import, raw_rows(), halting(told, waits), |_| ()).await })
        };
        is_there.recv_timeout(Duration::from_secs(30)).unwrap();
        let reader = Vault::open(home.path(), Access::Reader, options()).await.unwrap();
        for vault in [&vault, &reader] {
            let asked = search(&[TemplateId(3)]);
            let recorded =
                tokio::time::timeout(Duration::from_mins(1), vault.record_searches(std::slice::from_ref(&asked)));
            assert!(recorded.await.expect("nobody waits for an import").unwrap()[0] > 0);
            assert_eq!(live(&vault.snapshot(&name()).await.unwrap()), before);
            let year = vault.templates_between(&name(), &"capture_year".parse().unwrap(), 0..=9999).await.unwrap();
            assert!(year.is_empty(), "what does not count yet is in no filter");
            assert!(vault.templates_of_subjects(&name(), &[subject(4001)]).await.unwrap().is_empty());
            assert_eq!(vault.verify(&name(), |_, _| ()).await.unwrap().live, 5);
        }
        let copy = home.path().join("copy");
        assert_eq!(reader.backup(&name(), &copy, |_, _| ()).await.unwrap().templates, 5);
        let erased = vault.erase(&name(), Erase::Template(TemplateId(1)), |_| ()).await;
        assert!(matches!(erased, Err(GalleryError::Importing(_))), "{erased:?}");
        let enrolled = vault.enrol(&name(), vec![reference(7, 7)]).await;
        assert!(matches!(enrolled, Err(GalleryError::Importing(_))), "{enrolled:?}");
        go_on.send(()).unwrap();
        importing.await.unwrap().unwrap();
        assert_eq!(vault.verify(&name(), |_, _| ()).await.unwrap().live, 255);
        assert_eq!(enrol(&vault, vec![reference(7, 7)]).await, [TemplateId(256)]);
        vault.close().await;
    });
}

#[test]
fn a_vault_that_is_closed_ends_an_import_and_nothing_is_left() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap();
    runtime.block_on(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        let ((told, is_there), (go_on, waits)) = (mpsc::channel(), mpsc::channel());
        let importing = {
            let vault = vault.clone();
            let import = TemplateImport { gallery: name(), model: model_id(1), count: 250, job: None };
            tokio::spawn(async move { vault.import_templates(import, raw_rows(), halting(told, waits), |_| ()).await })
        };
        is_there.recv_timeout(Duration::from_secs(30)).unwrap();
        let mut closing = std::pin::pin!(vault.close());
        // Looked at once, it has begun, and waits for the import.
        assert!(poll_fn(|context| Poll::Ready(closing.as_mut().poll(context).is_pending())).await);
        go_on.send(()).unwrap();
        assert!(importing.await.unwrap().is_err());
        closing.await;
        let found = windows(home.path(), 12);
        assert!(!found.contains(&described(10).source.as_bytes()[..12]), "references are overwritten and gone");
        let vault = open(home.path()).await;
        assert!(vault.templates_of_subjects(&name(), &[subject(4001)]).await.unwrap().is_empty());
        assert_eq!(enrol(&vault, vec![reference(1, 1)]).await, [TemplateId(121)], "after those that were taken back");
        vault.verify(&name(), |_, _| ()).await.unwrap();
        let copy = home.path().join("copy");
        assert_eq!(vault.backup(&name(), &copy, |_, _| ()).await.unwrap().templates, 1);
        let restored = vault.restore(&copy, Some("again".parse().unwrap()), None, on).await.unwrap();
        assert_eq!((restored.last_template, restored.erased_since), (121, 0));
        vault.verify(&restored.gallery, |_, _| ()).await.unwrap();
        vault.close().await;
    });
}

/// A `.npy` file as NumPy writes it.
pub(crate) fn npy(path: &std::path::Path, rows: &[Vec<f32>]) {
    let header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}\n", rows.len(), rows[0].len());
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    rows.iter().flatten().for_each(|value| bytes.extend(value.to_le_bytes()));
    fs_err::write(path, bytes).unwrap();
}

/// A desk with an empty gallery.
/// A desk at the data folder `data` in `home`.
pub(crate) async fn opened(home: &std::path::Path) -> Desk {
    let flags = Flags { data: Some(home.join("data")), back_end: Some(BackEnd::Cpu), ..Flags::default() };
    let settings = Settings::load(None, home, flags).unwrap().settings;
    Desk::open(settings, Access::Writer).await.unwrap()
}

pub(crate) async fn desk(home: &std::path::Path) -> Desk {
    let desk = opened(home).await;
    let set = desk.catalogue.set("mtcnn-dlib").unwrap();
    desk.vault.create_gallery(&name(), &set.id(), dimension(), Precision::F16, "test").await.unwrap();
    desk
}

pub(crate) fn old_files(home: &std::path::Path) -> BulkImport {
    let (templates, subjects) = (home.join("old.npy"), home.join("old.csv"));
    BulkImport { gallery: name(), templates, subjects, model: "mtcnn-dlib".to_owned() }
}

#[test]
fn files_of_another_system_are_imported_or_refused_by_row() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = desk(home.path()).await;
        let request = old_files(home.path());
        let list = |rows: u64| {
            let lines = (0..rows).map(|row| format!("person {row},{},\n", 1990 + row % 30));
            format!("subject,capture_year,disposal\n{}", lines.collect::<String>())
        };
        let import = async |templates: &[Vec<f32>], subjects: &str| {
            npy(&request.templates, templates);
            fs_err::write(&request.subjects, subjects).unwrap();
            let result = bulk::import(&desk, &desk.vault, &request, (None, Arc::default()), |_, _| ()).await;
            result.map_err(|error| error.to_string())
        };
        let good: Vec<Vec<f32>> = (0..30).map(raw).collect();
        let mut zero = good.clone();
        zero[17].fill(0.0);
        let mut nan = good.clone();
        nan[3][5] = f32::NAN;
        for (templates, subjects, says) in [
            (&zero, list(30), "row 17"),
            (&nan, list(30), "row 3"),
            (&good, list(29), "29 rows here, 30 templates"),
            (&good, list(31), "31 or more rows here, 30 templates"),
            (&good, list(31) + "\u{7},,\n", "31 or more rows here, 30 templates"),
            (&good, list(30).replace("person 4,", "synthetic 4,"), "line 6: column 1"),
            (&good, list(30).replace("capture_year", "Capture Year"), "line 1: column 2"),
            (&good, list(30).replace("capture_year", "disposal"), "line 1: column 3"),
            (&good, list(30).replace(",1995,", ",1995\u{1b},"), "line 7: column 2"),
            (&good, list(30).replace(",1995,", ",1995,,"), "line 7: 4 fields"),
            (&good, list(30).replace("subject", "person"), "column `subject`"),
            (&vec![vec![1.0; 16]; 30], list(30), "32 numbers, not 16"),
            (&good, format!("subject,a\n\"{}\",1\n", "x".repeat(3 << 20)), "bytes"),
        ] {
            let error = import(templates, &subjects).await.unwrap_err();
            assert!(error.contains(says), "{says}: {error}");
            assert_eq!(desk.vault.snapshot(&name()).await.unwrap().live(), 0);
        }
        import(&good, &list(30)).await.unwrap();
        let stop = Arc::new(AtomicBool::new(true));
        assert!(bulk::import(&desk, &desk.vault, &request, (None, stop), |_, _| ()).await.is_err(), "stopped");
        assert_eq!(desk.vault.snapshot(&name()).await.unwrap().live(), 30);
        let found = desk.vault.references(&name(), &[TemplateId(30)]).await.unwrap();
        assert_eq!(found[&TemplateId(30)].subject.as_str(), "person 29");
        let shown = desk.vault.attributes(&name(), &[TemplateId(30)]).await.unwrap();
        assert_eq!(shown[&TemplateId(30)], [Attribute::new("capture_year", "2019").unwrap()], "an empty field is none");
        let other = BulkImport { model: "no such set".to_owned(), ..request.clone() };
        assert!(bulk::import(&desk, &desk.vault, &other, (None, Arc::default()), |_, _| ()).await.is_err());
        desk.vault.verify(&name(), |_, _| ()).await.unwrap();
    });
}

/// For figures: `BERTILLON_IMPORT_ROWS=1000000 cargo test --release --test storage -- --ignored --nocapture many_references`.
#[test]
#[ignore = "a million rows"]
fn many_references_are_imported_in_reasonable_time() {
    run(async {
        let rows = std::env::var("BERTILLON_IMPORT_ROWS").map_or(100_000, |rows| rows.parse().unwrap());
        let home = tempfile::tempdir().unwrap();
        let vault = Vault::open(home.path(), Access::Writer, crate::records_at::vault_options()).await.unwrap();
        vault.create_gallery(&name(), &model_id(1), dimension(), Precision::F16, "test").await.unwrap();
        let began = Instant::now();
        let files = Arc::new(Mutex::new(Duration::ZERO));
        let written = Arc::clone(&files);
        let progress = move |done| {
            if done == rows {
                *written.lock().unwrap() = began.elapsed();
            }
        };
        let fill = |row, out: &mut [f32]| {
            out.copy_from_slice(&raw(row));
            Ok(())
        };
        let describe = |row| Ok(described(row));
        vault
            .import_templates(
                TemplateImport { gallery: name(), model: model_id(1), count: rows, job: None },
                fill,
                describe,
                progress,
            )
            .await
            .unwrap();
        let (all, files) = (began.elapsed(), *files.lock().unwrap());
        println!("{rows} rows: files {files:?}, records {:?}", all.checked_sub(files));
        let began = Instant::now();
        let year = "capture_year".parse().unwrap();
        let found = vault.templates_between(&name(), &year, 2005..=2015).await.unwrap().len();
        println!("filter by year: {found} templates in {:?}", began.elapsed());
        let began = Instant::now();
        vault.verify(&name(), |_, _| ()).await.unwrap();
        println!("verify {:?}", began.elapsed());
        let began = Instant::now();
        let copy = home.path().join("copy");
        let made = vault.backup(&name(), &copy, |_, _| ()).await.unwrap();
        println!("backup of {} MiB {:?}", made.bytes >> 20, began.elapsed());
        let began = Instant::now();
        vault.restore(&copy, Some("copy".parse().unwrap()), None, on).await.unwrap();
        println!("restore {:?}", began.elapsed());
    });
}
