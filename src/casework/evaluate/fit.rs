//! Real templates, as the generator's fit reads them: a `.npz` archive with templates and whose they are, or a `.npy` file of templates
//! and a CSV file that says it row by row, as for an import. Only a handful of figures comes out; no template is kept.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use fs_err as fs;

use crate::base::limits::{ATTRIBUTE_VALUE_BYTES_MAX, CSV_RECORD_BYTES_MAX, FIT_TEMPLATES_MAX, SYNTHETIC_GROUPS_MAX};
use crate::base::text::printable;
use crate::casework::CaseworkError;
use crate::casework::npy::{Npy, labels};
use crate::casework::npz;
use crate::evaluation::synthetic::fit::{Fitted, Labelled, fit};
use crate::vector::template::Template;

/// Longest list of subjects.
const LIST_BYTES_MAX: u64 = (FIT_TEMPLATES_MAX * 1_024) as u64;
/// Group of those whose list has no column of that name.
const EVERYBODY: &str = "everybody";

/// Fits the generator to `templates`: a `.npz` archive with the members `templates` and `subjects`, or a `.npy` file whose subjects stand
/// in a CSV file with a column `subject`, which may stand beside an archive as well. `group` names the member or the column of
/// groups, where they are wanted.
///
/// # Errors
/// [`CaseworkError::Unreadable`] for the templates, [`CaseworkError::Subjects`] for the list, [`CaseworkError::Synthetic`]
/// for what can't be fitted.
pub fn of_files(templates: &Path, subjects: Option<&Path>, group: Option<&str>) -> Result<Fitted, CaseworkError> {
    let unreadable = |reason: String| CaseworkError::Unreadable { path: templates.to_owned(), reason };
    let io = |error: std::io::Error| unreadable(error.to_string());
    let mut file = fs::File::open(templates).map_err(io)?;
    let mut start = Vec::new();
    file.by_ref().take(8).read_to_end(&mut start).map_err(io)?;
    file.seek(SeekFrom::Start(0)).map_err(io)?;
    let archive = npz::is_archive(&start);
    let list = match subjects {
        Some(path) => read_list(path, group)?,
        None if archive => list_of_archive(&file, group).map_err(unreadable)?,
        None => {
            return Err(unreadable(
                "a .npy file needs --subjects: a CSV file that says whose templates these are".to_owned(),
            ));
        }
    };
    let beside = subjects.unwrap_or(templates);
    if !archive {
        let mut npy = Npy::open(BufReader::new(file)).map_err(unreadable)?;
        return of_rows(take_rows(&mut npy, list, templates, beside)?, templates);
    }
    let bad = |reason: String| unreadable(format!("templates: {reason}"));
    let mut npy = Npy::open(member(&file, "templates").map_err(unreadable)?).map_err(bad)?;
    let rows = take_rows(&mut npy, list, templates, beside)?;
    npy.into_source().finish().map_err(bad)?;
    of_rows(rows, templates)
}

/// Templates with whose they are, and the names of the groups.
type Rows = (Vec<Labelled>, Vec<String>);

fn of_rows((labelled, groups): Rows, templates: &Path) -> Result<Fitted, CaseworkError> {
    let source = format!("{} rows of {}", labelled.len(), file_name(templates));
    Ok(fit(&labelled, &groups, &source)?)
}

/// A member that must be there.
fn member<'a>(file: &'a fs::File, name: &str) -> Result<npz::Member<BufReader<&'a fs::File>>, String> {
    let none = || format!("it has no member {name}: numpy.savez(file, templates=..., subjects=...) makes one");
    npz::member(BufReader::new(file), name)?.ok_or_else(none)
}

/// Whose templates those of an archive are.
fn list_of_archive(file: &fs::File, group: Option<&str>) -> Result<List, String> {
    let read = |name: &str| {
        let mut found = member(file, name)?;
        let read = labels(&mut found, FIT_TEMPLATES_MAX).and_then(|labels| found.finish().map(|()| labels));
        read.map_err(|reason| format!("{}: {reason}", printable(name)))
    };
    let (subjects, groups) = (read("subjects")?, group.map(read).transpose()?);
    if let Some(groups) = groups.as_ref().filter(|groups| groups.len() != subjects.len()) {
        return Err(format!("{} subjects and {} groups: one of each a template", subjects.len(), groups.len()));
    }
    let mut building = Building::default();
    for (row, subject) in subjects.iter().enumerate() {
        let name = groups.as_ref().map_or(Some(EVERYBODY), |groups| groups.get(row).map(String::as_str));
        building.add(subject, name.unwrap_or_default()).map_err(|reason| format!("row {row}: {reason}"))?;
    }
    Ok(building.list)
}

