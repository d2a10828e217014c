//! Pictures that are kept: sealed wherever one looks, given out to the bit, and gone with their references.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bertillon::gallery::{NewReference, ToKeep};
use bertillon::pictures::Source;
use sha2::{Digest as _, Sha256};

use crate::told::program;
use crate::traces::windows;
use crate::{
    Access, Enrolment, Erase, GalleryError, GalleryName, Precision, TemplateId, Vault, dimension, model_id, name,
    new_vault, open, options, reference, run, subject,
};

/// Something like a compressed picture: every window of it is its own.
pub(crate) fn picture(key: u64, bytes: usize) -> Arc<[u8]> {
    let blocks = (0..bytes.div_ceil(32) as u64).map(|block| {
        let text = [key.to_le_bytes(), block.to_le_bytes()].concat();
        <[u8; 32]>::from(Sha256::digest(text))
    });
    blocks.flatten().take(bytes).collect()
}

pub(crate) fn of(picture: &[u8]) -> [u8; 32] {
    Sha256::digest(picture).into()
}

/// A reference made from that picture.
fn taken(key: u64, whose: u64, picture: &[u8]) -> NewReference {
    NewReference { image_sha256: of(picture), ..reference(key, whose) }
}

pub(crate) async fn keep(vault: &Vault, gallery: &GalleryName, key: u64, picture: &Arc<[u8]>) -> TemplateId {
    let pictures = ToKeep::from([(of(picture), Source::Memory(Arc::clone(picture)))]);
    let enrolled = vault.enrol_keeping(gallery, vec![taken(key, key, picture)], pictures).await.unwrap();
    let [Enrolment::New(id)] = enrolled[..] else { panic!("{enrolled:?}") };
    id
}

pub(crate) async fn given(vault: &Vault, gallery: &GalleryName, id: TemplateId) -> Result<Vec<u8>, GalleryError> {
    let reader = vault.picture(gallery, id).await?;
    let mut all = Vec::new();
    reader.read(|chunk| {
        all.extend_from_slice(chunk);
        Ok(())
    })?;
    Ok(all)
}

pub(crate) fn blobs(data: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![data.join("images")]);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs_err::read_dir(folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

pub(crate) fn seen(data: &Path, what: &[u8]) -> usize {
    let there = windows(data, 12);
    what.windows(12).filter(|window| there.contains(*window)).count()
}

async fn pictures_in_event(vault: &Vault, kind: &str) -> Vec<u64> {
    let mut found = Vec::new();
    for event in vault.audit_book().after(0).await.unwrap() {
        let body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
        if body["kind"] == kind {
            found.push(body["detail"]["pictures"].as_u64().unwrap_or(0));
        }
    }
    found
}

#[test]
fn a_kept_picture_is_given_out_to_the_bit_and_nothing_of_it_can_be_read_in_any_file() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        let pictures = [picture(1, 200_000), picture(2, 100), picture(3, 65_536)];
        let mut ids = Vec::new();
        for (key, picture) in (1..).zip(&pictures) {
            ids.push(keep(&vault, &name(), key, picture).await);
        }
        assert_eq!(blobs(home.path()).len(), 3);
        for (id, picture) in ids.iter().zip(&pictures) {
            assert_eq!(given(&vault, &name(), *id).await.unwrap(), &picture[..]);
            assert_eq!(seen(home.path(), picture), 0);
        }
        let listed = vault.pictures_after(&name(), TemplateId(1)).await.unwrap();
        assert_eq!(listed, [(ids[1], 100), (ids[2], 65_536)]);
        vault.close().await;
        // Another process, beside a writer.
        let vault = Vault::open(home.path(), Access::Reader, options()).await.unwrap();
        assert_eq!(given(&vault, &name(), ids[0]).await.unwrap(), &pictures[0][..]);
        assert_eq!(pictures_in_event(&vault, "picture.exported").await.len(), 4);
        let none = given(&vault, &name(), TemplateId(9)).await.unwrap_err();
        assert!(matches!(none, GalleryError::NoPicture { template: TemplateId(9), .. }), "{none}");
        vault.close().await;
    });
}

