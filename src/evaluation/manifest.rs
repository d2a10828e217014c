//! What an evaluation is made of: images, whose they are, and what is known of each. Read from a CSV file, or from folders laid
//! out as those of Labeled Faces in the Wild.

mod people;
mod rows;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use fs_err as fs;
use sha2::{Digest, Sha256};

use self::people::read_groups;
use self::rows::Rows;
use crate::base::hex;
use crate::base::limits::{
    EVALUATION_FAULTS_MAX, EVALUATION_GROUP_COLUMNS_MAX, EVALUATION_IMAGES_MAX, EVALUATION_TYPES_MAX,
    EVALUATION_VALUES_MAX,
};

/// Longest text of a cell.
const CELL_CHARS_MAX: usize = 256;
/// Columns with a meaning of their own; every other one is a group column.
const KNOWN: [&str; 6] = ["image", "subject", "session", "type", "capture_date", "role"];
/// What stands in group columns for what nobody knows.
const UNKNOWN: [&str; 5] = ["", "na", "n/a", "unknown", "?"];
/// Endings of pictures that can be read.
const ENDINGS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "jpe"];

/// Why a manifest can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It can't be read at all.
    #[error("{}: can't be read: {reason}", .path.display())]
    Unreadable {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Lines that are wrong: the first ones, and how many there are.
    #[error("{}: {} of its lines are wrong:\n{}", .path.display(), .count, listed(.faults, *.count))]
    Lines {
        /// Which file.
        path: PathBuf,
        /// The first faults.
        faults: Vec<Fault>,
        /// How many there are.
        count: usize,
    },
    /// More images than can be evaluated.
    #[error("{}: more than {EVALUATION_IMAGES_MAX} images", .0.display())]
    TooMany(PathBuf),
    /// None at all.
    #[error("{}: no images", .0.display())]
    Empty(PathBuf),
}

/// The faults that are kept, one a line, and how many there are beside them.
fn listed(faults: &[Fault], count: usize) -> String {
    let others = count.saturating_sub(faults.len());
    let more = (others > 0).then(|| format!("  and {others} more"));
    faults.iter().map(ToString::to_string).chain(more).collect::<Vec<_>>().join("\n")
}

/// What is wrong in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong, and what is wanted.
    pub what: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "  line {}: {}", self.line, self.what)
    }
}

/// What an image is meant for, where the manifest says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// To be enrolled, where its person is.
    Gallery,
    /// To be searched with.
    Probe,
}

/// One image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageEntry {
    /// The manifest's line that names it; its number among all where folders were read.
    pub line: u64,
    /// The file.
    pub path: PathBuf,
    /// As the manifest names it.
    pub name: String,
    /// Whose it is: place in [`Manifest::subjects`].
    pub subject: u32,
    /// Session in which it was taken; empty where nobody says.
    pub session: String,
    /// Kind of picture; empty where nobody says.
    pub kind: String,
    /// Day of capture, YYYY-MM-DD; empty where nobody says. Compared as text.
    pub captured: String,
    /// What it is meant for.
    pub role: Option<Role>,
    /// Value of each group column: place in its list of values, `None` where it is empty.
    pub groups: Vec<Option<u16>>,
}

/// A column that puts people or pictures into groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupColumn {
    /// Its header.
    pub name: String,
    /// Its values, in the order in which they first came.
    pub values: Vec<String>,
}

/// What is to be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Where it came from.
    pub path: PathBuf,
    /// sha256 over everything in it, in hexadecimal.
    pub sha256: String,
    /// The people.
    pub subjects: Vec<String>,
    /// Further columns.
    pub columns: Vec<GroupColumn>,
    /// The images, in the manifest's order.
    pub images: Vec<ImageEntry>,
}

