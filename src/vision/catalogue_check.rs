//! What a catalogue entry must satisfy, and the canonical text that gives a model set its identity.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

use crate::base::hex;
use crate::base::limits::MODEL_BYTES_MAX;
use crate::vector::dimension::Dimension;
use crate::vision::catalogue::{Alignment, ChannelOrder, Detector, Embedder, FileSpec, ModelSet, ScoreNotes, Source};

/// Longest side of an embedder's input.
const INPUT_SIDE_PX_MAX: u32 = 1024;

impl ModelSet {
    /// Whether every field makes sense; the error names the field.
    pub(super) fn check(&self) -> Result<(), String> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if !(1..=63).contains(&self.name.len()) || !self.name.bytes().all(fits) {
            return Err("a name is 1 to 63 of a-z, 0-9, '-' and '_'".to_owned());
        }
        if self.title.trim().is_empty() || self.provenance.trim().is_empty() {
            return Err("title and provenance must say something".to_owned());
        }
        for file in self.files() {
            file.check().map_err(|problem| format!("file {:?}: {problem}", file.file))?;
        }
        self.detector.check()?;
        self.embedder.check()?;
        self.score.check()
    }
}

impl Detector {
    fn check(&self) -> Result<(), String> {
        match self {
            Self::Mtcnn { pnet: _, rnet: _, onet: _, thresholds, pyramid_factor, face_px_min } => {
                for threshold in thresholds {
                    within("thresholds", *threshold, 0.01, 0.999)?;
                }
                within("pyramid_factor", *pyramid_factor, 0.3, 0.95)?;
                within("face_px_min", *face_px_min as f32, 12.0, 1000.0)
            }
            Self::YuNet { model: _, threshold, nms_iou, side_px_max } => {
                within("threshold", *threshold, 0.01, 0.999)?;
                within("nms_iou", *nms_iou, 0.01, 0.999)?;
                within("side_px_max", *side_px_max as f32, 32.0, 4096.0)
            }
        }
    }

    /// Appends everything that shapes a template, a line each; floats as their bits, so that equal text means equal numbers.
    pub(super) fn describe(&self, text: &mut String) {
        match self {
            Self::Mtcnn { pnet, rnet, onet, thresholds, pyramid_factor, face_px_min } => {
                line(text, "detector", "mtcnn");
                for (name, file) in [("pnet", pnet), ("rnet", rnet), ("onet", onet)] {
                    line(text, name, &file.sha256);
                }
                line(text, "thresholds", &bits(thresholds));
                line(text, "pyramid_factor", &bits(&[*pyramid_factor]));
                line(text, "face_px_min", &face_px_min.to_string());
            }
            Self::YuNet { model, threshold, nms_iou, side_px_max } => {
                line(text, "detector", "yunet");
                line(text, "model", &model.sha256);
                line(text, "threshold", &bits(&[*threshold]));
                line(text, "nms_iou", &bits(&[*nms_iou]));
                line(text, "side_px_max", &side_px_max.to_string());
            }
        }
    }
}

impl Embedder {
    fn check(&self) -> Result<(), String> {
        within("input_width", self.input_width as f32, 16.0, INPUT_SIDE_PX_MAX as f32)?;
        within("input_height", self.input_height as f32, 16.0, INPUT_SIDE_PX_MAX as f32)?;
        for (mean, divisor) in self.mean.into_iter().zip(self.divisor) {
            within("mean", mean, -1000.0, 1000.0)?;
            within("divisor", divisor, 1e-3, 1e4)?;
        }
        Dimension::new(self.dimension).map_err(|error| error.to_string())?;
        self.alignment.check()
    }

    /// As [`Detector::describe`].
    pub(super) fn describe(&self, text: &mut String) {
        line(text, "embedder", &self.model.sha256);
        line(text, "input", &format!("{} {}", self.input_width, self.input_height));
        line(
            text,
            "channels",
            match self.channels {
                ChannelOrder::Rgb => "rgb",
                ChannelOrder::Bgr => "bgr",
            },
        );
        line(text, "mean", &bits(&self.mean));
        line(text, "divisor", &bits(&self.divisor));
        line(text, "chip", &bits(&[self.alignment.width, self.alignment.height]));
        line(text, "points", &bits(self.alignment.points.as_flattened()));
        line(text, "dimension", &self.dimension.to_string());
    }
}

