//! Galleries whose files lie sealed: nothing of a template can be read in any file, and nothing else is different.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bertillon::kernel;
use bertillon::scoring::{CertifiedScorer, CpuPass};
use bertillon::settings::master_key::MasterKey;
use bertillon::settings::storage::Storage;
use bertillon::vector::codec::{put_f16, put_f32};
use bertillon::vector::naive::NaiveScorer;
use bertillon::vector::scorer::Scorer as _;

use crate::pictures::{keep, picture};
use crate::traces::windows;
use crate::{
    Access, Code, Erase, GalleryError, GalleryName, Precision, TemplateId, Vault, VaultOptions, dimension, enrol, live,
    model_id, name, on, open, options, raw, reference, run, subject, template,
};

const DATA: &str = "BERTILLON_SEALED_DATA";
const RUN: &str = "BERTILLON_SEALED_RUN";

/// With a master key outside the data folder.
fn with_key(key: &Path) -> VaultOptions {
    VaultOptions { master_key: Some(MasterKey::File(key.to_owned())), ..options() }
}

fn new_key(folder: &Path, digit: char) -> PathBuf {
    let path = folder.join(format!("master-{digit}"));
    fs_err::write(&path, digit.to_string().repeat(64)).unwrap();
    path
}

async fn writer(data: &Path, key: &Path) -> Vault {
    Vault::open(data, Access::Writer, with_key(key)).await.unwrap()
}

async fn create(
    vault: &Vault,
    gallery: &GalleryName,
    originals: Precision,
    storage: Storage,
) -> Result<(), GalleryError> {
    vault.create_gallery_as(gallery, (&model_id(1), dimension()), originals, storage, "test").await
}

async fn sealed_vault(data: &Path, key: &Path, originals: Precision) -> Vault {
    let vault = writer(data, key).await;
    create(&vault, &name(), originals, Storage::Sealed).await.unwrap();
    vault
}

/// Four numbers of a template's original and twelve of its code, each as it would lie in a file.
fn parts(key: u64, originals: Precision) -> Vec<Vec<u8>> {
    let (values, mut bytes) = (originals.round(template(key).values()), Vec::new());
    match originals {
        Precision::F32 => put_f32(&values, &mut bytes),
        Precision::F16 => put_f16(&values, &mut bytes),
    }
    let codes: Vec<u8> = Code::of(&values).codes.iter().map(|&code| code as u8).collect();
    bytes.chunks_exact(12).chain(codes.chunks_exact(12)).map(<[u8]>::to_vec).collect()
}

fn seen(data: &Path, keys: impl IntoIterator<Item = u64>, originals: Precision) -> Vec<u64> {
    let there = windows(data, 12);
    let shown = |key: &u64| parts(*key, originals).iter().any(|part| there.contains(part));
    keys.into_iter().filter(shown).collect()
}

/// The same in both: enrolments, an import, erasures, sealing, merging, and what is left in the tail.
async fn live_through(vault: &Vault, gallery: &GalleryName) {
    for batch in (1..=130).collect::<Vec<u64>>().chunks(25) {
        let references = batch.iter().map(|&key| reference(key, key % 40)).collect();
        vault.enrol(gallery, references).await.unwrap();
    }
    vault.seal(gallery).await.unwrap();
    vault.import_synthetic(gallery, 230, |row, out| out.copy_from_slice(&raw(1000 + row)), |_| ()).await.unwrap();
    vault.enrol(gallery, (131..=150).map(|key| reference(key, key % 40)).collect()).await.unwrap();
    for id in [3, 77, 131, 200, 359, 361, 379] {
        vault.erase(gallery, Erase::Template(TemplateId(id)), |_| ()).await.unwrap();
    }
    vault.erase(gallery, Erase::Subject(subject(7)), |_| ()).await.unwrap();
}

