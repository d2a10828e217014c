//! What happens to the gallery and to the backup while a backup is taken in.

use std::ops::ControlFlow;

use bertillon::base::ids::{GalleryName, TemplateId};
use bertillon::gallery::{Erase, GalleryError, Vault};
use bertillon::segment::Precision;
use tokio::runtime::Handle;

use crate::traces::{traces, windows};
use crate::{enrol, live, name, new_vault, on, reference, run};

/// A vault with twenty people, and a backup of it.
async fn vault_and_copy(home: &std::path::Path, copy: &std::path::Path) -> Vault {
    let vault = new_vault(home, Precision::F32).await;
    enrol(&vault, (1..=20).map(|key| reference(key, key)).collect()).await;
    vault.backup(&name(), copy, |_, _| ()).await.unwrap();
    vault
}

#[test]
fn an_erasure_made_while_a_backup_is_copied_is_made_in_the_copy_too() {
    run(async {
        let (home, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (copy, beside) = (copies.path().join("copy"), "beside".parse::<GalleryName>().unwrap());
        let vault = vault_and_copy(home.path(), &copy).await;
        vault.erase(&name(), Erase::Template(TemplateId(3)), |_| ()).await.unwrap();
        let (during, runtime) = (vault.clone(), Handle::current());
        let mut erased_meanwhile = false;
        let progress = move |done: u64, all: u64| {
            // Its only segment is copied (the first half was the check); none of it counts yet.
            if 2 * done > all && !erased_meanwhile {
                erased_meanwhile = true;
                let erased =
                    runtime.block_on(async { during.erase(&name(), Erase::Template(TemplateId(7)), |_| ()).await });
                erased.unwrap();
            }
            ControlFlow::Continue(())
        };
        let restored = vault.restore(&copy, Some(beside.clone()), None, progress).await.unwrap();
        assert_eq!(restored.erased_since, 2);
        let seen = live(&vault.snapshot(&beside).await.unwrap());
        assert_eq!(seen.len(), 18);
        assert!(!seen.contains_key(&3) && !seen.contains_key(&7));
        let found = windows(&home.path().join("gallery"), 12);
        for key in [3, 7] {
            let left = traces(key, key, Precision::F32);
            assert!(left.iter().all(|(_, trace)| !found.contains(trace)), "{key}");
        }
        vault.verify(&beside, |_, _| ()).await.unwrap();
        vault.close().await;
    });
}

#[test]
fn a_restore_whose_backup_goes_away_leaves_no_template_behind() {
    run(async {
        let (home, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (copy, beside) = (copies.path().join("copy"), "beside".parse::<GalleryName>().unwrap());
        let vault = vault_and_copy(home.path(), &copy).await;
        let records = copy.join("records.sqlite");
        let kept = fs_err::read(&records).unwrap();
        let gone = records.clone();
        // The medium is pulled out after its only segment was copied.
        let progress = move |done: u64, all: u64| {
            if 2 * done > all {
                fs_err::remove_file(&gone).unwrap();
            }
            ControlFlow::Continue(())
        };
        let failed = vault.restore(&copy, Some(beside.clone()), None, progress).await;
        assert!(matches!(failed, Err(GalleryError::Records(_))), "{failed:?}");
        let left: Vec<_> =
            fs_err::read_dir(home.path().join("gallery")).unwrap().map(|of| of.unwrap().path()).collect();
        assert_eq!(left, [home.path().join("gallery").join(name().as_str())]);
        assert_eq!(vault.galleries().await.unwrap().len(), 1);
        fs_err::write(&records, kept).unwrap();
        vault.restore(&copy, Some(beside), None, on).await.unwrap();
        vault.close().await;
    });
}
