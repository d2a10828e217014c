//! The container: a ZIP whose files are stored as they are, with one way only of being written (APPNOTE 6.3.10, 4.3). What is
//! read must be what would be written, so that not one byte of it can be another without being found, and nothing in it leads
//! outside, is there twice, or grows.

use std::collections::BTreeSet;

use crate::base::limits::{PACK_BYTES_MAX, PACK_ENTRIES_MAX, PACK_NAME_BYTES_MAX};
use crate::pack::{Entry, PackError};

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// Bytes of a file's head before its name.
const LOCAL_BYTES: usize = 30;
/// Version 1.0 of the format is enough for files that are stored.
const VERSION: u16 = 10;
/// The first of January 1980: the time is in the manifest.
const DATE: u16 = 0x21;

/// Writes files into a container.
///
/// # Errors
/// [`PackError`]: limits and names.
pub fn write(entries: &[Entry]) -> Result<Vec<u8>, PackError> {
    check(entries)?;
    let (mut bytes, mut central) = (Vec::new(), Vec::new());
    for entry in entries {
        let offset = number(bytes.len())?;
        let facts = facts(entry)?;
        put(&mut bytes, &LOCAL.to_le_bytes());
        put(&mut bytes, &facts);
        put(&mut bytes, entry.path.as_bytes());
        put(&mut bytes, &entry.bytes);
        put(&mut central, &CENTRAL.to_le_bytes());
        put(&mut central, &VERSION.to_le_bytes());
        put(&mut central, &facts);
        // No comment, first disk, no attributes.
        put(&mut central, &[0; 10]);
        put(&mut central, &offset.to_le_bytes());
        put(&mut central, entry.path.as_bytes());
    }
    let (start, length) = (number(bytes.len())?, number(central.len())?);
    let count = u16::try_from(entries.len()).map_err(|_| PackError::TooMany(entries.len()))?;
    bytes.extend(central);
    put(&mut bytes, &END.to_le_bytes());
    put(&mut bytes, &[0; 4]);
    put(&mut bytes, &count.to_le_bytes());
    put(&mut bytes, &count.to_le_bytes());
    put(&mut bytes, &length.to_le_bytes());
    put(&mut bytes, &start.to_le_bytes());
    put(&mut bytes, &[0; 2]);
    Ok(bytes)
}

/// Reads the files of a container that [`write`] made.
///
/// # Errors
/// [`PackError`], naming the first entry at fault.
pub fn read(bytes: &[u8]) -> Result<Vec<Entry>, PackError> {
    if bytes.len() > PACK_BYTES_MAX {
        return Err(PackError::TooLarge(bytes.len() as u64));
    }
    let (mut entries, mut rest): (Vec<Entry>, &[u8]) = (Vec::new(), bytes);
    while let Some(head) = rest.strip_prefix(&LOCAL.to_le_bytes()) {
        if entries.len() >= PACK_ENTRIES_MAX {
            return Err(PackError::TooMany(entries.len() + 1));
        }
        let after =
            entries.last().map_or_else(|| "its beginning".to_owned(), |last| format!("what follows {}", last.path));
        let wrong = || PackError::Container { entry: after.clone(), what: "it is no file of a pack" };
        let (entry, left) = one(head).ok_or_else(wrong)?;
        rest = left;
        entries.push(entry);
    }
    let anew = write(&entries)?;
    if anew == bytes {
        return Ok(entries);
    }
    let differs = anew.iter().zip(bytes).take_while(|(one, other)| one == other).count();
    let (mut end, mut entry) = (0, "what follows the files".to_owned());
    for one in &entries {
        end += LOCAL_BYTES + one.path.len() + one.bytes.len();
        if differs < end {
            entry.clone_from(&one.path);
            break;
        }
    }
    Err(PackError::Container { entry, what: "it is not as it was written" })
}

/// A file after the mark of its head, and what follows.
fn one(head: &[u8]) -> Option<(Entry, &[u8])> {
    let at = |place: usize| Some(usize::from(u16::from_le_bytes(head.get(place..place + 2)?.try_into().ok()?)));
    let length = u32::from_le_bytes(head.get(14..18)?.try_into().ok()?) as usize;
    let (name, body) = (at(22)?, LOCAL_BYTES - 4);
    let path = std::str::from_utf8(head.get(body..body + name)?).ok()?.to_owned();
    let from = body + name;
    let bytes = head.get(from..from.checked_add(length)?)?.to_vec();
    Some((Entry { path, bytes }, head.get(from + length..)?))
}

