//! Importing templates that another system made with the gallery's model: a `.npy` file of them, and a CSV file that says
//! whose they are, row by row. Both are read as streams, so memory does not grow with them.
//!
//! What is wrong with a list is said by line, column and rule, and never by quoting it: errors end in logs and in the records
//! of jobs, where nobody's name belongs.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fs_err as fs;

use crate::base::day::Day;
use crate::base::ids::{GalleryName, SubjectRef};
use crate::base::limits::{
    ATTRIBUTE_NAME_BYTES_MAX, ATTRIBUTE_VALUE_BYTES_MAX, CSV_RECORD_BYTES_MAX, RECORD_TEXT_BYTES_MAX,
};
use crate::base::record_limit::RecordLimit;
use crate::base::text::printable;
use crate::casework::enrol::blocking;
use crate::casework::governing::in_force;
use crate::casework::npy::Npy;
use crate::casework::{CaseworkError, Desk};
use crate::gallery::{GalleryError, Imported, ImportedReference, TemplateImport, Vault};
use crate::policy::{DatedFacts, Fact, GalleryPeriods, ImageFacts, Policy};
use crate::records::{Attribute, AttributeName, check_attributes};

/// What an import that is stopped says of the row it stopped at.
const STOPPED: &str = "the import was stopped";
/// Rows between two calls of progress while a list is checked.
const PROGRESS_ROWS: u64 = 8_192;

/// Templates to be imported.
#[derive(Debug, Clone)]
pub struct BulkImport {
    /// Into which gallery; it must be there.
    pub gallery: GalleryName,
    /// The `.npy` file.
    pub templates: PathBuf,
    /// The CSV file: a column `subject`, perhaps `source`, and what is known of images (`captured_on`, `disposal_outcome`, ...:
    /// [`Fact`]); every other column is an attribute, and an empty field none.
    pub subjects: PathBuf,
    /// The model set by which they were made, which whoever imports vouches for.
    pub model: String,
}

