//! A folder whose large blobs lie sealed in another one and are open in locked memory while somebody has them: mapped, read and
//! written into as those of any folder are. What is written into a published one (an erased row) is in the memory at once, and in
//! the file when [`Blob::sync`] has returned: its chunks are sealed anew, each with a nonce that was drawn for it. Since a chunk
//! that is torn would take its neighbours along, the new chunks are first written to a file of their own ([`redo`]), from which
//! whoever opens the blob next takes them.
//!
//! In this folder alone nothing readable is ever written to a disk: a draft is in memory, and its chunks are sealed on their way.

mod blobs;
mod redo;

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::base::limits::SEALED_OPEN_THREADS_MAX;
use crate::crypto::sealed::{BlobOpener, CHUNK_BYTES, HEADER_BYTES};
use crate::crypto::{BlobKind, NamedKey, SealedError};
use crate::store::locked::Locked;
use crate::store::mmap::Map;
use crate::store::sealed::blobs::{Draft, Published};
use crate::store::{Blob, Folder, InMemory, Mode, StoreError};

/// Which blobs of a folder are sealed, by their names, and as what.
pub type KindOf = fn(&str) -> Option<BlobKind>;

/// A folder of which some blobs lie sealed.
#[derive(Debug)]
pub struct SealedFolder {
    disk: Arc<dyn Folder>,
    key: Arc<NamedKey>,
    kind_of: KindOf,
    accept_unlocked: bool,
    /// What is open in memory: whoever opens it too gets the same memory, so that what is erased is erased for all.
    open: Mutex<HashMap<String, Weak<Locked>>>,
    spent_us: AtomicU64,
}

/// A sealed blob and the memory in which it is open.
#[derive(Debug, Clone)]
struct Inside {
    path: PathBuf,
    opener: Arc<BlobOpener>,
    memory: Arc<Locked>,
}

impl SealedFolder {
    /// The blobs of `disk`, of which those that `kind_of` names lie sealed under `key`. With `accept_unlocked` memory may be
    /// swapped out where the system does not lock it.
    #[must_use]
    pub fn new(disk: Arc<dyn Folder>, key: Arc<NamedKey>, kind_of: KindOf, accept_unlocked: bool) -> Self {
        Self { disk, key, kind_of, accept_unlocked, open: Mutex::default(), spent_us: AtomicU64::new(0) }
    }

    fn opened(&self) -> MutexGuard<'_, HashMap<String, Weak<Locked>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A published blob, open in memory.
    fn inside(&self, name: &str, kind: BlobKind) -> Result<Inside, StoreError> {
        // Held while it is opened, so that two who want the same do not open it twice.
        let mut open = self.opened();
        let (path, blob) = (self.disk.path(name), self.disk.open(name, Mode::Read)?);
        let mut header = [0; HEADER_BYTES];
        blob.read_at(0, &mut header)?;
        let opener = BlobOpener::of_file(&header, blob.size_bytes()?, kind, &self.key, name);
        let opener = Arc::new(opener.map_err(|what| StoreError::Sealed { path: path.clone(), what })?);
        if let Some(memory) = open.get(name).and_then(Weak::upgrade) {
            return Ok(Inside { path, opener, memory });
        }
        let began = Instant::now();
        let memory = Arc::new(Locked::zeroed(opener.plain_bytes(), &path, self.accept_unlocked)?);
        let inside = Inside { path, opener, memory };
        inside.fill(blob.as_ref(), &redo::read(self.disk.as_ref(), name, &inside)?)?;
        self.spent_us.fetch_add(began.elapsed().as_micros() as u64, Ordering::Relaxed);
        open.retain(|_, memory| memory.strong_count() > 0);
        open.insert(name.to_owned(), Arc::downgrade(&inside.memory));
        Ok(inside)
    }
}

impl Folder for SealedFolder {
    fn path(&self, name: &str) -> PathBuf {
        self.disk.path(name)
    }

    fn draft(&self, name: &str) -> Result<Box<dyn Blob>, StoreError> {
        let disk = self.disk.draft(name)?;
        let Some(kind) = (self.kind_of)(name) else { return Ok(disk) };
        let key = Arc::clone(&self.key);
        Ok(Box::new(Draft::new(disk, name, self.disk.path(name), (kind, key), self.accept_unlocked)))
    }

    fn publish(&self, name: &str, draft: Box<dyn Blob>) -> Result<(), StoreError> {
        draft.finish()?;
        // Held, so that nobody takes what was open under the name before for what has it now.
        let mut open = self.opened();
        self.disk.publish(name, draft)?;
        open.remove(name);
        Ok(())
    }

    fn open(&self, name: &str, mode: Mode) -> Result<Box<dyn Blob>, StoreError> {
        let Some(kind) = (self.kind_of)(name) else { return self.disk.open(name, mode) };
        let inside = self.inside(name, kind)?;
        let disk = match mode {
            Mode::Read => None,
            Mode::Change => {
                let disk = self.disk.open(name, mode)?;
                redo::settle(self.disk.as_ref(), name, &inside, disk.as_ref())?;
                Some((disk, Arc::clone(&self.disk)))
            }
        };
        Ok(Box::new(Published::new(name, inside, disk)))
    }

