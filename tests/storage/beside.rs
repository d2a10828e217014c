//! Several processes and several readers: locks, waiting, and what each may see.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bertillon::base::ids::TemplateId;
use bertillon::gallery::{Access, Erase, GalleryError, Vault, VaultOptions};
use bertillon::segment::Precision;
use bertillon::vector::rows::Rows;

use crate::traces::{traces, windows};
use crate::{
    DIMENSION, dimension, enrol, live, model_id, name, new_vault, open, options, raw, reference, run, search, template,
};

#[test]
fn a_second_writer_is_told_who_has_the_folder() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        vault.set_address("http://127.0.0.1:7000").unwrap();
        let error = Vault::open(home.path(), Access::Writer, options()).await.err().unwrap().to_string();
        let pid = std::process::id().to_string();
        assert!(error.contains(&pid) && error.contains("http://127.0.0.1:7000"), "{error}");
        vault.close().await;
        open(home.path()).await.close().await;
        let empty = tempfile::tempdir().unwrap();
        let nothing = Vault::open(empty.path(), Access::Reader, options()).await;
        assert!(matches!(nothing, Err(GalleryError::NoData(_))));
        assert_eq!(fs_err::read_dir(empty.path()).unwrap().count(), 0, "a reader makes nothing");
    });
}

#[test]
fn a_reader_beside_the_writer_sees_what_is_committed_and_holds_back_erasures() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, (1..=60).map(|key| reference(key, key)).collect()).await;
        let reader = Vault::open(home.path(), Access::Reader, options()).await.unwrap();
        let refused = reader.enrol(&name(), vec![reference(99, 1)]).await;
        assert!(matches!(refused, Err(GalleryError::ReadOnly(_))));
        let seen = reader.snapshot(&name()).await.unwrap();
        assert_eq!(live(&seen), live(vault.snapshot(&name()).await.unwrap().as_ref()));
        let number = reader.record_searches(&[search(&[TemplateId(3), TemplateId(4)])]).await.unwrap()[0];
        assert!(number > 0);

        let held_back = vault.erase(&name(), Erase::Template(TemplateId(3)), |_| ()).await;
        assert!(matches!(held_back, Err(GalleryError::StillRead { count: 1, .. })), "{held_back:?}");
        // A tail that lost its name now would keep the bytes.
        assert!(matches!(vault.seal(&name()).await, Err(GalleryError::ErasureWaits { count: 1, .. })));
        assert!(!live(vault.snapshot(&name()).await.unwrap().as_ref()).contains_key(&3), "no new search shows it");
        assert!(reader.references(&name(), &[TemplateId(3)]).await.unwrap().is_empty(), "nor an old one");
        let mut original = vec![0.0; DIMENSION];
        seen.rows()[0].original(2, &mut original);
        assert_eq!(original, template(3).values(), "bytes don't change under a reader");
        assert!(matches!(vault.enrol(&name(), vec![reference(3, 3)]).await, Err(GalleryError::BeingErased(_))));
        drop(seen);
        let finished = vault.erase(&name(), Erase::Template(TemplateId(3)), |_| ()).await.unwrap();
        assert_eq!(finished.templates, [TemplateId(3)]);
        let seen = reader.snapshot(&name()).await.unwrap();
        seen.rows()[0].original(2, &mut original);
        assert!(original.iter().all(|&value| value == 0.0) && !seen.rows()[0].is_live(2));
        vault.close().await;
    });
}

#[test]
fn readers_keep_up_with_a_writer_that_seals_and_imports() {
    let home = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let vault =
            Vault::open(home.path(), Access::Writer, VaultOptions { tail_rows_max: 7, ..options() }).await.unwrap();
        vault.create_gallery(&name(), &model_id(1), dimension(), Precision::F32, "test").await.unwrap();
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&acknowledged);
        let writer = tokio::spawn(async move {
            for round in 0..60_u64 {
                enrol(&vault, (0..5).map(|i| reference(1 + round * 5 + i, round)).collect()).await;
                let added = if round % 20 == 9 {
                    vault
                        .import_synthetic(&name(), 30, |row, out| out.copy_from_slice(&raw(row)), |_| ())
                        .await
                        .unwrap();
                    35
                } else {
                    5
                };
                count.fetch_add(added, Ordering::SeqCst);
            }
            vault.close().await;
        });
        let reader = Vault::open(home.path(), Access::Reader, options()).await.unwrap();
        let mut looks = 0;
        while !writer.is_finished() || looks < 5 {
            let least = acknowledged.load(Ordering::SeqCst);
            let seen = live(reader.snapshot(&name()).await.unwrap().as_ref()).len();
            assert!(seen >= least && seen.is_multiple_of(5), "{seen} of at least {least}");
            looks += 1;
        }
        writer.await.unwrap();
        assert_eq!(reader.snapshot(&name()).await.unwrap().live(), 390);
    });
}

#[test]
fn a_search_that_still_reads_holds_back_an_erasure_in_this_process() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, (1..=50).map(|key| reference(key, key)).collect()).await;
        enrol(&vault, (51..=60).map(|key| reference(key, key)).collect()).await;
        for id in [5, 55] {
            // Not even a snapshot: one run of it is enough.
            let runs: Vec<Arc<dyn Rows>> = vault.snapshot(&name()).await.unwrap().rows().to_vec();
            let late =
                vault.erase(&name(), Erase::Template(TemplateId(id)), |_| panic!("nothing was overwritten")).await;
            assert!(matches!(late, Err(GalleryError::StillRead { reader: "a search", .. })), "{late:?}");
            let whole = runs
                .iter()
                .any(|run| (0..run.len()).any(|row| run.template_id(row).0 == id && run.scales()[row] > 0.0));
            assert!(whole, "what a search reads stays");
            drop(runs);
        }
        // A start finishes what was begun.
        vault.close().await;
        let vault = open(home.path()).await;
        let found = windows(home.path(), 12);
        for key in [5, 55] {
            assert!(traces(key, key, Precision::F32).iter().all(|(_, trace)| !found.contains(trace)), "{key}");
        }
        assert_eq!(vault.snapshot(&name()).await.unwrap().live(), 58);
        vault.close().await;
    });
}
