//! The two kinds of open blobs: one in the making, and a published one.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::crypto::sealed::BlobSealer;
use crate::crypto::{BlobKind, NamedKey};
use crate::store::locked::Locked;
use crate::store::sealed::{Inside, redo};
use crate::store::{Blob, Folder, StoreError};

/// A blob in the making. Its length is set once, before anything is written.
#[derive(Debug)]
pub(super) struct Draft {
    disk: Box<dyn Blob>,
    name: String,
    path: PathBuf,
    kind: BlobKind,
    key: Arc<NamedKey>,
    accept_unlocked: bool,
    inside: OnceLock<Inside>,
    marks: Mutex<Marks>,
}

/// Which chunks of a draft are to be sealed.
#[derive(Debug, Default)]
struct Marks {
    /// Written in memory, and not on disk as they are there.
    changed: BTreeSet<u64>,
    /// On disk, as they are or as they were.
    there: BTreeSet<u64>,
}

impl Draft {
    pub(super) fn new(
        disk: Box<dyn Blob>,
        name: &str,
        path: PathBuf,
        (kind, key): (BlobKind, Arc<NamedKey>),
        accept_unlocked: bool,
    ) -> Self {
        let (name, inside, marks) = (name.to_owned(), OnceLock::new(), Mutex::default());
        Self { disk, name, path, kind, key, accept_unlocked, inside, marks }
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inside(&self) -> Result<&Inside, StoreError> {
        self.inside.get().ok_or_else(|| wrong_use(&self.path, "its length is set before anything is written"))
    }

    fn seal_changed(&self, marks: &mut Marks) -> Result<(), StoreError> {
        let Marks { changed, there } = marks;
        if changed.is_empty() {
            return Ok(());
        }
        let inside = self.inside()?;
        while let Some(&index) = changed.first() {
            let (at, sealed) = inside.seal(index)?;
            self.disk.write_at(at, &sealed)?;
            there.insert(index);
            changed.remove(&index);
        }
        Ok(())
    }
}

impl Blob for Draft {
    fn size_bytes(&self) -> Result<u64, StoreError> {
        Ok(self.inside.get().map_or(0, |inside| inside.memory.len()))
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> Result<(), StoreError> {
        self.inside()?.memory.read_at(at, into)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        self.inside()?.memory.write_at(at, bytes)?;
        self.marks().changed.extend(Inside::chunks_of(at, bytes.len()));
        Ok(())
    }

    fn set_size(&self, bytes: u64) -> Result<(), StoreError> {
        let once = || wrong_use(&self.path, "its length is set once");
        if self.inside.get().is_some() {
            return Err(once());
        }
        let sealer = BlobSealer::of_file(self.kind, &self.key, bytes, &self.name);
        let sealer = sealer.map_err(|what| StoreError::Sealed { path: self.path.clone(), what })?;
        self.disk.set_size(sealer.file_bytes())?;
        self.disk.write_at(0, sealer.header())?;
        let memory = Arc::new(Locked::zeroed(bytes, &self.path, self.accept_unlocked)?);
        let inside = Inside { path: self.path.clone(), opener: Arc::new(sealer.into_opener()), memory };
        self.inside.set(inside).map_err(|_| once())
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.seal_changed(&mut self.marks())?;
        self.disk.sync()
    }

    fn finish(&self) -> Result<(), StoreError> {
        let mut marks = self.marks();
        // What nobody wrote reads as zeros, which are sealed too.
        for index in 0..self.inside()?.chunks() {
            if !marks.there.contains(&index) {
                marks.changed.insert(index);
            }
        }
        self.seal_changed(&mut marks)
    }
}

/// A published blob.
#[derive(Debug)]
pub(super) struct Published {
    name: String,
    inside: Inside,
    /// Where it lies, if it was opened for changing.
    disk: Option<(Box<dyn Blob>, Arc<dyn Folder>)>,
    changed: Mutex<BTreeSet<u64>>,
}

impl Published {
    pub(super) fn new(name: &str, inside: Inside, disk: Option<(Box<dyn Blob>, Arc<dyn Folder>)>) -> Self {
        Self { name: name.to_owned(), inside, disk, changed: Mutex::default() }
    }

    fn changed(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blob for Published {
    fn size_bytes(&self) -> Result<u64, StoreError> {
        Ok(self.inside.memory.len())
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> Result<(), StoreError> {
        self.inside.memory.read_at(at, into)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        if self.disk.is_none() {
            return Err(wrong_use(&self.inside.path, "it was opened for reading"));
        }
        self.inside.memory.write_at(at, bytes)?;
        self.changed().extend(Inside::chunks_of(at, bytes.len()));
        Ok(())
    }

    fn set_size(&self, _bytes: u64) -> Result<(), StoreError> {
        Err(wrong_use(&self.inside.path, "its length stays"))
    }

    fn sync(&self) -> Result<(), StoreError> {
        let Some((disk, folder)) = &self.disk else { return Ok(()) };
        let mut changed = self.changed();
        while !changed.is_empty() {
            let some = changed.iter().copied().take(redo::CHUNKS).collect();
            redo::replace(folder.as_ref(), &self.name, &self.inside, disk.as_ref(), &some)?;
            changed.retain(|index| !some.contains(index));
        }
        Ok(())
    }
}

fn wrong_use(path: &std::path::Path, what: &str) -> StoreError {
    StoreError::Io(io::Error::new(io::ErrorKind::InvalidInput, format!("{} is sealed: {what}", path.display())))
}
