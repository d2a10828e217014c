//! The searches of an evaluation as the journal has them: as trials, one gallery in memory at a time, and as a table of every list.

use std::borrow::Cow;
use std::io::Write as _;

use fs_err as fs;

use crate::base::limits::PROBES_PER_SEARCH_MAX;
use crate::casework::CaseworkError;
use crate::casework::evaluate::samples::Samples;
use crate::casework::evaluate::searches::{self, Searched};
use crate::casework::evaluate::{RunFolder, Watch, io};
use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::trials::{Candidate, Kind, MateScore, Search, Trials};
use crate::evaluation::assemble::{Column, Galleries};
use crate::evaluation::journal::Journal;

/// Every candidate list, for whoever wants to recompute.
pub const CANDIDATES: &str = "candidates.csv";
const EXACT: &str = "exact";
const APPROXIMATE: &str = "approximate";

/// Who is who: numbers of people as trials have them.
pub struct People<'a> {
    /// Number of each person of the gallery.
    pub of_gallery: &'a dyn Fn(u32) -> u32,
    /// Number of the person behind each probe.
    pub of_probe: &'a dyn Fn(u32) -> u32,
}

/// What all searches of a run have in common.
pub struct Source<'a> {
    /// What came of them.
    pub journal: &'a Journal,
    /// Who is enrolled and searched for.
    pub samples: &'a dyn Samples,
    /// Candidates on a list.
    pub list_length: usize,
    /// Their numbers.
    pub who: People<'a>,
    /// Whether a person stands on a list once, with however many templates.
    pub joined: bool,
    /// Who waits.
    pub watch: &'a Watch,
}

impl Source<'_> {
    /// Puts down how many candidates of each value there can be, in the whole gallery: the templates, or the people where lists name each
    /// of them once.
    pub fn count_candidates(&self, columns: &mut [Column]) {
        for column in columns {
            let mut candidates = vec![0; column.values.len()];
            for person in 0..self.samples.people() {
                let group = column.of_subjects.get(&(self.who.of_gallery)(person)).copied();
                if let Some(count) = group.and_then(|group| candidates.get_mut(usize::from(group))) {
                    let rows = self.samples.rows_of_person(person);
                    let templates = rows.end.saturating_sub(rows.start);
                    *count += if self.joined { templates.min(1) } else { templates };
                }
            }
            column.templates = candidates;
        }
    }
}

/// One gallery's searches.
#[derive(Debug, Clone, Copy)]
struct Series {
    number: u64,
    /// People who were meant to be in it.
    people: u32,
    how: &'static str,
}

/// Galleries whose searches are read when they are asked for.
pub struct Lists<'a> {
    source: &'a Source<'a>,
    series: Vec<Series>,
}

impl<'a> Lists<'a> {
    /// The exact searches of galleries of the first so many people, numbered from 0.
    #[must_use]
    pub fn exact(source: &'a Source<'a>, sizes: &[u32]) -> Self {
        let series = |(number, &people): (u64, &u32)| Series { number, people, how: EXACT };
        Self { source, series: (0..).zip(sizes).map(series).collect() }
    }

    /// The approximate searches of one gallery.
    #[must_use]
    pub fn approximate(source: &'a Source<'a>, number: u64, people: u32) -> Self {
        Self { source, series: vec![Series { number, people, how: APPROXIMATE }] }
    }

    /// Hands the searches of the last gallery, which is the whole one, out.
    ///
    /// # Errors
    /// What the journal and `visit` say; that it is to end.
    pub fn each_of_whole(&self, visit: impl FnMut(Search) -> Result<(), CaseworkError>) -> Result<(), CaseworkError> {
        self.series.last().map_or(Ok(()), |&series| self.each(series, visit))
    }

    /// Hands the searches of a series out. Those whose mate is only in a larger gallery are left out; those for somebody who was meant
    /// to be in this one and could not be enrolled stay, since they are misses.
    fn each(
        &self,
        series: Series,
        mut visit: impl FnMut(Search) -> Result<(), CaseworkError>,
    ) -> Result<(), CaseworkError> {
        let Source { journal, samples, watch, .. } = self.source;
        let probes = samples.probes();
        searches::each(journal, series.number, probes, |probe, searched| {
            if (probe as usize).is_multiple_of(PROBES_PER_SEARCH_MAX) {
                watch.at("reading searches", u64::from(probe), u64::from(probes))?;
            }
            let mate = samples.mate_of(probe);
            if mate.is_some_and(|person| person >= series.people) {
                Ok(())
            } else {
                visit(self.search(probe, searched))
            }
        })
    }

