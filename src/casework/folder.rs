//! Pictures on disk: which files of a folder are references, and of whom.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::base::day::Day;
use crate::base::ids::SubjectRef;
use crate::base::limits::{CSV_RECORD_BYTES_MAX, FOLDER_DEPTH_MAX, FOLDER_FILES_MAX};
use crate::base::record_limit::RecordLimit;
use crate::base::text::printable;
use crate::casework::CaseworkError;
use crate::policy::{Fact, ImageFacts, Policy};
use crate::records::{Attribute, check_attributes};

const ENDINGS: [&str; 10] = ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "dib", "tif", "tiff"];

/// A picture to enrol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The file.
    pub path: PathBuf,
    /// Its path inside the folder, as records keep it.
    pub source: String,
    /// Who it shows.
    pub subject: SubjectRef,
    /// By what searches may be restricted to it: the further columns of the list of subjects.
    pub attributes: Vec<Attribute>,
    /// What is known of it: the columns that are called as [`Fact`] says.
    pub facts: ImageFacts,
}

/// Pictures to enrol, and files that were passed over, with the reason.
#[derive(Debug, Default)]
pub struct Plan {
    /// In the order of their paths.
    pub pictures: Vec<Picture>,
    /// Path inside the folder, and why not.
    pub passed_over: Vec<(String, String)>,
}

/// Looks through `folder`. Without a list, a picture in a subfolder shows the subject named by that subfolder, and one
/// directly in `folder` the subject named by its file name. With `subjects` (CSV with the columns `file` and `subject`)
/// just the files listed are taken; further columns are kept as attributes. `only` keeps paths that contain it.
///
/// # Errors
/// [`CaseworkError`] for an unreadable folder or list, or when there is nothing to enrol.
pub fn plan(
    folder: &Path,
    subjects: Option<&Path>,
    only: Option<&str>,
    policy: &Policy,
) -> Result<Plan, CaseworkError> {
    let listed = subjects.map(|list| read_subjects(list, policy)).transpose()?;
    let mut walk = Walk { root: folder, files: Vec::new(), passed_over: Vec::new() };
    walk.enter(folder, 0)?;
    let Walk { mut files, mut passed_over, .. } = walk;
    files.sort();
    passed_over.sort();
    let mut plan = Plan { pictures: Vec::new(), passed_over };
    for path in files {
        let inside = path.strip_prefix(folder).unwrap_or(&path);
        let source = printable(&inside.to_string_lossy());
        if only.is_some_and(|only| !source.contains(only)) {
            continue;
        }
        let named = match &listed {
            Some(listed) => listed.get(&source).cloned().ok_or_else(|| "not in the list of subjects".to_owned()),
            None => name_by_path(inside).map(|subject| Listed { subject, ..Listed::default() }),
        };
        let read = |listed: Listed| {
            let subject = SubjectRef::of_person(&listed.subject).map_err(|error| error.to_string())?;
            Ok((subject, listed))
        };
        match named.and_then(read) {
            Ok((subject, Listed { attributes, facts, .. })) => {
                plan.pictures.push(Picture { path, source, subject, attributes, facts });
            }
            Err(reason) => plan.passed_over.push((source, reason)),
        }
    }
    let listed_nothing = listed.as_ref().is_none_or(HashMap::is_empty);
    if let Some(listed) = listed {
        let known: std::collections::HashSet<&str> =
            plan.pictures.iter().map(|picture| picture.source.as_str()).collect();
        let mut missing: Vec<_> = listed.keys().filter(|file| !known.contains(file.as_str())).collect();
        missing.sort();
        let filtered = |file: &str| only.is_some_and(|only| !file.contains(only));
        let missing = missing.into_iter().filter(|file| !filtered(file));
        plan.passed_over
            .extend(missing.map(|file| (file.clone(), "listed, but not a picture in this folder".to_owned())));
    }
    if plan.pictures.is_empty() && listed_nothing {
        return Err(CaseworkError::NoPictures(folder.to_owned()));
    }
    Ok(plan)
}

fn name_by_path(inside: &Path) -> Result<String, String> {
    let folder = inside.parent().and_then(Path::file_name);
    let name = folder.or_else(|| inside.file_stem());
    name.map(|name| name.to_string_lossy().into_owned()).ok_or_else(|| "no name to take the subject from".to_owned())
}

