//! What is known of each search, and each comparison that calibration was fitted on, as tables: with `candidates.csv` what a report
//! shows can be counted again by anybody, long after templates and journals are gone.

use crate::casework::CaseworkError;
use crate::casework::evaluate::RunFolder;
use crate::casework::evaluate::lists::{Lists, Names, Table, csv_error, write_table};
use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::folds::Folds;
use crate::evaluation::accuracy::strata::equal_parts;
use crate::evaluation::accuracy::trials::{Kind, Search};
use crate::evaluation::assemble::{BANDS, Column, Findings, of_search};

/// One line a search of the whole gallery.
pub(super) const PROBES: &str = "probes.csv";
/// One line a comparison with the mate, and one a random pair of two people.
pub(super) const PAIRS: &str = "pairs.csv";

/// Writes both; the second where scores are calibrated, with people dealt into folds by `seed`.
///
/// # Errors
/// What journal and disk say; that it is to end.
pub(super) fn write_columns(
    run: &RunFolder,
    lists: &Lists<'_>,
    found: &Findings<'_>,
    seed: u64,
    names: &Names<'_>,
) -> Result<(), CaseworkError> {
    write_table(run, PROBES, |out| write_probes(out, lists, found, names))?;
    if found.non_mated_pairs.is_empty() {
        return Ok(());
    }
    write_table(run, PAIRS, |out| write_pairs(out, lists, found, seed, names))
}

fn text(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// A search's value of a column; empty where it has none.
fn value_of(column: &Column, number: usize) -> &str {
    let value = column.of_searches.get(number).copied().flatten();
    value.and_then(|value| column.values.get(usize::from(value))).map_or("", String::as_str)
}

fn write_probes(
    out: &mut Table,
    lists: &Lists<'_>,
    found: &Findings<'_>,
    names: &Names<'_>,
) -> Result<(), CaseworkError> {
    let Findings { kinds, groups, measures, .. } = found;
    let before =
        ["probe", "subject", "mated", "mate_enrolled", "extracted", "best_score", "mate_score", "mate_rank", "kind"];
    let mut head: Vec<String> = before.map(str::to_owned).to_vec();
    // A column may have any name, also one of those before it.
    head.extend(groups.iter().map(|column| format!("group: {}", column.name)));
    head.extend(measures.iter().map(|measure| format!("quality: {}", measure.name)));
    out.write_record(&head).map_err(csv_error)?;
    let mut number = 0;
    lists.each_of_whole(|search| {
        let mut row = of_one(&search, names);
        row.push(kinds.as_ref().map_or("", |column| value_of(column, number)).to_owned());
        row.extend(groups.iter().map(|column| value_of(column, number).to_owned()));
        row.extend(measures.iter().map(|measure| text(measure.of_searches.get(number).copied().flatten())));
        number += 1;
        out.write_record(&row).map_err(csv_error)
    })
}

/// What the search itself says.
fn of_one(search: &Search, names: &Names<'_>) -> Vec<String> {
    let mated = search.kind == Kind::Mated;
    vec![
        (names.probe)(search.probe),
        (names.subject)(search.subject),
        mated.to_string(),
        text(mated.then_some(!search.mate_enrolled_failed)),
        search.extracted.to_string(),
        text(search.top_score()),
        text(search.mate.map(|mate| mate.score)),
        text(search.mate.and_then(|mate| mate.rank)),
    ]
}

/// Searches of the whole gallery come in the order of their probes and none is missing, so that a probe's number is its place.
fn write_pairs(
    out: &mut Table,
    lists: &Lists<'_>,
    found: &Findings<'_>,
    seed: u64,
    names: &Names<'_>,
) -> Result<(), CaseworkError> {
    let mut people: Vec<(u32, bool)> = Vec::new();
    lists.each_of_whole(|search| {
        people.push(of_search(&search));
        Ok(())
    })?;
    let folds = Folds::deal(people.iter().copied(), seed);
    let mut thirds = Vec::with_capacity(found.measures.len());
    for measure in &found.measures {
        thirds.push(match equal_parts(&measure.of_searches, BANDS) {
            Err(EvaluationError::Empty(_)) => Vec::new(),
            parts => parts?.0,
        });
    }
    let head = ["probe", "subject", "mated", "score", "fold"].map(str::to_owned).into_iter();
    let head = head.chain(found.measures.iter().map(|measure| format!("third: {}", measure.name)));
    out.write_record(head).map_err(csv_error)?;
    let mut write = |probe: u32, subject: u32, mated: bool, score: f32| {
        let fold = folds.of(subject).map(|fold| fold + 1);
        let before = [(names.probe)(probe), (names.subject)(subject), mated.to_string(), score.to_string(), text(fold)];
        let of_measure = |places: &Vec<Option<u16>>| {
            let place = places.get(probe as usize).copied().flatten();
            text(place.map(|place| place + 1))
        };
        out.write_record(before.into_iter().chain(thirds.iter().map(of_measure))).map_err(csv_error)
    };
    lists.each_of_whole(|search| match search.mate {
        Some(mate) => write(search.probe, search.subject, true, mate.score),
        None => Ok(()),
    })?;
    found.non_mated_pairs.iter().try_for_each(|pair| {
        let subject = people.get(pair.probe as usize).map_or(u32::MAX, |(subject, _)| *subject);
        write(pair.probe, subject, false, pair.score)
    })
}
