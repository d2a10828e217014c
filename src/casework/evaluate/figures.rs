//! From what was searched to what is reported: the figures and the files of a finished evaluation.

use std::collections::BTreeMap;
use std::sync::Arc;

use fs_err as fs;

use crate::base::clock;
use crate::base::hex;
use crate::base::limits::EVALUATION_RESULTS_BYTES_MAX;
use crate::casework::CaseworkError;
use crate::casework::enrol::blocking;
use crate::casework::evaluate::columns::write_columns;
use crate::casework::evaluate::extract::MEASURES;
use crate::casework::evaluate::finished::Wording;
use crate::casework::evaluate::lists::{Lists, Names, People, Source, csv_error, write_candidates, write_table};
use crate::casework::evaluate::pictures::{APPROXIMATE_SERIES, PicturePlan, PictureProbe, PictureRun};
use crate::casework::evaluate::samples::Samples;
use crate::casework::evaluate::searches::{self, BatchTimes};
use crate::casework::evaluate::{RunFolder, Watch, sha256_of, store};
use crate::evaluation::assemble::{Column, Findings, Galleries, QualityMeasure, assemble};
use crate::evaluation::journal::Journal;
use crate::evaluation::manifest::Manifest;
use crate::evaluation::protocol::{Enrolment, Split};
use crate::evaluation::results::{About, Evaluation, Identity, Latency, Statement, TimedBatches};
use crate::settings::Settings;
use crate::store::disk::DiskFolder;
use crate::store::replace_small;
use crate::vision::degrade::Preset;

/// The evaluation, for programs.
pub const EVALUATION: &str = "evaluation.json";
/// The protocol's line that says how people were enrolled.
pub(super) const ENROLMENT: &str = "enrolment";
/// The protocol's line with one number for all pictures.
pub(super) const PICTURES: &str = "pictures, sha256 over those of all";
/// Pictures without a template, and why.
const FAILURES: &str = "failures.csv";

/// Works out an evaluation on pictures and writes its files, `evaluation.json` last.
///
/// # Errors
/// [`CaseworkError`]; that it is to end, and then the same call goes on from the searches.
pub(super) async fn of_pictures(
    settings: &Settings,
    plan: &Arc<PicturePlan>,
    done: PictureRun,
    said: &Wording,
    watch: &Watch,
) -> Result<Evaluation, CaseworkError> {
    let identity = identity(settings, plan, &done, said)?;
    let (plan, watch) = (Arc::clone(plan), watch.clone());
    blocking(move || work_out(&plan, &done, identity, &watch)).await?
}

fn work_out(
    plan: &PicturePlan,
    done: &PictureRun,
    identity: Identity,
    watch: &Watch,
) -> Result<Evaluation, CaseworkError> {
    let journal = Journal::open(&done.run.file(searches::JOURNAL)).map_err(store)?;
    let samples = done.samples.as_ref();
    let subject_of = |probe: u32| {
        let image = done.probes.get(probe as usize).map_or(0, |probe| probe.image);
        plan.manifest.images.get(image).map_or(0, |image| image.subject)
    };
    let who = People {
        of_gallery: &|person| done.split.enrolled.get(person as usize).copied().unwrap_or(u32::MAX),
        of_probe: &subject_of,
    };
    let (list_length, joined) = (plan.list_length, plan.joins_people());
    let source = Source { journal: &journal, samples, list_length, who, joined, watch };
    let exact = Lists::exact(&source, &done.sizes);
    let by_graphs = plan.approximate.map(|ef| {
        let whole = done.sizes.last().copied().unwrap_or(0);
        (ef, Lists::approximate(&source, APPROXIMATE_SERIES, whole))
    });
    // Nobody's mate is outside the whole gallery: all searches are of it.
    let searched: Vec<&PictureProbe> = done.probes.iter().collect();
    let name = |probe: u32| name_of(plan, done.probes.get(probe as usize));
    let mut groups = groups(&plan.manifest, &searched);
    source.count_candidates(&mut groups);
    let findings = Findings {
        galleries: &exact,
        failures_to_enrol: done.not_enrolled.len() as u64,
        subjects_not_enrolled: u64::from(samples.people()) - samples.enrolled_of(samples.people()),
        kinds: Some(kinds(&plan.manifest, &searched)),
        groups,
        measures: measures(&searched),
        non_mated_pairs: done.non_mated_pairs.clone(),
        approximate: by_graphs.as_ref().map(|(ef, lists)| (*ef, lists as &dyn Galleries)),
        probe_names: Box::new(name),
        latency: latency(&done.back_end, &done.times, &done.timed),
        tell: &|step, done, of| watch.figures_at(step, done, of),
    };
    let subject = |number: u32| plan.manifest.subjects.get(number as usize).cloned().unwrap_or_default();
    let names = Names { probe: &name, subject: &subject };
    write_columns(&done.run, &exact, &findings, identity.seed, &names)?;
    let mut evaluation = assemble(identity, findings)?;
    evaluation.statements.extend(degraded(&plan.degraded, &done.probes));
    let lists: Vec<&Lists<'_>> = std::iter::once(&exact).chain(by_graphs.as_ref().map(|(_, lists)| lists)).collect();
    write_candidates(&done.run, &lists, &names)?;
    write_failures(plan, done)?;
    write(&done.run, &evaluation)?;
    Ok(evaluation)
}