impl Manifest {
    /// Reads a CSV file with the columns `image` and `subject`, perhaps `session`, `type`, `capture_date` and `role` (gallery or
    /// probe), and any others, which are groups. Images are named from the file's folder on.
    ///
    /// # Errors
    /// [`ManifestError`]; lines that are wrong are listed with their numbers.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let unreadable = |reason: String| ManifestError::Unreadable { path: path.to_owned(), reason };
        let file = fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
        Self::from_source(path, file)
    }

    fn from_source(path: &Path, source: impl Read) -> Result<Self, ManifestError> {
        let mut rows = Rows::new(path, source, true)?;
        let mut building = Building::new(path, &rows.headers)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        loop {
            match rows.next() {
                Ok(true) => building.take(folder, &rows.record)?,
                Ok(false) => break,
                // What follows a row without an end is not read.
                Err(fault) if rows.ended => {
                    building.fault(fault.line, fault.what);
                    break;
                }
                Err(fault) => building.fault(fault.line, fault.what),
            }
            if building.count > EVALUATION_IMAGES_MAX {
                return Err(ManifestError::TooMany(path.to_owned()));
            }
        }
        building.finish()
    }

    /// Reads a folder with one subfolder a person, as Labeled Faces in the Wild has them. `groups` may name a CSV file whose first
    /// column is the subject and whose others are groups.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn of_folders(folder: &Path, groups: Option<&Path>) -> Result<Self, ManifestError> {
        let unreadable = |path: &Path, reason: String| ManifestError::Unreadable { path: path.to_owned(), reason };
        let (names, mut by_subject) = match groups {
            Some(path) => {
                let file = fs::File::open(path).map_err(|error| unreadable(path, error.to_string()))?;
                read_groups(path, file)?
            }
            None => (Vec::new(), HashMap::new()),
        };
        let headers: Vec<&str> = ["image", "subject"].into_iter().chain(names.iter().map(String::as_str)).collect();
        let mut building = Building::new(folder, &csv::StringRecord::from(headers))?;
        let list = |path: &Path| -> Result<Vec<PathBuf>, ManifestError> {
            let entries = fs::read_dir(path).map_err(|error| unreadable(path, error.to_string()))?;
            let entries: Result<Vec<PathBuf>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
            let mut entries = entries.map_err(|error| unreadable(path, error.to_string()))?;
            entries.sort();
            Ok(entries)
        };
        let mut line = 0;
        for person in list(folder)?.into_iter().filter(|path| path.is_dir()) {
            let subject = person.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let values = by_subject.remove(&subject).unwrap_or_else(|| vec![String::new(); names.len()]);
            for file in list(&person)?.into_iter().filter(|path| is_picture(path)) {
                line += 1;
                let name = file.strip_prefix(folder).unwrap_or(&file).to_string_lossy().into_owned();
                let cells = [name, subject.clone()].into_iter().chain(values.iter().cloned());
                building.add(line, folder, &cells.collect::<Vec<_>>())?;
            }
        }
        building.finish()
    }
}