#[test]
fn a_kept_picture_goes_with_its_reference_and_the_others_stay() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        let pictures: Vec<_> = (1..=6).map(|key| picture(key, 70_000)).collect();
        let mut ids = Vec::new();
        for (key, picture) in (1..).zip(&pictures) {
            ids.push(keep(&vault, &name(), key, picture).await);
        }
        let whole = blobs(home.path());
        let erased = [
            (vault.erase(&name(), Erase::Template(ids[0]), |_| ()).await.unwrap(), 0),
            (vault.erase(&name(), Erase::Subject(subject(4)), |_| ()).await.unwrap(), 3),
        ];
        let left: HashSet<PathBuf> = blobs(home.path()).into_iter().collect();
        assert_eq!((whole.len(), left.len()), (6, 4));
        for (erased, place) in erased {
            assert_eq!((erased.pictures, erased.templates), (1, vec![ids[place]]));
            let gone = given(&vault, &name(), ids[place]).await.unwrap_err();
            assert!(matches!(gone, GalleryError::NoPicture { .. }), "{gone}");
            // It may be enrolled and kept again.
            let again = keep(&vault, &name(), 1 + place as u64, &pictures[place]).await;
            assert_eq!(given(&vault, &name(), again).await.unwrap(), &pictures[place][..]);
        }
        for place in [1, 2, 4, 5] {
            assert_eq!(given(&vault, &name(), ids[place]).await.unwrap(), &pictures[place][..]);
        }
        assert_eq!(pictures_in_event(&vault, "erasure.finished").await, [1, 1]);
        vault.close().await;
    });
}

/// The sealed bytes are overwritten, not only unlinked: seen through a second name of the file.
#[test]
fn the_bytes_of_an_erased_picture_and_the_name_of_its_blob_are_nowhere() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        let shown = picture(1, 150_000);
        let id = keep(&vault, &name(), 1, &shown).await;
        keep(&vault, &name(), 2, &picture(2, 150_000)).await;
        let with_it: Vec<_> = blobs(home.path());
        let kept_beside = home.path().join("second-name");
        let mut blob = None;
        for path in with_it {
            fs_err::hard_link(&path, &kept_beside).unwrap();
            let sealed = fs_err::read(&path).unwrap();
            if given(&vault, &name(), id).await.unwrap().len() == shown.len() && blob.is_none() {
                // Which of the two it is: the one that the other picture does not need.
                let moved = path.with_extension("away");
                fs_err::rename(&path, &moved).unwrap();
                let needed = given(&vault, &name(), id).await.is_err();
                fs_err::rename(&moved, &path).unwrap();
                if needed {
                    blob = Some((path, sealed));
                    break;
                }
            }
            fs_err::remove_file(&kept_beside).unwrap();
        }
        let (path, sealed) = blob.unwrap();
        let file = path.file_name().unwrap().to_str().unwrap().as_bytes().to_vec();
        assert!(seen(home.path(), &file) > 0, "the records know its name");
        vault.erase(&name(), Erase::Template(id), |_| ()).await.unwrap();
        assert!(!path.exists());
        let left = fs_err::read(&kept_beside).unwrap();
        assert!(left.len() == sealed.len() && left.iter().all(|byte| *byte == 0), "all of it was overwritten");
        assert_eq!(seen(home.path(), &sealed[60..]), 0);
        assert_eq!(seen(home.path(), &file), 0, "nor is its name");
        vault.close().await;
    });
}

#[test]
fn one_picture_in_two_galleries_is_two_blobs_that_nobody_can_connect() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        let other: GalleryName = "missing".parse().unwrap();
        vault.create_gallery(&other, &model_id(1), dimension(), Precision::F32, "test").await.unwrap();
        let shown = picture(1, 50_000);
        let here = keep(&vault, &name(), 1, &shown).await;
        let there = keep(&vault, &other, 1, &shown).await;
        let (one, two) = match &blobs(home.path())[..] {
            [one, two] => (one.clone(), two.clone()),
            more => panic!("{more:?}"),
        };
        assert_ne!(one.file_name(), two.file_name());
        let (one, two) = (fs_err::read(one).unwrap(), fs_err::read(two).unwrap());
        let parts: HashSet<&[u8]> = one[32..].windows(8).collect();
        // Chunks begin with their generation, which is 0.
        assert!(!two[160..].windows(8).any(|window| parts.contains(window)));
        vault.erase(&name(), Erase::Template(here), |_| ()).await.unwrap();
        assert_eq!(given(&vault, &other, there).await.unwrap(), &shown[..]);
        vault.close().await;
    });
}

