//! The JSON shapes of the API, which `--json` on the command line prints too. Field names are the field's terms; units
//! stand last. A score is a comparison score: a cosine from -1 to 1, never a probability.

use serde::Serialize;
use utoipa::ToSchema;

use crate::base::hex;
use crate::casework::enrol::{Enrolled, Outcome};
use crate::casework::operating_points::Cited;
use crate::casework::search::{Answer, PictureAnswer, ProbeAnswer};
use crate::gallery::GallerySummary;
use crate::http::graph_shapes::{ApproximateShape, GraphShape};
use crate::identify::Candidate;
use crate::settings::storage::Storage;
use crate::store::InMemory;
use crate::vision::quality::Quality;

/// What stands on every answer that shows candidates.
pub const LEAD_NOTICE: &str = "Possible leads for a trained examiner, not evidence of identity.";

/// A model, by name and hash.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ModelShape {
    /// Name of the model set.
    #[schema(example = "mtcnn-dlib")]
    pub name: String,
    /// sha256 over everything that shapes a template.
    pub hash: String,
}

impl From<&crate::base::ids::ModelId> for ModelShape {
    fn from(model: &crate::base::ids::ModelId) -> Self {
        Self { name: model.name.clone(), hash: model.hash_hex() }
    }
}

/// What of a sealed gallery is open in memory.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MemoryShape {
    /// Bytes.
    pub bytes: u64,
    /// Those of them that the system keeps out of its swap.
    pub locked_bytes: u64,
    /// How long reading and opening them took, all together.
    pub opened_in_ms: f64,
}

impl From<InMemory> for MemoryShape {
    fn from(held: InMemory) -> Self {
        let InMemory { bytes, locked_bytes, opened_in } = held;
        Self { bytes, locked_bytes, opened_in_ms: opened_in.as_secs_f64() * 1e3 }
    }
}

/// A gallery, summed up.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GalleryShape {
    /// Its name.
    #[schema(example = "custody")]
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// The model of all its templates.
    pub model: ModelShape,
    /// Numbers in a template.
    pub dimension: usize,
    /// Templates that a search compares, synthetic ones included.
    pub templates: u64,
    /// How many of these are synthetic: made by a generator, nobody's face.
    pub synthetic: u64,
    /// Templates erased so far.
    pub erased: u64,
    /// Sealed segments.
    pub segments: usize,
    /// Erased rows that still take up room in segments.
    pub erased_rows: u64,
    /// Templates not yet sealed into a segment.
    pub tail_rows: usize,
    /// Bytes of the gallery's files.
    pub bytes: u64,
    /// How its templates lie on disk: `mapped`, plain files; or `sealed`, under a key of the gallery.
    #[schema(value_type = String, example = "mapped")]
    pub storage: Storage,
    /// What of a sealed gallery is open in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryShape>,
    /// Graphs for approximate searches, by segment.
    pub graphs: Vec<GraphShape>,
    /// Whether large segments that are sealed or merged get theirs by themselves.
    pub graphs_kept_up: bool,
    /// Number of the current snapshot.
    pub snapshot: u64,
    /// When it was made, UTC.
    pub created: String,
    /// Why it can't be used, where its files are damaged; the figures of its files are 0 then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damaged: Option<String>,
}

impl From<&GallerySummary> for GalleryShape {
    fn from(summary: &GallerySummary) -> Self {
        Self {
            name: summary.record.name.to_string(),
            purpose: summary.record.purpose.clone(),
            model: (&summary.record.model).into(),
            dimension: summary.record.dimension.get(),
            templates: summary.live,
            synthetic: summary.synthetic,
            erased: summary.erased,
            segments: summary.segments,
            erased_rows: summary.erased_rows,
            tail_rows: summary.tail_rows,
            bytes: summary.bytes,
            storage: summary.record.storage,
            memory: summary.held.map(MemoryShape::from),
            graphs: summary.graphs.iter().map(GraphShape::from).collect(),
            graphs_kept_up: summary.record.graph_plan.is_some(),
            snapshot: summary.record.snapshot_number,
            created: summary.record.created_at.clone(),
            damaged: summary.damaged.clone(),
        }
    }
}

