//! From pictures to templates, by the product's own vision: those of the gallery as at enrolment, those of probes as at a search.

use std::path::PathBuf;
use std::sync::Arc;

use crate::base::limits::IMAGE_BYTES_MAX;
use crate::base::text::printable;
use crate::casework::CaseworkError;
use crate::casework::enrol::{blocking, in_parallel, in_words};
use crate::casework::evaluate::{RunFolder, Watch, store};
use crate::casework::eyes::Eyes;
use crate::casework::faces::{FaceChoice, choose, reference_face};
use crate::evaluation::journal::Journal;
use crate::evaluation::random::mix;
use crate::vision::degrade::{Preset, degrade};
use crate::vision::pipeline::Face;
use crate::vision::quality::Quality;

/// The file of templates, removed with the run's work.
pub const JOURNAL: &str = "templates.journal";
/// Longest reason of a failure that is kept.
const REASON_BYTES_MAX: usize = 300;
/// Pictures between two looks at whether it is to end.
const PICTURES_AT_ONCE: usize = 32;

/// A picture to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The file.
    pub path: PathBuf,
    /// Whether it is meant for the gallery.
    pub gallery: bool,
    /// How it is made poor first.
    pub degraded: Option<Preset>,
}

/// Measures of a face that errors are held against, and how the journal keeps them.
pub const MEASURES: [&str; 6] = ["inter_eye_px", "sharpness", "brightness", "contrast", "yaw_deg", "pitch_deg"];

/// What became of a picture.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// A template, and the [`MEASURES`] of the face.
    Template {
        /// Components, of length 1.
        values: Vec<f32>,
        /// By [`MEASURES`].
        measures: [f32; MEASURES.len()],
    },
    /// A failure to enrol or to extract, in words.
    Failed(String),
}

/// Takes every item that the journal has not yet. Results lie in the journal, by the item's number.
///
/// # Errors
/// When it is to end, and what the journal's disk says. A picture that can't be used is a result.
pub async fn extract(
    vision: &Arc<Eyes>,
    items: Vec<Item>,
    run: &RunFolder,
    threads: usize,
    seed: u64,
    watch: &Watch,
) -> Result<Journal, CaseworkError> {
    let mut journal = Journal::open(&run.file(JOURNAL)).map_err(store)?;
    let (vision, watch) = (Arc::clone(vision), watch.clone());
    blocking(move || {
        let all = items.len() as u64;
        let missing: Vec<usize> = (0..items.len()).filter(|&item| !journal.has(item as u64)).collect();
        let mut done = all - missing.len() as u64;
        for batch in missing.chunks(PICTURES_AT_ONCE.max(2 * threads)) {
            watch.at("taking templates", done, all)?;
            let take =
                |place: usize| batch.get(place).and_then(|&item| items.get(item)).map(|item| one(&vision, item, seed));
            let taken = in_parallel(batch.len(), threads, take);
            for (&item, taken) in batch.iter().zip(taken.into_iter().flatten()) {
                journal.append(item as u64, &encode(&taken)).map_err(store)?;
            }
            done += batch.len() as u64;
        }
        journal.sync().map_err(store)?;
        watch.at("taking templates", all, all)?;
        Ok(journal)
    })
    .await?
}

fn one(vision: &Eyes, item: &Item, seed: u64) -> Taken {
    match try_one(vision, item, seed) {
        Ok((face, values)) => Taken::Template { values, measures: measures(&face) },
        Err(reason) => {
            let reason = printable(&reason);
            Taken::Failed(reason.get(..reason.floor_char_boundary(REASON_BYTES_MAX)).unwrap_or_default().to_owned())
        }
    }
}

fn try_one(vision: &Eyes, item: &Item, seed: u64) -> Result<(Quality, Vec<f32>), String> {
    // The system's words name the path; what is kept here goes into reports.
    let unreadable = |error: std::io::Error| format!("can't be read: {}", error.kind());
    let size = fs_err::metadata(&item.path).map_err(unreadable)?.len();
    if size > IMAGE_BYTES_MAX as u64 {
        return Err(format!("{size} bytes: at most {IMAGE_BYTES_MAX}"));
    }
    let mut bytes = fs_err::read(&item.path).map_err(unreadable)?;
    if let Some(preset) = item.degraded {
        // By the picture's own bytes: an order of pictures, or a path, changes nothing.
        let key = crate::casework::enrol::hash(&bytes).iter().fold(seed, |key, &byte| mix(key ^ u64::from(byte)));
        bytes = degrade(&bytes, preset, key).map_err(|error| in_words(&error))?;
    }
    let analysis = vision.analyse(&bytes).map_err(|error| in_words(&error))?;
    let face: &Face = if item.gallery {
        reference_face(&analysis.faces)?
    } else {
        let places = choose(&analysis.faces, FaceChoice::Largest).map_err(|error| error.to_string())?;
        let face = places.first().and_then(|&place| analysis.faces.get(place));
        face.ok_or_else(|| "no face found".to_owned())?
    };
    Ok((face.quality.clone(), face.template.values().to_vec()))
}

fn measures(quality: &Quality) -> [f32; MEASURES.len()] {
    let Quality { inter_eye_px, sharpness, brightness, contrast, yaw_deg, pitch_deg, .. } = quality;
    [*inter_eye_px, *sharpness, *brightness, *contrast, *yaw_deg, *pitch_deg]
}

fn encode(taken: &Taken) -> Vec<u8> {
    match taken {
        Taken::Template { values, measures } => {
            let numbers = measures.iter().chain(values);
            std::iter::once(1).chain(numbers.flat_map(|value| value.to_le_bytes())).collect()
        }
        Taken::Failed(reason) => std::iter::once(0).chain(reason.bytes()).collect(),
    }
}

/// What the journal has of an item.
///
/// # Errors
/// When it has nothing, or nothing that can be read.
pub fn taken(journal: &Journal, item: usize) -> Result<Taken, CaseworkError> {
    let bytes = journal.get(item as u64).map_err(store)?;
    let damaged = || CaseworkError::Stopped(format!("picture {item} of the evaluation has no readable result"));
    let (kind, rest) = bytes.as_deref().and_then(<[u8]>::split_first).ok_or_else(damaged)?;
    if *kind == 0 {
        return Ok(Taken::Failed(String::from_utf8_lossy(rest).into_owned()));
    }
    let (numbers, odd) = rest.as_chunks::<4>();
    let mut numbers = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes));
    let mut measures = [0.0; MEASURES.len()];
    for measure in &mut measures {
        *measure = numbers.next().ok_or_else(damaged)?;
    }
    let values: Vec<f32> = numbers.collect();
    if odd.is_empty() && !values.is_empty() { Ok(Taken::Template { values, measures }) } else { Err(damaged()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_journal_keeps_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&folder.path().join("j")).unwrap();
        let template = Taken::Template { values: vec![0.6, 0.8], measures: [1.0, 2.0, 3.0, 4.0, -5.0, 6.0] };
        let failed = Taken::Failed("no face found".to_owned());
        for (item, taken) in [&template, &failed].into_iter().enumerate() {
            journal.append(item as u64, &encode(taken)).unwrap();
        }
        journal.append(2, &[1, 2, 3]).unwrap();
        assert_eq!(taken(&journal, 0).unwrap(), template);
        assert_eq!(taken(&journal, 1).unwrap(), failed);
        assert!(taken(&journal, 2).is_err() && taken(&journal, 3).is_err());
    }
}