#[test]
fn a_picture_that_can_not_be_kept_enrols_nobody_and_leaves_nothing() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        let (good, bad) = (picture(1, 5_000), picture(2, 5_000));
        let file = home.path().join("outside.jpg");
        fs_err::write(&file, b"another picture by now").unwrap();
        for source in [Source::File(file), Source::File(home.path().join("nowhere.jpg"))] {
            let pictures = ToKeep::from([(of(&good), Source::Memory(Arc::clone(&good))), (of(&bad), source)]);
            let references = vec![taken(1, 1, &good), taken(2, 2, &bad)];
            let error = vault.enrol_keeping(&name(), references, pictures).await.unwrap_err();
            assert!(error.to_string().contains("can't be kept"), "{error}");
            assert_eq!(vault.snapshot(&name()).await.unwrap().live(), 0, "all or nothing");
            assert_eq!(blobs(home.path()), Vec::<PathBuf>::new());
        }
        let id = keep(&vault, &name(), 1, &good).await;
        assert_eq!(given(&vault, &name(), id).await.unwrap(), &good[..]);
        vault.close().await;
    });
}

#[test]
fn a_bent_picture_is_named_and_the_others_are_given_out() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        let (one, two) = (picture(1, 200_000), picture(2, 200_000));
        let ids = [keep(&vault, &name(), 1, &one).await, keep(&vault, &name(), 2, &two).await];
        let path = blobs(home.path())[0].clone();
        let mut bytes = fs_err::read(&path).unwrap();
        bytes[150_000] ^= 4;
        fs_err::write(&path, bytes).unwrap();
        let found = [given(&vault, &name(), ids[0]).await, given(&vault, &name(), ids[1]).await];
        let bent: Vec<_> = found.iter().filter_map(|found| found.as_ref().err()).map(ToString::to_string).collect();
        assert_eq!(bent.len(), 1);
        assert!(bent[0].contains(path.to_str().unwrap()) && bent[0].contains("chunk 2"), "{bent:?}");
        vault.close().await;
    });
}

#[test]
fn without_the_master_key_nothing_is_given_out_and_everything_can_be_erased() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        let id = keep(&vault, &name(), 1, &picture(1, 5_000)).await;
        vault.close().await;
        fs_err::remove_file(home.path().join("keys/master.key")).unwrap();
        let vault = open(home.path()).await;
        let error = given(&vault, &name(), id).await.unwrap_err().to_string();
        assert!(error.contains("master.key") && error.contains("missing"), "{error}");
        assert_eq!(vault.erase(&name(), Erase::Template(id), |_| ()).await.unwrap().pictures, 1);
        assert_eq!(blobs(home.path()), Vec::<PathBuf>::new());
        vault.close().await;
    });
}

#[test]
fn the_command_line_lists_gives_out_rewraps_and_destroys() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        let shown = picture(1, 70_000);
        keep(&vault, &name(), 1, &shown).await;
        vault.close().await;
        let bertillon = |arguments: &[&str]| {
            let output = program(home.path(), arguments);
            let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
            (output.status.success(), said[0].clone(), said[1].clone())
        };
        let good = |arguments: &[&str]| {
            let (done, said, error) = bertillon(arguments);
            assert!(done, "{arguments:?}: {error}");
            said
        };
        let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let listed = json(&good(&["picture", "list", "custody", "--json"]));
        assert_eq!(listed, serde_json::json!([{ "template": 1, "bytes": 70_000 }]));
        assert!(good(&["probe", "list"]).contains("no probe images"));
        good(&["picture", "export", "custody", "1", "--to", "out.jpg"]);
        assert_eq!(fs_err::read(home.path().join("out.jpg")).unwrap(), &shown[..]);
        let (again, _, error) = bertillon(&["picture", "export", "custody", "1", "--to", "out.jpg"]);
        assert!(!again && error.contains("out.jpg"), "nothing is written over: {error}");
        assert_eq!(json(&good(&["key", "rotate-master", "--json"]))["keys"], 1);
        good(&["picture", "export", "custody", "1", "--to", "after.jpg"]);
        assert_eq!(fs_err::read(home.path().join("after.jpg")).unwrap(), &shown[..]);
        for refused in [
            &["key", "destroy", "--gallery", "custody"][..],
            &["key", "destroy", "--gallery", "custody", "--yes"],
            &["key", "destroy", "--gallery", "custody", "--yes", "--again", "missing"],
        ] {
            assert!(!bertillon(refused).0, "{refused:?}");
        }
        let destroyed = good(&["key", "destroy", "--gallery", "custody", "--yes", "--again", "custody", "--json"]);
        assert_eq!(json(&destroyed)["pictures"], 1);
        let (given, _, error) = bertillon(&["picture", "export", "custody", "1", "--to", "gone.jpg"]);
        assert!(!given && error.contains("keeps no picture") && !home.path().join("gone.jpg").exists(), "{error}");
        let vault = open(home.path()).await;
        let mut kinds = Vec::new();
        for event in vault.audit_book().after(0).await.unwrap() {
            let body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
            kinds.push(body["kind"].as_str().unwrap().to_owned());
        }
        for kind in
            ["gallery.key_made", "picture.listed", "picture.exported", "key.master_rotated", "gallery.key_destroyed"]
        {
            assert!(kinds.iter().any(|found| found == kind), "{kind} in {kinds:?}");
        }
        vault.close().await;
    });
}

