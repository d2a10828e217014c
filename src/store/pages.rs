//! Zeroed memory of its own pages, large ones where the system gives them: for arrays that are read at random. Finding a page
//! of 4 KiB costs the processor more than reading 500 bytes of it, once there are more pages than it remembers.

use memmap2::MmapMut;

/// Below this the ordinary pages do.
const LARGE_PAGE_BYTES: usize = 2 << 20;
/// Where large pages and small ones begin alike.
const ALIGNMENT: usize = 64;

/// Bytes, zero at first, that begin on a cache line.
#[derive(Debug)]
pub struct Pages {
    held: Held,
    bytes: usize,
}

#[derive(Debug)]
enum Held {
    Mapped(MmapMut),
    /// Where the system maps nothing: the heap, from the first cache line on.
    Heap(Vec<u8>),
}

impl Pages {
    /// So many bytes.
    #[must_use]
    pub fn zeroed(bytes: usize) -> Self {
        let held = match MmapMut::map_anon(bytes.max(1)) {
            Ok(map) => {
                #[cfg(target_os = "linux")]
                if bytes >= LARGE_PAGE_BYTES {
                    // A wish: without large pages it is only slower.
                    drop(map.advise(memmap2::Advice::HugePage));
                }
                Held::Mapped(map)
            }
            Err(_nothing_mapped) => Held::Heap(vec![0; bytes + ALIGNMENT]),
        };
        Self { held, bytes }
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.held {
            Held::Mapped(map) => map.get(..self.bytes),
            Held::Heap(heap) => heap.get(skipped(heap)..).and_then(|heap| heap.get(..self.bytes)),
        }
        .unwrap_or_default()
    }

    /// All bytes, for writing.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.held {
            Held::Mapped(map) => map.get_mut(..self.bytes),
            Held::Heap(heap) => {
                let skipped = skipped(heap);
                heap.get_mut(skipped..).and_then(|heap| heap.get_mut(..self.bytes))
            }
        }
        .unwrap_or_default()
    }
}

/// Bytes before the first cache line that begins in `heap`.
fn skipped(heap: &[u8]) -> usize {
    heap.as_ptr().addr().wrapping_neg() % ALIGNMENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_zero_aligned_and_kept() {
        for bytes in [0, 1, 4096, LARGE_PAGE_BYTES + 5] {
            let heap = Pages { held: Held::Heap(vec![0; bytes + ALIGNMENT]), bytes };
            for mut pages in [Pages::zeroed(bytes), heap] {
                assert_eq!(pages.bytes().len(), bytes);
                assert!(pages.bytes().iter().all(|&byte| byte == 0));
                assert!(pages.bytes().as_ptr().addr().is_multiple_of(ALIGNMENT));
                pages.bytes_mut().fill(7);
                assert!(pages.bytes().iter().all(|&byte| byte == 7));
            }
        }
    }
}
