//! The operating points of a data folder: files that name a threshold and the evaluation behind it. A search may name one, or a
//! false positive rate, and gets its threshold from here.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use fs_err as fs;

use crate::base::hex;
use crate::base::ids::{GalleryName, ModelId};
use crate::base::limits::{OPERATING_POINT_BYTES_MAX, OPERATING_POINTS_MAX, RECORD_TEXT_BYTES_MAX};
use crate::casework::governing::points;
use crate::casework::{CaseworkError, Desk};
use crate::evaluation::operating_point::OperatingPoint;
use crate::gallery::GalleryError;
use crate::settings::Settings;
use crate::store::disk::{DiskFolder, keep_private};
use crate::store::{StoreError, read_small, replace_small};

/// The folder inside the data folder.
const FOLDER: &str = "operating-points";
const ENDING: &str = ".json";
/// Points that a refusal lists.
const POINTS_LISTED: usize = 20;

/// What a search says about its threshold.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ThresholdChoice {
    /// None: the best are shown whatever their score.
    #[default]
    None,
    /// A comparison score.
    Score(f32),
    /// That of a named operating point.
    Point(String, Scope),
    /// That of the operating point for this false positive identification rate.
    TargetFpir(f64, Scope),
}

/// What an operating point must be for, as the one who searches says it: nothing else knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Class of the gallery. Needed to choose by a rate, as model and size are: an FPIR of frontal custody pictures says nothing
    /// of a gallery of others.
    pub gallery_class: Option<String>,
    /// Kind of the probes. Needed to choose by a rate where points of several kinds keep it.
    pub probe_kind: Option<String>,
}

impl ThresholdChoice {
    /// From flags or fields, of which one at most may be given, and the scope beside a point or a rate only.
    ///
    /// # Errors
    /// In words, when there is more than one, a rate that is none, or a scope of nothing.
    pub fn of(
        score: Option<f32>,
        point: Option<String>,
        target_fpir: Option<f64>,
        scope: Scope,
    ) -> Result<Self, String> {
        let said = scope.gallery_class.iter().chain(&scope.probe_kind);
        if said.clone().any(|text| text.len() > RECORD_TEXT_BYTES_MAX) {
            return Err(format!("a gallery's class or a kind of probe has {RECORD_TEXT_BYTES_MAX} bytes at most"));
        }
        let scoped = said.count() > 0;
        match (score, point, target_fpir) {
            (None, Some(point), None) => Ok(Self::Point(point, scope)),
            (None, None, Some(rate)) if rate > 0.0 && rate < 1.0 => Ok(Self::TargetFpir(rate, scope)),
            (None, None, Some(_)) => Err("a false positive identification rate lies between 0 and 1".to_owned()),
            (_, None, None) if scoped => {
                Err("a gallery's class or a kind of probe chooses an operating point: name one, or a target FPIR"
                    .to_owned())
            }
            (None, None, None) => Ok(Self::None),
            (Some(score), None, None) => Ok(Self::Score(score)),
            _ => Err("give one of a threshold, an operating point and a target FPIR".to_owned()),
        }
    }
}

/// An operating point that a search used, as answers and records cite it.
#[derive(Debug, Clone, PartialEq)]
pub struct Cited {
    /// The point.
    pub point: OperatingPoint,
    /// sha256 of its JSON.
    pub sha256: String,
    /// Who approved it; nobody yet where it is empty.
    pub approved_by: Vec<String>,
}

impl Cited {
    /// For the record: name, hash, probes and rate.
    #[must_use]
    pub fn in_words(&self) -> String {
        let synthetic = if self.point.synthetic { ", from synthetic data" } else { "" };
        let supported = if self.point.is_supported() { "" } else { ", not supported by the data" };
        let Self { point, sha256, approved_by } = self;
        let approved = match approved_by.len() {
            0 => "not approved".to_owned(),
            people => format!("approved by {people}"),
        };
        let probes = point.probes_in_words();
        format!(
            "{} (sha256 {sha256}), probes {probes}, FPIR {}{supported}{synthetic}, {approved}",
            point.name, point.target_fpir
        )
    }
}

