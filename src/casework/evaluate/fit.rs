//! Real templates, as the generator's fit reads them: a `.npy` file of templates and a CSV file that says whose they are, row by row,
//! as for an import. Only a handful of figures comes out; no template is kept.
//!
//! NumPy's `.npz` archives are not read: `numpy.save('templates.npy', numpy.load('templates.npz')['templates'])` makes one of these.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::path::Path;

use fs_err as fs;

use crate::base::limits::{ATTRIBUTE_VALUE_BYTES_MAX, CSV_RECORD_BYTES_MAX, FIT_TEMPLATES_MAX, SYNTHETIC_GROUPS_MAX};
use crate::base::text::printable;
use crate::casework::CaseworkError;
use crate::casework::npy::Npy;
use crate::evaluation::synthetic::fit::{Fitted, Labelled, fit};
use crate::vector::template::Template;

/// Longest list of subjects.
const LIST_BYTES_MAX: u64 = (FIT_TEMPLATES_MAX * 1_024) as u64;
/// Group of those whose list has no column of that name.
const EVERYBODY: &str = "everybody";

/// Fits the generator to `templates` (.npy), whose subjects stand in a CSV file with a column `subject`; `group` names the column
/// of groups, where they are wanted.
///
/// # Errors
/// [`CaseworkError::Unreadable`] for the templates, [`CaseworkError::Subjects`] for the list, [`CaseworkError::Synthetic`]
/// for what can't be fitted.
pub fn of_files(templates: &Path, subjects: &Path, group: Option<&str>) -> Result<Fitted, CaseworkError> {
    let unreadable = |reason: String| CaseworkError::Unreadable { path: templates.to_owned(), reason };
    let file = fs::File::open(templates).map_err(|error| unreadable(error.to_string()))?;
    let mut npy = Npy::open(BufReader::new(file)).map_err(unreadable)?;
    let rows = npy.header().rows;
    if rows > FIT_TEMPLATES_MAX as u64 {
        return Err(unreadable(format!(
            "{rows} templates, at most {FIT_TEMPLATES_MAX} are fitted to: take a part of them"
        )));
    }
    let List { rows: list, groups: names } = read_list(subjects, group)?;
    if list.len() as u64 != rows {
        let reason = format!("{} rows here, {rows} templates: row n of the list is row n of the templates", list.len());
        return Err(CaseworkError::Subjects { path: subjects.to_owned(), line: list.len() as u64 + 1, reason });
    }
    let mut values = vec![0.0; npy.header().columns];
    let mut labelled = Vec::with_capacity(list.len());
    for (row, (subject, group)) in list.into_iter().enumerate() {
        let at = |reason: String| unreadable(format!("row {row}: {reason}"));
        npy.next_row(&mut values).map_err(at)?;
        let template = Template::from_raw(&values).map_err(|error| at(error.to_string()))?;
        labelled.push(Labelled { subject, group, template });
    }
    let source = format!("{} rows of {}", labelled.len(), file_name(templates));
    Ok(fit(&labelled, &names, &source)?)
}

/// A file's name for people: no path of anybody's machine gets into the parameters.
fn file_name(path: &Path) -> String {
    printable(&path.file_name().unwrap_or_default().to_string_lossy())
}

/// What a list of subjects says.
struct List {
    /// Number of the subject and place of the group, by row.
    rows: Vec<(u32, usize)>,
    /// Names of the groups.
    groups: Vec<String>,
}