/// Every way of searching gives of `found` what the oracle gives of `wanted`.
async fn searched_alike(vault: &Vault, found: &GalleryName, wanted: &GalleryName, when: &str) {
    let (found, wanted) = (vault.snapshot(found).await.unwrap(), vault.snapshot(wanted).await.unwrap());
    assert_eq!(live(&found), live(&wanted), "{when}");
    let probes: Vec<_> = [5, 77, 1003, 900, 145].map(template).into();
    let lists = NaiveScorer.top_k(wanted.rows(), &probes, 60).unwrap().lists;
    for kernel in kernel::all() {
        let name = kernel.name();
        let scorer = CertifiedScorer::new(Arc::new(CpuPass::new(kernel, 2)), 2);
        let sealed = scorer.top_k(found.rows(), &probes, 60).unwrap().lists;
        let bits = |lists: &[Vec<bertillon::vector::topk::Scored>]| -> Vec<(u64, u32)> {
            lists.iter().flatten().map(|one| (one.id.0, one.score.to_bits())).collect()
        };
        assert_eq!(bits(&sealed), bits(&lists), "{when}, {name}");
    }
}

#[test]
fn a_sealed_gallery_is_searched_like_a_mapped_one_and_shows_nothing_in_any_file() {
    for originals in [Precision::F32, Precision::F16] {
        run(async {
            let (home, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let elsewhere = tempfile::tempdir().unwrap();
            let key = new_key(outside.path(), 'a');
            let vault = sealed_vault(home.path(), &key, originals).await;
            let mapped: GalleryName = "mapped".parse().unwrap();
            live_through(&vault, &name()).await;
            let all = || (1..=150).chain(1000..1230);
            assert!(seen(home.path(), all(), originals).is_empty(), "of {originals:?}");
            create(&vault, &mapped, originals, Storage::Mapped).await.unwrap();
            live_through(&vault, &mapped).await;
            assert!(seen(home.path(), all(), originals).len() > 300, "the search finds what is there");
            searched_alike(&vault, &name(), &mapped, "as it was made").await;
            for gallery in [&name(), &mapped] {
                vault.compact(gallery, true, on).await.unwrap();
                vault.verify(gallery, |_, _| ()).await.unwrap();
            }
            searched_alike(&vault, &name(), &mapped, "compacted").await;
            // What is erased from a file that a search has open is erased in its memory.
            let reading = vault.snapshot(&name()).await.unwrap();
            drop(reading);
            for gallery in [&name(), &mapped] {
                vault.erase(gallery, Erase::Template(TemplateId(10)), |_| ()).await.unwrap();
            }
            searched_alike(&vault, &name(), &mapped, "erased once more").await;
            // Beside the writer, in memory of its own.
            let reader = Vault::open(home.path(), Access::Reader, with_key(&key)).await.unwrap();
            searched_alike(&reader, &name(), &mapped, "in another process").await;
            reader.verify(&name(), |_, _| ()).await.unwrap();
            vault.close().await;
            let vault = writer(home.path(), &key).await;
            searched_alike(&vault, &name(), &mapped, "opened again").await;
            let summaries = vault.galleries().await.unwrap();
            for summary in &summaries {
                let sealed = summary.record.name == name();
                assert_eq!(summary.record.storage, if sealed { Storage::Sealed } else { Storage::Mapped });
                let held = summary.held.unwrap_or_default();
                assert_eq!((held.locked_bytes, held.locked_bytes > 0), (held.bytes, sealed));
                assert!(held.opened_in > Duration::ZERO || !sealed);
            }
            // A backup is sealed, and comes back where the master key is.
            let copy = elsewhere.path().join("copy");
            vault.backup(&name(), &copy, |_, _| ()).await.unwrap();
            assert!(seen(&copy, all(), originals).is_empty());
            let beside: GalleryName = "beside".parse().unwrap();
            vault.erase(&mapped, Erase::Template(TemplateId(11)), |_| ()).await.unwrap();
            vault.erase(&name(), Erase::Template(TemplateId(11)), |_| ()).await.unwrap();
            let restored = vault.restore(&copy, Some(beside.clone()), None, on).await.unwrap();
            assert_eq!(restored.erased_since, 1);
            searched_alike(&vault, &beside, &mapped, "restored beside").await;
            vault.verify(&beside, |_, _| ()).await.unwrap();
            enrol(&vault, vec![reference(500, 500)]).await;
            vault.close().await;
            comes_back_elsewhere(&copy, &key, outside.path(), originals).await;
        });
    }
}

async fn comes_back_elsewhere(copy: &Path, key: &Path, outside: &Path, originals: Precision) {
    let home = tempfile::tempdir().unwrap();
    let none = open(home.path()).await;
    let refused = none.restore(copy, None, None, on).await.unwrap_err();
    assert!(matches!(refused, GalleryError::NoMasterKey(_)), "{refused}");
    none.close().await;
    let other = writer(home.path(), &new_key(outside, 'b')).await;
    let refused = other.restore(copy, None, None, on).await.unwrap_err();
    assert!(matches!(&refused, GalleryError::Keys(_)) && refused.to_string().contains("KEY"), "{refused}");
    other.close().await;
    assert_eq!(fs_err::read_dir(home.path().join("gallery")).unwrap().count(), 0, "nothing is left");
    let vault = writer(home.path(), key).await;
    vault.restore(copy, None, None, on).await.unwrap();
    vault.verify(&name(), |_, _| ()).await.unwrap();
    assert_eq!(vault.galleries().await.unwrap()[0].record.storage, Storage::Sealed);
    let next = enrol(&vault, vec![reference(600, 600)]).await;
    assert!(vault.snapshot(&name()).await.unwrap().live() > 300 && next[0].0 == 381);
    assert!(seen(home.path(), (1..=150).chain(1000..1230).chain([600]), originals).is_empty());
    vault.close().await;
}

#[test]
fn a_gallery_is_not_sealed_under_a_key_that_lies_beside_it() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = open(home.path()).await;
        let refused = create(&vault, &name(), Precision::F32, Storage::Sealed).await.unwrap_err();
        assert!(matches!(refused, GalleryError::NoMasterKey(_)), "{refused}");
        assert!(refused.to_string().contains("encryption.master_key"), "{refused}");
        assert!(vault.galleries().await.unwrap().is_empty() && !home.path().join("keys").exists());
        create(&vault, &name(), Precision::F32, Storage::Mapped).await.unwrap();
        vault.close().await;
    });
}

