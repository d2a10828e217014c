//! A folder in memory, for tests: the same promises as the disk's, and a power cut on demand.
//!
//! It keeps what a disk would keep: synced bytes for sure; of what was written since then, or renamed since the folder was
//! synced, whatever a random choice says. A forgotten sync that no killed process could reveal shows up here.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::mmap::Map;
use crate::store::{Blob, DRAFT_SUFFIX, Folder, Mode, StoreError};

/// A folder in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryFolder {
    state: Arc<Mutex<State>>,
}

type Names = BTreeMap<String, Arc<Mutex<Inode>>>;

#[derive(Debug, Default)]
struct State {
    now: Names,
    /// Directory states since the last folder sync, oldest first; the first one is safe.
    history: Vec<Names>,
    /// Changes that still succeed; `None`: all.
    changes_left: Option<u64>,
    /// Set by the change at which the power failed.
    dark: bool,
}

#[derive(Debug, Default)]
struct Inode {
    now: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    SetSize(usize),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                if let Some(place) = content.get_mut(*at..end) {
                    place.copy_from_slice(bytes);
                }
            }
            Self::SetSize(bytes) => content.resize(*bytes, 0),
        }
    }
}

impl MemoryFolder {
    /// Lets `changes` more changes succeed (writes, syncs, renames, removals each count one); the next is torn or lost,
    /// and every later one fails.
    pub fn cut_power_after(&self, changes: u64) {
        lock(&self.state).changes_left = Some(changes);
    }

    /// What a disk holds after a power cut now. `coin` decides for everything unsynced whether it got there.
    #[must_use]
    pub fn after_power_cut(&self, coin: &mut dyn FnMut() -> bool) -> Self {
        let state = lock(&self.state);
        let mut names = state.history.first().unwrap_or(&state.now);
        for later in state.history.iter().skip(1).chain([&state.now]) {
            // Directory changes reach the disk in order.
            if !coin() {
                break;
            }
            names = later;
        }
        let survivors = names.iter().map(|(name, inode)| (name.clone(), lock(inode).after_power_cut(coin))).collect();
        Self { state: Arc::new(Mutex::new(State { now: survivors, ..State::default() })) }
    }

