//! Whether every picture that a manifest names is there to be read. One that is not is a mistake in the manifest; counted as a failure
//! to extract it would raise the rates of misses and lower thresholds, and nobody would know.

use std::io::{Error, ErrorKind};
use std::path::Path;

use fs_err as fs;

use crate::base::limits::EVALUATION_FAULTS_MAX;
use crate::casework::CaseworkError;
use crate::casework::evaluate::Watch;
use crate::evaluation::manifest::{Fault, Manifest, ManifestError};

/// Pictures between two looks at whether it is to end.
const AT_ONCE: usize = 1_024;

/// Refuses a manifest of whose pictures one can't be opened, by the lines. Folders named their pictures themselves.
///
/// # Errors
/// [`ManifestError::Lines`]; that it is to end.
pub(super) fn check(manifest: &Manifest, watch: &Watch) -> Result<(), CaseworkError> {
    if manifest.path.is_dir() {
        return Ok(());
    }
    let (mut faults, mut count, all) = (Vec::new(), 0, manifest.images.len() as u64);
    for (number, image) in manifest.images.iter().enumerate() {
        if number.is_multiple_of(AT_ONCE) {
            watch.at("looking for pictures", number as u64, all)?;
        }
        let Err(error) = openable(&image.path) else { continue };
        count += 1;
        if faults.len() < EVALUATION_FAULTS_MAX {
            faults.push(Fault { line: image.line, what: in_words(&image.name, &error) });
        }
    }
    if count == 0 {
        return Ok(());
    }
    Err(ManifestError::Lines { path: manifest.path.clone(), faults, count }.into())
}

/// Opens a picture, and reads nothing of it. What is no file is not opened: a pipe would wait for somebody who writes.
fn openable(path: &Path) -> Result<(), Error> {
    if fs::metadata(path)?.is_file() { fs::File::open(path).map(drop) } else { Err(ErrorKind::InvalidInput.into()) }
}

/// The name as the manifest has it: the system's words have the whole path.
fn in_words(name: &str, error: &Error) -> String {
    let kind = error.kind();
    if kind == ErrorKind::NotFound {
        format!("there is no picture {name:?}")
    } else if kind == ErrorKind::InvalidInput {
        format!("{name:?} is no file")
    } else {
        format!("the picture {name:?} can't be opened: {kind}")
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn refused(folder: &Path, text: &str) -> Option<String> {
        let path = folder.join("pictures.csv");
        fs::write(&path, text).unwrap();
        check(&Manifest::read(&path).unwrap(), &Watch::default()).err().map(|error| error.to_string())
    }

    #[test]
    fn pictures_that_are_not_there_are_named_with_their_lines_and_others_counted() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, path) = (folder.path(), folder.path().join("pictures.csv"));
        fs::create_dir_all(folder.join("b/folder.jpg")).unwrap();
        // A picture that can't be used is read all the same: that is a failure to extract.
        fs::write(folder.join("a.jpg"), "no picture").unwrap();
        assert_eq!(refused(folder, "image,subject\na.jpg,p\n"), None);
        let text = "subject,image\np,a.jpg\nq,b/mispelt.jpg\nq,b/folder.jpg\n";
        let wanted = format!(
            "{}: 2 of its lines are wrong:\n  line 3: there is no picture \"b/mispelt.jpg\"\n  line 4: \"b/folder.jpg\" is no file",
            path.display()
        );
        assert_eq!(refused(folder, text), Some(wanted));
        let mut text = "image,subject\na.jpg,p\n".to_owned();
        for number in 0..EVALUATION_FAULTS_MAX + 5 {
            writeln!(text, "{number}.jpg,q").unwrap();
        }
        let said = refused(folder, &text).unwrap();
        assert_eq!(said.lines().count(), 1 + EVALUATION_FAULTS_MAX + 1);
        assert!(said.contains(": 25 of its lines are wrong") && said.ends_with("\n  and 5 more"), "{said}");
    }

    #[test]
    fn a_look_that_is_to_end_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pictures.csv");
        fs::write(&path, "image,subject\na.jpg,p\n").unwrap();
        let watch = Watch::default();
        watch.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(check(&Manifest::read(&path).unwrap(), &watch).unwrap_err().is_stop());
    }
}