    fn search(&self, probe: u32, searched: Searched) -> Search {
        let Source { samples, who, .. } = self.source;
        let Searched { extracted, mate: score, candidates } = searched;
        let (mate, subject) = (samples.mate_of(probe), (who.of_probe)(probe));
        let candidates: Vec<Candidate> = candidates
            .into_iter()
            .map(|(row, score)| Candidate { subject: (who.of_gallery)(samples.person_of(row)), template: row, score })
            .collect();
        let place = candidates.iter().position(|candidate| candidate.subject == subject);
        Search {
            probe,
            subject,
            kind: if mate.is_some() { Kind::Mated } else { Kind::NonMated },
            extracted,
            mate_enrolled_failed: mate.is_some_and(|person| !samples.is_enrolled(person)),
            mate: score.map(|score| MateScore { score, rank: place.map(|place| place as u32 + 1) }),
            candidates,
        }
    }

    fn trials(&self, series: Series) -> Result<Trials, CaseworkError> {
        let Source { samples, list_length, .. } = self.source;
        let mut all = Vec::new();
        self.each(series, |search| {
            all.push(search);
            Ok(())
        })?;
        let (people, templates) = (samples.enrolled_of(series.people), samples.rows_of(series.people));
        Ok(Trials::new(people, templates, *list_length as u32, all)?)
    }
}

impl Galleries for Lists<'_> {
    fn count(&self) -> usize {
        self.series.len()
    }

    fn load(&self, place: usize) -> Result<Cow<'_, Trials>, EvaluationError> {
        let series = self.series.get(place).ok_or(EvaluationError::Empty("galleries"))?;
        self.trials(*series).map(Cow::Owned).map_err(|error| {
            if error.is_stop() {
                return EvaluationError::Interrupted;
            }
            if let CaseworkError::Evaluation(error) = error {
                error
            } else {
                EvaluationError::Searches(error.to_string())
            }
        })
    }
}

/// How people and probes are called in a table.
pub struct Names<'a> {
    /// A probe, by its number.
    pub probe: &'a dyn Fn(u32) -> String,
    /// A person, by theirs.
    pub subject: &'a dyn Fn(u32) -> String,
}

/// Writes every list, for whoever wants to recompute. It has its name when all of it is there.
///
/// # Errors
/// What journal and disk say; that it is to end.
pub fn write_candidates(run: &RunFolder, all: &[&Lists<'_>], names: &Names<'_>) -> Result<(), CaseworkError> {
    write_table(run, CANDIDATES, |out| {
        out.write_record(["people", "probe", "subject", "mated", "rank", "candidate", "score", "mate_score", "search"])
            .map_err(csv_error)?;
        for lists in all {
            for &series in &lists.series {
                let people = lists.source.samples.enrolled_of(series.people).to_string();
                lists.each(series, |search| write_search(out, &people, series.how, &search, names))?;
            }
        }
        Ok(())
    })
}

/// Removes the table of every list where there is one.
///
/// # Errors
/// What the disk says.
pub fn remove_candidates(run: &RunFolder) -> Result<(), CaseworkError> {
    let path = run.file(CANDIDATES);
    if path.is_file() { fs::remove_file(path).map_err(io) } else { Ok(()) }
}

fn write_search(
    out: &mut Table,
    people: &str,
    how: &str,
    search: &Search,
    names: &Names<'_>,
) -> Result<(), CaseworkError> {
    let (probe, subject) = ((names.probe)(search.probe), (names.subject)(search.subject));
    let mated = (search.kind == Kind::Mated).to_string();
    let mate = search.mate.map_or_else(String::new, |mate| mate.score.to_string());
    let mut row = |rank: &str, candidate: &str, score: &str| {
        out.write_record([people, &probe, &subject, &mated, rank, candidate, score, &mate, how]).map_err(csv_error)
    };
    if search.candidates.is_empty() {
        // A search without a list is a search too.
        return row("", "", "");
    }
    for (candidate, rank) in search.candidates.iter().zip(1_u32..) {
        row(&rank.to_string(), &(names.subject)(candidate.subject), &candidate.score.to_string())?;
    }
    Ok(())
}

/// A CSV file in the making.
pub(super) type Table = csv::Writer<std::io::BufWriter<fs::File>>;

/// Writes a table as a draft, and gives it its name when it is whole and on the disk.
pub(super) fn write_table(
    run: &RunFolder,
    name: &str,
    write: impl FnOnce(&mut Table) -> Result<(), CaseworkError>,
) -> Result<(), CaseworkError> {
    let draft = run.file(&format!("{name}.draft"));
    let mut out = csv::Writer::from_writer(std::io::BufWriter::new(fs::File::create(&draft).map_err(io)?));
    write(&mut out)?;
    let mut file = out.into_inner().map_err(|error| io(error.into_error()))?;
    file.flush().map_err(io)?;
    file.get_ref().sync_all().map_err(io)?;
    fs::rename(&draft, run.file(name)).map_err(io)
}

pub(super) fn csv_error(error: csv::Error) -> CaseworkError {
    if let csv::ErrorKind::Io(error) = error.into_kind() {
        return io(error);
    }
    // Records of one length, in UTF-8, to a file: nothing else goes wrong.
    CaseworkError::Stopped("a table can't be written".to_owned())
}
