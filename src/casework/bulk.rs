//! Importing templates that another system made with the gallery's model: a `.npy` file of them, and a CSV file that says
//! whose they are, row by row. Both are read as streams, so memory does not grow with them.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use fs_err as fs;

use crate::base::ids::{GalleryName, SubjectRef};
use crate::base::limits::{CSV_RECORD_BYTES_MAX, RECORD_TEXT_BYTES_MAX};
use crate::base::text::printable;
use crate::casework::enrol::blocking;
use crate::casework::npy::Npy;
use crate::casework::{CaseworkError, Desk};
use crate::gallery::{GalleryError, Imported, ImportedReference, TemplateImport};
use crate::records::{Attribute, AttributeName};

/// What an import that is stopped says of the row it stopped at.
const STOPPED: &str = "the import was stopped";

/// Templates to be imported.
#[derive(Debug, Clone)]
pub struct BulkImport {
    /// Into which gallery; it must be there.
    pub gallery: GalleryName,
    /// The `.npy` file.
    pub templates: PathBuf,
    /// The CSV file: a column `subject`, perhaps `source`; every other column is an attribute, and an empty field none.
    pub subjects: PathBuf,
    /// The model set by which they were made, which whoever imports vouches for.
    pub model: String,
}

/// Imports templates, all or none, as `job` where it is one. `progress` is told how many of how many steps are done;
/// setting `stop` ends it.
///
/// # Errors
/// [`CaseworkError::Unreadable`] for the templates, [`CaseworkError::Subjects`] for the list, and what the gallery says.
pub async fn import(
    desk: &Desk,
    import: &BulkImport,
    job: Option<i64>,
    stop: Arc<AtomicBool>,
    mut progress: impl FnMut(u64, u64) + Send + 'static,
) -> Result<Imported, CaseworkError> {
    let model = desk.catalogue.set(&import.model)?.id();
    let snapshot = desk.vault.snapshot(&import.gallery).await?;
    let dimension = snapshot.dimension().get();
    drop(snapshot);
    let mut templates = open_templates(&import.templates)?;
    let (rows, columns) = (templates.header().rows, templates.header().columns);
    if columns != dimension {
        let gallery = import.gallery.clone();
        return Err(GalleryError::OtherDimension { gallery, wanted: dimension, found: columns }.into());
    }
    // The whole list is checked before the first template is written.
    let (path, expected) = (import.subjects.clone(), rows);
    blocking(move || check_list(&path, expected)).await??;
    let mut list = List::open(&import.subjects)?;
    let stopped = Arc::clone(&stop);
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
    let tell = move |done| progress(done, 2 * rows);
    let import = TemplateImport { gallery: import.gallery.clone(), model, count: rows, job };
    Ok(desk.vault.import_templates(import, fill, describe, tell).await?)
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

/// Reads all of a list.
fn check_list(path: &Path, expected: u64) -> Result<(), CaseworkError> {
    let mut list = List::open(path)?;
    let mut found = 0;
    while list.next()?.is_some() {
        found += 1;
    }
    if found == expected {
        return Ok(());
    }
    let reason = format!("{found} rows here, {expected} templates: row n of the list is row n of the templates");
    Err(CaseworkError::Subjects { path: path.to_owned(), line: found + 1, reason })
}

/// A list of subjects, read row by row.
struct List {
    path: PathBuf,
    reader: csv::Reader<Fed>,
    /// Bytes that the next record may still take.
    left: Arc<AtomicUsize>,
    columns: Vec<Column>,
    record: csv::StringRecord,
    row: u64,
}

/// What a column is.
enum Column {
    Subject,
    Source,
    Attribute(AttributeName),
}

impl List {
    fn open(path: &Path) -> Result<Self, CaseworkError> {
        let wrong = |reason: String| CaseworkError::Subjects { path: path.to_owned(), line: 1, reason };
        let file = fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
        let left = Arc::new(AtomicUsize::new(CSV_RECORD_BYTES_MAX));
        let source = Fed { file, left: Arc::clone(&left) };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(source);
        let head = reader.headers().map_err(|error| wrong(error.to_string()))?;
        let columns = head.iter().map(|name| match name {
            "subject" => Ok(Column::Subject),
            "source" => Ok(Column::Source),
            other => other.parse().map(Column::Attribute).map_err(|error| wrong(format!("a column: {error}"))),
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        if !columns.iter().any(|column| matches!(column, Column::Subject)) {
            return Err(wrong("it needs a column `subject`".to_owned()));
        }
        Ok(Self { path: path.to_owned(), reader, left, columns, record: csv::StringRecord::new(), row: 0 })
    }

    /// The next row; none at the end.
    fn next(&mut self) -> Result<Option<ImportedReference>, CaseworkError> {
        self.left.store(CSV_RECORD_BYTES_MAX, Ordering::Relaxed);
        let wrong = |line: u64, reason: String| CaseworkError::Subjects { path: self.path.clone(), line, reason };
        let more = self.reader.read_record(&mut self.record);
        let more = more.map_err(|error| wrong(error.position().map_or(0, csv::Position::line), error.to_string()))?;
        if !more {
            return Ok(None);
        }
        let line = self.record.position().map_or(0, csv::Position::line);
        let (mut subject, mut source, mut attributes) = (None, String::new(), Vec::new());
        for (column, field) in self.columns.iter().zip(&self.record) {
            match column {
                Column::Subject => {
                    subject = Some(SubjectRef::of_person(field).map_err(|error| wrong(line, error.to_string()))?);
                }
                Column::Source if field.len() > RECORD_TEXT_BYTES_MAX => {
                    return Err(wrong(
                        line,
                        format!("the source has {} bytes, at most {RECORD_TEXT_BYTES_MAX}", field.len()),
                    ));
                }
                Column::Source => source = printable(field),
                Column::Attribute(_) if field.is_empty() => {}
                Column::Attribute(name) => {
                    let attribute = Attribute::new(name.as_str(), field);
                    attributes.push(attribute.map_err(|error| wrong(line, error.to_string()))?);
                }
            }
        }
        let subject = subject.ok_or_else(|| wrong(line, "no subject".to_owned()))?;
        if source.is_empty() {
            source = format!("row {} of an import", self.row);
        }
        crate::records::check_attributes(&attributes).map_err(|error| wrong(line, error.to_string()))?;
        self.row += 1;
        Ok(Some(ImportedReference { subject, source, attributes }))
    }
}

/// A file that ends with an error when one record takes too much of it.
struct Fed {
    file: fs::File,
    left: Arc<AtomicUsize>,
}

impl Read for Fed {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(into)?;
        let left = self.left.load(Ordering::Relaxed);
        if count > 0 && left == 0 {
            let reason = format!("a row has more than {CSV_RECORD_BYTES_MAX} bytes");
            return Err(std::io::Error::other(reason));
        }
        self.left.store(left.saturating_sub(count), Ordering::Relaxed);
        Ok(count)
    }
}
