//! Pictures that were searched with: kept with their searches, never replaced, gone with all that was made of them.

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bertillon::audit::Caller;
use bertillon::gallery::{GalleryError, NewEdit, Vault};
use bertillon::records::{NewProbe, ProbeRecord, SearchRecord};
use sha2::{Digest as _, Sha256};

use crate::pictures::{blobs, given as given_of, keep, picture, seen};
use crate::{Access, Precision, dimension, enrol, model_id, name, new_vault, open, options, reference, run, search};

const LATER: &str = "2999-01-01T00:00:00Z";

fn with(picture: &[u8]) -> SearchRecord {
    SearchRecord { probe_sha256: Sha256::digest(picture).into(), ..search(&[]) }
}

async fn sealed(vault: &Vault, pictures: &[&Arc<[u8]>], until: &str) -> Vec<NewProbe> {
    vault.seal_probes(&name(), pictures.iter().map(|picture| Arc::clone(picture)).collect(), until).await.unwrap()
}

async fn given(vault: &Vault, probe: i64, edit: Option<i64>) -> Result<Vec<u8>, GalleryError> {
    let reader = vault.probe(probe, edit).await?;
    let mut all = Vec::new();
    reader.read(|chunk| {
        all.extend_from_slice(chunk);
        Ok(())
    })?;
    Ok(all)
}

fn edit(bytes: &Arc<[u8]>, parameters: &str) -> NewEdit {
    NewEdit { bytes: Arc::clone(bytes), tool: "levels of the test 1.0".to_owned(), parameters: parameters.to_owned() }
}

async fn one_kept(home: &Path, until: &str) -> (Vault, Arc<[u8]>) {
    let vault = new_vault(home, Precision::F32).await;
    let came = picture(1, 90_000);
    let probes = sealed(&vault, &[&came], until).await;
    vault.record_searches_keeping(&name(), vec![with(&came)], probes).await.unwrap();
    (vault, came)
}

#[test]
fn a_picture_is_kept_once_for_all_its_faces_and_given_out_to_the_bit() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, vec![reference(9, 9)]).await;
        let (one, two) = (picture(1, 200_000), picture(2, 300));
        // The same picture came twice, as two files.
        let probes = sealed(&vault, &[&one, &two, &one], LATER).await;
        assert_eq!(probes.len(), 2);
        let searches = [with(&one), with(&one), with(&two)];
        let numbers = vault.record_searches_keeping(&name(), searches.to_vec(), probes).await.unwrap();
        let listed = vault.probes_after(0).await.unwrap();
        let found: Vec<_> = listed.iter().map(|probe| (probe.id, probe.bytes, probe.searches.clone())).collect();
        assert_eq!(found, [(1, 200_000, numbers[..2].to_vec()), (2, 300, numbers[2..].to_vec())]);
        assert_eq!(given(&vault, 1, None).await.unwrap(), &one[..]);
        assert_eq!(given(&vault, 2, None).await.unwrap(), &two[..]);
        assert_eq!((seen(home.path(), &one), seen(home.path(), &two)), (0, 0));
        vault.close().await;
        // What counts stays at a start; and another process may read it.
        open(home.path()).await.close().await;
        let vault = Vault::open(home.path(), Access::Reader, options()).await.unwrap();
        assert_eq!(given(&vault, 1, None).await.unwrap(), &one[..]);
        assert!(matches!(given(&vault, 3, None).await, Err(GalleryError::NoProbe(3))));
        vault.close().await;
    });
}

