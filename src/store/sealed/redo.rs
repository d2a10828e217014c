//! `<name>.redo`: chunks that are about to be written into the blob `<name>`, sealed as they will stand there. It is published
//! before the first of them is written and removed after the last, so that a chunk that is torn meanwhile is whole in it.

use std::collections::{BTreeSet, HashMap};

use crate::base::limits::SEALED_REDO_CHUNKS_MAX;
use crate::crypto::SealedError;
use crate::crypto::sealed::CHUNK_BYTES;
use crate::store::sealed::Inside;
use crate::store::{Blob, DRAFT_SUFFIX, Folder, StoreError, overwrite_and_remove, read_small, replace_small};

/// Chunks in one such file.
pub(super) const CHUNKS: usize = SEALED_REDO_CHUNKS_MAX;
const MAGIC: [u8; 8] = *b"BERTREDO";
/// More than a number, a nonce and a tag.
const EXTRA_BYTES: usize = 64;
const BYTES_MAX: usize = MAGIC.len() + CHUNKS * (CHUNK_BYTES + EXTRA_BYTES);

const SUFFIX: &str = ".redo";

fn file(name: &str) -> String {
    format!("{name}{SUFFIX}")
}

/// Writes chunks as they are in memory, each sealed anew, into the blob.
pub(super) fn replace(
    folder: &dyn Folder,
    name: &str,
    inside: &Inside,
    disk: &dyn Blob,
    chunks: &BTreeSet<u64>,
) -> Result<(), StoreError> {
    let mut bytes = MAGIC.to_vec();
    let mut sealed = HashMap::with_capacity(chunks.len());
    for &index in chunks {
        let (_, chunk) = inside.seal(index)?;
        bytes.extend_from_slice(&index.to_le_bytes());
        bytes.extend_from_slice(&chunk);
        sealed.insert(index, chunk);
    }
    replace_small(folder, &file(name), &bytes)?;
    apply(folder, name, inside, disk, &sealed)
}

/// The chunks that are to be taken instead of those in the blob; each was checked.
pub(super) fn read(folder: &dyn Folder, name: &str, inside: &Inside) -> Result<HashMap<u64, Vec<u8>>, StoreError> {
    let bytes = match read_small(folder, &file(name), BYTES_MAX) {
        Err(StoreError::Missing(_)) => return Ok(HashMap::new()),
        read => read?,
    };
    // It was being removed: what is in it is in the blob.
    if bytes.first() == Some(&0) {
        return Ok(HashMap::new());
    }
    parse(&bytes, inside).ok_or_else(|| inside.wrong(SealedError::Redo))
}

fn parse(bytes: &[u8], inside: &Inside) -> Option<HashMap<u64, Vec<u8>>> {
    let mut rest = bytes.strip_prefix(&MAGIC)?;
    let mut found = HashMap::new();
    while let Some((index, after)) = rest.split_first_chunk::<8>() {
        let index = u64::from_le_bytes(*index);
        let (chunk, after) = after.split_at_checked(inside.opener.place(index)?.1)?;
        inside.opener.chunk(index, &mut chunk.to_vec()).ok()?;
        found.insert(index, chunk.to_vec());
        rest = after;
    }
    rest.is_empty().then_some(found)
}

/// Finishes what was interrupted.
pub(super) fn settle(folder: &dyn Folder, name: &str, inside: &Inside, disk: &dyn Blob) -> Result<(), StoreError> {
    let pending = read(folder, name, inside)?;
    if pending.is_empty() { remove(folder, name) } else { apply(folder, name, inside, disk, &pending) }
}

fn apply(
    folder: &dyn Folder,
    name: &str,
    inside: &Inside,
    disk: &dyn Blob,
    sealed: &HashMap<u64, Vec<u8>>,
) -> Result<(), StoreError> {
    for (&index, chunk) in sealed {
        let (at, _) = inside.opener.place(index).ok_or_else(|| inside.wrong(SealedError::Chunk(index)))?;
        disk.write_at(at, chunk)?;
    }
    disk.sync()?;
    remove(folder, name)
}

/// Overwrites and removes it, if it is there. In it are rows that stay: when they are erased in their turn, nothing of them is to
/// be left that the key of the blob opens.
pub(super) fn remove(folder: &dyn Folder, name: &str) -> Result<(), StoreError> {
    let file = file(name);
    erase(folder, &format!("{file}{DRAFT_SUFFIX}"))?;
    erase(folder, &file)
}

/// Overwrites and removes such a file, or the draft of one. Its first bytes go first: without them it is none.
pub(super) fn erase(folder: &dyn Folder, file: &str) -> Result<(), StoreError> {
    overwrite_and_remove(folder, file, MAGIC.len() as u64).map(drop)
}

/// Whether that is the name of such a file, or of the draft of one.
pub(super) fn is_one(name: &str) -> bool {
    name.strip_suffix(DRAFT_SUFFIX).unwrap_or(name).ends_with(SUFFIX)
}
