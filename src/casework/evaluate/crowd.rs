//! An evaluation on synthetic people: the generator's templates through the product's own galleries and exact scoring. It measures
//! the arithmetic, the engine and the protocol; nothing in it is evidence about any model or person.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::base::clock;
use crate::base::hex;
use crate::base::ids::ModelId;
use crate::base::program::Program;
use crate::casework::enrol::blocking;
use crate::casework::evaluate::bounds::Wanted;
use crate::casework::evaluate::columns::write_columns;
use crate::casework::evaluate::figures::{self, hardware, latency};
use crate::casework::evaluate::finished::Done;
use crate::casework::evaluate::lists::{Lists, Names, People, Source, remove_candidates, write_candidates};
use crate::casework::evaluate::samples::{Samples, sizes_apart, sizes_joined};
use crate::casework::evaluate::searches::{self, Series};
use crate::casework::evaluate::synthetic::{Options, SyntheticSamples};
use crate::casework::evaluate::{JOURNALS, RunFolder, RunKey, Watch, sha256_of, store, timing};
use crate::casework::{CaseworkError, Desk};
use crate::evaluation::accuracy::trials::Kind;
use crate::evaluation::assemble::{Column, Findings, assemble};
use crate::evaluation::journal::Journal;
use crate::evaluation::protocol::ProtocolError;
use crate::evaluation::results::{About, Evaluation, Identity, Latency, Statement};
use crate::identify::Mode;
use crate::settings::Settings;

/// Pairs that calibration looks at.
const CALIBRATION_PAIRS: u32 = 50_000;
/// Lines of lists that are written without being asked for: some 250 MB.
pub const LISTS_LINES: u64 = 3_000_000;
/// Name of the model that synthetic templates belong to; its hash is that of what was made.
const MODEL: &str = "synthetic";

/// What is to be measured on synthetic people.
#[derive(Debug, Clone)]
pub struct CrowdPlan {
    /// What is made.
    pub options: Options,
    /// People in each smaller, nested gallery.
    pub sizes: Vec<u32>,
    /// Candidates on a list.
    pub list_length: usize,
    /// Whether scores are calibrated as likelihood ratios.
    pub calibrate: bool,
    /// Whether every list is written as CSV; where nothing is said, those of up to [`LISTS_LINES`] lines are.
    pub lists: Option<bool>,
    /// Title of the report.
    pub title: String,
    /// Where everything goes.
    pub folder: PathBuf,
    /// Leaves the galleries there.
    pub keep: bool,
    /// What measures, for the identity card.
    pub program: Program,
}

impl CrowdPlan {
    /// Whether a person stands on a list once, with however many images.
    fn joins_people(&self) -> bool {
        self.options.images > 1
    }
}

/// Makes galleries, searches, and works the figures out; or answers from an evaluation that was finished before.
///
/// # Errors
/// [`CaseworkError`]; after an interruption the same call goes on.
pub async fn run(settings: &Settings, plan: &CrowdPlan, watch: &Watch) -> Result<Done, CaseworkError> {
    wanted(plan)?.check()?;
    let data_sha256 = plan.options.sha256()?;
    let hash = hex::decode_32(&data_sha256).unwrap_or_default();
    let model = ModelId { name: MODEL.to_owned(), hash };
    let key = RunKey {
        data_sha256: data_sha256.clone(),
        model_sha256: data_sha256,
        settings: json!({ "kind": "synthetic", "sizes": plan.sizes, "list_length": plan.list_length, "journals": JOURNALS }),
    };
    let run = RunFolder::take(&plan.folder, &key)?;
    let asked = json!({ "--title": plan.title, "--calibrate": plan.calibrate, "--lists": plan.lists });
    let done = if let Some(evaluation) = run.finished(&asked)? {
        Done { evaluation, before: true }
    } else {
        run.record(&asked, None)?;
        let desk = run.desk(settings).await?;
        let found = run_at(&desk, settings, plan, &model, &run, watch).await;
        desk.vault.clone().close().await;
        Done { evaluation: found?, before: false }
    };
    if !plan.keep {
        run.remove_work()?;
    }
    Ok(done)
}

