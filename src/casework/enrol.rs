//! Enrolment: pictures of known subjects become references. Each picture ends as enrolled, enrolled before, or failed with
//! a reason in words; a failure never stops the others, and what was reported as enrolled is on disk.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::audit::Caller;
use crate::base::day::Day;
use crate::base::ids::{GalleryName, SubjectRef, TemplateId};
use crate::base::limits::{ENROL_CHUNK, ENROL_HELD_BYTES_MAX};
use crate::casework::eyes::Eyes;
use crate::casework::faces::reference_face;
use crate::casework::folder::{Picture, Plan};
use crate::casework::governing::in_force;
use crate::casework::{CaseworkError, Desk};
use crate::gallery::{Enrolment, NewReference, ToKeep};
pub use crate::pictures::Source as Bytes;
use crate::policy::{DatedFacts, ImageFacts};
use crate::records::{Attribute, AttributeError, check_attributes};
use crate::segment::Precision;
use crate::settings::storage::Storage;
use crate::vision::VisionError;

/// A picture of a known subject.
#[derive(Debug, Clone)]
pub struct NewPicture {
    /// File name or the like, kept in the records.
    pub source: String,
    /// Who it shows.
    pub subject: SubjectRef,
    /// The picture.
    pub bytes: Bytes,
    /// By what searches may be restricted to it.
    pub attributes: Vec<Attribute>,
    /// What is known of it beside the picture.
    pub facts: ImageFacts,
    /// Whether the picture itself is kept, sealed, for as long as the reference.
    pub keep: bool,
}

/// What became of one picture.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A new reference, and what is less than good about it.
    Enrolled {
        /// Its template.
        template: TemplateId,
        /// Weaknesses in words; empty for a good picture.
        remarks: Vec<String>,
    },
    /// The same picture is enrolled already, for this subject or, as the note then says, for another.
    Already {
        /// Its template.
        template: TemplateId,
        /// The subject that it stands for.
        subject: SubjectRef,
    },
    /// Failure to enrol.
    Failed {
        /// Why, in words.
        reason: String,
    },
}

/// What became of one picture, and which.
#[derive(Debug, Clone, PartialEq)]
pub struct Enrolled {
    /// As given in [`NewPicture::source`].
    pub source: String,
    /// As given in [`NewPicture::subject`].
    pub subject: SubjectRef,
    /// What became of it.
    pub outcome: Outcome,
}

/// A picture after the vision work.
enum Prepared {
    Ready { reference: Box<NewReference>, remarks: Vec<String>, keep: Option<Bytes> },
    Known { template: TemplateId, subject: SubjectRef },
    Failed { reason: String },
}

/// Attributes written as text: `capture_year=2019; disposal=charged`.
///
/// # Errors
/// [`AttributeError`] for what is none.
pub fn attributes_of(text: &str) -> Result<Vec<Attribute>, AttributeError> {
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    let one = |part: &str| {
        let (name, value) =
            part.split_once('=').ok_or_else(|| AttributeError::Name(part.chars().take(80).collect()))?;
        Attribute::new(name.trim(), value)
    };
    let attributes = parts.map(one).collect::<Result<Vec<_>, _>>()?;
    check_attributes(&attributes)?;
    Ok(attributes)
}

/// Makes `gallery` with the default model if it is not there, keeping originals in full precision and files as the settings say;
/// says whether it was made.
///
/// # Errors
/// [`CaseworkError`] when the model can't be loaded or the folder not be written.
pub async fn ensure_gallery(
    desk: &Desk,
    caller: &Caller,
    gallery: &GalleryName,
    purpose: &str,
) -> Result<bool, CaseworkError> {
    ensure_gallery_as(desk, caller, gallery, purpose, (Precision::F32, None)).await
}

/// As [`ensure_gallery`], with the precision in which a new gallery keeps its originals, and the kind of its files where it is not
/// to be the one of the settings.
///
/// # Errors
/// As [`ensure_gallery`].
pub async fn ensure_gallery_as(
    desk: &Desk,
    caller: &Caller,
    gallery: &GalleryName,
    purpose: &str,
    (originals, storage): (Precision, Option<Storage>),
) -> Result<bool, CaseworkError> {
    if desk.vault.galleries().await?.iter().any(|summary| summary.record.name == *gallery) {
        return Ok(false);
    }
    let vision = desk.default_vision().await?;
    let vault = desk.vault.acting_for(caller);
    let storage = storage.unwrap_or(desk.settings.encryption.segments);
    let model = (vision.model(), vision.dimension());
    vault.create_gallery_as(gallery, model, originals, storage, purpose).await?;
    Ok(true)
}

