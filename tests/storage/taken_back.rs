//! Imports that end early: what they leave in the records, in files, and to others who want to write meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use bertillon::base::ids::{GalleryName, TemplateId};
use bertillon::casework::{CaseworkError, bulk};
use bertillon::gallery::{Access, Erase, GalleryError, ImportedReference, TemplateImport, Vault, VaultOptions};
use bertillon::segment::Precision;
use bertillon::store::StoreError;
use bertillon::vector::dimension::Dimension;

use crate::bulk::{described, desk, npy, old_files, raw_rows};
use crate::traces::{traces, windows};
use crate::{dimension, enrol, live, model_id, name, new_vault, open, options, raw, reference, run, search, subject};

fn several_threads() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap()
}

fn import(count: u64) -> TemplateImport {
    TemplateImport { gallery: name(), model: model_id(1), count, job: None }
}

/// References enrolled elsewhere lie between those of an import. When it is taken back they must not be moved about: SQLite
/// would leave copies of them in the slack of pages, which their own erasure does not reach.
#[test]
fn rows_between_those_of_an_import_taken_back_can_still_be_erased() {
    const ROUNDS: u64 = 40;
    const EACH: u64 = 5;
    several_threads().block_on(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        let other: GalleryName = "other".parse().unwrap();
        vault.create_gallery(&other, &model_id(1), dimension(), Precision::F32, "test").await.unwrap();
        enrol(&vault, (1..=5).map(|key| reference(key, key)).collect()).await;
        let ((told, is_there), (go_on, waits)) = (mpsc::channel(), mpsc::channel::<()>());
        // At the first row of each transaction but the first.
        let describe = move |row: u64| {
            if row > 0 && row.is_multiple_of(60) {
                told.send(()).unwrap();
                waits.recv().unwrap();
            }
            if row == ROUNDS * 60 + 1 { Err("enough".to_owned()) } else { Ok(described(row)) }
        };
        let importing = {
            let vault = vault.clone();
            let import = import(ROUNDS * 60 + 60);
            tokio::spawn(async move { vault.import_templates(import, raw_rows(), describe, |_| ()).await })
        };
        for round in 0..ROUNDS {
            is_there.recv_timeout(Duration::from_secs(30)).unwrap();
            let keys = 10_000 + round * EACH..10_000 + (round + 1) * EACH;
            vault.enrol(&other, keys.map(|key| reference(key, key)).collect()).await.unwrap();
            go_on.send(()).unwrap();
        }
        importing.await.unwrap().unwrap_err();
        let keys = 10_000..10_000 + ROUNDS * EACH;
        let before = windows(home.path(), 12);
        let texts = |key| traces(key, key, Precision::F32).into_iter().take(4);
        assert!(texts(10_007).all(|(_, trace)| before.contains(&trace)), "the search for traces finds what is there");
        for key in keys.clone() {
            vault.erase(&other, Erase::Subject(subject(key)), |_| ()).await.unwrap();
        }
        let after = windows(home.path(), 12);
        let left: Vec<_> = keys
            .flat_map(|key| texts(key).map(move |(what, trace)| (key, what, trace)))
            .filter(|(_, _, trace)| after.contains(trace))
            .map(|(key, what, _)| (key, what))
            .collect();
        assert!(
            left.is_empty(),
            "{} texts of erased references are left: {:?}",
            left.len(),
            &left[..left.len().min(8)]
        );
        for row in 0..ROUNDS * 60 {
            let ImportedReference { subject, source, attributes: _, about: _ } = described(row);
            let seen = [subject.as_str(), &source].iter().any(|text| after.contains(&text.as_bytes()[..12]));
            assert!(!seen, "what the import wrote about row {row} is overwritten");
        }
        vault.close().await;
    });
}