fn check(entries: &[Entry]) -> Result<(), PackError> {
    if entries.len() > PACK_ENTRIES_MAX {
        return Err(PackError::TooMany(entries.len()));
    }
    let whole: u64 = entries.iter().map(|entry| (entry.bytes.len() + 2 * (entry.path.len() + 64)) as u64).sum();
    if whole > PACK_BYTES_MAX as u64 {
        return Err(PackError::TooLarge(whole));
    }
    let mut seen = BTreeSet::new();
    for Entry { path, .. } in entries {
        let letter = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
        let part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(letter);
        if path.len() > PACK_NAME_BYTES_MAX || !path.split('/').all(part) {
            return Err(PackError::Name(path.chars().take(PACK_NAME_BYTES_MAX).collect()));
        }
        if !seen.insert(path.to_ascii_lowercase()) {
            return Err(PackError::Twice(path.clone()));
        }
    }
    Ok(())
}

/// What stands in both heads of a file: version, flags, method, time, checksum, lengths.
fn facts(entry: &Entry) -> Result<Vec<u8>, PackError> {
    let (length, name) = (number(entry.bytes.len())?, entry.path.len() as u16);
    let mut facts = Vec::with_capacity(LOCAL_BYTES);
    put(&mut facts, &VERSION.to_le_bytes());
    // No flags, stored, midnight.
    put(&mut facts, &[0; 6]);
    put(&mut facts, &DATE.to_le_bytes());
    put(&mut facts, &crc32fast::hash(&entry.bytes).to_le_bytes());
    put(&mut facts, &length.to_le_bytes());
    put(&mut facts, &length.to_le_bytes());
    put(&mut facts, &name.to_le_bytes());
    put(&mut facts, &[0; 2]);
    Ok(facts)
}

fn put(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend_from_slice(bytes);
}

fn number(count: usize) -> Result<u32, PackError> {
    u32::try_from(count).map_err(|_| PackError::TooLarge(count as u64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entries() -> Vec<Entry> {
        vec![
            Entry::text("manifest.json", "{}"),
            Entry::text("probe/edit-01.png", ""),
            Entry::text("a", &"x".repeat(300)),
        ]
    }

    #[test]
    fn what_is_written_reads_back_and_is_the_same_every_time() {
        let bytes = write(&entries()).unwrap();
        assert_eq!(read(&bytes).unwrap(), entries());
        assert_eq!(write(&entries()).unwrap(), bytes);
        assert_eq!(read(&write(&[]).unwrap()).unwrap(), []);
    }

    proptest! {
        #[test]
        fn a_changed_missing_or_added_byte_is_found(place in any::<prop::sample::Index>(), bit in 0_u32..8, how in 0..4) {
            let good = write(&entries()).unwrap();
            let at = place.index(good.len());
            let mut bad = good;
            match how {
                0 => bad[at] ^= 1 << bit,
                1 => drop(bad.remove(at)),
                2 => bad.truncate(at),
                _ => bad.insert(at, 1 << bit),
            }
            // A byte put in beside one like it is the same container.
            prop_assume!(bad != write(&entries()).unwrap());
            prop_assert!(read(&bad).is_err());
        }

        #[test]
        fn nothing_that_comes_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), from in 0_usize..100) {
            let mut bad = write(&entries()).unwrap();
            bad.truncate(from);
            bad.extend(bytes);
            prop_assert!(read(&bad).is_err());
        }
    }

    #[test]
    fn names_that_lead_elsewhere_doubles_and_bombs_are_refused() {
        for name in
            ["", "/etc/passwd", "../a", "a/../b", "a//b", "a/", ".hidden", "a\\b", "C:a", "\u{e9}", &"a".repeat(101)]
        {
            assert!(matches!(write(&[Entry::text(name, "")]), Err(PackError::Name(_))), "{name}");
        }
        assert_eq!(write(&[Entry::text("a", ""), Entry::text("A", "")]), Err(PackError::Twice("A".to_owned())));
        let many: Vec<Entry> = (0..=PACK_ENTRIES_MAX).map(|at| Entry::text(&format!("{at}"), "")).collect();
        assert_eq!(write(&many), Err(PackError::TooMany(PACK_ENTRIES_MAX + 1)));
        // Lengths that are claimed are not believed.
        let mut bomb = write(&[Entry::text("a", "b")]).unwrap();
        bomb[18..26].fill(0xff);
        assert!(read(&bomb).is_err());
    }
}