/// Says of probes that were made poor that no camera took them so.
fn degraded(presets: &[Preset], probes: &[PictureProbe]) -> Option<Statement> {
    let names: Vec<&str> = presets.iter().map(|preset| preset.name()).collect();
    let [_, ..] = names.as_slice() else { return None };
    let made = probes.iter().filter(|probe| probe.degraded.is_some()).count();
    let text = format!(
        "{made} of {} probes were degraded by a seeded simulation (preset {}): they are synthetic pictures of real people. Rates of their          kind, and of any mixture with them, say how the model stands that simulation, and are no evidence about pictures of cameras.",
        probes.len(),
        names.join(", ")
    );
    Some(Statement { about: About::Synthetic, text })
}

fn name_of(plan: &PicturePlan, probe: Option<&PictureProbe>) -> String {
    let Some(probe) = probe else { return String::new() };
    let image = plan.manifest.images.get(probe.image).map_or("", |image| image.name.as_str());
    match probe.degraded {
        Some(preset) => format!("{image} ({})", preset.name()),
        None => image.to_owned(),
    }
}

/// Kind of each searched picture.
fn kinds(manifest: &Manifest, searched: &[&PictureProbe]) -> Column {
    let mut values: Vec<String> = Vec::new();
    let mut of_searches = Vec::with_capacity(searched.len());
    for probe in searched {
        let kind = manifest.images.get(probe.image).map_or("", |image| image.kind.as_str());
        let kind = match (kind, probe.degraded) {
            ("", None) => "as it is".to_owned(),
            (kind, None) => kind.to_owned(),
            ("", Some(preset)) => format!("degraded: {}", preset.name()),
            (kind, Some(preset)) => format!("{kind}, degraded: {}", preset.name()),
        };
        let place = values.iter().position(|value| *value == kind).unwrap_or_else(|| {
            values.push(kind);
            values.len() - 1
        });
        of_searches.push(Some(place as u16));
    }
    Column {
        name: "kind of probe".to_owned(),
        values,
        of_searches,
        of_subjects: BTreeMap::new(),
        templates: Vec::new(),
    }
}

fn groups(manifest: &Manifest, searched: &[&PictureProbe]) -> Vec<Column> {
    let of = |(place, column): (usize, &crate::evaluation::manifest::GroupColumn)| {
        let value = |image: usize| manifest.images.get(image)?.groups.get(place).copied().flatten();
        let mut of_subjects = BTreeMap::new();
        for (number, image) in manifest.images.iter().enumerate() {
            if let Some(value) = value(number) {
                of_subjects.entry(image.subject).or_insert(value);
            }
        }
        Column {
            name: column.name.clone(),
            values: column.values.clone(),
            of_searches: searched.iter().map(|probe| value(probe.image)).collect(),
            of_subjects,
            templates: Vec::new(),
        }
    };
    manifest.columns.iter().enumerate().map(of).collect()
}

/// Measures as qualities: a face turned away in either direction is poorer.
fn measures(searched: &[&PictureProbe]) -> Vec<QualityMeasure> {
    let of = |(place, name): (usize, &&str)| {
        let turned = name.ends_with("_deg");
        let value = |probe: &&PictureProbe| {
            let value = f64::from(*probe.measures.as_ref()?.get(place)?);
            Some(if turned { -value.abs() } else { value })
        };
        let name = if turned { format!("minus |{name}|") } else { (*name).to_owned() };
        QualityMeasure { name, of_searches: searched.iter().map(value).collect() }
    };
    MEASURES.iter().enumerate().map(of).collect()
}

