//! A list of people beside folders of pictures: one line a subject, and the groups that they belong to.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::Read;
use std::path::Path;

use super::rows::Rows;
use super::{Fault, ManifestError, is_cell};
use crate::base::limits::{EVALUATION_FAULTS_MAX, EVALUATION_IMAGES_MAX};

/// Names of the group columns, and each subject's values.
type Groups = (Vec<String>, HashMap<String, Vec<String>>);

/// Reads such a list. Each line may say what a line before it said, and nothing else of the same person: which of two is true nobody knows.
pub(super) fn read_groups(path: &Path, source: impl Read) -> Result<Groups, ManifestError> {
    let mut rows = Rows::new(path, source, false)?;
    let names: Vec<String> = rows.headers.iter().skip(1).map(str::to_owned).collect();
    let mut people = HashMap::new();
    let (mut faults, mut count) = (Vec::new(), 0);
    loop {
        let taken = match rows.next() {
            Ok(true) => take(&mut people, &rows.record),
            Ok(false) => break,
            Err(fault) => Err(fault),
        };
        if let Err(fault) = taken {
            count += 1;
            if faults.len() < EVALUATION_FAULTS_MAX {
                faults.push(fault);
            }
        }
        // What follows a row without an end is not read.
        if rows.ended {
            break;
        }
        if people.len().max(count) > EVALUATION_IMAGES_MAX {
            return Err(ManifestError::TooMany(path.to_owned()));
        }
    }
    if count > 0 {
        return Err(ManifestError::Lines { path: path.to_owned(), faults, count });
    }
    Ok((names, people.into_iter().map(|(subject, known)| (subject, known.values)).collect()))
}

/// What is known of somebody, and from which line.
struct Known {
    line: u64,
    values: Vec<String>,
}

fn take(people: &mut HashMap<String, Known>, record: &csv::StringRecord) -> Result<(), Fault> {
    let line = record.position().map_or(0, csv::Position::line);
    let wrong = |what| Fault { line, what };
    record.iter().try_for_each(is_cell).map_err(wrong)?;
    let values: Vec<String> = record.iter().skip(1).map(str::to_owned).collect();
    match people.entry(record.get(0).unwrap_or_default().to_owned()) {
        Entry::Vacant(free) => {
            free.insert(Known { line, values });
            Ok(())
        }
        Entry::Occupied(before) if before.get().values == values => Ok(()),
        Entry::Occupied(before) => Err(wrong(format!("line {} says otherwise of this subject", before.get().line))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::CELL_CHARS_MAX;
    use super::*;

    fn faults(text: &str) -> Vec<(u64, String)> {
        match read_groups(Path::new("people.csv"), text.as_bytes()) {
            Err(ManifestError::Lines { faults, count, .. }) => {
                assert!(count >= faults.len() && faults.len() <= EVALUATION_FAULTS_MAX);
                faults.into_iter().map(|fault| (fault.line, fault.what)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nobody_is_said_to_be_two_things() {
        let text = "id,sex,age\nA,f,24\nB,m,61\nA,f,24\nA,m,24\nB,m,\nC,f,5\n";
        let wanted = [(5, "line 2 says otherwise of this subject"), (6, "line 3 says otherwise of this subject")];
        assert_eq!(faults(text), wanted.map(|(line, what)| (line, what.to_owned())));
        let (names, people) = read_groups(Path::new("p"), "id,sex\nA,f\nA,f\nB,m\n".as_bytes()).unwrap();
        assert_eq!((names, people.len(), &people["A"]), (vec!["sex".to_owned()], 2, &vec!["f".to_owned()]));
    }

    #[test]
    fn cells_are_bounded_whoever_they_are_of() {
        let long = "x".repeat(CELL_CHARS_MAX + 1);
        for text in [format!("id,sex\nA,f\nnobody,{long}\n"), format!("id,sex\nA,f\n{long},f\n")] {
            let what = format!("a cell of {} characters: at most {CELL_CHARS_MAX}", CELL_CHARS_MAX + 1);
            assert_eq!(faults(&text), [(3, what)]);
        }
        assert_eq!(faults("id,sex\nA,\"f\u{1}\"\nB\n")[0], (2, "a control character".to_owned()));
        let flood: Vec<String> = (0..10 * EVALUATION_FAULTS_MAX).map(|number| format!("A,{number}\n")).collect();
        assert_eq!(faults(&format!("id,age\n{}", flood.concat())).len(), EVALUATION_FAULTS_MAX);
    }
}
