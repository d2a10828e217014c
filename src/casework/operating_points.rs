//! The operating points of a data folder: files that name a threshold and the evaluation behind it. A search may name one, or a
//! false positive rate, and gets its threshold from here.

use std::path::PathBuf;
use std::str::FromStr as _;

use fs_err as fs;

use crate::base::hex;
use crate::base::ids::{GalleryName, ModelId};
use crate::base::limits::{OPERATING_POINT_BYTES_MAX, OPERATING_POINTS_MAX};
use crate::casework::{CaseworkError, Desk};
use crate::evaluation::operating_point::OperatingPoint;
use crate::gallery::GalleryError;
use crate::settings::Settings;
use crate::store::disk::{DiskFolder, keep_private};
use crate::store::{StoreError, read_small, replace_small};

/// The folder inside the data folder.
const FOLDER: &str = "operating-points";
const ENDING: &str = ".json";

/// What a search says about its threshold.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ThresholdChoice {
    /// None: the best are shown whatever their score.
    #[default]
    None,
    /// A comparison score.
    Score(f32),
    /// That of a named operating point.
    Point(String),
    /// That of the operating point for this false positive identification rate.
    TargetFpir(f64),
}

impl ThresholdChoice {
    /// From flags or fields, of which one at most may be given.
    ///
    /// # Errors
    /// In words, when there is more than one, or a rate that is none.
    pub fn of(score: Option<f32>, point: Option<String>, target_fpir: Option<f64>) -> Result<Self, String> {
        match (score, point, target_fpir) {
            (None, None, None) => Ok(Self::None),
            (Some(score), None, None) => Ok(Self::Score(score)),
            (None, Some(point), None) => Ok(Self::Point(point)),
            (None, None, Some(rate)) if rate > 0.0 && rate < 1.0 => Ok(Self::TargetFpir(rate)),
            (None, None, Some(_)) => Err("a false positive identification rate lies between 0 and 1".to_owned()),
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
}

impl Cited {
    /// For the record: name, hash and rate.
    #[must_use]
    pub fn in_words(&self) -> String {
        let synthetic = if self.point.synthetic { ", from synthetic data" } else { "" };
        let supported = if self.point.fpir.supported { "" } else { ", not supported by the data" };
        let Self { point, sha256 } = self;
        format!("{} (sha256 {sha256}), FPIR {}{supported}{synthetic}", point.name, point.target_fpir)
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
    replace_small(&folder, &file, text.as_bytes()).map_err(GalleryError::from)?;
    Ok(path.join(file))
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

/// The point that a choice means for a gallery; `None` where it names none.
///
/// # Errors
/// [`CaseworkError::OperatingPoint`] where none fits, with those that there are.
pub async fn resolve(
    desk: &Desk,
    gallery: &GalleryName,
    choice: &ThresholdChoice,
) -> Result<Option<Cited>, CaseworkError> {
    if matches!(choice, ThresholdChoice::None | ThresholdChoice::Score(_)) {
        return Ok(None);
    }
    let points = all(&desk.settings)?;
    let snapshot = desk.vault.snapshot(gallery).await?;
    let point = pick(&points, choice, snapshot.model(), snapshot.live())?;
    let sha256 = point.sha256().map_err(|error| CaseworkError::OperatingPoint(error.to_string()))?;
    Ok(Some(Cited { point: point.clone(), sha256 }))
}

fn pick<'a>(
    points: &'a [OperatingPoint],
    choice: &ThresholdChoice,
    model: &ModelId,
    templates: u64,
) -> Result<&'a OperatingPoint, CaseworkError> {
    let model_hash = hex::encode(&model.hash);
    let fits = |point: &&OperatingPoint| {
        point.model_sha256 == model_hash && (point.templates.0..=point.templates.1).contains(&templates)
    };
    let there: Vec<String> =
        points.iter().filter(fits).map(|point| format!("{} ({})", point.name, point.target_fpir)).collect();
    let there = if there.is_empty() { "there are none".to_owned() } else { format!("there are {}", there.join(", ")) };
    let none = |what: String| {
        CaseworkError::OperatingPoint(format!(
            "{what}; of those for this model and a gallery of {templates} templates {there}. `bertillon eval operating-point` makes them"
        ))
    };
    match choice {
        ThresholdChoice::Point(name) => {
            let Some(point) = points.iter().find(|point| point.name == *name) else {
                return Err(none("there is no operating point of that name".to_owned()));
            };
            if point.model_sha256 != model_hash {
                return Err(none(format!(
                    "the operating point {name:?} is of the model {}, the gallery's is {}",
                    point.model, model.name
                )));
            }
            if fits(&point) {
                return Ok(point);
            }
            let (least, most) = point.templates;
            Err(none(format!("the operating point {name:?} holds for {least} to {most} templates")))
        }
        ThresholdChoice::TargetFpir(rate) => {
            // A stricter point keeps the promise too; among equals the one for the smaller range is nearer to the gallery.
            let kept = points.iter().filter(fits).filter(|point| point.target_fpir <= *rate);
            let nearest = kept.max_by(|a, b| {
                a.target_fpir
                    .total_cmp(&b.target_fpir)
                    .then(b.templates.1.cmp(&a.templates.1))
                    .then(b.name.cmp(&a.name))
            });
            nearest.ok_or_else(|| none(format!("no operating point keeps an FPIR of {rate}")))
        }
        ThresholdChoice::None | ThresholdChoice::Score(_) => Err(none("no operating point was asked for".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::operating_point::tests::point;

    fn model() -> ModelId {
        ModelId { name: "made up".to_owned(), hash: [0xAB; 32] }
    }

    fn picked(points: &[OperatingPoint], choice: &ThresholdChoice, templates: u64) -> Result<String, String> {
        pick(points, choice, &model(), templates).map(|point| point.name.clone()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_rate_is_kept_by_the_nearest_point_that_is_no_laxer() {
        let points = [point("lax", 0.1, 0.3), point("middle", 0.01, 0.4), point("strict", 0.001, 0.5)];
        for (rate, name) in [(0.5, "lax"), (0.1, "lax"), (0.05, "middle"), (0.01, "middle"), (0.003, "strict")] {
            assert_eq!(picked(&points, &ThresholdChoice::TargetFpir(rate), 500).as_deref(), Ok(name));
        }
        let refused = picked(&points, &ThresholdChoice::TargetFpir(0.0001), 500).unwrap_err();
        assert!(refused.contains("middle (0.01)"), "{refused}");
    }

    #[test]
    fn other_models_and_larger_galleries_are_refused() {
        let mut other = point("other", 0.01, 0.4);
        other.model_sha256 = "ef".repeat(32);
        let points = [other, point("ours", 0.01, 0.4)];
        let named = |name: &str| ThresholdChoice::Point(name.to_owned());
        assert_eq!(picked(&points, &named("ours"), 1_000).as_deref(), Ok("ours"));
        assert!(picked(&points, &named("ours"), 1_001).unwrap_err().contains("1 to 1000 templates"));
        assert!(picked(&points, &named("other"), 10).unwrap_err().contains("the gallery's is made up"));
        assert!(picked(&points, &named("nobody's"), 10).unwrap_err().contains("no operating point of that name"));
        assert!(picked(&points, &ThresholdChoice::TargetFpir(0.5), 2_000).unwrap_err().contains("there are none"));
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
        let of = ThresholdChoice::of;
        assert_eq!(of(None, None, None), Ok(ThresholdChoice::None));
        assert_eq!(of(None, None, Some(0.003)), Ok(ThresholdChoice::TargetFpir(0.003)));
        assert!(of(Some(0.1), None, Some(0.1)).is_err() && of(Some(0.1), Some("a".to_owned()), None).is_err());
        assert!(of(None, None, Some(0.0)).is_err() && of(None, None, Some(f64::NAN)).is_err());
    }
}
