//! What is enrolled and what is searched with, wherever it comes from: templates of pictures, or of a generator.

use crate::casework::CaseworkError;
use crate::vector::dimension::Dimension;
use crate::vector::template::Template;

/// Templates by number. Gallery rows stand in nested order: the rows of the first N people are the gallery of N.
pub trait Samples: Send + Sync {
    /// Components of each.
    fn dimension(&self) -> Dimension;

    /// People in the whole gallery.
    fn people(&self) -> u32;

    /// Gallery rows of the first `people` people.
    fn rows_of(&self, people: u32) -> u64;

    /// Which person of the gallery a row is of, from 0.
    fn person_of(&self, row: u64) -> u32;

    /// Rows of a person.
    fn rows_of_person(&self, person: u32) -> std::ops::Range<u64>;

    /// Writes a row's components, in any length.
    ///
    /// # Errors
    /// When it can't be read.
    fn row(&self, row: u64, out: &mut [f32]) -> Result<(), CaseworkError>;

    /// Searches there are.
    fn probes(&self) -> u32;

    /// The person of the gallery who is searched for; `None` for one who is not to be enrolled.
    fn mate_of(&self, probe: u32) -> Option<u32>;

    /// A probe's template; `None` after a failure to extract.
    ///
    /// # Errors
    /// When it can't be read.
    fn probe(&self, probe: u32) -> Result<Option<Template>, CaseworkError>;
}