#[test]
fn others_record_searches_while_an_import_is_taken_back() {
    const ROWS: u64 = 12_000;
    several_threads().block_on(async {
        let home = tempfile::tempdir().unwrap();
        let records_of_500 = VaultOptions { import_records: 500, import_segment_rows: ROWS, ..options() };
        let vault = Vault::open(home.path(), Access::Writer, records_of_500).await.unwrap();
        vault.create_gallery(&name(), &model_id(1), dimension(), Precision::F32, "test").await.unwrap();
        // Connections of its own: to SQLite the same as another process.
        let reader = Vault::open(home.path(), Access::Reader, options()).await.unwrap();
        let (ends, ended) = mpsc::channel();
        let describe = move |row| {
            if row < ROWS - 1 {
                return Ok(described(row));
            }
            ends.send(()).unwrap();
            Err("enough".to_owned())
        };
        let importing = {
            let vault = vault.clone();
            tokio::spawn(async move { vault.import_templates(import(ROWS), raw_rows(), describe, |_| ()).await })
        };
        ended.recv_timeout(Duration::from_mins(1)).unwrap();
        let (began, mut waits) = (Instant::now(), Vec::new());
        while !importing.is_finished() {
            let asked = Instant::now();
            reader.record_searches(&[search(&[TemplateId(3)])]).await.unwrap();
            waits.push(asked.elapsed());
        }
        importing.await.unwrap().unwrap_err();
        let (took, longest) = (began.elapsed(), waits.iter().max().copied().unwrap_or_default());
        println!("{} searches recorded in {took:?}, the longest wait {longest:?}", waits.len());
        // One for each transaction of 500 references, however slow the disk; without pauses between those it is less.
        let least = ROWS as usize / 500;
        assert!(waits.len() >= least && longest < took / 4, "{} searches, {longest:?}", waits.len());
        vault.close().await;
    });
}

#[test]
fn a_panic_among_an_imports_records_leaves_the_gallery_to_the_next_start() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, (1..=5).map(|key| reference(key, key)).collect()).await;
        let before = live(&vault.snapshot(&name()).await.unwrap());
        let describe = |row: u64| if row == 150 { panic!("a bug in whoever describes") } else { Ok(described(row)) };
        let ended = vault.import_templates(import(250), raw_rows(), describe, |_| ()).await;
        assert!(matches!(ended, Err(GalleryError::Interrupted)), "{ended:?}");
        let change = vault.enrol(&name(), vec![reference(6, 6)]).await;
        assert!(matches!(change, Err(GalleryError::Unsettled(_))), "{change:?}");
        assert_eq!(live(&vault.snapshot(&name()).await.unwrap()), before, "searches go on");
        vault.close().await;
        let vault = open(home.path()).await;
        assert_eq!(live(&vault.snapshot(&name()).await.unwrap()), before);
        assert_eq!(enrol(&vault, vec![reference(6, 6)]).await, [TemplateId(126)]);
        vault.verify(&name(), |_, _| ()).await.unwrap();
        vault.close().await;
        let found = windows(home.path(), 12);
        assert!(!found.contains(&described(10).source.as_bytes()[..12]), "the next start overwrites what was recorded");
    });
}

#[test]
fn ids_of_an_import_taken_back_are_given_to_nobody_across_starts_and_imports() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let mut vault = new_vault(home.path(), Precision::F32).await;
        let fails_at = |bad: u64| move |row| if row == bad { Err("nobody".to_owned()) } else { Ok(described(row)) };
        vault.import_templates(import(100), raw_rows(), fails_at(70), |_| ()).await.unwrap_err();
        for _ in 0..2 {
            vault.close().await;
            vault = open(home.path()).await;
        }
        // 40 references of the first were in the records, 120 of the second are.
        vault.import_templates(import(200), raw_rows(), fails_at(150), |_| ()).await.unwrap_err();
        let synthetic = vault.import_synthetic(&name(), 10, |row, out| out.copy_from_slice(&raw(row)), |_| ()).await;
        assert_eq!(synthetic.unwrap().first, TemplateId(161));
        let imported = vault.import_templates(import(70), raw_rows(), fails_at(u64::MAX), |_| ()).await.unwrap();
        assert_eq!((imported.first, imported.last), (TemplateId(171), TemplateId(240)));
        assert_eq!(enrol(&vault, vec![reference(1, 1)]).await, [TemplateId(241)]);
        let nothing = vault.erase(&name(), Erase::Template(TemplateId(30)), |_| ()).await;
        assert!(matches!(nothing, Err(GalleryError::NothingToErase { .. })), "{nothing:?}");
        for _ in 0..2 {
            assert_eq!(vault.verify(&name(), |_, _| ()).await.unwrap().live, 81);
            let shown = vault.references(&name(), &[TemplateId(30), TemplateId(100), TemplateId(191)]).await.unwrap();
            assert_eq!(shown.keys().collect::<Vec<_>>(), [&TemplateId(191)]);
            vault.compact(&name(), true, crate::on).await.unwrap();
            vault.close().await;
            vault = open(home.path()).await;
        }
        vault.close().await;
    });
}