impl Alignment {
    fn check(&self) -> Result<(), String> {
        within("alignment.width", self.width, 16.0, INPUT_SIDE_PX_MAX as f32)?;
        within("alignment.height", self.height, 16.0, INPUT_SIDE_PX_MAX as f32)?;
        for [x, y] in self.points {
            within("alignment.points x", x, 0.0, self.width)?;
            within("alignment.points y", y, 0.0, self.height)?;
        }
        let [left_eye, right_eye, nose, left_mouth, right_mouth] = self.points;
        if left_eye[0] >= right_eye[0] || left_mouth[0] >= right_mouth[0] {
            return Err("alignment.points: the points at the left of the picture come first".to_owned());
        }
        if nose[1] <= left_eye[1].max(right_eye[1]) || nose[1] >= left_mouth[1].min(right_mouth[1]) {
            return Err("alignment.points: eyes, nose and mouth must stand below one another".to_owned());
        }
        Ok(())
    }
}

impl FileSpec {
    fn check(&self) -> Result<(), String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || byte == b'.';
        let begins = self.file.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if !begins
            || self.file.len() > 100
            || !self.file.bytes().all(plain)
            || Path::new(&self.file).extension() != Some(OsStr::new("onnx"))
        {
            return Err("a file name is at most 100 of a-z, A-Z, 0-9, '-', '_', '.', and ends in .onnx".to_owned());
        }
        if self.bytes == 0 || self.bytes > MODEL_BYTES_MAX {
            return Err(format!("{} bytes; 1 to {MODEL_BYTES_MAX} can be loaded", self.bytes));
        }
        if self.licence.trim().is_empty() {
            return Err("a licence must be named".to_owned());
        }
        check_sha256("sha256", &self.sha256)?;
        match &self.source {
            Source::Converted { package, package_bytes, package_sha256, member, member_sha256, converter: _ } => {
                check_package(package)?;
                if *package_bytes == 0 || *package_bytes > MODEL_BYTES_MAX {
                    return Err(format!("package_bytes is {package_bytes}; 1 to {MODEL_BYTES_MAX} wanted"));
                }
                check_sha256("package_sha256", package_sha256)?;
                check_sha256("member_sha256", member_sha256)?;
                check_member(member)
            }
            Source::Download { url } => check_url(url),
            Source::Local { path } if path.as_os_str().is_empty() => Err("an empty path".to_owned()),
            Source::Local { path: _ } => Ok(()),
        }
    }
}

impl ScoreNotes {
    fn check(&self) -> Result<(), String> {
        if self.measured_on.trim().is_empty() {
            return Err("score.measured_on must say something".to_owned());
        }
        for value in [self.threshold_fmr_1e3, self.threshold_fmr_1e4, self.impostor_mean].into_iter().flatten() {
            within("score", value, -1.0, 1.0)?;
        }
        within("score.impostor_sd", self.impostor_sd.unwrap_or_default(), 0.0, 1.0)?;
        match (self.threshold_fmr_1e3, self.threshold_fmr_1e4) {
            (Some(often), Some(seldom)) if often > seldom => {
                Err("score: the threshold that fewer impostors reach must be the higher one".to_owned())
            }
            (_, _) => Ok(()),
        }
    }
}

/// `name==version`, safe as one argument of pip.
fn check_package(package: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || byte == b'.';
    match package.split_once("==") {
        Some((name, version))
            if name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
                && !version.is_empty()
                && name.bytes().chain(version.bytes()).all(plain) =>
        {
            Ok(())
        }
        Some(_) | None => Err(format!("{package:?} is not a package and its version, name==version")),
    }
}

/// A relative path inside an archive, without tricks.
fn check_member(member: &str) -> Result<(), String> {
    let plain = Path::new(member).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if plain && !member.is_empty() { Ok(()) } else { Err(format!("{member:?} is no path inside a package")) }
}

fn check_url(url: &str) -> Result<(), String> {
    // Plain http is for a mirror in one's own house; the hash decides what is accepted either way.
    let address = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match address {
        Some(rest) if rest.contains('/') && url.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(()),
        Some(_) | None => Err(format!("{url:?} is not an http or https address of a file")),
    }
}

fn check_sha256(field: &str, text: &str) -> Result<(), String> {
    let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    if lower && hex::decode_32(text).is_some() {
        Ok(())
    } else {
        Err(format!("{field} must be 64 hexadecimal digits in lower case"))
    }
}

/// Whether a number is one and lies in its range, ends included.
fn within(field: &str, value: f32, least: f32, most: f32) -> Result<(), String> {
    if (least..=most).contains(&value) { Ok(()) } else { Err(format!("{field} is {value}; {least} to {most} wanted")) }
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a String can't fail.
    let _ = writeln!(text, "{name} {value}");
}

fn bits(values: &[f32]) -> String {
    values.iter().map(|value| format!("{:08x}", value.to_bits())).collect::<Vec<_>>().join(" ")
}