/// What became of one picture.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum EnrolledShape {
    /// A new reference.
    Enrolled {
        /// The picture's name.
        source: String,
        /// The subject.
        subject: String,
        /// The new template's id.
        template: u64,
        /// Weaknesses of the picture in words.
        remarks: Vec<String>,
    },
    /// The same picture is enrolled already.
    AlreadyEnrolled {
        /// The picture's name.
        source: String,
        /// The subject that it is enrolled for.
        subject: String,
        /// Its template's id.
        template: u64,
    },
    /// The same picture is enrolled already, and for another subject than the one given.
    EnrolledForAnother {
        /// The picture's name.
        source: String,
        /// The subject given.
        subject: String,
        /// The subject that it is enrolled for.
        enrolled_for: String,
        /// Its template's id.
        template: u64,
    },
    /// Failure to enrol.
    Failed {
        /// The picture's name.
        source: String,
        /// The subject given.
        subject: String,
        /// Why, in words.
        reason: String,
    },
}

impl From<&Enrolled> for EnrolledShape {
    fn from(enrolled: &Enrolled) -> Self {
        let (source, given) = (enrolled.source.clone(), enrolled.subject.to_string());
        match &enrolled.outcome {
            Outcome::Enrolled { template, remarks } => {
                Self::Enrolled { source, subject: given, template: template.0, remarks: remarks.clone() }
            }
            Outcome::Already { template, subject } if *subject != enrolled.subject => {
                let enrolled_for = subject.to_string();
                Self::EnrolledForAnother { source, subject: given, enrolled_for, template: template.0 }
            }
            Outcome::Already { template, subject } => {
                Self::AlreadyEnrolled { source, subject: subject.to_string(), template: template.0 }
            }
            Outcome::Failed { reason } => Self::Failed { source, subject: given, reason: reason.clone() },
        }
    }
}

/// The answer to an enrolment.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EnrolAnswerShape {
    /// Gallery enrolled into.
    pub gallery: String,
    /// New references.
    pub enrolled: usize,
    /// Pictures that were enrolled before.
    pub already_enrolled: usize,
    /// Pictures that are enrolled, but for another subject than the one given: one of the two is wrong.
    pub enrolled_for_another: usize,
    /// Pictures that could not be enrolled.
    pub failed: usize,
    /// Each picture, in order.
    pub pictures: Vec<EnrolledShape>,
}

impl EnrolAnswerShape {
    /// Counts and translates.
    #[must_use]
    pub fn new(gallery: &str, settled: &[Enrolled]) -> Self {
        let pictures: Vec<EnrolledShape> = settled.iter().map(EnrolledShape::from).collect();
        let count = |is: fn(&EnrolledShape) -> bool| pictures.iter().filter(|one| is(one)).count();
        Self {
            gallery: gallery.to_owned(),
            enrolled: count(|outcome| matches!(outcome, EnrolledShape::Enrolled { .. })),
            already_enrolled: count(|outcome| matches!(outcome, EnrolledShape::AlreadyEnrolled { .. })),
            enrolled_for_another: count(|outcome| matches!(outcome, EnrolledShape::EnrolledForAnother { .. })),
            failed: count(|outcome| matches!(outcome, EnrolledShape::Failed { .. })),
            pictures,
        }
    }
}

/// A candidate: a lead for an examiner.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CandidateShape {
    /// Place on the list, from 1.
    pub rank: usize,
    /// Comparison score: cosine, from -1 to 1.
    pub score: f32,
    /// The subject's reference; a synthetic candidate says that it is one.
    pub subject: String,
    /// Whether the template was made by a generator and is nobody's face.
    pub synthetic: bool,
    /// The best reference's template id.
    pub template: u64,
    /// The reference picture's name; none for a synthetic one.
    pub source: Option<String>,
    /// When it was enrolled, UTC.
    pub enrolled_at: Option<String>,
    /// Further references of this subject among those looked at.
    pub more_references: usize,
}