#[test]
fn pictures_of_searches_that_failed_are_nowhere() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        let (one, two) = (picture(1, 50_000), picture(2, 50_000));
        let probes = sealed(&vault, &[&one, &two], LATER).await;
        assert_eq!(blobs(home.path()).len(), 2);
        vault.let_go(&name(), &probes).await;
        assert!(blobs(home.path()).is_empty());
        // One process dies between the sealing and the record; a server that starts removes what it left.
        sealed(&vault, &[&one, &two], LATER).await;
        vault.close().await;
        assert_eq!(blobs(home.path()).len(), 2);
        let vault = open(home.path()).await;
        assert!(blobs(home.path()).is_empty() && vault.probes_after(0).await.unwrap().is_empty());
        // Another goes on after such a start: it is not told that a picture is kept which is gone.
        let beside = Vault::open(home.path(), Access::Reader, options()).await.unwrap();
        let lost = sealed(&beside, &[&one], LATER).await;
        vault.close().await;
        let vault = open(home.path()).await;
        let error = beside.record_searches_keeping(&name(), vec![with(&one)], lost).await.unwrap_err().to_string();
        assert!(error.contains("try again"), "{error}");
        let again = sealed(&beside, &[&one], LATER).await;
        beside.record_searches_keeping(&name(), vec![with(&one)], again.clone()).await.unwrap();
        // What was kept after all does not go with a late change of mind.
        beside.let_go(&name(), &again).await;
        assert_eq!(given(&vault, 1, None).await.unwrap(), &one[..]);
        beside.close().await;
        vault.close().await;
    });
}

#[test]
fn what_is_made_of_a_picture_stands_beside_it_by_whom_and_how() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let (vault, came) = one_kept(home.path(), LATER).await;
        let made = [picture(5, 70_000), picture(6, 80)];
        let ann = vault.acting_for(&Caller::new("ann", "test", None));
        assert_eq!(ann.add_edit(1, edit(&made[0], "gamma 1.8")).await.unwrap(), 1);
        assert_eq!(vault.add_edit(1, edit(&made[1], "cropped to 10,10 200x200")).await.unwrap(), 2);
        assert_eq!(given(&vault, 1, None).await.unwrap(), &came[..], "what came is as it came");
        for (number, made) in (1..).zip(&made) {
            assert_eq!(given(&vault, 1, Some(number)).await.unwrap(), &made[..]);
        }
        let listed = vault.probes_after(0).await.unwrap();
        let edits: Vec<_> =
            listed[0].edits.iter().map(|edit| (edit.number, edit.person.as_str(), edit.bytes)).collect();
        assert_eq!(edits[0], (1, "ann", 70_000));
        assert_eq!((edits[1].0, edits[1].2), (2, 80));
        assert_eq!(listed[0].edits[0].parameters, "gamma 1.8");
        assert!(matches!(given(&vault, 1, Some(3)).await, Err(GalleryError::NoProbe(1))));
        assert!(matches!(vault.add_edit(2, edit(&made[0], "x")).await, Err(GalleryError::NoProbe(2))));
        let silent = NewEdit { parameters: String::new(), ..edit(&made[0], "") };
        assert!(matches!(vault.add_edit(1, silent).await, Err(GalleryError::Text { what: "parameters", .. })));
        assert_eq!(blobs(home.path()).len(), 3, "what was refused left nothing");
        vault.close().await;
    });
}

#[test]
fn an_erased_probe_is_gone_with_all_that_was_made_of_it() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let (vault, came) = one_kept(home.path(), LATER).await;
        let (other, made) = (picture(2, 60_000), picture(5, 70_000));
        let probes = sealed(&vault, &[&other], LATER).await;
        vault.record_searches_keeping(&name(), vec![with(&other)], probes).await.unwrap();
        let words = "brightened around the left eye";
        vault.add_edit(1, edit(&made, words)).await.unwrap();
        vault.add_edit(2, edit(&made, "the words of another edit")).await.unwrap();
        let files = blobs(home.path());
        let second_names = home.path().join("second");
        fs_err::create_dir(&second_names).unwrap();
        for (number, path) in files.iter().enumerate() {
            fs_err::hard_link(path, second_names.join(number.to_string())).unwrap();
        }
        assert!(seen(home.path(), words.as_bytes()) > 0);
        vault.erase_probe(1).await.unwrap();
        assert_eq!(galleries_told(&vault, "probe.erased").await, ["custody"]);
        let left = blobs(home.path());
        assert_eq!((files.len(), left.len()), (4, 2));
        for (number, path) in files.iter().enumerate() {
            let bytes = fs_err::read(second_names.join(number.to_string())).unwrap();
            assert_eq!(bytes.iter().all(|byte| *byte == 0), !left.contains(path), "overwritten, not only unlinked");
        }
        assert_eq!(seen(home.path(), words.as_bytes()), 0, "nor are the words");
        for edit in [None, Some(1)] {
            assert!(matches!(given(&vault, 1, edit).await, Err(GalleryError::NoProbe(1))));
        }
        assert!(matches!(vault.erase_probe(1).await, Err(GalleryError::NoProbe(1))));
        assert!(matches!(vault.add_edit(1, edit(&came, "x")).await, Err(GalleryError::NoProbe(1))));
        assert_eq!(given(&vault, 2, None).await.unwrap(), &other[..]);
        assert_eq!(given(&vault, 2, Some(1)).await.unwrap(), &made[..]);
        vault.close().await;
    });
}