    fn map(&self, name: &str) -> Result<Map, StoreError> {
        let Some(kind) = (self.kind_of)(name) else { return self.disk.map(name) };
        Ok(Map::of_memory(self.inside(name, kind)?.memory))
    }

    fn list(&self) -> Result<Vec<String>, StoreError> {
        self.disk.list()
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        if redo::is_one(name) {
            return redo::erase(self.disk.as_ref(), name);
        }
        if (self.kind_of)(name).is_some() {
            redo::remove(self.disk.as_ref(), name)?;
        }
        self.opened().remove(name);
        self.disk.remove(name)
    }

    fn key(&self) -> Option<&Arc<NamedKey>> {
        Some(&self.key)
    }

    fn held(&self) -> Option<InMemory> {
        let opened_in = Duration::from_micros(self.spent_us.load(Ordering::Relaxed));
        let mut held = InMemory { opened_in, ..InMemory::default() };
        for memory in self.opened().values().filter_map(Weak::upgrade) {
            held.bytes += memory.len();
            held.locked_bytes += if memory.is_locked() { memory.len() } else { 0 };
        }
        Some(held)
    }

    fn check(&self, name: &str) -> Result<(), StoreError> {
        let Some(kind) = (self.kind_of)(name) else { return Ok(()) };
        let inside = self.inside(name, kind)?;
        let pending = redo::read(self.disk.as_ref(), name, &inside)?;
        let disk = self.disk.open(name, Mode::Read)?;
        let mut there = Vec::new();
        inside.each(0..inside.chunks(), disk.as_ref(), &pending, |index, plain| {
            there.resize(plain.len(), 0);
            inside.memory.read_at(index * CHUNK_BYTES as u64, &mut there)?;
            if there == plain { Ok(()) } else { Err(inside.wrong(SealedError::OtherChunk(index))) }
        })
    }
}

impl Inside {
    fn wrong(&self, what: SealedError) -> StoreError {
        StoreError::Sealed { path: self.path.clone(), what }
    }

    fn chunks(&self) -> u64 {
        self.memory.len().div_ceil(CHUNK_BYTES as u64)
    }

    /// Which chunks `bytes` bytes at `at` are in.
    fn chunks_of(at: u64, bytes: usize) -> Range<u64> {
        let chunk = CHUNK_BYTES as u64;
        if bytes == 0 { 0..0 } else { at / chunk..(at + bytes as u64).div_ceil(chunk) }
    }

    /// A chunk as it is in memory, sealed anew, and where in the file it stands.
    fn seal(&self, index: u64) -> Result<(u64, Vec<u8>), StoreError> {
        let at = index * CHUNK_BYTES as u64;
        let mut plain = vec![0; self.memory.len().saturating_sub(at).min(CHUNK_BYTES as u64) as usize];
        self.memory.read_at(at, &mut plain)?;
        self.opener.reseal(index, &plain).map_err(|what| self.wrong(what))
    }

    /// Opens all chunks into the memory, on as many threads as there are cores.
    fn fill(&self, disk: &dyn Blob, instead: &HashMap<u64, Vec<u8>>) -> Result<(), StoreError> {
        let all = self.chunks();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = (cores.min(SEALED_OPEN_THREADS_MAX) as u64).clamp(1, all.max(1));
        let share = all.div_ceil(threads);
        let part = |thread: u64| {
            let chunks = (thread * share).min(all)..((thread + 1) * share).min(all);
            self.each(chunks, disk, instead, |index, plain| self.memory.write_at(index * CHUNK_BYTES as u64, plain))
        };
        std::thread::scope(|scope| {
            let part = &part;
            let others: Vec<_> = (1..threads).map(|thread| scope.spawn(move || part(thread))).collect();
            let mine = part(0);
            let stopped = |_| Err(StoreError::Io(std::io::Error::other("a thread that opened a sealed file stopped")));
            others.into_iter().fold(mine, |first, other| first.and(other.join().unwrap_or_else(stopped)))
        })
    }

    /// Calls `with` with what is in each of the chunks on disk, or in what is to be taken `instead`.
    fn each(
        &self,
        chunks: Range<u64>,
        disk: &dyn Blob,
        instead: &HashMap<u64, Vec<u8>>,
        mut with: impl FnMut(u64, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut sealed = Vec::new();
        for index in chunks {
            let (at, bytes) = self.opener.place(index).ok_or_else(|| self.wrong(SealedError::Chunk(index)))?;
            sealed.resize(bytes, 0);
            match instead.get(&index) {
                Some(newer) => sealed.clone_from(newer),
                None => disk.read_at(at, &mut sealed)?,
            }
            with(index, self.opener.chunk(index, &mut sealed).map_err(|what| self.wrong(what))?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