/// Takes the templates row by row; `beside` is where their list came from.
fn take_rows(npy: &mut Npy<impl Read>, list: List, templates: &Path, beside: &Path) -> Result<Rows, CaseworkError> {
    let unreadable = |reason: String| CaseworkError::Unreadable { path: templates.to_owned(), reason };
    let rows = npy.header().rows;
    if rows > FIT_TEMPLATES_MAX as u64 {
        return Err(unreadable(format!(
            "{rows} templates, at most {FIT_TEMPLATES_MAX} are fitted to: take a part of them"
        )));
    }
    let List { rows: list, groups: names } = list;
    if list.len() as u64 != rows {
        let reason = format!("{} rows here, {rows} templates: row n of the list is row n of the templates", list.len());
        return Err(CaseworkError::Subjects { path: beside.to_owned(), line: list.len() as u64 + 1, reason });
    }
    let mut values = vec![0.0; npy.header().columns];
    let mut labelled = Vec::with_capacity(list.len());
    for (row, (subject, group)) in list.into_iter().enumerate() {
        let at = |reason: String| unreadable(format!("row {row}: {reason}"));
        npy.next_row(&mut values).map_err(at)?;
        let template = Template::from_raw(&values).map_err(|error| at(error.to_string()))?;
        labelled.push(Labelled { subject, group, template });
    }
    Ok((labelled, names))
}

/// A file's name for people: no path of anybody's machine gets into the parameters.
fn file_name(path: &Path) -> String {
    printable(&path.file_name().unwrap_or_default().to_string_lossy())
}

/// What a list of subjects says.
#[derive(Default)]
struct List {
    /// Number of the subject and place of the group, by row.
    rows: Vec<(u32, usize)>,
    /// Names of the groups.
    groups: Vec<String>,
}

/// Numbers subjects and groups in the order in which they come.
#[derive(Default)]
struct Building {
    list: List,
    subjects: BTreeMap<String, u32>,
}