/// Enrols a folder's pictures chunk by chunk; `done` is told of each picture as it is settled. When `stop` becomes true
/// the chunk under way is finished and the rest is left for another time.
///
/// # Errors
/// [`CaseworkError`] when the gallery or the model can't be used at all; single pictures fail in their outcome.
pub async fn enrol_folder(
    desk: &Desk,
    caller: &Caller,
    gallery: &GalleryName,
    plan: &Plan,
    keep: bool,
    stop: &AtomicBool,
    mut done: impl FnMut(Enrolled),
) -> Result<(), CaseworkError> {
    for chunk in plan.pictures.chunks(ENROL_CHUNK) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let picture = |picture: &Picture| NewPicture {
            source: picture.source.clone(),
            subject: picture.subject.clone(),
            bytes: Bytes::File(picture.path.clone()),
            attributes: picture.attributes.clone(),
            facts: picture.facts.clone(),
            keep,
        };
        for settled in enrol_pictures(desk, caller, gallery, chunk.iter().map(picture).collect()).await? {
            done(settled);
        }
    }
    Ok(())
}

/// Enrols pictures in one transaction; one outcome a picture, in order. A picture that is enrolled already costs no
/// vision work.
///
/// # Errors
/// [`CaseworkError`] when nothing could be enrolled at all: an unknown gallery, a missing model, a full disk.
pub async fn enrol_pictures(
    desk: &Desk,
    caller: &Caller,
    gallery: &GalleryName,
    pictures: Vec<NewPicture>,
) -> Result<Vec<Enrolled>, CaseworkError> {
    let pictures: Arc<[NewPicture]> = pictures.into();
    let batch = Arc::clone(&pictures);
    let seen = blocking(move || look(&batch, ENROL_HELD_BYTES_MAX)).await?;
    let wanted: Vec<[u8; 32]> = seen.iter().filter_map(|seen| seen.as_ref().ok().map(|seen| seen.hash)).collect();
    let known = desk.vault.images_enrolled(gallery, &wanted).await?;
    let new = wanted.iter().any(|hash| !known.contains_key(hash));
    let vision = if new { Some(desk.vision_for(gallery).await?) } else { None };
    let (batch, threads) = (Arc::clone(&pictures), desk.vision_threads());
    let prepare = move |place: usize| -> Prepared {
        let (Some(picture), Some(seen)) = (batch.get(place), seen.get(place)) else {
            return Prepared::Failed { reason: String::new() };
        };
        let seen = match seen {
            Ok(seen) => seen,
            Err(reason) => return Prepared::Failed { reason: reason.clone() },
        };
        match (known.get(&seen.hash), vision.as_deref()) {
            (Some((template, subject)), _) => Prepared::Known { template: *template, subject: subject.clone() },
            (None, Some(vision)) => prepare_one(vision, picture, seen),
            // Without a model no hash was new.
            (None, None) => Prepared::Failed { reason: String::new() },
        }
    };
    let count = pictures.len();
    let prepared = blocking(move || in_parallel(count, threads, prepare)).await?;
    settle(desk, caller, gallery, &pictures, prepared).await
}

pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, CaseworkError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| CaseworkError::Stopped(error.to_string()))
}

/// Calls `work` for `0..count` on some threads; results in order.
pub(super) fn in_parallel<T: Send>(count: usize, threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<T>>> = (0..count).map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, count.max(1)) {
            scope.spawn(|| {
                while let Some((place, slot)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|place| Some((place, results.get(place)?)))
                {
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(work(place));
                }
            });
        }
    });
    results.into_iter().filter_map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

/// A picture that was read to learn whether it is enrolled already.
struct Seen {
    hash: [u8; 32],
    /// Its bytes, as far as there is memory to hold them; others are read again when their turn comes.
    bytes: Option<Arc<[u8]>>,
}

/// Reads pictures, and holds `held_bytes_max` of those that come from files.
fn look(pictures: &[NewPicture], mut held_bytes_max: usize) -> Vec<Result<Seen, String>> {
    let one = |picture: &NewPicture| {
        let bytes = picture.bytes.read()?;
        let hash = hash(&bytes);
        let more = match picture.bytes {
            Bytes::Memory(_) => 0,
            Bytes::File(_) => bytes.len(),
        };
        let left = held_bytes_max.checked_sub(more);
        held_bytes_max = left.unwrap_or(held_bytes_max);
        Ok(Seen { hash, bytes: left.map(|_| bytes) })
    };
    pictures.iter().map(one).collect()
}

/// Bytes of a picture and their hash, as they are now.
fn again(picture: &NewPicture, seen: &Seen) -> Result<(Arc<[u8]>, [u8; 32]), String> {
    if let Some(bytes) = &seen.bytes {
        return Ok((Arc::clone(bytes), seen.hash));
    }
    let bytes = picture.bytes.read()?;
    let hash = hash(&bytes);
    Ok((bytes, hash))
}

/// sha256 of a picture's bytes: its identity in the records.
#[must_use]
pub fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// What is wrong with a picture, in words for whoever sent it. What is wrong with the installation is nothing of theirs and
/// names files of this machine: it goes to the log.
pub(super) fn in_words(error: &VisionError) -> String {
    if error.is_of_picture() {
        return error.to_string();
    }
    tracing::error!(%error, "a picture could not be worked on");
    "the models failed on this picture; the server's log says more".to_owned()
}