#[test]
fn a_gallerys_key_is_destroyed_by_two_people_and_never_while_somebody_is_held() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        keep(&vault, &name(), 1, &picture(1, 70_000)).await;
        let held = subject(1);
        vault.close().await;
        let by = |key: Option<&str>, arguments: &[&str]| {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_bertillon"));
            command.env("BERTILLON_DATA", home.path()).current_dir(home.path()).args(arguments);
            command.env_remove("BERTILLON_KEY").envs(key.map(|key| ("BERTILLON_KEY", key)));
            let output = command.output().unwrap();
            let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
            (output.status.success(), said)
        };
        let destroy = ["key", "destroy", "--gallery", "custody", "--yes", "--again", "custody"];
        assert!(by(None, &["hold", "place", "custody", held.as_str(), "--reason", "a complaint"]).0);
        let (done, said) = by(None, &destroy);
        assert!(!done && said.contains("hold"), "{said}");
        assert!(by(None, &["hold", "lift", "custody", "1", "--reason", "it is over"]).0);
        let [ann, bob] = ["ann", "bob"].map(|name| {
            assert!(by(None, &["user", "add", name, "--role", "supervisor"]).0);
            let file = format!("{name}.key");
            assert!(by(None, &["key", "create", name, "--to", &file]).0);
            fs_err::read_to_string(home.path().join(file)).unwrap().trim().to_owned()
        });
        let (done, said) = by(None, &destroy);
        assert!(!done && said.contains("takes two people"), "{said}");
        let (done, said) =
            by(Some(&ann), &["policy", "propose", "--key-destroy", "custody", "--reason", "the force closes"]);
        assert!(done, "{said}");
        let (done, said) = by(Some(&ann), &["policy", "approve", "1"]);
        assert!(!done && said.contains("whoever proposed it"), "{said}");
        assert!(!by(None, &destroy).0, "proposed is not approved");
        let (done, said) = by(Some(&bob), &["policy", "approve", "1"]);
        assert!(done, "{said}");
        // What was approved counts as long as the proposal may wait: things may be otherwise after that.
        let by_hand = crate::records_at::by_hand(home.path()).await;
        let expires: String = sqlx::query_scalar("SELECT expires_at FROM proposal").fetch_one(&by_hand).await.unwrap();
        for (until, counts) in [("2026-01-01T00:00:00Z", false), (expires.as_str(), true)] {
            sqlx::query("UPDATE proposal SET expires_at = $1").bind(until).execute(&by_hand).await.unwrap();
            let (done, said) = by(None, &destroy);
            assert_eq!(
                (done, said.contains("is destroyed"), said.contains("takes two people")),
                (counts, counts, !counts)
            );
        }
        by_hand.close().await;
        // The next key is another matter.
        let vault = Vault::open(home.path(), Access::Writer, options()).await.unwrap();
        keep(&vault, &name(), 2, &picture(2, 70_000)).await;
        vault.close().await;
        let (done, said) = by(None, &destroy);
        assert!(!done && said.contains("takes two people"), "{said}");
    });
}