/// A file or folder that can't be read.
pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> CaseworkError {
    CaseworkError::Unreadable { path: path.to_owned(), reason: error.to_string() }
}

/// A walk through a folder. Whatever is not taken is noted: a missed picture is a missed person.
struct Walk<'a> {
    root: &'a Path,
    files: Vec<PathBuf>,
    passed_over: Vec<(String, String)>,
}

impl Walk<'_> {
    fn enter(&mut self, folder: &Path, depth: usize) -> Result<(), CaseworkError> {
        let entries = fs_err::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(folder, &error))?;
            let kind = entry.file_type().map_err(|error| unreadable(folder, &error))?;
            let path = entry.path();
            // Links are not followed: a loop would never end, and a link may lead out of the folder that was named.
            if kind.is_dir() && depth < FOLDER_DEPTH_MAX {
                self.enter(&path, depth + 1)?;
            } else if kind.is_dir() {
                self.pass(&path, "a folder this deep is not entered");
            } else if !kind.is_file() {
                self.pass(&path, "a link or device is not followed: name the folder that it leads to");
            } else if is_picture(&path) {
                self.files.push(path);
            } else {
                self.pass(&path, "not a picture by the ending of its name");
            }
            let found = self.files.len() + self.passed_over.len();
            if found > FOLDER_FILES_MAX {
                return Err(CaseworkError::TooMany { found, most: FOLDER_FILES_MAX, what: "folder" });
            }
        }
        Ok(())
    }

    fn pass(&mut self, path: &Path, reason: &str) {
        let inside = path.strip_prefix(self.root).unwrap_or(path);
        self.passed_over.push((printable(&inside.to_string_lossy()), reason.to_owned()));
    }
}

