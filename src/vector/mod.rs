//! Templates as vectors: unit vectors, their 8-bit codes with a proven error bound, the order of candidates, and the
//! traits that every back end implements. Knows no people, no files and no devices.
//!
//! The path of a score: a coarse pass over 8-bit codes ([`coarse`]) finds the rows that can still matter by the bound of
//! [`bound`]; those are scored again by [`score::exact_score`], the one function whose result is a comparison score. So
//! every back end gives the same list to the bit, and the naive oracle ([`naive`]) says which.

pub mod bound;
pub mod coarse;
pub mod codec;
pub mod dimension;
pub mod filter;
pub mod layout;
pub mod memory;
pub mod naive;
pub mod rows;
pub mod score;
pub mod scorer;
pub mod template;
pub mod topk;

/// What can be wrong with a vector or a search over vectors.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum VectorError {
    /// A dimension that the layouts can't hold.
    #[error("a template of {0} numbers can't be stored: the dimension must be a multiple of 16, from 16 to 2048")]
    Dimension(usize),
    /// Two lengths that must agree do not.
    #[error("a template of {found} numbers where {wanted} are wanted")]
    Length {
        /// Numbers found.
        found: usize,
        /// Numbers wanted.
        wanted: usize,
    },
    /// Not a number, infinite, or all zero: no direction to compare.
    #[error("not a template: its length is {0}, so it has no direction")]
    NoDirection(f64),
    /// A stored template that is not a unit vector any more.
    #[error("not a unit vector: its length is {0}")]
    NotUnit(f64),
}