/// Imports templates through `vault`, all or none, as `job` where it is one. `progress` is told how many of how many steps are done: three a
/// row, for the check of the list, the files and the records. Setting `stop` ends it, within milliseconds as long as the list
/// is checked or files are written; after that what was recorded is overwritten first (docs/OPERATIONS.md says how long it takes).
///
/// # Errors
/// [`CaseworkError::Unreadable`] for the templates, [`CaseworkError::Subjects`] for the list, and what the gallery says.
pub async fn import(
    desk: &Desk,
    vault: &Vault,
    import: &BulkImport,
    (job, stop): (Option<i64>, Arc<AtomicBool>),
    mut progress: impl FnMut(u64, u64) + Send + 'static,
) -> Result<Imported, CaseworkError> {
    let model = desk.catalogue.set(&import.model)?.id();
    let snapshot = vault.snapshot(&import.gallery).await?;
    let dimension = snapshot.dimension().get();
    drop(snapshot);
    let mut templates = open_templates(&import.templates)?;
    let (rows, columns) = (templates.header().rows, templates.header().columns);
    if columns != dimension {
        let gallery = import.gallery.clone();
        return Err(GalleryError::OtherDimension { gallery, wanted: dimension, found: columns }.into());
    }
    // The whole list is checked before the first template is written.
    let policy = in_force(vault).await?.policy;
    let (path, gallery, stopped) = (import.subjects.clone(), import.gallery.clone(), Arc::clone(&stop));
    let rules = policy.clone();
    let (checked, mut progress) = blocking(move || {
        let checked = check_list((&path, &gallery, &rules), rows, &stopped, |done| progress(done, 3 * rows));
        (checked, progress)
    })
    .await?;
    checked?;
    let mut list = List::open(&import.subjects, &import.gallery, policy)?;
    let (stopped, asked) = (Arc::clone(&stop), Arc::clone(&stop));
    let fill = move |_row: u64, out: &mut [f32]| {
        if stopped.load(Ordering::Relaxed) {
            return Err(STOPPED.to_owned());
        }
        templates.next_row(out)
    };
    let describe = move |_row: u64| {
        if stop.load(Ordering::Relaxed) {
            return Err(STOPPED.to_owned());
        }
        match list.next() {
            Ok(Some(reference)) => Ok(reference),
            Ok(None) => Err("the list of subjects was changed meanwhile".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    };
    let tell = move |done| progress(rows + done, 3 * rows);
    let import = TemplateImport { gallery: import.gallery.clone(), model, count: rows, job };
    match vault.import_templates(import, fill, describe, tell).await {
        // Whatever row it was at: nothing is wrong with it.
        Err(GalleryError::ImportRow { .. }) if asked.load(Ordering::Relaxed) => Err(GalleryError::Interrupted.into()),
        imported => Ok(imported?),
    }
}

fn open_templates(path: &Path) -> Result<Npy<BufReader<fs::File>>, CaseworkError> {
    let unreadable = |reason: String| CaseworkError::Unreadable { path: path.to_owned(), reason };
    let file = fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let bytes = file.metadata().map_err(|error| unreadable(error.to_string()))?.len();
    let npy = Npy::open(BufReader::with_capacity(1 << 20, file)).map_err(unreadable)?;
    let wanted = npy.header().file_bytes();
    if bytes == wanted {
        Ok(npy)
    } else {
        Err(unreadable(format!("it has {bytes} bytes where its header says {wanted}")))
    }
}

/// Reads a list up to the row that is one too many.
fn check_list(
    (path, gallery, policy): (&Path, &GalleryName, &Policy),
    expected: u64,
    stop: &AtomicBool,
    mut progress: impl FnMut(u64),
) -> Result<(), CaseworkError> {
    let mut list = List::open(path, gallery, policy.clone())?;
    let mut found = 0;
    while found <= expected && list.next()?.is_some() {
        found += 1;
        if stop.load(Ordering::Relaxed) {
            return Err(GalleryError::Interrupted.into());
        }
        if found.is_multiple_of(PROGRESS_ROWS) {
            progress(found.min(expected));
        }
    }
    if found == expected {
        return Ok(());
    }
    let more = if found > expected { " or more" } else { "" };
    let reason = format!("{found}{more} rows here, {expected} templates: row n of the list is row n of the templates");
    Err(CaseworkError::Subjects { path: path.to_owned(), line: found + 1, reason })
}

/// A list of subjects, read row by row.
struct List {
    path: PathBuf,
    reader: csv::Reader<RecordLimit<fs::File>>,
    columns: Vec<Column>,
    record: csv::StringRecord,
    row: u64,
    policy: Policy,
    /// What the policy says of the gallery.
    periods: Option<GalleryPeriods>,
    today: Day,
}

/// What a column is.
#[derive(PartialEq, Eq)]
enum Column {
    Subject,
    Source,
    Fact(Fact),
    Attribute(AttributeName),
}

impl Column {
    /// By its name, which is not quoted: where the line of names is missing it is somebody's.
    fn named(name: &str) -> Result<Self, String> {
        match name {
            "subject" => Ok(Self::Subject),
            "source" => Ok(Self::Source),
            other if Fact::named(other).is_some() => Ok(Fact::named(other).map_or(Self::Source, Self::Fact)),
            other => other.parse().map(Self::Attribute).map_err(|_| {
                format!(
                    "a column is `subject`, `source` or an attribute, named by 1 to {ATTRIBUTE_NAME_BYTES_MAX} of a-z, \
                     0-9 and '_', beginning with a letter; the first line has the names"
                )
            }),
        }
    }
}

impl List {
    fn open(path: &Path, gallery: &GalleryName, policy: Policy) -> Result<Self, CaseworkError> {
        let wrong = |reason: String| CaseworkError::Subjects { path: path.to_owned(), line: 1, reason };
        let file = fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
        let source = RecordLimit::new(file, CSV_RECORD_BYTES_MAX);
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(source);
        let head = reader.headers().map_err(|error| wrong(rule_broken(&error)))?;
        let mut columns = Vec::new();
        for (at, name) in head.iter().enumerate() {
            let column = Column::named(name).map_err(|rule| wrong(format!("column {}: {rule}", at + 1)))?;
            if columns.contains(&column) {
                return Err(wrong(format!("column {} has the name of one before it", at + 1)));
            }
            columns.push(column);
        }
        if !columns.contains(&Column::Subject) {
            return Err(wrong("it needs a column `subject`; the first line has the names of the columns".to_owned()));
        }
        let (periods, today) = (policy.periods(gallery).cloned(), Day::today());
        let (path, record) = (path.to_owned(), csv::StringRecord::new());
        Ok(Self { path, reader, columns, record, row: 0, policy, periods, today })
    }

    /// The next row; none at the end.
    fn next(&mut self) -> Result<Option<ImportedReference>, CaseworkError> {
        self.reader.get_mut().next_record();
        let wrong = |line: u64, reason: String| CaseworkError::Subjects { path: self.path.clone(), line, reason };
        match self.reader.read_record(&mut self.record) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) => {
                let at = error.position().unwrap_or(self.reader.position()).line();
                return Err(wrong(at, rule_broken(&error)));
            }
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        let (mut subject, mut source, mut attributes) = (None, String::new(), Vec::new());
        let mut facts = ImageFacts::default();
        for (at, (column, field)) in self.columns.iter().zip(&self.record).enumerate() {
            let wrong = |rule: String| wrong(line, format!("column {}: {rule}", at + 1));
            match column {
                Column::Subject => {
                    subject = Some(SubjectRef::of_person(field).map_err(|error| wrong(error.to_string()))?);
                }
                Column::Source if field.len() > RECORD_TEXT_BYTES_MAX => {
                    let bytes = field.len();
                    return Err(wrong(format!("the source has {bytes} bytes, at most {RECORD_TEXT_BYTES_MAX}")));
                }
                Column::Source => source = printable(field),
                Column::Fact(fact) => facts.put(*fact, field).map_err(wrong)?,
                Column::Attribute(_) if field.is_empty() => {}
                Column::Attribute(name) => {
                    let attribute = Attribute::new(name.as_str(), field).map_err(|_| {
                        wrong(format!(
                            "a value has at most {ATTRIBUTE_VALUE_BYTES_MAX} bytes, none of them a control character"
                        ))
                    });
                    attributes.push(attribute?);
                }
            }
        }
        let subject = subject.ok_or_else(|| wrong(line, "no subject".to_owned()))?;
        if source.is_empty() {
            source = format!("row {} of an import", self.row);
        }
        check_attributes(&attributes).map_err(|error| wrong(line, error.to_string()))?;
        self.policy.check_facts(&facts, self.today).map_err(|rule| wrong(line, rule))?;
        self.row += 1;
        let about = DatedFacts::under(self.periods.as_ref(), facts, self.today);
        Ok(Some(ImportedReference { subject, source, attributes, about }))
    }
}

/// What is wrong with a file that should be CSV, without its text.
fn rule_broken(error: &csv::Error) -> String {
    if let csv::ErrorKind::UnequalLengths { expected_len, len, pos: _ } = error.kind() {
        format!("{len} fields, where the first line has {expected_len}")
    } else if let csv::ErrorKind::Utf8 { err, pos: _ } = error.kind() {
        format!("column {}: it is not UTF-8", err.field() + 1)
    } else if let csv::ErrorKind::Io(error) = error.kind() {
        error.to_string()
    } else {
        "it can't be read as CSV".to_owned()
    }
}