/// Puts a point into the data folder. Nothing that is there is replaced.
///
/// # Errors
/// [`CaseworkError::OperatingPoint`] for a name that is taken or a point that makes no sense; what the system says.
pub fn install(settings: &Settings, point: &OperatingPoint) -> Result<PathBuf, CaseworkError> {
    let bad = |what: String| CaseworkError::OperatingPoint(what);
    GalleryName::from_str(&point.name)?;
    point.check().map_err(|error| bad(error.to_string()))?;
    let path = settings.data.folder.join(FOLDER);
    let folder = DiskFolder::create(&path).map_err(GalleryError::from)?;
    keep_private(&path).map_err(GalleryError::from)?;
    let file = format!("{}{ENDING}", point.name);
    if path.join(&file).exists() {
        return Err(bad(format!(
            "there is an operating point {:?} already: a threshold is never changed under its name",
            point.name
        )));
    }
    if all(settings)?.len() >= OPERATING_POINTS_MAX {
        return Err(bad(format!("there are {OPERATING_POINTS_MAX} operating points: remove some")));
    }
    let text = point.to_json().map_err(|error| bad(error.to_string()))?;
    if text.len() > OPERATING_POINT_BYTES_MAX {
        // What could be written and never read again would lock every point of the folder.
        return Err(bad(format!(
            "it has {} bytes, {OPERATING_POINT_BYTES_MAX} are read: it is of too many groups",
            text.len()
        )));
    }
    replace_small(&folder, &file, text.as_bytes()).map_err(GalleryError::from)?;
    Ok(path.join(file))
}

/// One point of a data folder.
///
/// # Errors
/// [`CaseworkError::OperatingPoint`] where there is none of that name, or it can't be read; what the system says.
pub fn one(data: &Path, name: &str) -> Result<OperatingPoint, CaseworkError> {
    GalleryName::from_str(name)?;
    let path = data.join(FOLDER);
    if !path.join(format!("{name}{ENDING}")).is_file() {
        let said = format!("there is no operating point {name:?}: `bertillon eval operating-point` makes them");
        return Err(CaseworkError::OperatingPoint(said));
    }
    read(&DiskFolder::open(&path).map_err(GalleryError::from)?, name)
}

/// All points of the data folder, by name.
///
/// # Errors
/// [`CaseworkError::OperatingPoint`] naming the file that can't be read; what the system says.
pub fn all(settings: &Settings) -> Result<Vec<OperatingPoint>, CaseworkError> {
    let path = settings.data.folder.join(FOLDER);
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    let io = |error: std::io::Error| CaseworkError::from(GalleryError::from(StoreError::from(error)));
    let mut names = Vec::new();
    for entry in fs::read_dir(&path).map_err(io)? {
        let name = entry.map_err(io)?.file_name().to_string_lossy().into_owned();
        if let Some(name) = name.strip_suffix(ENDING) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    names.truncate(OPERATING_POINTS_MAX);
    let folder = DiskFolder::open(&path).map_err(GalleryError::from)?;
    names.iter().map(|name| read(&folder, name)).collect()
}

fn read(folder: &DiskFolder, name: &str) -> Result<OperatingPoint, CaseworkError> {
    let bad = |what: &str| CaseworkError::OperatingPoint(format!("the operating point {name:?} can't be used: {what}"));
    let text = read_small(folder, &format!("{name}{ENDING}"), OPERATING_POINT_BYTES_MAX);
    let point = OperatingPoint::parse(&text.map_err(GalleryError::from)?).map_err(|error| bad(&error.to_string()))?;
    if point.name == name { Ok(point) } else { Err(bad("it is of another name: it was renamed")) }
}

/// The point that a choice means for a gallery; `None` where it names none. With `approved_only` one that people approved.
///
/// # Errors
/// [`CaseworkError::OperatingPoint`] where none fits, with those that there are; [`GoverningError::Changed`] for one that was changed
/// after it was approved.
///
/// [`GoverningError::Changed`]: crate::casework::governing::GoverningError::Changed
pub async fn resolve(
    desk: &Desk,
    gallery: &GalleryName,
    choice: &ThresholdChoice,
    approved_only: bool,
) -> Result<Option<Cited>, CaseworkError> {
    if matches!(choice, ThresholdChoice::None | ThresholdChoice::Score(_)) {
        return Ok(None);
    }
    let mut points = all(&desk.settings)?;
    let snapshot = desk.vault.snapshot(gallery).await?;
    let asked = Asked { model: snapshot.model(), templates: snapshot.live() };
    if let (true, ThresholdChoice::TargetFpir(..)) = (approved_only, choice) {
        let mut there = Vec::with_capacity(points.len());
        for point in points {
            if approvers(desk, &point).await?.is_empty() {
                continue;
            }
            there.push(point);
        }
        points = there;
    }
    let point = pick(&points, choice, &asked)?;
    let approved_by = approvers(desk, point).await?;
    if approved_only && approved_by.is_empty() {
        let said = format!(
            "the operating point {:?} was approved by nobody: `bertillon policy propose --point` proposes it to others",
            point.name
        );
        return Err(CaseworkError::OperatingPoint(said));
    }
    let sha256 = point.sha256().map_err(|error| CaseworkError::OperatingPoint(error.to_string()))?;
    Ok(Some(Cited { point: point.clone(), sha256, approved_by }))
}

async fn approvers(desk: &Desk, point: &OperatingPoint) -> Result<Vec<String>, CaseworkError> {
    let statement = points::approved(&desk.vault, &desk.settings.data.folder, point).await?;
    Ok(statement.map(|statement| statement.approved_by).unwrap_or_default())
}

/// The gallery that a point is to fit.
struct Asked<'a> {
    model: &'a ModelId,
    templates: u64,
}