    fn change<T>(&self, what: impl FnOnce(&mut State) -> T) -> Result<T, StoreError> {
        let mut state = lock(&self.state);
        match state.power() {
            Power::On => Ok(what(&mut state)),
            Power::Failing | Power::Off => Err(power_cut()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Power {
    On,
    /// It goes in this very change.
    Failing,
    Off,
}

impl State {
    fn power(&mut self) -> Power {
        match &mut self.changes_left {
            None => Power::On,
            Some(_) if self.dark => Power::Off,
            Some(0) => {
                self.dark = true;
                Power::Failing
            }
            Some(left) => {
                *left -= 1;
                Power::On
            }
        }
    }

    fn remember(&mut self) {
        self.history.push(self.now.clone());
    }
}

impl Inode {
    fn after_power_cut(&self, coin: &mut dyn FnMut() -> bool) -> Arc<Mutex<Self>> {
        let mut content = self.synced.clone();
        for change in &self.unsynced {
            if coin() {
                change.apply(&mut content);
            }
        }
        Arc::new(Mutex::new(Self { now: content.clone(), synced: content, unsynced: Vec::new() }))
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.unsynced.push(change);
    }
}

impl Folder for MemoryFolder {
    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("memory").join(name)
    }

    fn draft(&self, name: &str) -> Result<Box<dyn Blob>, StoreError> {
        let inode = Arc::new(Mutex::new(Inode::default()));
        self.change(|state| {
            state.remember();
            state.now.insert(format!("{name}{DRAFT_SUFFIX}"), Arc::clone(&inode));
        })?;
        Ok(Box::new(MemoryBlob { folder: self.clone(), name: name.to_owned(), inode }))
    }

    fn publish(&self, name: &str, draft: Box<dyn Blob>) -> Result<(), StoreError> {
        draft.sync()?;
        self.change(|state| {
            state.remember();
            if let Some(inode) = state.now.remove(&format!("{name}{DRAFT_SUFFIX}")) {
                state.now.insert(name.to_owned(), inode);
            }
        })?;
        self.change(|state| state.history.clear())
    }

    fn open(&self, name: &str, _mode: Mode) -> Result<Box<dyn Blob>, StoreError> {
        let found = lock(&self.state).now.get(name).map(Arc::clone);
        let inode = found.ok_or_else(|| StoreError::Missing(self.path(name)))?;
        Ok(Box::new(MemoryBlob { folder: self.clone(), name: name.to_owned(), inode }))
    }

    fn map(&self, name: &str) -> Result<Map, StoreError> {
        let state = lock(&self.state);
        let inode = state.now.get(name).ok_or_else(|| StoreError::Missing(self.path(name)))?;
        let map = Map::copied(&lock(inode).now);
        Ok(map)
    }

    fn list(&self) -> Result<Vec<String>, StoreError> {
        Ok(lock(&self.state).now.keys().cloned().collect())
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.change(|state| {
            state.remember();
            state.now.remove(name);
        })
    }
}

#[derive(Debug)]
struct MemoryBlob {
    folder: MemoryFolder,
    name: String,
    inode: Arc<Mutex<Inode>>,
}

impl Blob for MemoryBlob {
    fn size_bytes(&self) -> Result<u64, StoreError> {
        Ok(lock(&self.inode).now.len() as u64)
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> Result<(), StoreError> {
        let inode = lock(&self.inode);
        let start = usize::try_from(at).unwrap_or(usize::MAX);
        match start.checked_add(into.len()).and_then(|end| inode.now.get(start..end)) {
            Some(bytes) => {
                into.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(StoreError::CutOff {
                path: self.folder.path(&self.name),
                at,
                wanted: into.len() as u64,
                bytes: inode.now.len() as u64,
            }),
        }
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let power = lock(&self.folder.state).power();
        // The write at which the power fails leaves its first half behind.
        let written = match power {
            Power::On => bytes,
            Power::Failing => bytes.get(..bytes.len() / 2).unwrap_or_default(),
            Power::Off => return Err(power_cut()),
        };
        lock(&self.inode).change(Change::Write { at: at as usize, bytes: written.to_vec() });
        if power == Power::On { Ok(()) } else { Err(power_cut()) }
    }

    fn set_size(&self, bytes: u64) -> Result<(), StoreError> {
        self.folder.change(|_| ())?;
        lock(&self.inode).change(Change::SetSize(bytes as usize));
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.folder.change(|_| ())?;
        let mut inode = lock(&self.inode);
        let Inode { now, synced, unsynced } = &mut *inode;
        synced.clone_from(now);
        unsynced.clear();
        Ok(())
    }
}

fn power_cut() -> StoreError {
    StoreError::Io(io::Error::other("power cut"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{read_small, replace_small};

    #[test]
    fn only_what_was_synced_is_safe() {
        let folder = MemoryFolder::default();
        replace_small(&folder, "x", b"old").unwrap();
        let blob = folder.open("x", Mode::Change).unwrap();
        blob.write_at(0, b"new").unwrap();
        assert_eq!(read_small(&folder.after_power_cut(&mut || false), "x", 9).unwrap(), b"old");
        assert_eq!(read_small(&folder.after_power_cut(&mut || true), "x", 9).unwrap(), b"new");
        blob.sync().unwrap();
        assert_eq!(read_small(&folder.after_power_cut(&mut || false), "x", 9).unwrap(), b"new");
    }

    #[test]
    fn replacing_is_all_or_nothing_at_every_cut() {
        for changes in 0..6 {
            let folder = MemoryFolder::default();
            replace_small(&folder, "x", b"old").unwrap();
            folder.cut_power_after(changes);
            let done = replace_small(&folder, "x", b"newer").is_ok();
            for lucky in [false, true] {
                let content = read_small(&folder.after_power_cut(&mut || lucky), "x", 9).unwrap();
                assert!(content == b"newer" || (!done && content == b"old"), "{changes} {lucky} {content:?}");
            }
        }
    }
}