/// What was begun under a key and does not count is made again, as either kind.
#[test]
fn a_creation_that_was_cut_short_is_in_nobodys_way() {
    run(async {
        let (home, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let key = new_key(outside.path(), 'a');
        for storage in [Storage::Sealed, Storage::Mapped] {
            let from = tempfile::tempdir().unwrap();
            let vault = sealed_vault(from.path(), &key, Precision::F32).await;
            vault.close().await;
            writer(home.path(), &key).await.close().await;
            fs_err::create_dir_all(home.path().join("gallery/custody")).unwrap();
            for file in ["MANIFEST", "tail-1.log"] {
                let left = from.path().join("gallery/custody").join(file);
                fs_err::copy(left, home.path().join("gallery/custody").join(file)).unwrap();
            }
            let vault = writer(home.path(), &key).await;
            create(&vault, &name(), Precision::F32, storage).await.unwrap();
            enrol(&vault, vec![reference(1, 1)]).await;
            vault.close().await;
            fs_err::remove_dir_all(home.path()).unwrap();
            fs_err::create_dir(home.path()).unwrap();
        }
    });
}

/// A file of the gallery whose name begins so.
fn file_of(data: &Path, start: &str) -> PathBuf {
    let files = fs_err::read_dir(data.join("gallery/custody")).unwrap().map(|entry| entry.unwrap().path());
    let begins = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(start);
    files.filter(begins).min().unwrap()
}

fn reason(summaries: &[bertillon::gallery::GallerySummary], gallery: &GalleryName) -> Option<String> {
    summaries.iter().find(|summary| summary.record.name == *gallery).unwrap().damaged.clone()
}

#[test]
fn a_wrong_key_and_a_bent_file_put_one_gallery_out_of_use_and_the_others_go_on() {
    run(async {
        let (home, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (key, other) = (new_key(outside.path(), 'a'), new_key(outside.path(), 'b'));
        let vault = sealed_vault(home.path(), &key, Precision::F32).await;
        enrol(&vault, (1..=60).map(|key| reference(key, key)).collect()).await;
        vault.seal(&name()).await.unwrap();
        enrol(&vault, vec![reference(61, 61)]).await;
        let mapped: GalleryName = "mapped".parse().unwrap();
        create(&vault, &mapped, Precision::F32, Storage::Mapped).await.unwrap();
        vault.close().await;
        for options in [with_key(&other), with_key(&outside.path().join("nowhere")), options()] {
            for access in [Access::Writer, Access::Reader] {
                let vault = Vault::open(home.path(), access, options.clone()).await.unwrap();
                let refused = vault.snapshot(&name()).await.map(|_| ()).unwrap_err().to_string();
                assert!(refused.contains("gallery custody is sealed, and its key can't be had"), "{refused}");
                vault.snapshot(&mapped).await.unwrap();
                vault.close().await;
            }
        }
        let segment = file_of(home.path(), "segment-");
        for file in [segment.clone(), file_of(home.path(), "tail-")] {
            let good = fs_err::read(&file).unwrap();
            for at in [40, 300, good.len() - 1] {
                let mut bent = good.clone();
                bent[at] ^= 1;
                fs_err::write(&file, bent).unwrap();
                let vault = writer(home.path(), &key).await;
                let said = reason(&vault.galleries().await.unwrap(), &name()).unwrap();
                let named = file.file_name().unwrap().to_str().unwrap();
                assert!(said.contains(named) && said.contains("damaged"), "{at}: {said}");
                vault.snapshot(&mapped).await.unwrap();
                vault.close().await;
            }
            fs_err::write(&file, good).unwrap();
        }
        // A mapped file in a sealed gallery is no file of it.
        fs_err::write(&segment, b"BERTSEG\n and more").unwrap();
        let vault = writer(home.path(), &key).await;
        assert!(reason(&vault.galleries().await.unwrap(), &name()).is_some());
        vault.close().await;
    });
}

#[test]
fn a_file_that_is_changed_while_it_is_in_use_is_found_by_a_check() {
    run(async {
        let (home, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let vault = sealed_vault(home.path(), &new_key(outside.path(), 'a'), Precision::F32).await;
        enrol(&vault, (1..=60).map(|key| reference(key, key)).collect()).await;
        vault.seal(&name()).await.unwrap();
        vault.verify(&name(), |_, _| ()).await.unwrap();
        let segment = file_of(home.path(), "segment-");
        let mut bent = fs_err::read(&segment).unwrap();
        bent[500] ^= 1;
        fs_err::write(&segment, bent).unwrap();
        let found = vault.verify(&name(), |_, _| ()).await.unwrap_err().to_string();
        assert!(found.contains(segment.file_name().unwrap().to_str().unwrap()) && found.contains("chunk 0"), "{found}");
        vault.close().await;
    });
}

#[test]
fn a_sealed_gallery_whose_key_is_destroyed_is_gone_for_good_and_the_others_go_on() {
    run(async {
        let (home, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let key = new_key(outside.path(), 'a');
        let vault = sealed_vault(home.path(), &key, Precision::F32).await;
        let id = keep(&vault, &name(), 1, &picture(1, 5_000)).await;
        enrol(&vault, (2..=60).map(|key| reference(key, key)).collect()).await;
        let other: GalleryName = "other".parse().unwrap();
        create(&vault, &other, Precision::F32, Storage::Sealed).await.unwrap();
        vault.enrol(&other, vec![reference(1, 1)]).await.unwrap();
        assert_eq!(vault.destroy_gallery_key(&name()).await.unwrap(), 1);
        let gone = |error: GalleryError| {
            let said = error.to_string();
            assert!(said.contains("the key of gallery custody was destroyed"), "{said}");
        };
        gone(vault.snapshot(&name()).await.map(drop).unwrap_err());
        gone(vault.enrol(&name(), vec![reference(90, 90)]).await.map(drop).unwrap_err());
        gone(vault.erase(&name(), Erase::Template(id), |_| ()).await.map(drop).unwrap_err());
        assert_eq!(vault.snapshot(&other).await.unwrap().live(), 1);
        vault.close().await;
        for access in [Access::Writer, Access::Reader] {
            let vault = Vault::open(home.path(), access, with_key(&key)).await.unwrap();
            gone(vault.snapshot(&name()).await.map(drop).unwrap_err());
            assert_eq!(vault.snapshot(&other).await.unwrap().live(), 1);
            vault.close().await;
        }
    });
}

#[test]
fn the_program_shows_how_a_gallery_lies_on_disk_and_what_is_locked() {
    run(async {
        let (home, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let key = new_key(outside.path(), 'a');
        let vault = sealed_vault(home.path(), &key, Precision::F32).await;
        enrol(&vault, (1..=60).map(|key| reference(key, key)).collect()).await;
        vault.seal(&name()).await.unwrap();
        vault.close().await;
        let said = |arguments: &[&str], key: Option<&Path>| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_bertillon"));
            command.env("BERTILLON_DATA", home.path()).current_dir(home.path()).args(arguments);
            command.envs(key.map(|key| ("BERTILLON_ENCRYPTION_MASTER_KEY", format!("file:{}", key.display()))));
            let output = command.output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let shown: serde_json::Value =
            serde_json::from_str(&said(&["gallery", "show", "custody", "--json"], Some(&key))).unwrap();
        assert_eq!((&shown["storage"], &shown["templates"]), (&"sealed".into(), &60.into()));
        assert!(shown["memory"]["locked_bytes"].as_u64().unwrap() > 60 * 4 * 32, "{shown}");
        assert!(shown["memory"]["opened_in_ms"].as_f64().unwrap() > 0.0, "{shown}");
        let text = said(&["gallery", "show", "custody"], Some(&key));
        assert!(text.contains("sealed ") && text.contains("locked; opened in"), "{text}");
        assert!(said(&["gallery", "list"], Some(&key)).contains(", sealed"));
        let without = said(&["gallery", "list"], None);
        assert!(without.contains("custody") && without.contains("its key can't be had"), "{without}");
    });
}

/// The child's side of the test below. Does nothing in an ordinary test run.
#[test]
fn child() {
    let (Some(data), Some(key)) = (std::env::var_os(DATA), std::env::var_os(RUN)) else { return };
    run(async {
        let vault = writer(Path::new(&data), Path::new(&key)).await;
        let mut next = vault.snapshot(&name()).await.unwrap().last_template().0 + 1;
        println!("\nREADY");
        for step in 1_u64.. {
            match step % 7 {
                0 => drop(vault.compact(&name(), true, on).await.unwrap()),
                3 => vault.seal(&name()).await.unwrap(),
                5 => {
                    let first = next;
                    let fill = move |row: u64, out: &mut [f32]| out.copy_from_slice(&raw(first + row));
                    vault.import_synthetic(&name(), 130, fill, |_| ()).await.unwrap();
                    next += 130;
                }
                6 => drop(vault.erase(&name(), Erase::Template(TemplateId(next - 3)), |_| ()).await.unwrap()),
                _ => {
                    let ids = enrol(&vault, (next..next + 30).map(|key| reference(key, key)).collect()).await;
                    // A key is its template's id as long as nothing was cut short.
                    next = ids.last().unwrap().0 + 1;
                }
            }
            println!("ACK {}", next - 1);
        }
    });
}

/// Whatever is being written when the process dies, nothing of a template lies in a file, and what was acknowledged is there.
#[test]
fn killed_at_any_moment_it_shows_nothing_and_loses_nothing() {
    let (home, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let key = new_key(outside.path(), 'a');
    run(async { sealed_vault(home.path(), &key, Precision::F32).await.close().await });
    let mut acknowledged = 0;
    for kill in 0..12_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sealed::child", "--nocapture"])
            .env(DATA, home.path())
            .env(RUN, &key)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.by_ref().any(|line| line == "READY"), "it opens what was left");
        // So many steps, whatever a step takes on this machine, and then within one.
        let mut steps = lines.filter_map(|line| line.strip_prefix("ACK ").map(|id| id.parse::<u64>().unwrap()));
        acknowledged = steps.nth((kill * 5 % 13) as usize).unwrap();
        std::thread::sleep(Duration::from_millis(kill * 13 % 40));
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged = steps.last().unwrap_or(acknowledged);
        // Keys are ids, and a little beyond what was acknowledged there may be some that were not.
        let shown = seen(&home.path().join("gallery"), 1..acknowledged + 400, Precision::F32);
        assert!(shown.is_empty(), "kill {kill}: {shown:?}");
        run(async {
            let vault = writer(home.path(), &key).await;
            vault.verify(&name(), |_, _| ()).await.unwrap();
            assert!(vault.snapshot(&name()).await.unwrap().last_template().0 >= acknowledged, "kill {kill}");
            vault.close().await;
        });
    }
    assert!(acknowledged > 100, "the child got somewhere: {acknowledged}");
}

/// What opening costs: run by hand, in release (`benches/record/2026-11-22-casework.md`).
#[test]
#[ignore = "takes minutes, and a gigabyte of memory: it measures"]
fn how_long_opening_a_million_templates_takes() {
    use bertillon::vector::dimension::Dimension;
    for originals in [Precision::F32, Precision::F16] {
        run(async {
            let (home, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let key = new_key(outside.path(), 'a');
            let options = || VaultOptions { master_key: with_key(&key).master_key, ..VaultOptions::default() };
            for storage in [Storage::Mapped, Storage::Sealed] {
                let gallery: GalleryName = storage.as_str().parse().unwrap();
                let data = home.path().join(storage.as_str());
                let vault = Vault::open(&data, Access::Writer, options()).await.unwrap();
                let model = (&model_id(1), Dimension::new(128).unwrap());
                vault.create_gallery_as(&gallery, model, originals, storage, "measured").await.unwrap();
                let fill = |row: u64, out: &mut [f32]| {
                    for (part, out) in out.chunks_mut(super::DIMENSION).enumerate() {
                        out.copy_from_slice(&raw(4 * row + part as u64));
                    }
                };
                let began = std::time::Instant::now();
                vault.import_synthetic(&gallery, 1_000_000, fill, |_| ()).await.unwrap();
                let imported = began.elapsed();
                vault.close().await;
                for round in 0..3 {
                    let began = std::time::Instant::now();
                    let vault = Vault::open(&data, Access::Writer, options()).await.unwrap();
                    let opened = began.elapsed();
                    let snapshot = vault.snapshot(&gallery).await.unwrap();
                    let scorer = CertifiedScorer::new(Arc::new(CpuPass::new(kernel::best(), 2)), 2);
                    let probe = [raw(1), raw(2), raw(3), raw(4)].concat();
                    let probe = [bertillon::vector::template::Template::from_raw(&probe).unwrap()];
                    let mut searches = Vec::new();
                    for _search in 0..20 {
                        let began = std::time::Instant::now();
                        scorer.top_k(snapshot.rows(), &probe, 20).unwrap();
                        searches.push(began.elapsed());
                    }
                    let (first, held) = (searches[0], vault.galleries().await.unwrap()[0].held);
                    searches.sort();
                    println!(
                        "{originals:?} {storage} round {round}: import {imported:.1?}, open {opened:.1?}, first search {first:.2?}, \
                         median {:.2?}, {held:?}",
                        searches[10]
                    );
                    drop(snapshot);
                    vault.close().await;
                }
            }
        });
    }
}