/// People in each gallery, ascending; the last is everybody.
fn sizes(plan: &CrowdPlan) -> Result<Vec<u32>, CaseworkError> {
    let most = plan.options.people;
    if let Some(&asked) = plan.sizes.iter().find(|&&size| !(1..=most).contains(&size)) {
        return Err(ProtocolError::Size { asked: asked as usize, least: 1, most: most as usize }.into());
    }
    let mut sizes = plan.sizes.clone();
    sizes.push(most);
    sizes.sort_unstable();
    sizes.dedup();
    Ok(sizes)
}

fn wanted(plan: &CrowdPlan) -> Result<Wanted, CaseworkError> {
    let Options { images, mated, non_mated, .. } = plan.options;
    plan.options.check()?;
    Ok(Wanted {
        sizes: sizes(plan)?.len(),
        list_length: plan.list_length,
        images_joined: images as usize,
        searches: u64::from(mated) + u64::from(non_mated),
    })
}

async fn run_at(
    desk: &Desk,
    settings: &Settings,
    plan: &CrowdPlan,
    model: &ModelId,
    run: &RunFolder,
    watch: &Watch,
) -> Result<Evaluation, CaseworkError> {
    let (options, threads, waiting) = (plan.options.clone(), desk.scoring_threads(), watch.clone());
    let made = blocking(move || {
        SyntheticSamples::told(options, threads, &|done, of| waiting.at("looking for failures to enrol", done, of))
    });
    let samples = Arc::new(made.await??);
    let source: Arc<dyn Samples> = Arc::<SyntheticSamples>::clone(&samples);
    let asked = sizes(plan)?;
    let exclusions = |made: &[u32]| sizes_joined(asked.len(), made.len()).into_iter().collect();
    let sizes = sizes_apart(source.as_ref(), asked.iter().copied())?;
    let (mut times, mut timed) = (Vec::new(), Vec::new());
    for (number, &people) in sizes.iter().enumerate() {
        let gallery = searches::gallery(desk, model, &source, people, true, watch).await?;
        let series = Series {
            people,
            list_length: plan.list_length,
            join_people: plan.joins_people(),
            mode: Mode::Exact,
            number: number as u64,
            synthetic: true,
        };
        let enrolled = source.enrolled_of(people);
        times.push((enrolled, searches::search(desk, &source, &gallery, &series, run, watch).await?));
        let how = (plan.options.seed, sizes.len());
        timed.extend(timing::time(desk, &source, &gallery, &series, how, watch).await?);
    }
    let back_end = desk.engine.scorer.name();
    let identity = Identity { exclusions: exclusions(&sizes), ..identity(settings, plan, &back_end)? };
    let (plan, run, samples, watch) = (plan.clone(), run.clone(), Arc::clone(&samples), watch.clone());
    blocking(move || {
        let made = Made { sizes, latency: latency(&back_end, &times, &timed), identity };
        work_out(&plan, made, &samples, &run, &watch)
    })
    .await?
}

/// What is known of a run beside its searches.
struct Made {
    sizes: Vec<u32>,
    latency: Option<Latency>,
    identity: Identity,
}

fn work_out(
    plan: &CrowdPlan,
    made: Made,
    samples: &SyntheticSamples,
    run: &RunFolder,
    watch: &Watch,
) -> Result<Evaluation, CaseworkError> {
    let Made { sizes, latency, identity } = made;
    let journal = Journal::open(&run.file(searches::JOURNAL)).map_err(store)?;
    let who = People { of_gallery: &|person| person, of_probe: &|probe| samples.subject_of(probe) };
    let (list_length, joined) = (plan.list_length, plan.joins_people());
    let source = Source { journal: &journal, samples, list_length, who, joined, watch };
    let lists = Lists::exact(&source, &sizes);
    // Nobody's mate is outside the whole gallery: all searches are of it.
    let probes: Vec<u32> = (0..samples.probes()).collect();
    let name = |probe: u32| format!("synthetic probe {probe}");
    let mut groups: Vec<Column> = samples.groups(&probes).into_iter().collect();
    source.count_candidates(&mut groups);
    let findings = Findings {
        galleries: &lists,
        failures_to_enrol: samples.failures_to_enrol(),
        subjects_not_enrolled: u64::from(samples.people()) - samples.enrolled_of(samples.people()),
        kinds: Some(samples.kinds(&probes)),
        groups,
        measures: samples.measures(&probes),
        non_mated_pairs: if plan.calibrate { samples.non_mated_pairs(CALIBRATION_PAIRS)? } else { Vec::new() },
        approximate: None,
        probe_names: Box::new(name),
        latency,
        tell: &|step, done, of| watch.figures_at(step, done, of),
    };
    let subject = |subject: u32| format!("synthetic #{subject}");
    let names = Names { probe: &name, subject: &subject };
    write_columns(run, &lists, &findings, identity.seed, &names)?;
    let mut evaluation = assemble(identity, findings)?;
    evaluation.statements.extend(duplicates(&lists, samples)?);
    let lines = probes.len() as u64 * sizes.len() as u64 * plan.list_length as u64;
    if plan.lists.unwrap_or(lines <= LISTS_LINES) {
        write_candidates(run, &[&lists], &names)?;
    } else {
        // Those of a run before this one, with the same searches, would be nobody's.
        remove_candidates(run)?;
        evaluation.statements.push(without_lists(lines));
    }
    figures::write(run, &evaluation)?;
    Ok(evaluation)
}