fn is_picture(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// What a list says of a file.
#[derive(Debug, Clone, Default)]
struct Listed {
    subject: String,
    attributes: Vec<Attribute>,
    facts: ImageFacts,
}

/// What a list says, by file.
fn read_subjects(path: &Path, policy: &Policy) -> Result<HashMap<String, Listed>, CaseworkError> {
    let wrong = |line: u64, reason: String| CaseworkError::Subjects { path: path.to_owned(), line, reason };
    let file = fs_err::File::open(path).map_err(|error| unreadable(path, &error))?;
    let source = RecordLimit::new(file, CSV_RECORD_BYTES_MAX);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(source);
    let headers = reader.headers().map_err(|error| wrong(1, error.to_string()))?.clone();
    let column = |name: &str| {
        let place = headers.iter().position(|header| header.eq_ignore_ascii_case(name));
        place.ok_or_else(|| wrong(1, format!("no column named {name:?}; the columns file and subject are wanted")))
    };
    let (file_column, subject_column) = (column("file")?, column("subject")?);
    let further = headers.iter().enumerate().filter(|(place, _)| ![file_column, subject_column].contains(place));
    let further: Vec<(usize, &str)> = further.collect();
    let today = Day::today();
    let mut listed: HashMap<String, Listed> = HashMap::new();
    let mut record = csv::StringRecord::new();
    loop {
        reader.get_mut().next_record();
        let more = reader.read_record(&mut record);
        let line = record.position().map_or(0, csv::Position::line);
        if !more.map_err(|error| wrong(line, error.to_string()))? {
            break;
        }
        let field = |column| record.get(column).unwrap_or_default().to_owned();
        let (file, subject) = (field(file_column), field(subject_column));
        if file.is_empty() || subject.is_empty() {
            return Err(wrong(line, "a file or a subject is empty".to_owned()));
        }
        let (mut attributes, mut facts) = (Vec::new(), ImageFacts::default());
        for &(place, name) in &further {
            let value = field(place);
            if let Some(fact) = Fact::named(name) {
                facts.put(fact, &value).map_err(|rule| wrong(line, format!("{name}: {rule}")))?;
            } else if !value.is_empty() {
                attributes.push(Attribute::new(name, &value).map_err(|error| wrong(line, error.to_string()))?);
            }
        }
        check_attributes(&attributes).map_err(|error| wrong(line, error.to_string()))?;
        policy.check_facts(&facts, today).map_err(|rule| wrong(line, rule))?;
        let before = listed.insert(file.clone(), Listed { subject: subject.clone(), attributes, facts });
        if before.is_some_and(|before| before.subject != subject) {
            return Err(wrong(line, format!("{file} is listed for two subjects")));
        }
        if listed.len() > FOLDER_FILES_MAX {
            return Err(CaseworkError::TooMany {
                found: listed.len(),
                most: FOLDER_FILES_MAX,
                what: "list of subjects",
            });
        }
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(folder: &Path, subjects: Option<&Path>, only: Option<&str>) -> Result<Plan, CaseworkError> {
        plan(folder, subjects, only, &Policy::builtin().unwrap())
    }

    fn folder_with(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, b"x").unwrap();
        }
        folder
    }

    fn subjects(plan: &Plan) -> Vec<(&str, &str)> {
        plan.pictures.iter().map(|picture| (picture.source.as_str(), picture.subject.as_str())).collect()
    }

    #[test]
    fn folders_name_subjects_and_so_do_loose_files() {
        let folder = folder_with(&["anne/1.jpg", "anne/2.PNG", "bob.jpeg", "notes.txt", "synthetic #5/1.jpg"]);
        std::os::unix::fs::symlink("anne/1.jpg", folder.path().join("link.jpg")).unwrap();
        let plan = planned(folder.path(), None, None).unwrap();
        let passed_over: Vec<&str> = plan.passed_over.iter().map(|(file, _)| file.as_str()).collect();
        assert_eq!(passed_over, ["link.jpg", "notes.txt", "synthetic #5/1.jpg"], "nothing is left out without a word");
        assert_eq!(subjects(&plan), [("anne/1.jpg", "anne"), ("anne/2.PNG", "anne"), ("bob.jpeg", "bob")]);
    }

    #[test]
    fn a_list_decides_when_there_is_one() {
        let folder = folder_with(&["1.jpg", "2.jpg"]);
        let list = folder.path().join("subjects.csv");
        fs_err::write(&list, "subject,file\n\"Example, Anne\",1.jpg\nBob,9.jpg\n").unwrap();
        let plan = planned(folder.path(), Some(&list), None).unwrap();
        assert_eq!(subjects(&plan), [("1.jpg", "Example, Anne")]);
        let passed_over: Vec<&str> = plan.passed_over.iter().map(|(file, _)| file.as_str()).collect();
        assert_eq!(passed_over, ["subjects.csv", "2.jpg", "9.jpg"]);
    }

    #[test]
    fn further_columns_are_attributes() {
        let folder = folder_with(&["1.jpg", "2.jpg"]);
        let list = folder.path().join("subjects.csv");
        fs_err::write(&list, "file,capture_year,subject,disposal\n1.jpg,2019,A,charged\n2.jpg,,B,\n").unwrap();
        let found = planned(folder.path(), Some(&list), None).unwrap();
        let texts = |picture: &Picture| -> Vec<String> {
            picture.attributes.iter().map(|one| format!("{}={}", one.name(), one.value())).collect()
        };
        assert_eq!(texts(&found.pictures[0]), ["capture_year=2019", "disposal=charged"]);
        assert!(texts(&found.pictures[1]).is_empty(), "an empty field is no attribute");
        fs_err::write(&list, "file,subject,Capture Year\n1.jpg,A,2019\n").unwrap();
        let error = planned(folder.path(), Some(&list), None).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("Capture Year"), "{error}");
    }

    #[test]
    fn only_keeps_part_of_a_folder() {
        let folder = folder_with(&["1/neutral.jpg", "1/smiling.jpg"]);
        let plan = planned(folder.path(), None, Some("neutral")).unwrap();
        assert_eq!(subjects(&plan), [("1/neutral.jpg", "1")]);
    }

    #[test]
    fn mistakes_name_the_file_and_line() {
        let folder = folder_with(&["1.jpg"]);
        assert!(matches!(planned(&folder.path().join("gone"), None, None), Err(CaseworkError::Unreadable { .. })));
        let list = folder.path().join("subjects.csv");
        fs_err::write(&list, "file,subject\n1.jpg,A\n1.jpg,B\n").unwrap();
        let error = planned(folder.path(), Some(&list), None).unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("two subjects"), "{error}");
        fs_err::write(&list, "name\n1.jpg\n").unwrap();
        assert!(planned(folder.path(), Some(&list), None).unwrap_err().to_string().contains("\"file\""));
        let empty = folder_with(&["notes.txt"]);
        assert!(matches!(planned(empty.path(), None, None), Err(CaseworkError::NoPictures(_))));
    }
}
