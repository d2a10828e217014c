//! How many searches a rate wants, and how many lists ended before their threshold.

use serde::{Deserialize, Serialize};

/// Non-mated searches that a target FPIR wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchesNeeded {
    /// Fewest of which the target allows one to show a candidate: with fewer no threshold can be chosen.
    pub for_a_threshold: u64,
    /// Fewest that carry the claim where none shows a candidate (rule of 3).
    pub without_errors: u64,
    /// Fewest in which thirty are to be expected, so that the rate is known within 30 % (rule of 30).
    pub for_thirty: u64,
}

/// Searches all of whose candidate list is at or above a threshold, though the gallery has more: there may be more candidates
/// than the list could hold, and what is counted of them is a lower bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutLists {
    /// Of the mated searches.
    pub mated: u64,
    /// Of the non-mated ones.
    pub non_mated: u64,
    /// Length of the lists.
    pub length: u32,
}