fn prepare_one(vision: &Eyes, picture: &NewPicture, seen: &Seen) -> Prepared {
    let prepared = again(picture, seen).and_then(|(bytes, image_sha256)| {
        let analysis = vision.analyse(&bytes).map_err(|error| in_words(&error))?;
        let face = reference_face(&analysis.faces)?;
        let remarks = [analysis.warnings.as_slice(), face.quality.reasons.as_slice()].concat();
        let reference = NewReference {
            subject: picture.subject.clone(),
            image_sha256,
            source: picture.source.clone(),
            width_px: analysis.width,
            height_px: analysis.height,
            quality_json: serde_json::to_string(&face.quality).map_err(|error| error.to_string())?,
            template: face.template.clone(),
            model: vision.model().clone(),
            attributes: picture.attributes.clone(),
            about: DatedFacts { facts: picture.facts.clone(), clock: None },
        };
        Ok((Box::new(reference), remarks))
    });
    // Those that are held are not read a third time.
    let held = seen.bytes.as_ref().map(|bytes| Bytes::Memory(Arc::clone(bytes)));
    let keep = picture.keep.then(|| held.unwrap_or_else(|| picture.bytes.clone()));
    match prepared {
        Ok((reference, remarks)) => Prepared::Ready { reference, remarks, keep },
        Err(reason) => Prepared::Failed { reason },
    }
}

/// Commits what is ready and puts the outcomes in the order of the pictures.
async fn settle(
    desk: &Desk,
    caller: &Caller,
    gallery: &GalleryName,
    shown: &[NewPicture],
    prepared: Vec<Prepared>,
) -> Result<Vec<Enrolled>, CaseworkError> {
    let (mut ready, mut pictures) = (Vec::new(), ToKeep::new());
    let policy = in_force(&desk.vault).await?.policy;
    let (periods, today) = (policy.periods(gallery), Day::today());
    let mut outcomes = Vec::with_capacity(shown.len());
    for one in prepared {
        outcomes.push(match one {
            Prepared::Ready { mut reference, remarks, keep } => {
                reference.about = DatedFacts::under(periods, reference.about.facts, today);
                pictures.extend(keep.map(|bytes| (reference.image_sha256, bytes)));
                ready.push(*reference);
                Err(remarks)
            }
            Prepared::Known { template, subject } => Ok(Outcome::Already { template, subject }),
            Prepared::Failed { reason } => Ok(Outcome::Failed { reason }),
        });
    }
    let mut committed = desk.vault.acting_for(caller).enrol_keeping(gallery, ready, pictures).await?.into_iter();
    let mut settled = Vec::with_capacity(shown.len());
    for (picture, outcome) in shown.iter().zip(outcomes) {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(remarks) => match committed.next() {
                Some(Enrolment::New(template)) => Outcome::Enrolled { template, remarks },
                Some(Enrolment::Already { id, subject }) => Outcome::Already { template: id, subject },
                None => return Err(CaseworkError::Stopped("an enrolment without an answer".to_owned())),
            },
        };
        let (source, subject) = (picture.source.clone(), picture.subject.clone());
        settled.push(Enrolled { source, subject, outcome });
    }
    Ok(settled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parallel_results_keep_their_order() {
        for threads in [1, 2, 7] {
            assert_eq!(
                in_parallel(100, threads, |place| place * 2),
                (0..100).map(|place| place * 2).collect::<Vec<_>>()
            );
        }
        assert!(in_parallel(0, 4, |place| place).is_empty());
    }

    #[test]
    fn a_picture_is_read_once_while_there_is_memory_to_hold_it() {
        let folder = tempfile::tempdir().unwrap();
        let subject = SubjectRef::of_person("A1").unwrap();
        let picture = |name: &str| {
            let path = folder.path().join(name);
            fs_err::write(&path, vec![7; 1000]).unwrap();
            NewPicture {
                source: name.to_owned(),
                subject: subject.clone(),
                bytes: Bytes::File(path),
                attributes: Vec::new(),
                facts: ImageFacts::default(),
                keep: false,
            }
        };
        let pictures = ["a.jpg", "b.jpg", "c.jpg"].map(picture);
        let seen = look(&pictures, 2500);
        for name in ["a.jpg", "b.jpg", "c.jpg"] {
            fs_err::remove_file(folder.path().join(name)).unwrap();
        }
        let again: Vec<_> =
            pictures.iter().zip(&seen).map(|(picture, seen)| again(picture, seen.as_ref().unwrap())).collect();
        let bytes = vec![7; 1000];
        for held in &again[..2] {
            let (found, sha256) = held.as_ref().unwrap();
            assert_eq!((&found[..], *sha256), (&bytes[..], hash(&bytes)));
        }
        assert!(again[2].as_ref().unwrap_err().contains("c.jpg"));
    }
}
