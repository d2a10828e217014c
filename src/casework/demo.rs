//! The demonstration: a few real people among a crowd of synthetic templates, searched with other pictures of them.
//!
//! Nothing is arranged: the crowd is drawn from the model's own statistics, the right person's rank is counted whatever it
//! is, and where the crowd beats a probe the outcome says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::audit::Caller;
use crate::base::ids::{GalleryName, SubjectRef};
use crate::base::text::thousands;
use crate::casework::contact_sheet::contact_sheet;
use crate::casework::enrol::{Bytes, Enrolled, NewPicture, enrol_pictures, ensure_gallery};
use crate::casework::faces::FaceChoice;
use crate::casework::operating_points::ThresholdChoice;
use crate::casework::search::{Answer, ModeChoice, ProbePicture, SearchRequest, search};
use crate::casework::{CaseworkError, Desk};
use crate::evaluation::crowd::Crowd;
use crate::evaluation::statistics::{ImpostorScores, Statistics};
use crate::identify::{Filter, rank::rank_of};
use crate::policy::{ImageFacts, Stated};

/// The demo's gallery.
pub const GALLERY: &str = "demo";
/// Seed of the demo's crowd.
const SEED: u64 = 1_853; // the year of Alphonse Bertillon's birth
const PEOPLE_LISTED: usize = 5;

/// Pictures that are enrolled, and whom they show.
pub const REFERENCES: [(&str, &str); 3] =
    [("obama.jpg", "Barack Obama"), ("biden.jpg", "Joe Biden"), ("astronaut.png", "Eileen Collins")];

/// Pictures that are searched with: whom they show, and what is to be known about them.
const PROBES: [(&str, Option<&str>, &str); 5] = [
    ("obama2.jpg", Some("Barack Obama"), "another day, speaking"),
    ("obama3.jpg", Some("Barack Obama"), "another day, darker, from below"),
    ("obama_partial_face.jpg", Some("Barack Obama"), "the enrolled picture itself, half of the face cut off"),
    ("obama_partial_face2.jpg", Some("Barack Obama"), "the enrolled picture itself, the other half cut off"),
    ("sample5.jpg", None, "nobody who is enrolled: what strangers score"),
];

/// Is told how many members of the crowd exist.
pub type Drawn = Arc<dyn Fn(u64) + Send + Sync>;

/// What one probe came to.
#[derive(Debug)]
pub struct Probe {
    /// The picture's name.
    pub name: &'static str,
    /// Whom it shows, when that person is enrolled.
    pub shows: Option<&'static str>,
    /// What is to be known about it.
    pub note: &'static str,
    /// The answer to the search, or why there was none.
    pub answer: Result<Answer, String>,
    /// Rank of the right person among all people of the gallery, and their score.
    pub right_person: Option<(u64, f32)>,
}

impl Probe {
    /// Whether somebody else stands before the right person although the whole face is to be seen.
    #[must_use]
    pub fn beaten(&self) -> bool {
        let whole_face = !self.name.contains("partial");
        whole_face && self.shows.is_some() && self.right_person.is_none_or(|(rank, _)| rank != 1)
    }
}

/// How the crowd scores, beside the real people it imitates.
#[derive(Debug, Clone)]
pub struct CrowdCheck {
    /// Between different real people.
    pub real: ImpostorScores,
    /// Where these were measured.
    pub source: String,
    /// Between members of the crowd.
    pub members: ImpostorScores,
}

impl CrowdCheck {
    /// Both in words. The largest scores are told as well: a crowd may agree in mean and spread and still lack the
    /// look-alikes that a real city has.
    #[must_use]
    pub fn words(&self) -> String {
        let of = |scores: &ImpostorScores| {
            let ImpostorScores { mean, deviation, largest, pairs } = *scores;
            format!("{mean:.3} \u{b1} {deviation:.3}, at most {largest:.3} in {} pairs", thousands(pairs))
        };
        let Self { real, source, members } = self;
        format!("Different real people score {} ({source}); members of the crowd {}.", of(real), of(members))
    }
}

/// What the demonstration came to.
#[derive(Debug)]
pub struct Outcome {
    /// Enrolment of the references.
    pub enrolled: Vec<Enrolled>,
    /// Synthetic templates in the gallery.
    pub synthetic: u64,
    /// The crowd beside reality; `None` without a crowd.
    pub crowd: Option<CrowdCheck>,
    /// Each probe.
    pub probes: Vec<Probe>,
    /// The contact sheet.
    pub sheet: PathBuf,
}