/// What can't be counted again where the lists were not written.
fn without_lists(lines: u64) -> Statement {
    let text = format!(
        "The lists themselves were not written: candidates.csv would have {lines} lines, more than {LISTS_LINES} are written only if asked \
         for (--lists), none with --no-lists. probes.csv has the first score and the mate's score and rank of every search of the \
         whole gallery; what lies between (selectivity, candidates to reject, smaller galleries, the prediction) can't be \
         recomputed from what stays."
    );
    Statement { about: About::Limit, text }
}

/// What people who are enrolled under two identities do to the figures: the other one as a candidate is the person sought.
fn duplicates(lists: &Lists<'_>, samples: &SyntheticSamples) -> Result<Option<Statement>, CaseworkError> {
    if samples.options().parameters.relatives.duplicates == 0.0 {
        return Ok(None);
    }
    let (mut searches, mut listed, mut first) = (0_u64, 0_u64, 0_u64);
    lists.each_of_whole(|search| {
        let mated = search.kind == Kind::Mated;
        let other = mated.then(|| samples.duplicate_of(search.subject)).flatten();
        if let Some(other) = other.filter(|&other| samples.is_enrolled(other)) {
            let place = search.candidates.iter().position(|candidate| candidate.subject == other);
            searches += 1;
            listed += u64::from(place.is_some());
            first += u64::from(place == Some(0));
        }
        Ok(())
    })?;
    if searches == 0 {
        let text = "No mated search is for anybody who is enrolled under two identities.".to_owned();
        return Ok(Some(Statement { about: About::Synthetic, text }));
    }
    let text = format!(
        "{searches} mated searches are for people who are enrolled under two identities (synthetic duplicates). In {listed} of their lists the \
         other identity is a candidate, in {first} the first one: these {first} count as misses at rank 1 here, and are no \
         errors, since the person was found. Non-mated searches are for people who have no identity in the gallery: no false \
         positive is a duplicate."
    );
    Ok(Some(Statement { about: About::Synthetic, text }))
}

fn identity(settings: &Settings, plan: &CrowdPlan, back_end: &str) -> Result<Identity, CaseworkError> {
    let options = &plan.options;
    let line = |name: &str, value: String| (name.to_owned(), value);
    let sha256 = options.sha256()?;
    Ok(Identity {
        title: plan.title.clone(),
        made_at: clock::now_rfc3339(),
        program: plan.program.name(),
        commit: plan.program.commit(),
        config_sha256: sha256_of(&settings.to_toml().map_err(|error| CaseworkError::Stopped(error.to_string()))?),
        model: MODEL.to_owned(),
        model_sha256: sha256.clone(),
        dimension: options.dimension,
        data_sha256: sha256,
        data: options.parameters.source.clone(),
        synthetic: true,
        seed: options.seed,
        hardware: hardware(back_end),
        protocol: vec![
            line(figures::ENROLMENT, enrolment(options.images)),
            line("mated probes", format!("{}, of the first {} people", options.mated, options.mates_among)),
            line("non-mated probes", format!("{}, each of somebody else who is not enrolled", options.non_mated)),
            line("longest candidate list", plan.list_length.to_string()),
            line("search", "exact".to_owned()),
        ],
        exclusions: Vec::new(),
    })
}

fn enrolment(images: u32) -> String {
    match images {
        1 => "one synthetic image a person".to_owned(),
        several => format!("{several} synthetic images a person, under one identity"),
    }
}

#[cfg(test)]
mod tests;