fn is_picture(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// A manifest in the making.
struct Building {
    path: PathBuf,
    /// Where each known column is; `None` where it isn't.
    known: [Option<usize>; KNOWN.len()],
    /// Where each group column is.
    places: Vec<usize>,
    columns: Vec<GroupColumn>,
    indices: Vec<HashMap<String, u16>>,
    subjects: Vec<String>,
    by_subject: HashMap<String, u32>,
    by_name: HashMap<String, u64>,
    /// Types of pictures so far.
    types: HashSet<String>,
    images: Vec<ImageEntry>,
    digest: Sha256,
    faults: Vec<Fault>,
    count: usize,
}

impl Building {
    fn new(path: &Path, headers: &csv::StringRecord) -> Result<Self, ManifestError> {
        let place = |name: &str| headers.iter().position(|header| header.eq_ignore_ascii_case(name));
        let known = KNOWN.map(place);
        let wrong = |what: String| ManifestError::Lines {
            path: path.to_owned(),
            faults: vec![Fault { line: 1, what }],
            count: 1,
        };
        for (name, place) in KNOWN.iter().zip(known).take(2) {
            if place.is_none() {
                return Err(wrong(format!("no column named {name:?}: the columns image and subject are wanted")));
            }
        }
        let places: Vec<usize> = (0..headers.len()).filter(|place| !known.contains(&Some(*place))).collect();
        if places.len() > EVALUATION_GROUP_COLUMNS_MAX {
            return Err(wrong(format!(
                "{} group columns: at most {EVALUATION_GROUP_COLUMNS_MAX} (every column but {} is one)",
                places.len(),
                KNOWN.join(", ")
            )));
        }
        let column = |&place: &usize| GroupColumn {
            name: headers.get(place).unwrap_or_default().chars().take(CELL_CHARS_MAX).collect(),
            values: Vec::new(),
        };
        let columns: Vec<GroupColumn> = places.iter().map(column).collect();
        let mut names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        names.sort_unstable();
        if names.iter().any(|name| name.is_empty()) || names.windows(2).any(|two| two.first() == two.last()) {
            return Err(wrong("a column without a name, or two of one name".to_owned()));
        }
        let mut digest = Sha256::new();
        digest.update(b"bertillon manifest 1");
        for header in headers {
            cell_into(&mut digest, header);
        }
        Ok(Self {
            path: path.to_owned(),
            known,
            indices: vec![HashMap::new(); columns.len()],
            places,
            columns,
            subjects: Vec::new(),
            by_subject: HashMap::new(),
            by_name: HashMap::new(),
            types: HashSet::new(),
            images: Vec::new(),
            digest,
            faults: Vec::new(),
            count: 0,
        })
    }

    fn fault(&mut self, line: u64, what: String) {
        self.count += 1;
        if self.faults.len() < EVALUATION_FAULTS_MAX {
            self.faults.push(Fault { line, what });
        }
    }

    fn take(&mut self, folder: &Path, record: &csv::StringRecord) -> Result<(), ManifestError> {
        let line = record.position().map_or(0, csv::Position::line);
        let wanted = self.known.iter().flatten().count() + self.places.len();
        if record.len() != wanted {
            self.fault(line, format!("{} columns, {wanted} are named in line 1", record.len()));
            return Ok(());
        }
        let cells: Vec<String> = record.iter().map(str::to_owned).collect();
        self.add(line, folder, &cells)
    }

    /// Takes one line. What is wrong with it is kept for the end.
    fn add(&mut self, line: u64, folder: &Path, cells: &[String]) -> Result<(), ManifestError> {
        if self.images.len() == EVALUATION_IMAGES_MAX {
            return Err(ManifestError::TooMany(self.path.clone()));
        }
        if let Err(what) = self.try_add(line, folder, cells) {
            self.fault(line, what);
        }
        Ok(())
    }

    fn try_add(&mut self, line: u64, folder: &Path, cells: &[String]) -> Result<(), String> {
        cells.iter().try_for_each(|cell| is_cell(cell))?;
        let known = self.known;
        let cell = |column: usize| {
            known.get(column).copied().flatten().and_then(|place| cells.get(place)).map_or("", String::as_str)
        };
        let [name, subject, session, kind, captured, role] = std::array::from_fn(cell);
        if name.is_empty() || subject.is_empty() {
            return Err("an image and its subject are wanted".to_owned());
        }
        let role = match role {
            "" => None,
            "gallery" => Some(Role::Gallery),
            "probe" => Some(Role::Probe),
            _ => return Err("a role is gallery or probe, or nothing".to_owned()),
        };
        if !captured.is_empty() && !is_day(captured) {
            return Err("a capture date is YYYY-MM-DD, or nothing".to_owned());
        }
        if !self.types.contains(kind) {
            if self.types.len() == EVALUATION_TYPES_MAX {
                return Err(format!("more than {EVALUATION_TYPES_MAX} types: each has thresholds of its own"));
            }
            self.types.insert(kind.to_owned());
        }
        if let Some(before) = self.by_name.insert(name.to_owned(), line) {
            return Err(format!("this image is in line {before} already"));
        }
        let groups = self.groups(cells)?;
        for cell in cells {
            cell_into(&mut self.digest, cell);
        }
        let next = self.subjects.len() as u32;
        let number = *self.by_subject.entry(subject.to_owned()).or_insert(next);
        if number == next {
            self.subjects.push(subject.to_owned());
        }
        self.images.push(ImageEntry {
            line,
            path: folder.join(name),
            name: name.to_owned(),
            subject: number,
            session: session.to_owned(),
            kind: kind.to_owned(),
            captured: captured.to_owned(),
            role,
            groups,
        });
        Ok(())
    }

    fn groups(&mut self, cells: &[String]) -> Result<Vec<Option<u16>>, String> {
        let mut groups = Vec::with_capacity(self.places.len());
        for ((place, column), index) in self.places.iter().zip(&mut self.columns).zip(&mut self.indices) {
            let value = cells.get(*place).map_or("", String::as_str);
            if UNKNOWN.iter().any(|unknown| value.eq_ignore_ascii_case(unknown)) {
                groups.push(None);
                continue;
            }
            if let Some(&known) = index.get(value) {
                groups.push(Some(known));
                continue;
            }
            if column.values.len() == EVALUATION_VALUES_MAX {
                return Err(format!(
                    "the column {:?} has more than {EVALUATION_VALUES_MAX} values: put numbers into classes",
                    column.name
                ));
            }
            let new = column.values.len() as u16;
            index.insert(value.to_owned(), new);
            column.values.push(value.to_owned());
            groups.push(Some(new));
        }
        Ok(groups)
    }

    fn finish(self) -> Result<Manifest, ManifestError> {
        let Self { path, columns, subjects, images, digest, faults, count, .. } = self;
        if count > 0 {
            return Err(ManifestError::Lines { path, faults, count });
        }
        if images.is_empty() {
            return Err(ManifestError::Empty(path));
        }
        let sha256 = hex::encode(&<[u8; 32]>::from(digest.finalize()));
        Ok(Manifest { path, sha256, subjects, columns, images })
    }
}

/// Cells that follow each other can't be read otherwise: each has its length before it.
fn cell_into(digest: &mut Sha256, cell: &str) {
    digest.update((cell.len() as u64).to_le_bytes());
    digest.update(cell.as_bytes());
}

/// Whether a text may stand in a cell; what is wrong with it otherwise.
fn is_cell(text: &str) -> Result<(), String> {
    let chars = text.chars().count();
    if chars > CELL_CHARS_MAX {
        return Err(format!("a cell of {chars} characters: at most {CELL_CHARS_MAX}"));
    }
    if text.chars().any(char::is_control) { Err("a control character".to_owned()) } else { Ok(()) }
}

fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let number = |text: &str, digits: usize| (text.len() == digits).then(|| text.parse::<u16>().ok()).flatten();
    let (year, month, day) = (number(year, 4), number(month, 2), number(day, 2));
    year.is_some()
        && month.is_some_and(|month| (1..=12).contains(&month))
        && day.is_some_and(|day| (1..=31).contains(&day))
}