#[test]
fn the_check_of_a_list_tells_how_far_it_is_and_can_be_stopped() {
    run(async {
        const ROWS: usize = 20_000;
        let home = tempfile::tempdir().unwrap();
        let desk = desk(home.path()).await;
        let request = old_files(home.path());
        npy(&request.templates, &vec![raw(1); ROWS]);
        fs_err::write(&request.subjects, "subject\n".to_owned() + &"somebody\n".repeat(ROWS)).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::new(Mutex::new(Vec::new()));
        let progress = {
            let (stop, told) = (Arc::clone(&stop), Arc::clone(&told));
            move |done, all| {
                told.lock().unwrap().push((done, all));
                stop.store(true, Ordering::Relaxed);
            }
        };
        let ended = bulk::import(&desk, &desk.vault, &request, (None, stop), progress).await;
        assert!(matches!(ended, Err(CaseworkError::Gallery(GalleryError::Interrupted))), "{ended:?}");
        assert_eq!(*told.lock().unwrap(), [(8_192, 3 * ROWS as u64)]);
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let progress = move |done, _| tell.lock().unwrap().push(done);
        bulk::import(&desk, &desk.vault, &request, (None, Arc::default()), progress).await.unwrap();
        let told = told.lock().unwrap();
        assert!(told.is_sorted() && told.last() == Some(&(3 * ROWS as u64)), "{told:?}");
    });
}

#[test]
fn an_import_that_no_disk_holds_is_refused_before_its_first_row() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = Vault::open(home.path(), Access::Writer, crate::records_at::vault_options()).await.unwrap();
        let wide = Dimension::new(2048).unwrap();
        vault.create_gallery(&name(), &model_id(1), wide, Precision::F32, "test").await.unwrap();
        let fill = |_: u64, _: &mut [f32]| panic!("nothing is asked for");
        let refused = vault.import_synthetic(&name(), 100_000_000, fill, |_| ()).await;
        let Err(GalleryError::Store(StoreError::NoRoom { wanted, free, .. })) = refused else { panic!("{refused:?}") };
        assert!(wanted > 1_000_000_000_000 && free < wanted, "{wanted} {free}");
        vault.close().await;
    });
}

/// For figures: `BERTILLON_IMPORT_ROWS=1000000 cargo test --release --test storage -- --ignored --nocapture taken_back`.
#[test]
#[ignore = "a hundred thousand rows"]
fn many_references_are_taken_back_in_reasonable_time() {
    run(async {
        let rows = std::env::var("BERTILLON_IMPORT_ROWS").map_or(100_000, |rows| rows.parse().unwrap());
        let home = tempfile::tempdir().unwrap();
        let vault = Vault::open(home.path(), Access::Writer, crate::records_at::vault_options()).await.unwrap();
        vault.create_gallery(&name(), &model_id(1), dimension(), Precision::F16, "test").await.unwrap();
        let ended = Arc::new(Mutex::new(Instant::now()));
        let (began, ends) = (Instant::now(), Arc::clone(&ended));
        let describe = move |row| {
            *ends.lock().unwrap() = Instant::now();
            if row + 1 == rows { Err("enough".to_owned()) } else { Ok(described(row)) }
        };
        vault.import_templates(import(rows), raw_rows(), describe, |_| ()).await.unwrap_err();
        let ended = *ended.lock().unwrap();
        println!("{rows} rows: written in {:?}, taken back in {:?}", ended - began, ended.elapsed());
        vault.close().await;
        let bytes = fs_err::metadata(home.path().join("records.sqlite")).unwrap().len();
        println!("{} bytes of records a row", bytes / rows);
    });
}