pub(super) fn latency(back_end: &str, times: &[(u64, BatchTimes)], timed: &[TimedBatches]) -> Option<Latency> {
    let (_, whole) = times.last()?;
    let (batch, batch_ms) = filled(whole)?;
    let (probes, ms) = whole.iter().fold((0, 0.0), |(probes, ms), one| (probes + one.probes, ms + one.ms));
    let median = |times: &BatchTimes| {
        let (batch, ms) = filled(times)?;
        Some((batch, *ms.get(ms.len() / 2)?))
    };
    let by_size = times.iter().filter_map(|(people, times)| median(times).map(|(batch, ms)| (*people, batch, ms)));
    Some(Latency {
        back_end: back_end.to_owned(),
        batch,
        batch_ms,
        probes_a_second: if ms > 0.0 { probes as f64 / ms * 1e3 } else { 0.0 },
        by_size: by_size.collect(),
        timed: timed.to_vec(),
    })
}

/// Milliseconds of the batches that were filled, ascending, and the median of what was scored in them: a probe without a template takes
/// its place in a batch, and no time. A short batch says nothing of the others, nor does one of which no probe had a template.
fn filled(times: &BatchTimes) -> Option<(usize, Vec<f64>)> {
    let scored = || times.iter().filter(|one| one.probes > 0);
    let most = scored().map(|one| one.searches).max()?;
    let (mut probes, mut ms): (Vec<usize>, Vec<f64>) =
        scored().filter(|one| one.searches == most).map(|one| (one.probes, one.ms)).unzip();
    probes.sort_unstable();
    ms.sort_by(f64::total_cmp);
    Some((*probes.get(probes.len() / 2)?, ms))
}

fn identity(
    settings: &Settings,
    plan: &PicturePlan,
    done: &PictureRun,
    said: &Wording,
) -> Result<Identity, CaseworkError> {
    let protocol = &plan.protocol;
    let degraded: Vec<&str> = plan.degraded.iter().map(|preset| preset.name()).collect();
    let line = |name: &str, value: String| (name.to_owned(), value);
    let mut lines = vec![
        line(ENROLMENT, protocol.enrolment.in_words().to_owned()),
        line("people who are not enrolled", format!("{} of all, drawn by the seed", protocol.non_mated_share)),
        line("probes", probes_in_words(plan, &done.split)),
        line(PICTURES, done.pictures.sha256.clone()),
        line("longest candidate list", plan.list_length.to_string()),
        line(
            "search",
            plan.approximate.map_or("exact".to_owned(), |ef| format!("exact; by graphs beside it, ef {ef}")),
        ),
        line("failures", "a failure to extract or to enrol is a miss; a non-mated one gives no candidate".to_owned()),
    ];
    if !degraded.is_empty() {
        lines.push(line("degraded probes beside each", degraded.join(", ")));
    }
    Ok(Identity {
        title: said.title.clone(),
        made_at: clock::now_rfc3339(),
        program: plan.program.name(),
        commit: plan.program.commit(),
        config_sha256: sha256_of(&settings.to_toml().map_err(|error| CaseworkError::Stopped(error.to_string()))?),
        model: done.model.name.clone(),
        model_sha256: hex::encode(&done.model.hash),
        dimension: done.dimension.get(),
        data_sha256: plan.manifest.sha256.clone(),
        data: said.data.clone(),
        synthetic: false,
        seed: protocol.seed,
        hardware: hardware(&done.back_end),
        protocol: lines,
        exclusions: done.split.exclusions.clone(),
    })
}

/// Which pictures were searched with, by what the protocol did.
fn probes_in_words(plan: &PicturePlan, split: &Split) -> String {
    let Split { mated, non_mated, gallery_as_probes, .. } = split;
    let roles = || plan.manifest.images.iter().map(|image| image.role);
    let by_time = match plan.protocol.enrolment {
        Enrolment::OneImage => "every picture but a person's earliest",
        Enrolment::Consolidated | Enrolment::Unconsolidated => "the latest picture of each person who has several",
    };
    let which = if roles().all(|role| role.is_none()) {
        by_time.to_owned()
    } else if roles().all(|role| role.is_some()) {
        "the pictures that the manifest calls probes".to_owned()
    } else {
        format!(
            "the pictures that the manifest calls probes, those it says nothing of where another of the person is for the gallery, and of \
             people without any for the gallery {by_time}"
        )
    };
    let alone = match gallery_as_probes {
        0 => String::new(),
        some => format!(", {some} of these meant for the gallery, of people who have no other"),
    };
    let (enrolled, others) = (mated.len(), non_mated.len());
    format!("{which}: {enrolled} of people enrolled, {others} of people who are not{alone}; the largest face of each")
}

