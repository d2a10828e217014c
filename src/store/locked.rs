//! Memory for what lies sealed on disk: a file without a name and without a disk, mapped, locked so that the system never swaps
//! it out, and left out of dumps. It is written as a file is, so that whoever has it mapped sees it change as they would a file.

use std::io;
use std::path::Path;
use std::sync::Once;

use fs_err as fs;
use fs_err::os::unix::fs::FileExt as _;
use memmap2::Mmap;
use rustix::process::{Resource, getrlimit};

use crate::store::{StoreError, mmap};

/// So many bytes in memory, zero at first.
#[derive(Debug)]
pub struct Locked {
    file: fs::File,
    map: Mmap,
    stays: bool,
}

impl Locked {
    /// For what is in the blob at `path`. Memory that can't be locked is refused, unless it is accepted.
    pub(super) fn zeroed(bytes: u64, path: &Path, accept_unlocked: bool) -> Result<Self, StoreError> {
        keep_out_of_dumps();
        let file = fs::File::from_parts(nameless(bytes)?, path);
        let map = mmap::whole(file.file())?;
        #[cfg(target_os = "linux")]
        map.advise(memmap2::Advice::DontDump)?;
        // Before anything is in it. All of its pages are there then, so that no search waits for one.
        let stays = match map.lock() {
            Ok(()) => true,
            Err(error) if accept_unlocked => {
                tracing::warn!(file = %path.display(), bytes, %error, "the memory of a sealed file is not locked, as the settings accept");
                false
            }
            Err(reason) => return Err(not_locked(path, bytes, reason)),
        };
        Ok(Self { file, map, stays })
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Their number.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.map.len() as u64
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Whether the system keeps them out of its swap.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.stays
    }

    pub(super) fn read_at(&self, at: u64, into: &mut [u8]) -> Result<(), StoreError> {
        self.check(at, into.len())?;
        Ok(self.file.read_exact_at(into, at)?)
    }

    pub(super) fn write_at(&self, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        self.check(at, bytes.len())?;
        Ok(self.file.write_all_at(bytes, at)?)
    }

    fn check(&self, at: u64, wanted: usize) -> Result<(), StoreError> {
        let (wanted, bytes) = (wanted as u64, self.len());
        if at.checked_add(wanted).is_some_and(|end| end <= bytes) {
            return Ok(());
        }
        Err(StoreError::CutOff { path: self.file.path().to_owned(), at, wanted, bytes })
    }
}

fn not_locked(path: &Path, wanted: u64, reason: io::Error) -> StoreError {
    let limit =
        getrlimit(Resource::Memlock).current.map_or_else(|| "none".to_owned(), |limit| format!("{limit} bytes"));
    StoreError::NotLocked { path: path.to_owned(), wanted, limit, reason }
}

/// A file of so many bytes that is in no folder and can't be made longer or shorter.
#[cfg(target_os = "linux")]
fn nameless(bytes: u64) -> io::Result<std::fs::File> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};

    let file = memfd_create("sealed", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    ftruncate(&file, bytes)?;
    fcntl_add_seals(&file, SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(file.into())
}

#[cfg(not(target_os = "linux"))]
fn nameless(_bytes: u64) -> io::Result<std::fs::File> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "sealed galleries are for Linux only: make a mapped one"))
}

/// From now on the system writes no dump of this process, whose other memory has keys and the newest templates in it.
fn keep_out_of_dumps() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
            tracing::warn!(%error, "the system may write dumps of this process");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::mmap::Map;

    /// The lines of /proc/self/smaps about the map that has `at` in it.
    fn about(at: usize) -> Vec<String> {
        let told = fs::read_to_string("/proc/self/smaps").unwrap();
        let mut found = Vec::new();
        let mut ours = false;
        for line in told.lines() {
            if let Some((start, end)) = line.split_once(' ').and_then(|(range, _)| range.split_once('-'))
                && let (Ok(start), Ok(end)) = (usize::from_str_radix(start, 16), usize::from_str_radix(end, 16))
            {
                ours = (start..end).contains(&at);
            }
            if ours {
                found.push(line.to_owned());
            }
        }
        found
    }

    #[test]
    fn it_is_locked_not_dumped_and_seen_to_change_through_a_map() {
        let memory = std::sync::Arc::new(Locked::zeroed(3 * 4096, Path::new("x"), false).unwrap());
        assert!(memory.is_locked() && memory.bytes().iter().all(|&byte| byte == 0));
        let map = Map::of_memory(std::sync::Arc::clone(&memory));
        memory.write_at(4090, b"across a page").unwrap();
        assert_eq!(&map.bytes()[4090..4103], b"across a page");
        let lines = about(map.bytes().as_ptr().addr());
        let line = |start: &str| lines.iter().find(|line| line.starts_with(start)).cloned().unwrap_or_default();
        assert_eq!(line("Locked:").split_whitespace().nth(1), Some("12"), "{lines:?}");
        let flags = line("VmFlags:");
        assert!([" dd", " lo"].iter().all(|flag| flags.contains(flag)), "{flags}");
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), rustix::process::DumpableBehavior::NotDumpable);
        for (at, bytes) in [(12_288, 1), (12_287, 2), (u64::MAX, 1)] {
            assert!(matches!(memory.write_at(at, &vec![1; bytes]), Err(StoreError::CutOff { .. })), "{at}");
            assert!(matches!(memory.read_at(at, &mut vec![1; bytes]), Err(StoreError::CutOff { .. })), "{at}");
        }
        assert!(memory.file.set_len(1).is_err(), "nobody can cut it off under a map");
    }

    #[test]
    fn what_can_not_be_locked_says_what_to_do() {
        let error = not_locked(Path::new("a/segment-1.seg"), 5, io::Error::from_raw_os_error(12)).to_string();
        for word in ["a/segment-1.seg", "5 bytes", "LimitMEMLOCK", "accept_unlocked_memory"] {
            assert!(error.contains(word), "{error}");
        }
    }
}
