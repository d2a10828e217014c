//! From pictures to templates, by the product's own vision: those of the gallery as at enrolment, those of probes as at a search.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::hex;
use crate::base::text::printable;
use crate::casework::CaseworkError;
use crate::casework::enrol::{blocking, hash, in_parallel, in_words};
use crate::casework::evaluate::stamp::{LOOKS_BYTES, Stamp};
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
/// Pictures that are looked at, without reading them, between two looks at whether it is to end.
const LOOKS_AT_ONCE: usize = 1_024;
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

/// Takes every item that the journal has not yet. Results lie in the journal, by the item's number, with which bytes they are of.
///
/// # Errors
/// When it is to end, what the journal's disk says, and [`CaseworkError::OtherRun`] where a picture was replaced since its
/// template was taken. A picture that can't be used is a result.
pub async fn extract(
    vision: &Arc<Eyes>,
    items: Vec<Item>,
    run: &RunFolder,
    threads: usize,
    seed: u64,
    watch: &Watch,
) -> Result<Journal, CaseworkError> {
    let mut journal = Journal::open(&run.file(JOURNAL)).map_err(store)?;
    let (vision, watch, folder) = (Arc::clone(vision), watch.clone(), run.file(""));
    blocking(move || {
        let all = items.len() as u64;
        unchanged(&items, &journal, &folder, &watch)?;
        let missing: Vec<usize> = (0..items.len()).filter(|&item| !journal.has(item as u64)).collect();
        let mut done = all - missing.len() as u64;
        for batch in missing.chunks(PICTURES_AT_ONCE.max(2 * threads)) {
            if let Err(stop) = watch.at("taking templates", done, all) {
                journal.sync().map_err(store)?;
                return Err(stop);
            }
            let take =
                |place: usize| batch.get(place).and_then(|&item| items.get(item)).map(|item| one(&vision, item, seed));
            let taken = in_parallel(batch.len(), threads, take);
            for (&item, (stamp, taken)) in batch.iter().zip(taken.into_iter().flatten()) {
                journal.append(item as u64, &encode(&stamp, &taken)).map_err(store)?;
            }
            done += batch.len() as u64;
        }
        journal.sync().map_err(store)?;
        watch.at("taking templates", all, all)?;
        Ok(journal)
    })
    .await?
}

/// Refuses to go on with templates of pictures that were replaced since.
fn unchanged(items: &[Item], journal: &Journal, folder: &Path, watch: &Watch) -> Result<(), CaseworkError> {
    let all = items.len() as u64;
    for (number, item) in items.iter().enumerate() {
        if number.is_multiple_of(LOOKS_AT_ONCE) {
            watch.at("looking at pictures", number as u64, all)?;
        }
        if journal.has(number as u64) && !record(journal, number)?.0.holds(&item.path) {
            let picture = printable(&item.path.to_string_lossy());
            let what = format!("it has a template of another picture than the one that is {picture} now");
            return Err(CaseworkError::OtherRun { path: folder.to_owned(), what });
        }
    }
    Ok(())
}

/// One number for the bytes of all pictures, and one for what they look like without being read. In hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pictures {
    /// sha256 over those of all.
    pub sha256: String,
    /// sha256 over size and time of change of each.
    pub looks: String,
}

/// The pictures of the first so many items, as they were when their templates were taken.
///
/// # Errors
/// When the journal has no readable result of one; that it is to end.
pub fn pictures_of(journal: &Journal, items: usize, watch: &Watch) -> Result<Pictures, CaseworkError> {
    let (mut sha256, mut looks) = (Vec::with_capacity(32 * items), Vec::with_capacity(LOOKS_BYTES * items));
    for item in 0..items {
        watch.at("reading templates", item as u64, items as u64)?;
        let stamp = record(journal, item)?.0;
        sha256.extend(stamp.sha256);
        looks.extend(stamp.looks());
    }
    Ok(Pictures { sha256: hex::encode(&hash(&sha256)), looks: hex::encode(&hash(&looks)) })
}

/// [`Pictures::looks`] of these files as they are now.
///
/// # Errors
/// That it is to end.
pub(super) fn looks_of(paths: &[PathBuf], watch: &Watch) -> Result<String, CaseworkError> {
    over_all(paths, LOOKS_AT_ONCE, watch, |path| Stamp::seen(path).looks().to_vec())
}

/// [`Pictures::sha256`] of these files as they are now: all of them are read.
///
/// # Errors
/// That it is to end.
pub(super) fn sha256_of(paths: &[PathBuf], watch: &Watch) -> Result<String, CaseworkError> {
    over_all(paths, 1, watch, |path| Stamp::read(path).0.sha256.to_vec())
}

