//! A sealed folder is a folder: on the real disk, and on the memory twin with the power cut at every change.

use std::collections::HashSet;

use super::*;
use crate::crypto::{KeyId, SecretKey};
use crate::store::disk::DiskFolder;
use crate::store::memory::MemoryFolder;
use crate::store::{StoreError, read_small, replace_small};

const NAME: &str = "a.seg";

fn kind_of(name: &str) -> Option<BlobKind> {
    name.strip_suffix(".seg").map(|_| BlobKind::Segment)
}

fn sealed(disk: &(impl Folder + Clone + 'static), key: u8) -> SealedFolder {
    let key = NamedKey { id: KeyId([key; 16]), key: SecretKey::new([key; 32]) };
    SealedFolder::new(Arc::new(disk.clone()), Arc::new(key), kind_of, false)
}

/// Every stretch of 8 bytes is its own.
fn plain(bytes: usize, seed: u64) -> Vec<u8> {
    let words = (0..bytes.div_ceil(8) as u64).map(|word| (word + 1 + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    words.flat_map(u64::to_le_bytes).take(bytes).collect()
}

fn write(folder: &dyn Folder, name: &str, content: &[u8]) -> Result<(), StoreError> {
    let draft = folder.draft(name)?;
    draft.set_size(content.len() as u64)?;
    // In two pieces that share a chunk, synced between them.
    let (first, second) = content.split_at(content.len() / 3);
    draft.write_at(first.len() as u64, second)?;
    draft.sync()?;
    draft.write_at(0, first)?;
    folder.publish(name, draft)
}

fn read(folder: &dyn Folder, name: &str) -> Result<Vec<u8>, StoreError> {
    read_small(folder, name, 1 << 24)
}

#[test]
fn what_was_written_is_mapped_and_nothing_of_it_is_on_disk() {
    for bytes in [1, CHUNK_BYTES - 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 5, 40 * CHUNK_BYTES] {
        let home = tempfile::tempdir().unwrap();
        let disk = DiskFolder::create(home.path()).unwrap();
        let (folder, content) = (sealed(&disk, 1), plain(bytes, 0));
        let draft = folder.draft(NAME).unwrap();
        draft.set_size(bytes as u64).unwrap();
        draft.write_at(0, &content).unwrap();
        draft.sync().unwrap();
        let parts: HashSet<&[u8]> = content.windows(8).collect();
        let clear = |name: &str| {
            let there = read(&disk, name).unwrap();
            there.windows(8).any(|window| parts.contains(window))
        };
        assert!(!clear("a.seg.tmp"), "a draft is sealed too");
        folder.publish(NAME, draft).unwrap();
        assert!(!clear(NAME));
        assert_eq!(folder.map(NAME).unwrap().bytes(), content);
        assert_eq!(read(&sealed(&disk, 1), NAME).unwrap(), content, "another process");
        folder.check(NAME).unwrap();
        // What has no templates in it is as it was.
        replace_small(&folder, "MANIFEST", b"plain").unwrap();
        assert_eq!(read(&disk, "MANIFEST").unwrap(), b"plain");
        folder.remove(NAME).unwrap();
        assert!(matches!(folder.map(NAME), Err(StoreError::Missing(_))));
    }
}

#[test]
fn what_nobody_wrote_is_zero() {
    let disk = MemoryFolder::default();
    let folder = sealed(&disk, 1);
    let draft = folder.draft(NAME).unwrap();
    assert!(draft.write_at(0, b"x").is_err(), "its length is not known");
    draft.set_size(2 * CHUNK_BYTES as u64 + 9).unwrap();
    assert!(draft.set_size(5).is_err());
    draft.write_at(3, b"x").unwrap();
    folder.publish(NAME, draft).unwrap();
    let there = read(&sealed(&disk, 1), NAME).unwrap();
    assert_eq!(there.iter().filter(|&&byte| byte != 0).count(), 1);
    assert_eq!((there.len(), there[3]), (2 * CHUNK_BYTES + 9, b'x'));
}

#[test]
fn what_is_overwritten_is_seen_by_all_who_have_it_open_and_nothing_is_left_beside() {
    let home = tempfile::tempdir().unwrap();
    let disk = DiskFolder::create(home.path()).unwrap();
    let (folder, mut content) = (sealed(&disk, 1), plain(50 * CHUNK_BYTES, 0));
    write(&folder, NAME, &content).unwrap();
    let map = folder.map(NAME).unwrap();
    assert_eq!(folder.held().unwrap().bytes, content.len() as u64);
    let before = read(&disk, NAME).unwrap();
    let blob = folder.open(NAME, Mode::Change).unwrap();
    // More chunks than are written at a time, one of them in part.
    for index in (0..40).map(|index| index * CHUNK_BYTES + 7) {
        blob.write_at(index as u64, b"gone!").unwrap();
        content[index..index + 5].copy_from_slice(b"gone!");
    }
    assert_eq!(map.bytes(), content, "at once");
    blob.sync().unwrap();
    assert_eq!(read(&sealed(&disk, 1), NAME).unwrap(), content);
    folder.check(NAME).unwrap();
    assert_eq!(disk.list().unwrap(), [NAME]);
    let after = read(&disk, NAME).unwrap();
    let chunk = CHUNK_BYTES + 28;
    for index in 0..50 {
        let at = HEADER_BYTES + index * chunk;
        let (old, new) = (&before[at..at + chunk], &after[at..at + chunk]);
        assert_eq!(old[..12] == new[..12], index >= 40, "a nonce of its own for what was written, chunk {index}");
    }
    let reader = folder.open(NAME, Mode::Read).unwrap();
    assert!(reader.write_at(0, b"x").is_err() && reader.set_size(1).is_err() && blob.set_size(1).is_err());
    drop((map, blob, reader));
    assert_eq!(folder.held().unwrap().bytes, 0, "memory goes with the last who has it");
}

#[test]
fn a_bent_cut_swapped_or_replayed_file_is_named() {
    let disk = MemoryFolder::default();
    let (folder, content) = (sealed(&disk, 1), plain(3 * CHUNK_BYTES, 0));
    write(&folder, NAME, &content).unwrap();
    write(&folder, "b.seg", &content).unwrap();
    let (good, other) = (read(&disk, NAME).unwrap(), read(&disk, "b.seg").unwrap());
    let chunk =
        |index: usize| HEADER_BYTES + index * (CHUNK_BYTES + 28)..HEADER_BYTES + (index + 1) * (CHUNK_BYTES + 28);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        bytes
    };
    let cases = [
        ("cut", good[..good.len() - 1].to_vec()),
        ("a chunk less", good[..chunk(2).start].to_vec()),
        ("longer", with(&|bytes| bytes.push(0))),
        ("flipped", with(&|bytes| bytes[chunk(1).start + 500] ^= 1)),
        ("nonce", with(&|bytes| bytes[chunk(1).start] ^= 1)),
        (
            "swapped",
            with(&|bytes| {
                bytes[chunk(0)].copy_from_slice(&good[chunk(1)]);
                bytes[chunk(1)].copy_from_slice(&good[chunk(0)]);
            }),
        ),
        ("another file", other.clone()),
        ("a chunk of another file", with(&|bytes| bytes[chunk(1)].copy_from_slice(&other[chunk(1)]))),
        ("its head of another file", with(&|bytes| bytes[..128].copy_from_slice(&other[..128]))),
    ];
    for (what, bytes) in cases {
        replace_small(&disk, NAME, &bytes).unwrap();
        let error = sealed(&disk, 1).map(NAME).unwrap_err();
        assert!(matches!(&error, StoreError::Sealed { path, .. } if path.ends_with(NAME)), "{what}: {error}");
    }
    replace_small(&disk, NAME, &good).unwrap();
    assert!(matches!(sealed(&disk, 2).map(NAME), Err(StoreError::Sealed { what: SealedError::OtherKey { .. }, .. })));
    // While somebody has it open, an older chunk is told from the one that was read.
    let map = folder.map(NAME).unwrap();
    let blob = folder.open(NAME, Mode::Change).unwrap();
    blob.write_at(0, b"erased").unwrap();
    blob.sync().unwrap();
    let mut bytes = read(&disk, NAME).unwrap();
    bytes[chunk(0)].copy_from_slice(&good[chunk(0)]);
    disk.open(NAME, Mode::Change).unwrap().write_at(0, &bytes).unwrap();
    let error = folder.check(NAME).unwrap_err();
    assert!(matches!(error, StoreError::Sealed { what: SealedError::OtherChunk(0), .. }), "{error}");
    drop(map);
}

/// A chunk that was torn while it was overwritten has rows in it that nobody erased.
#[test]
fn a_power_cut_while_it_is_overwritten_leaves_the_old_bytes_or_the_new_ones() {
    let old = plain(5 * CHUNK_BYTES + 100, 0);
    let mut new = old.clone();
    new[CHUNK_BYTES - 10..3 * CHUNK_BYTES].fill(0);
    for cuts in 0.. {
        let disk = MemoryFolder::default();
        write(&sealed(&disk, 1), NAME, &old).unwrap();
        disk.cut_power_after(cuts);
        let done = (|| {
            let folder = sealed(&disk, 1);
            let blob = folder.open(NAME, Mode::Change)?;
            blob.write_at(CHUNK_BYTES as u64 - 10, &new[CHUNK_BYTES - 10..3 * CHUNK_BYTES])?;
            blob.sync()
        })();
        for fate in 0..8_u32 {
            let mut state = fate.wrapping_mul(0x9E37_79B9) ^ cuts as u32;
            let mut coin = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if fate < 2 { fate == 1 } else { state >> 31 == 1 }
            };
            let survived = disk.after_power_cut(&mut coin);
            let there =
                read(&sealed(&survived, 1), NAME).unwrap_or_else(|error| panic!("cut {cuts}, fate {fate}: {error}"));
            assert!(there == new || (done.is_err() && there == old), "cut {cuts}, fate {fate}");
            // Whoever writes next finishes it, and writes on.
            let folder = sealed(&survived, 1);
            let blob = folder.open(NAME, Mode::Change).unwrap();
            blob.write_at(0, b"later").unwrap();
            blob.sync().unwrap();
            let after = read(&sealed(&survived, 1), NAME).unwrap();
            assert!(after[..5] == *b"later" && after[5..] == there[5..], "cut {cuts}, fate {fate}");
            assert!(
                !survived.list().unwrap().iter().any(|name| name.strip_suffix(".redo").is_some()),
                "cut {cuts}, fate {fate}"
            );
        }
        if done.is_ok() {
            assert!(cuts > 5, "the overwriting makes {cuts} changes");
            return;
        }
    }
}

#[test]
fn what_lies_beside_and_is_no_list_of_its_chunks_is_named() {
    let disk = MemoryFolder::default();
    write(&sealed(&disk, 1), NAME, &plain(100, 0)).unwrap();
    for bytes in [b"something".to_vec(), [&b"BERTREDO"[..], &[0; 40]].concat(), b"BERTREDO\x09".to_vec()] {
        replace_small(&disk, "a.seg.redo", &bytes).unwrap();
        let error = sealed(&disk, 1).map(NAME).unwrap_err();
        assert!(matches!(error, StoreError::Sealed { what: SealedError::Redo, .. }), "{error}");
    }
    // One that was being removed is none.
    replace_small(&disk, "a.seg.redo", b"\0ERTREDO....").unwrap();
    assert_eq!(read(&sealed(&disk, 1), NAME).unwrap(), plain(100, 0));
}