/// The machine, as far as the system tells.
pub(super) fn hardware(back_end: &str) -> Vec<(String, String)> {
    let first = |path: &str, key: &str| {
        let text = fs::read_to_string(path).ok()?;
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let processor = first("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let memory = first("/proc/meminfo", "MemTotal").unwrap_or_else(|| "unknown".to_owned());
    [("processor", processor), ("threads", threads.to_string()), ("memory", memory), ("back end", back_end.to_owned())]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
}

/// Writes `evaluation.json`.
pub(super) fn write(run: &RunFolder, evaluation: &Evaluation) -> Result<(), CaseworkError> {
    let text = serde_json::to_string_pretty(evaluation).map_err(|error| CaseworkError::Stopped(error.to_string()))?;
    let folder = DiskFolder::open(&run.file("")).map_err(store)?;
    replace_small(&folder, EVALUATION, text.as_bytes()).map_err(store)
}

fn write_failures(plan: &PicturePlan, done: &PictureRun) -> Result<(), CaseworkError> {
    write_table(&done.run, FAILURES, |out| {
        let mut row = |record: [&str; 3]| out.write_record(record).map_err(csv_error);
        row(["picture", "failure", "reason"])?;
        for (image, reason) in &done.not_enrolled {
            let name = plan.manifest.images.get(*image).map_or("", |image| image.name.as_str());
            row([name, "to enrol", reason])?;
        }
        for probe in &done.probes {
            if let Some(reason) = &probe.failure {
                row([name_of(plan, Some(probe)).as_str(), "to extract", reason])?;
            }
        }
        Ok(())
    })
}

/// Reads a finished evaluation.
///
/// # Errors
/// [`CaseworkError::OtherRun`] where there is none that this program can read.
pub fn read(folder: &std::path::Path) -> Result<(Evaluation, String), CaseworkError> {
    let other = |what: String| CaseworkError::OtherRun { path: folder.to_owned(), what };
    let path = folder.join(EVALUATION);
    let none = |_| other(format!("there is no {EVALUATION} in it: `bertillon eval accuracy` makes one"));
    let bytes = fs::metadata(&path).map_err(none)?.len();
    if bytes > EVALUATION_RESULTS_BYTES_MAX {
        return Err(other(format!(
            "its {EVALUATION} has {bytes} bytes, at most {EVALUATION_RESULTS_BYTES_MAX} are read"
        )));
    }
    let text = fs::read_to_string(&path).map_err(none)?;
    let evaluation = Evaluation::from_json(&text).map_err(|error| other(format!("its {EVALUATION}: {error}")))?;
    Ok((evaluation, sha256_of(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::casework::evaluate::searches::BatchTime;

    #[test]
    fn batches_with_probes_that_gave_no_template_are_timed_too() {
        let batch = |searches, probes, ms| BatchTime { searches, probes, ms };
        // Eight filled ones, none with quite as many templates as another, one without any, and the rest of the probes.
        let mut times: BatchTimes = (0..8).map(|more| batch(512, 500 + more, 10.0 - more as f64)).collect();
        times.extend([batch(512, 0, 0.0), batch(100, 100, 1.0)]);
        let found = latency("cpu", &[(100, times.clone()), (900, times)], &[]).unwrap();
        assert_eq!((found.batch, found.batch_ms.len()), (504, 8));
        assert!(found.batch_ms.is_sorted() && found.batch_ms[0] == 3.0);
        assert_eq!(found.by_size, [(100, 504, 7.0), (900, 504, 7.0)]);
        assert_eq!(latency("cpu", &[(100, vec![batch(512, 0, 0.0)])], &[]), None);
    }

    #[test]
    fn degraded_probes_are_said_to_be_synthetic() {
        let probe = |degraded| PictureProbe { image: 0, degraded, mate: None, measures: None, failure: None };
        let presets = [Preset::Cctv, Preset::Night];
        let probes: Vec<PictureProbe> = [None, Some(Preset::Cctv), Some(Preset::Night)].map(probe).into();
        let said = degraded(&presets, &probes).unwrap();
        assert_eq!(said.about, About::Synthetic);
        let wanted = "2 of 3 probes were degraded by a seeded simulation (preset cctv, night): they are synthetic pictures of real people.";
        assert!(said.text.starts_with(wanted), "{}", said.text);
        assert_eq!(degraded(&[], &probes[..1]), None);
    }

    #[test]
    fn results_too_large_to_be_any_are_refused_before_they_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let why = || read(folder.path()).unwrap_err().to_string();
        assert!(why().contains("there is no evaluation.json"), "{}", why());
        let file = fs::File::create(folder.path().join(EVALUATION)).unwrap();
        file.set_len(EVALUATION_RESULTS_BYTES_MAX + 1).unwrap();
        assert!(why().contains("268435457 bytes, at most 268435456"), "{}", why());
    }
}
