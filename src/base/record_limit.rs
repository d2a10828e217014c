//! Tables of others, read with a limit on each row: a quote that is never closed, or a file without an end, takes no more memory
//! than that.

use std::io::{Error, Read, Result};

/// A source that ends with an error where one row takes too much of it. Whoever reads rows says where each begins.
#[derive(Debug)]
pub struct RecordLimit<R> {
    source: R,
    most: usize,
    left: usize,
}

impl<R> RecordLimit<R> {
    /// Rows of at most `most` bytes, and what a reader takes at once beside.
    pub fn new(source: R, most: usize) -> Self {
        Self { source, most, left: most }
    }

    /// The next row begins: it may have as many bytes as any.
    pub fn next_record(&mut self) {
        self.left = self.most;
    }
}

impl<R: Read> Read for RecordLimit<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        if self.left == 0 {
            return Err(Error::other(format!("a row has more than {} bytes", self.most)));
        }
        let count = self.source.read(into)?;
        self.left = self.left.saturating_sub(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_never_ends_is_given_up_and_many_short_ones_are_not() {
        let mut source = RecordLimit::new(std::io::repeat(b'x'), 1_000);
        let mut bytes = Vec::new();
        let error = source.read_to_end(&mut bytes).unwrap_err();
        assert_eq!(error.to_string(), "a row has more than 1000 bytes");
        assert!(bytes.len() >= 1_000 && bytes.len() < 100_000, "{}", bytes.len());
        let mut part = [0; 400];
        for _ in 0..100 {
            source.next_record();
            assert_eq!(source.read(&mut part).unwrap() + source.read(&mut part).unwrap(), 800);
        }
    }
}