impl Asked<'_> {
    fn fits(&self, point: &OperatingPoint) -> bool {
        self.is_model(point) && (point.templates.0..=point.templates.1).contains(&self.templates)
    }

    fn is_model(&self, point: &OperatingPoint) -> bool {
        point.model_sha256 == hex::encode(&self.model.hash)
    }

    /// Says `what` is wrong, and which points there are for this model and size.
    fn refusal(&self, points: &[OperatingPoint], what: &str) -> CaseworkError {
        let fit: Vec<&OperatingPoint> = points.iter().filter(|point| self.fits(point)).collect();
        let listed = fit.iter().take(POINTS_LISTED).map(|point| {
            let probes = point.probes_in_words();
            format!(
                "{} ({}, gallery class {:?}, probes {probes:?})",
                point.name, point.target_fpir, point.gallery_class
            )
        });
        let there = match fit.len() {
            0 => "there are none".to_owned(),
            count => {
                let more = if count > POINTS_LISTED { " and others" } else { "" };
                format!("there are {}{more}", listed.collect::<Vec<_>>().join(", "))
            }
        };
        let templates = self.templates;
        CaseworkError::OperatingPoint(format!(
            "{what}; of those for this model and a gallery of {templates} templates {there}. `bertillon eval operating-point` makes them"
        ))
    }
}

/// Whether two texts name one class or kind: letters' case and space around do not matter.
fn same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

fn is_class(point: &OperatingPoint, class: &str) -> bool {
    same(&point.gallery_class, class)
}

fn is_kind(point: &OperatingPoint, kind: &str) -> bool {
    point.probe_kind.as_ref().is_some_and(|own| same(own, kind))
}

fn pick<'a>(
    points: &'a [OperatingPoint],
    choice: &ThresholdChoice,
    asked: &Asked<'_>,
) -> Result<&'a OperatingPoint, CaseworkError> {
    let found = match choice {
        ThresholdChoice::Point(name, scope) => named(points, name, scope, asked),
        ThresholdChoice::TargetFpir(rate, scope) => for_rate(points, *rate, scope, asked),
        ThresholdChoice::None | ThresholdChoice::Score(_) => Err("no operating point was asked for".to_owned()),
    };
    found.map_err(|what| asked.refusal(points, &what))
}

/// The point of that name, where it fits.
fn named<'a>(
    points: &'a [OperatingPoint],
    name: &str,
    scope: &Scope,
    asked: &Asked<'_>,
) -> Result<&'a OperatingPoint, String> {
    let Some(point) = points.iter().find(|point| point.name == *name) else {
        return Err("there is no operating point of that name".to_owned());
    };
    if !asked.is_model(point) {
        let (its, model) = (&point.model, &asked.model.name);
        return Err(format!("the operating point {name:?} is of the model {its}, the gallery's is {model}"));
    }
    if !asked.fits(point) {
        let (least, most) = point.templates;
        return Err(format!("the operating point {name:?} holds for {least} to {most} templates"));
    }
    if let Some(class) = scope.gallery_class.as_ref().filter(|class| !is_class(point, class)) {
        let its = &point.gallery_class;
        return Err(format!("the operating point {name:?} is for galleries of the class {its:?}, not {class:?}"));
    }
    if let Some(kind) = scope.probe_kind.as_ref().filter(|kind| !is_kind(point, kind)) {
        let its = point.probes_in_words();
        return Err(format!("the operating point {name:?} is for probes of the kind {its:?}, not {kind:?}"));
    }
    Ok(point)
}