/// Numbers subjects and groups in the order in which they come.
fn read_list(path: &Path, group: Option<&str>) -> Result<List, CaseworkError> {
    let wrong = |line: u64, reason: String| CaseworkError::Subjects { path: path.to_owned(), line, reason };
    let file = fs::File::open(path).map_err(|error| wrong(0, error.to_string()))?;
    let bytes = file.metadata().map_err(|error| wrong(0, error.to_string()))?.len();
    if bytes > LIST_BYTES_MAX {
        return Err(wrong(0, format!("it has {bytes} bytes, at most {LIST_BYTES_MAX} are read")));
    }
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file.take(LIST_BYTES_MAX));
    let head = reader.headers().map_err(|error| wrong(1, error.to_string()))?.clone();
    let column = |name: &str| {
        let place = head.iter().position(|header| header == name);
        place.ok_or_else(|| wrong(1, format!("it needs a column `{}`", printable(name))))
    };
    let (subject_at, group_at) = (column("subject")?, group.map(column).transpose()?);
    let mut subjects: BTreeMap<String, u32> = BTreeMap::new();
    let (mut groups, mut list): (Vec<String>, Vec<(u32, usize)>) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let record =
            record.map_err(|error| wrong(error.position().map_or(0, csv::Position::line), error.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        if list.len() >= FIT_TEMPLATES_MAX || record.as_slice().len() > CSV_RECORD_BYTES_MAX {
            return Err(wrong(line, format!("more than {FIT_TEMPLATES_MAX} rows, or a very long one")));
        }
        let subject = record.get(subject_at).filter(|subject| !subject.is_empty());
        let subject = subject.ok_or_else(|| wrong(line, "no subject".to_owned()))?;
        let next = subjects.len() as u32;
        let number = *subjects.entry(subject.to_owned()).or_insert(next);
        let name = group_at.map_or(Some(EVERYBODY), |at| record.get(at)).unwrap_or_default();
        if name.is_empty() || name.len() > ATTRIBUTE_VALUE_BYTES_MAX {
            return Err(wrong(line, format!("a group has a name of 1 to {ATTRIBUTE_VALUE_BYTES_MAX} bytes")));
        }
        let place = groups.iter().position(|known| known == name).unwrap_or_else(|| {
            groups.push(name.to_owned());
            groups.len() - 1
        });
        if groups.len() > SYNTHETIC_GROUPS_MAX {
            return Err(wrong(line, format!("more than {SYNTHETIC_GROUPS_MAX} groups")));
        }
        list.push((number, place));
    }
    Ok(List { rows: list, groups })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::casework::evaluate::samples::Samples;
    use crate::casework::evaluate::synthetic::{Options, SyntheticSamples};
    use crate::evaluation::synthetic::Preset;

    /// Two images each of people of two groups, as NumPy would write them.
    fn files(folder: &Path, people: u32) {
        let mut parameters = Preset::Mugshot.parameters().lifelike(2).unwrap();
        parameters.failures = 0.0;
        let options =
            Options { parameters, people, images: 2, mated: 1, mates_among: 1, non_mated: 0, dimension: 192, seed: 4 };
        let samples = SyntheticSamples::new(options, 1).unwrap();
        let rows = samples.rows_of(people);
        let head = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, 192), }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((head.len() as u16).to_le_bytes());
        bytes.extend(head.as_bytes());
        let (mut row, mut list) = (vec![0.0; 192], "subject,where\n".to_owned());
        for at in 0..rows {
            samples.row(at, &mut row).unwrap();
            bytes.extend(row.iter().flat_map(|value| value.to_le_bytes()));
            let person = samples.person_of(at);
            list.extend(["person ", &person.to_string(), if person % 3 == 0 { ",north\n" } else { ",south\n" }]);
        }
        fs::write(folder.join("t.npy"), bytes).unwrap();
        fs::write(folder.join("s.csv"), list).unwrap();
    }

    #[test]
    fn files_are_read_and_what_comes_out_has_no_template_in_it() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path(), 80);
        let (templates, subjects) = (folder.path().join("t.npy"), folder.path().join("s.csv"));
        let fitted = of_files(&templates, &subjects, Some("where")).unwrap();
        assert_eq!((fitted.people, fitted.templates), (80, 160));
        assert_eq!(fitted.parameters.groups.len(), 2);
        let text = fitted.parameters.to_json().unwrap();
        assert!(text.len() < 2_000 && !text.contains(&*folder.path().to_string_lossy()), "{text}");
        assert_eq!(of_files(&templates, &subjects, None).unwrap().parameters.groups[0].name, EVERYBODY);
    }

    #[test]
    fn bad_files_are_refused_with_the_line() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path(), 40);
        let (templates, subjects) = (folder.path().join("t.npy"), folder.path().join("s.csv"));
        let refused = |list: &str, group: Option<&str>, says: &str| {
            fs::write(&subjects, list).unwrap();
            let error = of_files(&templates, &subjects, group).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        };
        refused("person\n1\n", None, "column `subject`");
        refused("subject\n1\n2\n", None, "80 templates");
        refused("subject\n1\n\"\"\n", None, "line 3: no subject");
        refused("subject\n1\n", Some("where"), "column `where`");
        refused("subject,where\n1,\n", Some("where"), "line 2");
        refused(&format!("subject\n{}", "1\n".repeat(FIT_TEMPLATES_MAX + 1)), None, "more than");
        fs::write(&templates, b"PK\x03\x04 an archive").unwrap();
        refused("subject\n1\n", None, "no .npy");
    }
}
