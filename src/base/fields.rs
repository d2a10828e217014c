//! Reading the headers of our files: little-endian numbers one after another.

/// A page and where in it the next number stands. Past the page's end numbers read as 0: what a header may hold is for its
/// own check to say.
#[derive(Debug)]
pub struct Fields<'a> {
    page: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// From byte `at` of `page` on.
    #[must_use]
    pub fn new(page: &'a [u8], at: usize) -> Self {
        Self { page, at }
    }

    /// The next bytes as they are, such as a hash.
    pub fn take<const N: usize>(&mut self) -> [u8; N] {
        let bytes = self.page.get(self.at..self.at + N).and_then(|bytes| bytes.first_chunk::<N>());
        self.at += N;
        bytes.copied().unwrap_or([0; N])
    }

    /// The next four bytes as a number.
    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    /// The next eight bytes as a number.
    pub fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_each_other_and_end_in_zeros() {
        let mut fields = Fields::new(&[9, 1, 0, 0, 0, 2, 3], 1);
        assert_eq!((fields.u32(), fields.take::<2>()), (1, [2, 3]));
        assert_eq!((fields.u64(), fields.u32()), (0, 0));
    }
}