/// The laxest point that was chosen for this rate or a stricter one, among those for this gallery and these probes.
fn for_rate<'a>(
    points: &'a [OperatingPoint],
    rate: f64,
    scope: &Scope,
    asked: &Asked<'_>,
) -> Result<&'a OperatingPoint, String> {
    let Some(class) = &scope.gallery_class else {
        return Err(
            "of which class the gallery is must be said to choose by a rate (`--gallery-class`, over HTTP the \
                    field gallery_class)"
                .to_owned(),
        );
    };
    let of_class: Vec<&OperatingPoint> =
        points.iter().filter(|point| asked.fits(point) && is_class(point, class)).collect();
    if of_class.is_empty() {
        return Err(format!("no operating point is for galleries of the class {class:?}"));
    }
    // One chosen for a stricter rate is no laxer. That its rate is kept is as sure as its data make it: by the rule of 30 within 30 %.
    let kept = of_class.into_iter().filter(|point| point.target_fpir <= rate);
    let kept: Vec<&OperatingPoint> =
        kept.filter(|point| scope.probe_kind.as_ref().is_none_or(|kind| is_kind(point, kind))).collect();
    let mut kinds: Vec<String> = kept.iter().map(|point| point.probes_in_words().trim().to_lowercase()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() > 1 {
        return Err(format!(
            "operating points of several kinds of probe are for an FPIR of {rate} or a stricter one: say of which kind the probes are \
             (`--probe-kind`, over HTTP the field probe_kind)"
        ));
    }
    // Among equals the one for the smaller range is nearer to the gallery.
    let nearest = kept.into_iter().max_by(|a, b| {
        a.target_fpir.total_cmp(&b.target_fpir).then(b.templates.1.cmp(&a.templates.1)).then(b.name.cmp(&a.name))
    });
    let of_kind =
        scope.probe_kind.as_ref().map(|kind| format!(" with probes of the kind {kind:?}")).unwrap_or_default();
    nearest.ok_or_else(|| {
        format!(
            "no operating point is for an FPIR of {rate} or a stricter one{of_kind} in galleries of the class {class:?}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::operating_point::KindShare;
    use crate::evaluation::operating_point::tests::point;

    fn model() -> ModelId {
        ModelId { name: "made up".to_owned(), hash: [0xAB; 32] }
    }

    fn scope(gallery_class: Option<&str>, probe_kind: Option<&str>) -> Scope {
        Scope { gallery_class: gallery_class.map(str::to_owned), probe_kind: probe_kind.map(str::to_owned) }
    }

    fn rate(rate: f64) -> ThresholdChoice {
        ThresholdChoice::TargetFpir(rate, scope(Some("custody"), None))
    }

    fn picked(points: &[OperatingPoint], choice: &ThresholdChoice, templates: u64) -> Result<String, String> {
        let found = pick(points, choice, &Asked { model: &model(), templates });
        found.map(|point| point.name.clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_nearest_point_that_is_no_laxer_is_taken() {
        let points = [point("lax", 0.1, 0.3), point("middle", 0.01, 0.4), point("strict", 0.001, 0.5)];
        for (wanted, name) in [(0.5, "lax"), (0.1, "lax"), (0.05, "middle"), (0.01, "middle"), (0.003, "strict")] {
            assert_eq!(picked(&points, &rate(wanted), 500).as_deref(), Ok(name));
        }
        let refused = picked(&points, &rate(0.0001), 500).unwrap_err();
        assert!(refused.contains("middle (0.01, gallery class \"custody\""), "{refused}");
    }

    #[test]
    fn only_points_of_the_gallerys_class_are_taken() {
        let mut visa = point("visa", 0.01, 0.4);
        visa.gallery_class = "visa, frontal".to_owned();
        let points = [visa, point("strict", 0.001, 0.5)];
        let of = |class: Option<&str>| picked(&points, &ThresholdChoice::TargetFpir(0.05, scope(class, None)), 500);
        // Without the class the nearest of all would be that of the other kind of gallery.
        assert_eq!(of(Some("custody")).as_deref(), Ok("strict"));
        assert_eq!(of(Some(" Visa, Frontal ")).as_deref(), Ok("visa"));
        let refused = of(None).unwrap_err();
        assert!(
            refused.contains("--gallery-class") && refused.contains("visa (0.01") && refused.contains("strict (0.001")
        );
        let refused = of(Some("watchlist")).unwrap_err();
        assert!(refused.contains("of the class \"watchlist\"") && refused.contains("\"visa, frontal\""), "{refused}");
        let named =
            |class: &str| picked(&points, &ThresholdChoice::Point("visa".to_owned(), scope(Some(class), None)), 500);
        assert_eq!(named("visa, frontal").as_deref(), Ok("visa"));
        assert!(named("custody").unwrap_err().contains("is for galleries of the class \"visa, frontal\""));
    }

    #[test]
    fn points_of_several_kinds_of_probe_are_never_chosen_among_silently() {
        let mut poor = point("poor", 0.01, 0.4);
        poor.probe_kind = Some("degraded: cctv".to_owned());
        let mut mixed = point("mixed", 0.02, 0.4);
        mixed.probe_kind = None;
        let part = |kind: &str| KindShare { kind: kind.to_owned(), mated_searches: 1, non_mated_searches: 2 };
        mixed.mixture = vec![part("as it is"), part("degraded: cctv")];
        let points = [poor, mixed, point("clean", 0.01, 0.5)];
        let of = |wanted: f64, kind: Option<&str>| {
            picked(&points, &ThresholdChoice::TargetFpir(wanted, scope(Some("custody"), kind)), 500)
        };
        let refused = of(0.05, None).unwrap_err();
        assert!(
            refused.contains("--probe-kind") && refused.contains("a mixture: 3 as it is, 3 degraded: cctv"),
            "{refused}"
        );
        assert_eq!(of(0.05, Some("as it is")).as_deref(), Ok("clean"));
        assert_eq!(of(0.05, Some("degraded: cctv")).as_deref(), Ok("poor"));
        assert!(of(0.05, Some("profile")).unwrap_err().contains("with probes of the kind \"profile\""));
        assert_eq!(picked(&points[..1], &rate(0.05), 500).as_deref(), Ok("poor"), "one kind only: nothing to choose");
    }

    #[test]
    fn other_models_and_larger_galleries_are_refused() {
        let mut other = point("other", 0.01, 0.4);
        other.model_sha256 = "ef".repeat(32);
        let points = [other, point("ours", 0.01, 0.4)];
        let named = |name: &str| ThresholdChoice::Point(name.to_owned(), Scope::default());
        assert_eq!(picked(&points, &named("ours"), 1_000).as_deref(), Ok("ours"));
        assert!(picked(&points, &named("ours"), 1_001).unwrap_err().contains("1 to 1000 templates"));
        assert!(picked(&points, &named("other"), 10).unwrap_err().contains("the gallery's is made up"));
        assert!(picked(&points, &named("nobody's"), 10).unwrap_err().contains("no operating point of that name"));
        assert!(picked(&points, &rate(0.5), 2_000).unwrap_err().contains("there are none"));
    }

    #[test]
    fn a_point_is_kept_under_its_name_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings =
            Settings::load(None, folder.path(), crate::settings::flags::Flags::default()).unwrap().settings;
        settings.data.folder = folder.path().join("data");
        assert!(all(&settings).unwrap().is_empty());
        let path = install(&settings, &point("night", 0.003, 0.4)).unwrap();
        install(&settings, &point("day", 0.01, 0.3)).unwrap();
        assert!(install(&settings, &point("night", 0.003, 0.5)).is_err());
        assert!(install(&settings, &point("../night", 0.003, 0.5)).is_err());
        let names: Vec<String> = all(&settings).unwrap().into_iter().map(|point| point.name).collect();
        assert_eq!(names, ["day", "night"]);
        // Given another threshold, or another name, behind the program's back.
        let text = fs::read_to_string(&path).unwrap();
        fs::rename(&path, path.with_file_name("dusk.json")).unwrap();
        assert!(all(&settings).unwrap_err().to_string().contains("renamed"));
        fs::remove_file(path.with_file_name("dusk.json")).unwrap();
        fs::write(&path, text.replace("0.4", "4.0")).unwrap();
        assert!(all(&settings).unwrap_err().to_string().contains("threshold"));
    }

    #[test]
    fn one_choice_at_most() {
        let of = |score, point: Option<&str>, rate| {
            ThresholdChoice::of(score, point.map(str::to_owned), rate, Scope::default())
        };
        assert_eq!(of(None, None, None), Ok(ThresholdChoice::None));
        assert_eq!(of(None, None, Some(0.003)), Ok(ThresholdChoice::TargetFpir(0.003, Scope::default())));
        assert!(of(Some(0.1), None, Some(0.1)).is_err() && of(Some(0.1), Some("a"), None).is_err());
        assert!(of(None, None, Some(0.0)).is_err() && of(None, None, Some(f64::NAN)).is_err());
        let custody = || scope(Some("custody"), None);
        assert!(ThresholdChoice::of(None, None, None, custody()).is_err(), "a class of nothing");
        assert!(ThresholdChoice::of(Some(0.1), None, None, custody()).is_err());
        assert!(ThresholdChoice::of(None, None, Some(0.1), scope(Some(&"x".repeat(1_025)), None)).is_err());
    }
}
