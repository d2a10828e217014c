//! Fetching what will be wanted next while the processor multiplies: memory and arithmetic then take the longer of both
//! times, not their sum.

use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};

use crate::kernel::Block;

/// What to fetch during one block, a little with each of its lines.
#[derive(Clone, Copy)]
pub(super) struct Fetch<'a> {
    ahead: &'a [i8],
    step: usize,
}

impl<'a> Fetch<'a> {
    /// Spreads a block's share of what is ahead over its lines.
    #[inline]
    pub(super) fn during(block: Block<'a>) -> Self {
        // Nothing ahead: the block's own first line, which is in the cache anyway.
        let ahead = if block.ahead.is_empty() { block.codes } else { block.ahead };
        Self { ahead, step: block.ahead.len() / block.lines().len().max(1) }
    }

    /// Fetches the part that belongs to line `number` into the second-level cache.
    #[inline]
    pub(super) fn line(self, number: usize) {
        // SAFETY: a prefetch reads nothing and can't fault, wherever it points.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(self.ahead.as_ptr().wrapping_add(number * self.step)) };
    }

    /// Where it begins, and how many bytes belong to each line.
    #[cfg(target_os = "linux")]
    pub(super) fn parts(self) -> (*const i8, usize) {
        (self.ahead.as_ptr(), self.step)
    }
}