fn over_all(
    paths: &[PathBuf],
    at_once: usize,
    watch: &Watch,
    one: impl Fn(&Path) -> Vec<u8>,
) -> Result<String, CaseworkError> {
    let mut all = Vec::new();
    for (number, path) in paths.iter().enumerate() {
        if number.is_multiple_of(at_once) {
            watch.at("looking at pictures", number as u64, paths.len() as u64)?;
        }
        all.extend(one(path));
    }
    Ok(hex::encode(&hash(&all)))
}

fn one(vision: &Eyes, item: &Item, seed: u64) -> (Stamp, Taken) {
    let (stamp, bytes) = Stamp::read(&item.path);
    let taken = match bytes.and_then(|bytes| try_one(vision, item, bytes, &stamp, seed)) {
        Ok((face, values)) => Taken::Template { values, measures: measures(&face) },
        Err(reason) => {
            let reason = printable(&reason);
            Taken::Failed(reason.get(..reason.floor_char_boundary(REASON_BYTES_MAX)).unwrap_or_default().to_owned())
        }
    };
    (stamp, taken)
}

fn try_one(
    vision: &Eyes,
    item: &Item,
    mut bytes: Vec<u8>,
    stamp: &Stamp,
    seed: u64,
) -> Result<(Quality, Vec<f32>), String> {
    if let Some(preset) = item.degraded {
        // By the picture's own bytes: an order of pictures, or a path, changes nothing.
        let key = stamp.sha256.iter().fold(seed, |key, &byte| mix(key ^ u64::from(byte)));
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

fn encode(stamp: &Stamp, taken: &Taken) -> Vec<u8> {
    let mut bytes = stamp.bytes().to_vec();
    match taken {
        Taken::Template { values, measures } => {
            bytes.push(1);
            bytes.extend(measures.iter().chain(values).flat_map(|value| value.to_le_bytes()));
        }
        Taken::Failed(reason) => {
            bytes.push(0);
            bytes.extend(reason.bytes());
        }
    }
    bytes
}

/// What the journal has of an item.
///
/// # Errors
/// When it has nothing, or nothing that can be read.
pub fn taken(journal: &Journal, item: usize) -> Result<Taken, CaseworkError> {
    Ok(record(journal, item)?.1)
}

fn record(journal: &Journal, item: usize) -> Result<(Stamp, Taken), CaseworkError> {
    let bytes = journal.get(item as u64).map_err(store)?;
    let damaged = || CaseworkError::Stopped(format!("picture {item} of the evaluation has no readable result"));
    let (stamp, rest) = bytes.as_deref().and_then(Stamp::before).ok_or_else(damaged)?;
    let (kind, rest) = rest.split_first().ok_or_else(damaged)?;
    if *kind == 0 {
        return Ok((stamp, Taken::Failed(String::from_utf8_lossy(rest).into_owned())));
    }
    let (numbers, odd) = rest.as_chunks::<4>();
    let mut numbers = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes));
    let mut measures = [0.0; MEASURES.len()];
    for measure in &mut measures {
        *measure = numbers.next().ok_or_else(damaged)?;
    }
    let values: Vec<f32> = numbers.collect();
    if odd.is_empty() && !values.is_empty() {
        Ok((stamp, Taken::Template { values, measures }))
    } else {
        Err(damaged())
    }
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
        let picture = folder.path().join("picture");
        fs_err::write(&picture, b"pixels").unwrap();
        let stamp = Stamp::read(&picture).0;
        for (item, taken) in [&template, &failed].into_iter().enumerate() {
            journal.append(item as u64, &encode(&stamp, taken)).unwrap();
        }
        journal.append(2, &[1, 2, 3]).unwrap();
        assert_eq!(taken(&journal, 0).unwrap(), template);
        assert_eq!(taken(&journal, 1).unwrap(), failed);
        assert!(taken(&journal, 2).is_err() && taken(&journal, 3).is_err());
        let watch = Watch::default();
        let pictures = pictures_of(&journal, 2, &watch).unwrap();
        assert_eq!(pictures.sha256, hex::encode(&hash(&[hash(b"pixels"), hash(b"pixels")].concat())));
        let paths = [picture.clone(), picture.clone()];
        let now = || Pictures { sha256: sha256_of(&paths, &watch).unwrap(), looks: looks_of(&paths, &watch).unwrap() };
        assert_eq!(now(), pictures);
        // Another picture of that name is not answered for; one that nobody took yet may change.
        let items = [true, false].map(|gallery| Item { path: picture.clone(), gallery, degraded: None });
        unchanged(&items, &journal, folder.path(), &Watch::default()).unwrap();
        fs_err::write(&picture, b"other pixels").unwrap();
        assert!(now().sha256 != pictures.sha256 && now().looks != pictures.looks);
        let refused = unchanged(&items, &journal, folder.path(), &Watch::default()).unwrap_err().to_string();
        assert!(refused.contains("a template of another picture"), "{refused}");
        let empty = Journal::open(&folder.path().join("new")).unwrap();
        unchanged(&items, &empty, folder.path(), &Watch::default()).unwrap();
    }
}