impl Building {
    /// Takes a row.
    fn add(&mut self, subject: &str, group: &str) -> Result<(), String> {
        let next = self.subjects.len() as u32;
        let number = *self.subjects.entry(subject.to_owned()).or_insert(next);
        if group.is_empty() || group.len() > ATTRIBUTE_VALUE_BYTES_MAX {
            return Err(format!("a group has a name of 1 to {ATTRIBUTE_VALUE_BYTES_MAX} bytes"));
        }
        let groups = &mut self.list.groups;
        let place = groups.iter().position(|known| known == group).unwrap_or_else(|| {
            groups.push(group.to_owned());
            groups.len() - 1
        });
        if groups.len() > SYNTHETIC_GROUPS_MAX {
            return Err(format!("more than {SYNTHETIC_GROUPS_MAX} groups"));
        }
        self.list.rows.push((number, place));
        Ok(())
    }
}

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
    let mut building = Building::default();
    for record in reader.records() {
        let record =
            record.map_err(|error| wrong(error.position().map_or(0, csv::Position::line), error.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        if building.list.rows.len() >= FIT_TEMPLATES_MAX || record.as_slice().len() > CSV_RECORD_BYTES_MAX {
            return Err(wrong(line, format!("more than {FIT_TEMPLATES_MAX} rows, or a very long one")));
        }
        let subject = record.get(subject_at).filter(|subject| !subject.is_empty());
        let subject = subject.ok_or_else(|| wrong(line, "no subject".to_owned()))?;
        let name = group_at.map_or(Some(EVERYBODY), |at| record.get(at)).unwrap_or_default();
        building.add(subject, name).map_err(|reason| wrong(line, reason))?;
    }
    Ok(building.list)
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
        let fitted = of_files(&templates, Some(&subjects), Some("where")).unwrap();
        assert_eq!((fitted.people, fitted.templates), (80, 160));
        assert_eq!(fitted.parameters.groups.len(), 2);
        let text = fitted.parameters.to_json().unwrap();
        assert!(text.len() < 2_000 && !text.contains(&*folder.path().to_string_lossy()), "{text}");
        assert_eq!(of_files(&templates, Some(&subjects), None).unwrap().parameters.groups[0].name, EVERYBODY);
    }

    #[test]
    fn bad_files_are_refused_with_the_line() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path(), 40);
        let (templates, subjects) = (folder.path().join("t.npy"), folder.path().join("s.csv"));
        let refused = |list: &str, group: Option<&str>, says: &str| {
            fs::write(&subjects, list).unwrap();
            let error = of_files(&templates, Some(&subjects), group).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        };
        refused("person\n1\n", None, "column `subject`");
        refused("subject\n1\n2\n", None, "80 templates");
        refused("subject\n1\n\"\"\n", None, "line 3: no subject");
        refused("subject\n1\n", Some("where"), "column `where`");
        refused("subject,where\n1,\n", Some("where"), "line 2");
        refused(&format!("subject\n{}", "1\n".repeat(FIT_TEMPLATES_MAX + 1)), None, "more than");
        fs::write(&templates, b"PK\x03\x04 an archive").unwrap();
        refused("subject\n1\n", None, "it ends inside a member");
        let error = of_files(&folder.path().join("s.csv"), None, None).unwrap_err().to_string();
        assert!(error.contains("needs --subjects"), "{error}");
    }

    /// A member of an archive as `numpy.savez` writes it.
    fn stored(name: &str, bytes: &[u8]) -> Vec<u8> {
        let (name, size) = (format!("{name}.npy"), (bytes.len() as u32).to_le_bytes());
        let checksum = crc32fast::hash(bytes).to_le_bytes();
        let lengths = [(name.len() as u16).to_le_bytes(), [0; 2]].concat();
        let head = [&b"PK\x03\x04\x14\0"[..], &[0; 8], &checksum, &size, &size, &lengths, name.as_bytes()].concat();
        [&head, bytes].concat()
    }

    fn npy(descr: &str, rows: usize, data: &[u8]) -> Vec<u8> {
        let head = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({rows},), }}\n");
        [&b"\x93NUMPY\x01\x00"[..], &(head.len() as u16).to_le_bytes(), head.as_bytes(), data].concat()
    }

    #[test]
    fn an_archive_says_what_two_files_say() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path(), 60);
        let (templates, subjects) = (folder.path().join("t.npy"), folder.path().join("s.csv"));
        let archive = folder.path().join("t.npz");
        let numbers: Vec<u8> = (0..120_i64).flat_map(|row| (row / 2).to_le_bytes()).collect();
        let places = (0..120).map(|row| if row / 2 % 3 == 0 { "north" } else { "south" });
        let places: Vec<u8> = places.flat_map(str::chars).flat_map(|one| u32::from(one).to_le_bytes()).collect();
        let write = |subjects: &[u8]| {
            let members = [
                stored("where", &npy("<U5", 120, &places)),
                stored("templates", &fs::read(&templates).unwrap()),
                stored("subjects", subjects),
                b"PK\x01\x02".to_vec(),
            ];
            fs::write(&archive, members.concat()).unwrap();
        };
        write(&npy("<i8", 120, &numbers));
        let (one, two) = (
            of_files(&archive, None, Some("where")).unwrap(),
            of_files(&templates, Some(&subjects), Some("where")).unwrap(),
        );
        assert_eq!((one.people, one.templates, &one.mated, &one.non_mated), (60, 120, &two.mated, &two.non_mated));
        assert_eq!(one.parameters.groups, two.parameters.groups);
        assert!(one.parameters.source.contains("t.npz"));
        // A list beside an archive goes before its members.
        assert_eq!(of_files(&archive, Some(&subjects), Some("where")).unwrap(), one);
        let refused = |group: Option<&str>, says: &str| {
            let error = of_files(&archive, None, group).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        };
        refused(Some("tone"), "no member tone");
        write(&npy("<i8", 100, &numbers[..800]));
        refused(None, "100 rows here, 120 templates");
        refused(Some("where"), "100 subjects and 120 groups");
        write(&npy("<f8", 120, &numbers));
        refused(None, "subjects: its labels are");
        write(&[npy("<i8", 120, &numbers), vec![0]].concat());
        refused(None, "1 bytes more");
    }
}
