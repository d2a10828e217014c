//! Which face of a picture is meant.

use std::str::FromStr;

use crate::casework::CaseworkError;
use crate::vision::geometry::Bounds;
use crate::vision::pipeline::Face;
use crate::vision::quality::Verdict;

/// A largest face this many times the area of the next is plainly the one that a custody picture is of.
const DOMINANCE: f32 = 2.0;

/// Which faces of a probe picture to search for. Bystanders are not searched unless asked for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum FaceChoice {
    /// The largest.
    #[default]
    Largest,
    /// One by its number, from 1, largest first.
    Number(usize),
    /// Every face that can be used.
    All,
    /// The one that stands nearest to this place: on another processor an edge may be a little elsewhere.
    Nearest(Bounds),
}

/// A text that chooses no face.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} chooses no face: use largest, all, or a number from 1")]
pub struct UnknownChoice(String);

impl FromStr for FaceChoice {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, UnknownChoice> {
        match text {
            "largest" => Ok(Self::Largest),
            "all" => Ok(Self::All),
            number => match number.parse() {
                Ok(number) if number > 0 => Ok(Self::Number(number)),
                Ok(_) | Err(_) => Err(UnknownChoice(text.chars().take(40).collect())),
            },
        }
    }
}

/// The places of the chosen faces in `faces`, which stand largest first.
///
/// # Errors
/// [`CaseworkError::NoSuchFace`] for a number that the picture does not have.
pub fn choose(faces: &[Face], choice: FaceChoice) -> Result<Vec<usize>, CaseworkError> {
    match choice {
        FaceChoice::Largest => Ok((0..faces.len().min(1)).collect()),
        FaceChoice::All => Ok((0..faces.len()).collect()),
        FaceChoice::Nearest(place) => {
            let apart = |at: &usize| faces.get(*at).map_or(f32::INFINITY, |face| face.bounds.apart(&place));
            let nearest = (0..faces.len()).min_by(|one, other| apart(one).total_cmp(&apart(other)));
            Ok(nearest.into_iter().collect())
        }
        FaceChoice::Number(number) if (1..=faces.len()).contains(&number) => Ok(vec![number - 1]),
        FaceChoice::Number(asked) => Err(CaseworkError::NoSuchFace { asked, found: faces.len() }),
    }
}

/// The face that a reference picture is of, or why it can't be enrolled, in words.
///
/// # Errors
/// The reason, for the report.
pub fn reference_face(faces: &[Face]) -> Result<&Face, String> {
    let area = |face: &Face| face.bounds.width * face.bounds.height;
    let face = match faces {
        [] => return Err("no face found".to_owned()),
        [only] => only,
        [largest, next, ..] if area(largest) >= DOMINANCE * area(next) => largest,
        [..] => {
            let count = faces.len();
            return Err(format!("{count} faces of similar size; a reference shows one person: crop the picture"));
        }
    };
    match face.quality.verdict {
        Verdict::Good | Verdict::Poor => Ok(face),
        Verdict::Unusable => Err(format!("the face can't be used: {}", face.quality.reasons.join("; "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_words_or_numbers() {
        assert_eq!("largest".parse(), Ok(FaceChoice::Largest));
        assert_eq!("all".parse(), Ok(FaceChoice::All));
        assert_eq!("3".parse(), Ok(FaceChoice::Number(3)));
        for bad in ["0", "-1", "first", ""] {
            assert!(bad.parse::<FaceChoice>().is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_is_chosen_from_nothing() {
        assert!(matches!(choose(&[], FaceChoice::Largest), Ok(places) if places.is_empty()));
        assert!(matches!(choose(&[], FaceChoice::Number(2)), Err(CaseworkError::NoSuchFace { asked: 2, found: 0 })));
        assert_eq!(reference_face(&[]).map(|_| ()), Err("no face found".to_owned()));
    }
}
