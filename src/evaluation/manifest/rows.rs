//! The lines of a table, read one by one, none longer than a limit.

use std::io::Read;
use std::path::Path;

use super::{Fault, ManifestError};
use crate::base::limits::EVALUATION_LINE_BYTES_MAX;
use crate::base::record_limit::RecordLimit;

/// Nothing but this is known to be wrong.
pub(super) fn one_fault(path: &Path, fault: Fault) -> ManifestError {
    ManifestError::Lines { path: path.to_owned(), faults: vec![fault], count: 1 }
}

/// A table, row by row, none of which has more than [`EVALUATION_LINE_BYTES_MAX`].
pub(super) struct Rows<R> {
    reader: csv::Reader<RecordLimit<R>>,
    /// The first line.
    pub(super) headers: csv::StringRecord,
    /// The row that was read last.
    pub(super) record: csv::StringRecord,
    /// Whether nothing more can be read: what was wrong was not a row but the file.
    pub(super) ended: bool,
}

impl<R: Read> Rows<R> {
    pub(super) fn new(path: &Path, source: R, flexible: bool) -> Result<Self, ManifestError> {
        let source = RecordLimit::new(source, EVALUATION_LINE_BYTES_MAX);
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(flexible).from_reader(source);
        let headers = reader.headers().cloned();
        let headers = headers.map_err(|error| one_fault(path, Fault { line: 1, what: in_words(&error) }))?;
        Ok(Self { reader, headers, record: csv::StringRecord::new(), ended: false })
    }

    /// Whether there is another row.
    pub(super) fn next(&mut self) -> Result<bool, Fault> {
        self.reader.get_mut().next_record();
        self.reader.read_record(&mut self.record).map_err(|error| {
            self.ended = error.is_io_error();
            // Of a row that could not be read to its end, too, this is where it begins.
            let line = self.record.position().map_or(0, csv::Position::line);
            Fault { line, what: in_words(&error) }
        })
    }
}

/// What is wrong with a row, without its text.
fn in_words(error: &csv::Error) -> String {
    if let csv::ErrorKind::Io(error) = error.kind() {
        format!("can't be read: {error}")
    } else if let csv::ErrorKind::UnequalLengths { expected_len, len, .. } = error.kind() {
        format!("{len} columns, {expected_len} are named in line 1")
    } else {
        "can't be read as CSV in UTF-8".to_owned()
    }
}