impl Manifest {
    /// Replaces the values of numeric group columns that have a list of bounds by classes: `18-24`, below the first and from the last on.
    ///
    /// # Errors
    /// The column that isn't there, or a value in it that is no number.
    pub fn put_into_classes(&mut self, bounds: &BTreeMap<String, Vec<f64>>) -> Result<(), String> {
        for (name, bounds) in bounds {
            let place = self.columns.iter().position(|column| column.name == *name);
            let (Some(place), Some(column)) = (place, place.and_then(|place| self.columns.get_mut(place))) else {
                return Err(format!("there is no column {name:?} to put into classes"));
            };
            let mut classes: Vec<String> = Vec::with_capacity(bounds.len() + 1);
            for (n, bound) in bounds.iter().enumerate() {
                classes.push(match n.checked_sub(1).and_then(|before| bounds.get(before)) {
                    None => format!("below {bound}"),
                    Some(before) => format!("{before} to below {bound}"),
                });
            }
            classes.push(bounds.last().map_or_else(|| "all".to_owned(), |last| format!("{last} and above")));
            let mut class_of = Vec::with_capacity(column.values.len());
            for value in &column.values {
                let number: f64 =
                    value.parse().map_err(|_| format!("{value:?} in the column {name:?} is no number"))?;
                class_of.push(bounds.iter().filter(|bound| number >= **bound).count() as u16);
            }
            column.values = classes;
            for image in &mut self.images {
                if let Some(Some(value)) = image.groups.get_mut(place) {
                    *value = class_of.get(usize::from(*value)).copied().unwrap_or_default();
                }
            }
            self.sha256 = hex::encode(&<[u8; 32]>::from(Sha256::digest(format!("{} {name} {bounds:?}", self.sha256))));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
