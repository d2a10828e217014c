//! What is enrolled and what is searched with, wherever it comes from: templates of pictures, or of a generator.

use crate::casework::CaseworkError;
use crate::evaluation::EvaluationError;
use crate::vector::dimension::Dimension;
use crate::vector::template::Template;

/// Templates by number. Gallery rows stand in nested order: the rows of the first so many people are their gallery.
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

    /// Whether any image of a person could be enrolled.
    fn is_enrolled(&self, person: u32) -> bool {
        !self.rows_of_person(person).is_empty()
    }

    /// How many of the first `people` people are in their gallery: those of whom an image could be enrolled. This is N.
    fn enrolled_of(&self, people: u32) -> u64 {
        (0..people).filter(|&person| self.is_enrolled(person)).count() as u64
    }

    /// Searches there are.
    fn probes(&self) -> u32;

    /// The person of the gallery who is searched for, also one of whom no image could be enrolled; `None` for one who is not to be.
    fn mate_of(&self, probe: u32) -> Option<u32>;

    /// A probe's template; `None` after a failure to extract.
    ///
    /// # Errors
    /// When it can't be read.
    fn probe(&self, probe: u32) -> Result<Option<Template>, CaseworkError>;
}

/// How many galleries were asked for and are not apart, as the identity card has it.
#[must_use]
pub fn sizes_joined(asked: usize, made: usize) -> Option<(String, u64)> {
    let what = "gallery sizes whose people are nobody, or those of another size, for failures to enrol";
    (asked > made).then(|| (what.to_owned(), (asked - made) as u64))
}

/// Which of the galleries of the first so many people are made, given ascending: of those that hold the same people for failures to
/// enrol, the last; none that nobody is in.
///
/// # Errors
/// [`CaseworkError::Evaluation`] where nobody at all could be enrolled.
pub fn sizes_apart(samples: &dyn Samples, sizes: impl IntoIterator<Item = u32>) -> Result<Vec<u32>, CaseworkError> {
    let mut apart: Vec<u32> = Vec::new();
    for size in sizes.into_iter().filter(|&size| samples.rows_of(size) > 0) {
        match apart.last_mut() {
            Some(last) if samples.rows_of(*last) == samples.rows_of(size) => *last = size,
            Some(_) | None => apart.push(size),
        }
    }
    if apart.is_empty() { Err(EvaluationError::Empty("people who could be enrolled").into()) } else { Ok(apart) }
}