/// Enrols, draws a crowd of `crowd` members if they are not there yet, searches, and writes the contact sheet into the data
/// folder. `pictures` holds the demo's pictures; `drawn` is told how many members exist.
///
/// # Errors
/// [`CaseworkError`] when the model or the data folder can't be used.
pub async fn run(desk: &Desk, pictures: &Path, crowd: u64, drawn: &Drawn) -> Result<Outcome, CaseworkError> {
    let gallery: GalleryName = GALLERY.parse()?;
    let caller = caller();
    ensure_gallery(desk, &caller, &gallery, "Demonstration: public pictures and a synthetic crowd").await?;
    let enrolled = enrol_pictures(desk, &caller, &gallery, references(pictures)?).await?;
    let check = ensure_crowd(desk, &gallery, crowd, drawn).await?;
    let mut probes = Vec::new();
    for (name, shows, note) in PROBES {
        let path = pictures.join(name);
        if path.is_file() {
            probes.push(probe(desk, &gallery, &path, name, shows, note).await?);
        }
    }
    let synthetic = desk.vault.snapshot(&gallery).await?.live_synthetic();
    let folder = desk.settings.data.folder.join("demo");
    let sheet = folder.join("contact-sheet.html");
    let outcome = Outcome { enrolled, synthetic, crowd: check, probes, sheet };
    let html = contact_sheet(&outcome, &relative(pictures, &folder));
    fs_err::create_dir_all(&folder)
        .and_then(|()| fs_err::write(&outcome.sheet, html))
        .map_err(|error| CaseworkError::Unreadable { path: outcome.sheet.clone(), reason: error.to_string() })?;
    Ok(outcome)
}

fn caller() -> Caller {
    Caller::new("demonstration", "command line", None)
}

fn relative(pictures: &Path, folder: &Path) -> String {
    pictures.strip_prefix(folder).unwrap_or(pictures).to_string_lossy().into_owned()
}

fn references(pictures: &Path) -> Result<Vec<NewPicture>, CaseworkError> {
    let there = REFERENCES.iter().map(|(name, subject)| (pictures.join(name), *name, *subject));
    there
        .filter(|(path, ..)| path.is_file())
        .map(|(path, name, subject)| {
            let subject: SubjectRef = subject.parse()?;
            let (attributes, facts) = (Vec::new(), ImageFacts::default());
            Ok(NewPicture {
                keep: false,
                attributes,
                facts,
                source: name.to_owned(),
                subject,
                bytes: Bytes::File(path),
            })
        })
        .collect()
}

/// Members of one crowd have consecutive numbers, so that a larger crowd begins with the smaller one.
async fn ensure_crowd(
    desk: &Desk,
    gallery: &GalleryName,
    wanted: u64,
    drawn: &Drawn,
) -> Result<Option<CrowdCheck>, CaseworkError> {
    if wanted == 0 {
        return Ok(None);
    }
    let snapshot = desk.vault.snapshot(gallery).await?;
    let statistics = Statistics::builtin(snapshot.model())?;
    let crowd = Crowd::new(&statistics, SEED)?;
    let members = crowd.impostor_scores()?;
    let there = snapshot.imported_synthetic();
    drop(snapshot);
    if there < wanted {
        let member = move |index: u64, out: &mut [f32]| crowd.member(there + index, out);
        let drawn = Arc::clone(drawn);
        let vault = desk.vault.acting_for(&caller());
        vault.import_synthetic(gallery, wanted - there, member, move |done| drawn(there + done)).await?;
    }
    Ok(Some(CrowdCheck { real: statistics.impostor, source: statistics.source, members }))
}

async fn probe(
    desk: &Desk,
    gallery: &GalleryName,
    path: &Path,
    name: &'static str,
    shows: Option<&'static str>,
    note: &'static str,
) -> Result<Probe, CaseworkError> {
    let unreadable =
        |error: std::io::Error| CaseworkError::Unreadable { path: path.to_owned(), reason: error.to_string() };
    let bytes: Arc<[u8]> = fs_err::read(path).map_err(unreadable)?.into();
    let request = SearchRequest {
        gallery: gallery.clone(),
        pictures: vec![ProbePicture { name: name.to_owned(), bytes }],
        of: None,
        faces: FaceChoice::Largest,
        people: PEOPLE_LISTED,
        threshold: ThresholdChoice::None,
        filter: Filter::default(),
        mode: ModeChoice::Exact,
        stated: Stated { purpose: Some("demonstration".to_owned()), ..Stated::default() },
        caller: caller(),
    };
    let answer = match search(desk, request, || ()).await {
        Ok(answer) => answer,
        // No face found is an outcome of a demonstration; a broken data folder is not.
        Err(CaseworkError::NoProbe(reason)) => {
            return Ok(Probe { name, shows, note, answer: Err(reason), right_person: None });
        }
        Err(error) => return Err(error),
    };
    let template = answer.pictures.first().and_then(|picture| picture.probes.first()).map(|probe| &probe.face.template);
    let right_person = match (shows, template) {
        (Some(shows), Some(template)) => rank_of(&desk.vault, gallery, template, &shows.parse()?).await?,
        (None, _) | (Some(_), None) => None,
    };
    Ok(Probe { name, shows, note, answer: Ok(answer), right_person })
}