#[test]
fn probes_go_when_their_time_is_over() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let (vault, _) = one_kept(home.path(), "2020-01-01T00:00:00Z").await;
        let other = picture(2, 60_000);
        let probes = sealed(&vault, &[&other], LATER).await;
        vault.record_searches_keeping(&name(), vec![with(&other)], probes).await.unwrap();
        assert_eq!(vault.erase_probes_due().await.unwrap(), 1);
        assert_eq!(vault.erase_probes_due().await.unwrap(), 0);
        assert_eq!(vault.probes_after(0).await.unwrap().iter().map(|probe| probe.id).collect::<Vec<_>>(), [2]);
        assert_eq!(blobs(home.path()).len(), 1);
        vault.close().await;
    });
}

#[test]
fn a_destroyed_key_takes_every_picture_of_its_gallery_and_no_other() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let (vault, came) = one_kept(home.path(), LATER).await;
        vault.add_edit(1, edit(&picture(5, 70_000), "gamma 1.8")).await.unwrap();
        let other = "missing".parse().unwrap();
        vault.create_gallery(&other, &model_id(1), dimension(), Precision::F32, "test").await.unwrap();
        let (shown, elsewhere) = (picture(3, 80_000), picture(4, 80_000));
        let id = keep(&vault, &name(), 3, &shown).await;
        let there = keep(&vault, &other, 4, &elsewhere).await;
        let beside = Vault::open(home.path(), Access::Reader, options()).await.unwrap();
        let late = sealed(&beside, &[&came], LATER).await;
        assert_eq!(vault.destroy_gallery_key(&name()).await.unwrap(), 1);
        assert!(matches!(given_of(&vault, &name(), id).await, Err(GalleryError::NoPicture { .. })));
        assert!(matches!(given(&vault, 1, None).await, Err(GalleryError::NoProbe(1))));
        assert_eq!(given_of(&vault, &other, there).await.unwrap(), &elsewhere[..]);
        assert_eq!(vault.snapshot(&name()).await.unwrap().live(), 1, "references stay");
        // Another process had the key in memory: what it sealed under it meanwhile does not count.
        let refused = beside.record_searches_keeping(&name(), vec![with(&came)], late).await.unwrap_err().to_string();
        assert!(refused.contains("try again"), "{refused}");
        beside.close().await;
        assert_eq!(blobs(home.path()).len(), 1);
        let keys = fs_err::read_dir(home.path().join("keys")).unwrap().map(|entry| entry.unwrap().path());
        let zeros = keys.filter(|path| fs_err::read(path).unwrap() == [0; 128]).count();
        assert_eq!(zeros, 1, "the key's file is overwritten");
        assert!(matches!(vault.destroy_gallery_key(&name()).await, Err(GalleryError::NoKey(_))));
        vault.close().await;
        let vault = open(home.path()).await;
        let again = keep(&vault, &name(), 8, &shown_again()).await;
        assert_eq!(given_of(&vault, &name(), again).await.unwrap(), &shown_again()[..], "under a new key");
        vault.close().await;
    });
}

/// One process begins to seal, another starts and removes what was begun, and only then the first one's file is written.
#[test]
fn a_picture_that_was_written_after_a_start_removed_it_is_erased_by_whoever_wrote_it() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        new_vault(home.path(), Precision::F32).await.close().await;
        let beside = Vault::open(home.path(), Access::Reader, options()).await.unwrap();
        let came = picture(1, 90_000);
        for recorded in [false, true] {
            let late = sealed(&beside, &[&came], LATER).await;
            let path = blobs(home.path()).remove(0);
            let written = fs_err::read(&path).unwrap();
            open(home.path()).await.close().await;
            assert!(!path.exists());
            fs_err::write(&path, written).unwrap();
            if recorded {
                beside.record_searches_keeping(&name(), vec![with(&came)], late).await.unwrap_err();
            } else {
                beside.let_go(&name(), &late).await;
            }
            assert_eq!(blobs(home.path()), Vec::<PathBuf>::new());
        }
        beside.close().await;
    });
}