impl From<&Candidate> for CandidateShape {
    fn from(candidate: &Candidate) -> Self {
        let reference = &candidate.reference;
        let image = reference.image.as_ref();
        Self {
            rank: candidate.rank,
            score: candidate.score,
            subject: reference.subject.to_string(),
            synthetic: image.is_none(),
            template: candidate.template.0,
            source: image.map(|image| image.source.clone()),
            enrolled_at: image.map(|image| image.enrolled_at.clone()),
            more_references: candidate.more_references,
        }
    }
}

/// A face that was searched for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProbeShape {
    /// Number of the search in the records.
    pub search: i64,
    /// Number of the face, from 1, largest first.
    pub face: usize,
    /// Left edge, top edge, width and height in pixels of the upright picture.
    pub bounds_px: [f32; 4],
    /// The detector's score, from 0 to 1.
    pub detection_score: f32,
    /// Quality measures, verdict and reasons.
    #[schema(value_type = Object)]
    pub quality: Quality,
    /// Candidates, best first.
    pub candidates: Vec<CandidateShape>,
}

impl From<&ProbeAnswer> for ProbeShape {
    fn from(answer: &ProbeAnswer) -> Self {
        let bounds = &answer.face.bounds;
        Self {
            search: answer.search,
            face: answer.face_number,
            bounds_px: [bounds.x, bounds.y, bounds.width, bounds.height],
            detection_score: answer.face.detection_score,
            quality: answer.face.quality.clone(),
            candidates: answer.candidates.iter().map(CandidateShape::from).collect(),
        }
    }
}

/// A probe picture.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PictureShape {
    /// The picture's name.
    pub name: String,
    /// sha256 of its bytes.
    pub sha256: String,
    /// Faces in it; none when it could not be read.
    pub faces_found: Option<usize>,
    /// Why no probe was taken from it; none when one was.
    pub failure: Option<String>,
    /// What is wrong with the picture as a whole, in words.
    pub warnings: Vec<String>,
    /// Faces searched for.
    pub probes: Vec<ProbeShape>,
    /// Milliseconds of decoding, detection, alignment and embedding.
    pub vision_ms: VisionStagesShape,
}

/// Milliseconds of the vision stages of one picture.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VisionStagesShape {
    /// Decoding.
    pub decode: f64,
    /// Finding faces.
    pub detect: f64,
    /// Cutting them out upright, and measuring quality.
    pub align: f64,
    /// Making templates.
    pub embed: f64,
}

impl From<&PictureAnswer> for PictureShape {
    fn from(answer: &PictureAnswer) -> Self {
        let stages = &answer.stages;
        Self {
            name: answer.name.clone(),
            sha256: hex::encode(&answer.sha256),
            faces_found: answer.faces_found,
            failure: answer.failure.clone(),
            warnings: answer.warnings.clone(),
            probes: answer.probes.iter().map(ProbeShape::from).collect(),
            vision_ms: VisionStagesShape {
                decode: stages.decode_ms,
                detect: stages.detect_ms,
                align: stages.align_ms,
                embed: stages.embed_ms,
            },
        }
    }
}

/// What the scoring took.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WorkShape {
    /// What scored.
    pub back_end: String,
    /// Templates compared with each probe.
    pub templates: u64,
    /// Templates scored again in full precision.
    pub rescored: u64,
    /// Probes proven right by the first pass.
    pub certified_at_once: u32,
    /// Probes that took a second pass.
    pub repeated: u32,
    /// Probes scored exhaustively in full precision.
    pub exhaustive: u32,
    /// Probes of other requests scored in the same passes; the counts above are of all of them.
    pub shared_with: u32,
    /// Why another back end than the first answered.
    pub fell_back: Option<String>,
    /// Whether every template was scored.
    pub exact: bool,
}

