//! Read-only maps of files as bytes and as numbers. The only unsafe code of the storage rooms.

use std::ops::Range;
use std::sync::Arc;

use bytemuck::AnyBitPattern;
use memmap2::Mmap;

use crate::store::locked::Locked;

#[cfg(not(target_endian = "little"))]
compile_error!("segments are little-endian and are read where they lie: big-endian machines are not supported");

/// A whole blob, mapped for reading (or copied, by the memory twin). Begins at an address that suits any number.
///
/// The bytes under a map may change in one case: the rows of an erased template are overwritten in place, by this process
/// or another, after nobody reads the row any more but for code that skips it afterwards. Nothing may depend on such bytes
/// staying the same.
#[derive(Debug)]
pub struct Map {
    held: Held,
}

#[derive(Debug)]
enum Held {
    Mapped(Mmap),
    Locked(Arc<Locked>),
    Copied { words: Box<[u64]>, bytes: usize },
}

/// Maps the whole of `file`.
pub(super) fn whole(file: &std::fs::File) -> std::io::Result<Mmap> {
    // SAFETY: the caller of `map` promises that the file is not changed while mapped. Ours are write-once blobs:
    // published complete, never truncated, removed only by name (the map keeps the pages). The one change in place is
    // the overwriting of an erased row. It is made by `pwrite`, which no compiler can see, after the row was declared
    // erased in every snapshot that is handed out, and after every older snapshot (of this process by reference
    // counts, of others by the READERS lock) was given back. A later reader may still load those bytes as part of a
    // block of 16 rows; each is a plain integer or float for which every bit pattern is valid, it may be seen old,
    // zero or mixed, and what is computed from it is discarded because the row is in the erased set. No reference,
    // length, offset or enum is ever read from bytes that can change. A foreign process that truncates our file
    // makes reading fail with SIGBUS, which no check here could prevent; the data folder is ours alone.
    // The files in memory of `locked` have no name and can't be truncated (they are sealed against it). They are filled
    // by `pwrite` while they are mapped, and their bytes are given out only after that: from then on what stands above
    // holds for them too.
    unsafe { Mmap::map(file) }
}

impl Map {
    /// Maps the whole of `file`.
    pub(super) fn of_file(file: &std::fs::File) -> std::io::Result<Self> {
        Ok(Self { held: Held::Mapped(whole(file)?) })
    }

    /// What is open in locked memory.
    pub(super) fn of_memory(memory: Arc<Locked>) -> Self {
        Self { held: Held::Locked(memory) }
    }

    /// A copy of `bytes`, aligned like a map: for blobs that are not files.
    #[must_use]
    pub fn copied(bytes: &[u8]) -> Self {
        let mut words = vec![0_u64; bytes.len().div_ceil(8)].into_boxed_slice();
        for (to, from) in bytemuck::cast_slice_mut::<u64, u8>(&mut words).iter_mut().zip(bytes) {
            *to = *from;
        }
        Self { held: Held::Copied { words, bytes: bytes.len() } }
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.held {
            Held::Mapped(map) => map,
            Held::Locked(memory) => memory.bytes(),
            Held::Copied { words, bytes } => bytemuck::cast_slice(words).get(..*bytes).unwrap_or_default(),
        }
    }

    /// The numbers in a range of bytes; `None` when it is out of bounds, not aligned, or not a whole count of `T`.
    #[must_use]
    pub fn numbers<T: AnyBitPattern>(&self, range: Range<usize>) -> Option<&[T]> {
        self.bytes().get(range).and_then(|bytes| bytemuck::try_cast_slice(bytes).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_little_endian_and_checked() {
        let map = Map::copied(&[1, 0, 0, 0, 2, 0, 0, 0, 0xff]);
        assert_eq!(map.bytes().len(), 9);
        assert_eq!(map.numbers::<u32>(0..8), Some([1, 2].as_slice()));
        assert_eq!(map.numbers::<i8>(8..9), Some([-1].as_slice()));
        assert_eq!(map.numbers::<u32>(1..5), None, "not aligned");
        assert_eq!(map.numbers::<u32>(4..9), None, "not whole");
        assert_eq!(map.numbers::<u32>(8..12), None, "out of bounds");
    }
}