#[test]
fn nothing_that_counts_is_let_go_of() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let (vault, came) = one_kept(home.path(), LATER).await;
        let made = picture(5, 70_000);
        vault.add_edit(1, edit(&made, "gamma 1.8")).await.unwrap();
        let ProbeRecord { key, blob, edits, .. } = vault.probes_after(0).await.unwrap().remove(0);
        let new = |blob| NewProbe { sha256: [0; 32], key, blob, bytes: 1, expires_at: LATER.to_owned() };
        vault.let_go(&name(), &[new(blob), new(edits[0].blob)]).await;
        assert_eq!(given(&vault, 1, None).await.unwrap(), &came[..]);
        assert_eq!(given(&vault, 1, Some(1)).await.unwrap(), &made[..]);
        vault.close().await;
        open(home.path()).await.close().await;
        assert_eq!(blobs(home.path()).len(), 2);
    });
}

/// What comes of `wanted`; nothing, when it did not end within `polls`, and whoever waited went away.
async fn within<T>(polls: usize, wanted: impl Future<Output = T>) -> Option<T> {
    let (mut wanted, mut left) = (Box::pin(wanted), polls);
    poll_fn(|context| match wanted.as_mut().poll(context) {
        Poll::Ready(found) => Poll::Ready(Some(found)),
        Poll::Pending if left <= 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[test]
fn a_search_whose_client_goes_at_any_moment_is_recorded_with_its_picture_or_leaves_none() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        for polls in 1..=12 {
            let (came, failed) = (picture(polls, 5_000), picture(100 + polls, 5_000));
            let probes = sealed(&vault, &[&came, &failed], LATER).await;
            within(polls as usize, vault.record_searches_keeping(&name(), vec![with(&came)], probes)).await;
            let until = Instant::now() + Duration::from_secs(20);
            while blobs(home.path()).len() != vault.probes_after(0).await.unwrap().len() {
                assert!(Instant::now() < until, "gone after {polls}: {:?}", blobs(home.path()));
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        vault.close().await;
    });
}

#[test]
fn one_probe_that_can_not_be_erased_stops_no_other() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let (vault, _) = one_kept(home.path(), "2020-01-01T00:00:00Z").await;
        let first = blobs(home.path()).remove(0);
        let other = picture(2, 60_000);
        let probes = sealed(&vault, &[&other], "2020-01-02T00:00:00Z").await;
        vault.record_searches_keeping(&name(), vec![with(&other)], probes).await.unwrap();
        // A folder in the place of the file can't be overwritten.
        fs_err::remove_file(&first).unwrap();
        fs_err::create_dir(&first).unwrap();
        let error = vault.erase_probes_due().await.unwrap_err();
        assert!(matches!(error, GalleryError::ProbesLeft { erased: 1, left: 1, probe: 1, .. }), "{error}");
        assert_eq!(blobs(home.path()), Vec::<PathBuf>::new());
        fs_err::remove_dir(&first).unwrap();
        assert_eq!(vault.erase_probes_due().await.unwrap(), 1);
        assert_eq!(vault.erase_probes_due().await.unwrap(), 0);
        vault.close().await;
    });
}

#[test]
fn the_names_of_blobs_go_with_a_destroyed_key() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        keep(&vault, &name(), 3, &picture(3, 80_000)).await;
        let path = blobs(home.path()).remove(0);
        let file = path.file_name().unwrap().to_str().unwrap().as_bytes();
        assert!(seen(home.path(), file) > 0, "the records know its name");
        vault.destroy_gallery_key(&name()).await.unwrap();
        assert_eq!(seen(home.path(), file), 0);
        vault.close().await;
    });
}

async fn galleries_told(vault: &Vault, kind: &str) -> Vec<String> {
    let mut found = Vec::new();
    for event in vault.audit_book().after(0).await.unwrap() {
        let body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
        if body["kind"] == kind {
            found.push(body["gallery"].as_str().unwrap_or_default().to_owned());
        }
    }
    found
}

fn shown_again() -> Arc<[u8]> {
    picture(8, 10_000)
}
