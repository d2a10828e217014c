//! Blobs on a folder in memory whose power is cut at every operation, and on a real one.

use std::collections::HashSet;

use super::*;
use crate::crypto::{KeyId, SecretKey};
use crate::store::memory::MemoryFolder;

fn key(seed: u8) -> NamedKey {
    NamedKey { id: KeyId([seed; 16]), key: SecretKey::new([seed; 32]) }
}

fn picture(bytes: usize, seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

fn read(folder: &dyn Folder, name: &str, key: &NamedKey) -> Result<Vec<u8>, PictureError> {
    let mut all = Vec::new();
    let reader = PictureReader::open(folder, name, BlobKind::Picture, key)?;
    reader.read(|chunk| {
        all.extend_from_slice(chunk);
        Ok(())
    })?;
    assert_eq!(all.len() as u64, reader.plain_bytes());
    Ok(all)
}

fn bytes_of(folder: &dyn Folder) -> Vec<u8> {
    let names = folder.list().unwrap();
    let all = names.iter().flat_map(|name| crate::store::read_small(folder, name, 1 << 24).unwrap());
    all.collect()
}

/// Coins that fall in every way that a few bits can say.
fn coins(pattern: u32) -> impl FnMut() -> bool {
    let mut at = 0;
    move || {
        at += 1;
        pattern >> (at % 5) & 1 == 1
    }
}

#[test]
fn a_power_cut_while_a_picture_is_written_leaves_all_of_it_or_nothing() {
    let (before, after) = (picture(70_000, 1), picture(140_000, 2));
    for replaced in [false, true] {
        for changes in 0.. {
            let folder = MemoryFolder::default();
            if replaced {
                write(&folder, "a", BlobKind::Picture, &key(1), &before).unwrap();
            }
            folder.cut_power_after(changes);
            let done = write(&folder, "a", BlobKind::Picture, &key(1), &after).is_ok();
            for pattern in 0..32 {
                let left = folder.after_power_cut(&mut coins(pattern));
                match read(&left, "a", &key(1)) {
                    Ok(found) if found == after => {}
                    Ok(found) => assert!(replaced && !done && found == before, "{changes} {pattern}"),
                    Err(PictureError::Store(StoreError::Missing(_))) => {
                        assert!(!replaced && !done, "{changes} {pattern}");
                    }
                    Err(error) => panic!("{changes} {pattern}: {error}"),
                }
            }
            if done {
                assert!(changes > 5, "there was something to cut");
                break;
            }
        }
    }
}

#[test]
fn an_erased_picture_is_gone_and_one_that_was_cut_short_can_be_erased_again() {
    let plain = picture(140_000, 3);
    for changes in 0.. {
        let folder = MemoryFolder::default();
        write(&folder, "a", BlobKind::Picture, &key(1), &plain).unwrap();
        write(&folder, "b", BlobKind::Picture, &key(1), &plain).unwrap();
        // What an attempt to write it anew left.
        folder.draft("a").unwrap().write_at(0, &picture(300, 4)).unwrap();
        let sealed = crate::store::read_small(&folder, "a", 1 << 24).unwrap();
        let windows: HashSet<&[u8]> = sealed.windows(24).collect();
        let of_draft = picture(300, 4);
        folder.cut_power_after(changes);
        let done = erase(&folder, "a").is_ok();
        for pattern in 0..32 {
            let left = folder.after_power_cut(&mut coins(pattern));
            if done {
                let bytes = bytes_of(&left);
                // Names and times of headers are in both blobs: only what is in "a" alone counts.
                let other = crate::store::read_small(&left, "b", 1 << 24).unwrap();
                let others: HashSet<&[u8]> = other.windows(24).collect();
                let traces =
                    bytes.windows(24).filter(|window| windows.contains(window) && !others.contains(window)).count();
                assert_eq!(traces, 0, "{changes} {pattern}");
                assert!(!bytes.windows(24).any(|window| of_draft.starts_with(window)));
            }
            erase(&left, "a").unwrap();
            assert_eq!(left.list().unwrap(), ["b"]);
            assert_eq!(read(&left, "b", &key(1)).unwrap(), plain);
        }
        if done {
            assert!(changes > 8 && !erase(&folder, "a").unwrap_or(true));
            break;
        }
    }
}

#[test]
fn a_picture_of_another_gallery_or_a_bent_one_is_an_error_that_says_where() {
    let folder = MemoryFolder::default();
    let plain = picture(200_000, 5);
    write(&folder, "a", BlobKind::Picture, &key(1), &plain).unwrap();
    assert!(read(&folder, "a", &key(2)).unwrap_err().to_string().contains("sealed under the key"));
    let probe = PictureReader::open(&folder, "a", BlobKind::Probe, &key(1)).unwrap_err().to_string();
    assert!(probe.contains("another kind"), "{probe}");
    let blob = folder.open("a", Mode::Change).unwrap();
    let mut byte = [0];
    blob.read_at(128 + 65_556 + 100, &mut byte).unwrap();
    blob.write_at(128 + 65_556 + 100, &[byte[0] ^ 1]).unwrap();
    let mut given = 0;
    let reader = PictureReader::open(&folder, "a", BlobKind::Picture, &key(1)).unwrap();
    let error = reader.read(|chunk| {
        assert_eq!(chunk, &plain[given..given + chunk.len()], "what was given is true");
        given += chunk.len();
        Ok(())
    });
    let error = error.unwrap_err().to_string();
    assert!(error.contains("memory/a") && error.contains("chunk 1"), "{error}");
    assert_eq!(given, CHUNK_BYTES);
    let long = write(&folder, "b", BlobKind::Picture, &key(1), &vec![0; IMAGE_BYTES_MAX + 1]);
    assert!(matches!(long, Err(PictureError::TooLong { .. })));
    assert_eq!(folder.list().unwrap(), ["a"]);
}

#[test]
fn one_picture_is_one_blob_in_a_gallery_and_another_in_the_next() {
    let (one, other) = (key(1), key(2));
    let name = |key: &NamedKey, hash: u8| BlobName::of_picture(key, &[hash; 32]).unwrap();
    assert_eq!(name(&one, 7), name(&one, 7));
    assert_ne!(name(&one, 7), name(&one, 8));
    assert_ne!(name(&one, 7), name(&other, 7));
    assert_eq!(BlobName::parse(&name(&one, 7).to_string()), Some(name(&one, 7)));
    assert_ne!(BlobName::random().unwrap(), BlobName::random().unwrap());
}

#[test]
fn oversized_files_are_read_no_further_than_needed() {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(IMAGE_BYTES_MAX as u64 + 1000).unwrap();
    assert_eq!(Source::File(file.path().to_owned()).read().unwrap().len(), IMAGE_BYTES_MAX + 1);
}