/// The answer to a search.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SearchAnswerShape {
    /// When, UTC.
    pub at: String,
    /// How to read this.
    #[schema(example = "Possible leads for a trained examiner, not evidence of identity.")]
    pub notice: &'static str,
    /// Gallery searched.
    pub gallery: String,
    /// Model of gallery and probes.
    pub model: ModelShape,
    /// Number of the gallery snapshot searched.
    pub snapshot: u64,
    /// Which part of it was searched, as the record has it; none for all of it.
    pub restriction: Option<String>,
    /// Lowest comparison score listed; null where the best are, whatever their score.
    pub threshold: Option<f32>,
    /// The operating point that gave the threshold; null where none did.
    pub operating_point: Option<OperatingPointShape>,
    /// Each picture, in order.
    pub pictures: Vec<PictureShape>,
    /// What the scoring took.
    pub scoring: WorkShape,
    /// How the answer is approximate; null for an exact one.
    pub approximate: Option<ApproximateShape>,
    /// Milliseconds of loading the models, which only the first search needs.
    pub models_ms: f64,
    /// Milliseconds of scoring.
    pub scoring_ms: f64,
    /// Milliseconds of joining templates into people.
    pub people_ms: f64,
    /// Milliseconds from picture to answer.
    pub total_ms: f64,
}

impl From<&Answer> for SearchAnswerShape {
    fn from(answer: &Answer) -> Self {
        let work = &answer.work;
        Self {
            at: answer.at.clone(),
            notice: LEAD_NOTICE,
            gallery: answer.gallery.to_string(),
            model: (&answer.model).into(),
            snapshot: answer.snapshot,
            restriction: answer.restriction.clone(),
            threshold: answer.threshold,
            operating_point: answer.operating_point.as_ref().map(OperatingPointShape::from),
            pictures: answer.pictures.iter().map(PictureShape::from).collect(),
            scoring: WorkShape {
                back_end: work.back_end.clone(),
                templates: work.rows,
                rescored: work.rescored,
                certified_at_once: work.certified_at_once,
                repeated: work.repeated,
                exhaustive: work.exhaustive,
                shared_with: work.shared_with,
                fell_back: work.fell_back.clone(),
                exact: answer.approximate.is_none(),
            },
            approximate: answer.approximate.as_ref().map(ApproximateShape::from),
            models_ms: answer.models_ms,
            scoring_ms: answer.scoring_ms,
            people_ms: answer.people_ms,
            total_ms: answer.total_ms,
        }
    }
}

/// An operating point that gave a search its threshold.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = OperatingPoint)]
pub struct OperatingPointShape {
    /// Its name.
    pub name: String,
    /// sha256 of its file: thresholds are never changed under a name.
    pub sha256: String,
    /// False positive identification rate that it was chosen for.
    #[schema(example = 0.003)]
    pub target_fpir: f64,
    /// For galleries of which class.
    #[schema(example = "custody, frontal")]
    pub gallery_class: String,
    /// For which kind of probes, or over which mixture of kinds.
    #[schema(example = "as it is")]
    pub probes: String,
    /// That rate as measured: 95 % interval of Clopper and Pearson.
    pub fpir_interval: Option<[f64; 2]>,
    /// The same where the rule that chose the threshold was tested on other people: what is to be expected of strangers.
    pub fpir_interval_on_others: Option<[f64; 2]>,
    /// False negative identification rate as measured, where the mate is enrolled: 95 % interval of Clopper and Pearson.
    pub fnir_interval: Option<[f64; 2]>,
    /// Of which searches the rates are, within which rank, and how people were enrolled.
    #[schema(example = "exact searches, mates within rank 50; enrolment: one image a person, the earliest")]
    pub measured: String,
    /// Whether the searches behind it were enough for the rate to be claimed.
    pub supported: bool,
    /// Whether it was measured on synthetic templates: then it says nothing about people.
    pub synthetic: bool,
    /// Users who approved it for use here; empty where nobody did.
    pub approved_by: Vec<String>,
}

impl From<&Cited> for OperatingPointShape {
    fn from(cited: &Cited) -> Self {
        let Cited { point, sha256, approved_by } = cited;
        let both = |(low, high)| [low, high];
        Self {
            name: point.name.clone(),
            sha256: sha256.clone(),
            target_fpir: point.target_fpir,
            gallery_class: point.gallery_class.clone(),
            probes: point.probes_in_words(),
            fpir_interval: point.fpir.clopper_pearson.map(both),
            fpir_interval_on_others: point.disjoint.and_then(|half| half.fpir.clopper_pearson).map(both),
            fnir_interval: point.fnir.clopper_pearson.map(both),
            measured: point.measured_in_words(),
            supported: point.is_supported(),
            synthetic: point.synthetic,
            approved_by: approved_by.clone(),
        }
    }
}
