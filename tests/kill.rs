//! `kill -9` at any moment loses nothing that was acknowledged and resurrects nothing that was erased.
//! The test starts itself again as a child that changes a data folder as fast as it can, saying before each step what it tries and after each what was acknowledged.
//! The child is killed at a random moment, 200 times, sometimes while it still recovers. After each kill the folder is read as it lies, and now and then recovered; what a kill can't show is in the power cut test of `src/gallery/shelf.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#[path = "kill/killing.rs"]
mod killing;
#[path = "kill/log.rs"]
mod log;
mod records_at;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bertillon::base::ids::{GalleryName, ModelId, TemplateId};
use bertillon::gallery::{
    Access, Enrolment, Erase, ImportedReference, NewReference, TemplateImport, Vault, VaultOptions,
};
use bertillon::records::Attribute;
use bertillon::segment::Precision;
use bertillon::vector::codec::{Code, put_f32};
use bertillon::vector::dimension::Dimension;
use bertillon::vector::template::Template;

const KILLS: u64 = 200;
const DIMENSION: usize = 16;
const DATA: &str = "BERTILLON_KILL_DATA";
const RUN: &str = "BERTILLON_KILL_RUN";
/// Keys from here on belong to imported rows.
const SYNTHETIC: u64 = 1 << 40;

fn name() -> GalleryName {
    "custody".parse().unwrap()
}

fn model() -> ModelId {
    ModelId { name: "numbers".to_owned(), hash: [1; 32] }
}

fn options() -> VaultOptions {
    VaultOptions {
        tail_rows_max: 24,
        import_segment_rows: 20,
        import_records: 3,
        merge_fan: 3,
        erase_wait: Duration::from_secs(5),
        ..records_at::vault_options()
    }
}

/// Pseudo-random numbers, the same in parent and child.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn raw(key: u64) -> Vec<f32> {
    let mut dice = Dice(key.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    (0..DIMENSION).map(|_| dice.roll(2_000_001) as f32 / 1e6 - 1.0).collect()
}

fn template(key: u64) -> Template {
    Template::from_raw(&raw(key)).unwrap()
}

fn image(key: u64) -> [u8; 32] {
    std::array::from_fn(|i| key.to_le_bytes()[i % 8] ^ i as u8)
}

fn subject(batch: u64) -> String {
    format!("{batch:09} killed test subject")
}

/// The key in letters, so that its first 12 bytes occur in no subject's text, whatever byte stands before that.
fn source(key: u64) -> String {
    let letters: String = format!("{key:09}").chars().map(|digit| char::from(digit as u8 - b'0' + b'a')).collect();
    format!("{letters}.jpg of a killed test")
}

fn reference(key: u64, batch: u64) -> NewReference {
    NewReference {
        subject: subject(batch).parse().unwrap(),
        image_sha256: image(key),
        source: source(key),
        width_px: 1,
        height_px: 1,
        quality_json: "{}".to_owned(),
        template: template(key),
        model: model(),
        attributes: vec![Attribute::new("shop", &source(key)).unwrap()],
        about: bertillon::policy::DatedFacts::default(),
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// What the child tries. Written as words on a line.
#[derive(Debug, Clone, PartialEq)]
enum Try {
    Enrol { keys: Vec<u64> },
    Import { base: u64, count: u64 },
    EraseTemplate(u64),
    EraseSubject { batch: u64 },
    Seal,
    Compact,
    Bulk { keys: Vec<u64> },
}

impl Try {
    fn line(&self) -> String {
        let words: Vec<u64> = match self {
            Self::Enrol { keys } => [&[0], keys.as_slice()].concat(),
            Self::Import { base, count } => vec![1, *base, *count],
            Self::EraseTemplate(id) => vec![2, *id],
            Self::EraseSubject { batch } => vec![3, *batch],
            Self::Seal => vec![4],
            Self::Compact => vec![5],
            Self::Bulk { keys } => [&[6], keys.as_slice()].concat(),
        };
        words.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
    }

    fn parse(line: &str) -> Option<Self> {
        let words: Vec<u64> = line.split(' ').map(|word| word.parse().ok()).collect::<Option<_>>()?;
        match words.as_slice() {
            [0, keys @ ..] => Some(Self::Enrol { keys: keys.to_vec() }),
            [1, base, count] => Some(Self::Import { base: *base, count: *count }),
            [2, id] => Some(Self::EraseTemplate(*id)),
            [3, batch] => Some(Self::EraseSubject { batch: *batch }),
            [4] => Some(Self::Seal),
            [5] => Some(Self::Compact),
            [6, keys @ ..] => Some(Self::Bulk { keys: keys.to_vec() }),
            _ => None,
        }
    }
}

/// The child's side. Does nothing in an ordinary test run.
#[test]
fn child() {
    let (Some(data), Some(run)) = (std::env::var_os(DATA), std::env::var(RUN).ok()) else { return };
    let run: u64 = run.parse().unwrap();
    block_on(async {
        let vault = Vault::open(Path::new(&data), Access::Writer, options()).await.unwrap();
        println!("\nREADY");
        let mut dice = Dice(run + 77);
        for step in 0.. {
            let what = choose(&vault, &mut dice, run, step).await;
            println!("TRY {}", what.line());
            let first = act(&vault, &what).await;
            println!("ACK {}", first.map_or(0, |id| id.0));
        }
    });
}

async fn choose(vault: &Vault, dice: &mut Dice, run: u64, step: u64) -> Try {
    let base = run * 100_000 + step * 10;
    let snapshot = vault.snapshot(&name()).await.unwrap();
    let live: Vec<u64> = snapshot
        .rows()
        .iter()
        .flat_map(|run| (0..run.len()).filter(|&row| run.is_live(row)).map(|row| run.template_id(row).0))
        .collect();
    let Some(&id) = live.get(dice.roll(live.len().max(1) as u64) as usize) else {
        return Try::Enrol { keys: vec![base] };
    };
    let erase = if live.len() > 400 { 8 } else { 3 };
    match dice.roll(12) {
        roll if roll < erase && snapshot.is_synthetic(TemplateId(id)) => Try::EraseTemplate(id),
        roll if roll < erase => {
            let found = vault.references(&name(), &[TemplateId(id)]).await.unwrap();
            let whose = found[&TemplateId(id)].subject.as_str();
            if dice.roll(2) == 0 {
                Try::EraseTemplate(id)
            } else {
                Try::EraseSubject { batch: whose[..9].parse().unwrap() }
            }
        }
        8 if run.is_multiple_of(3) => {
            Try::Import { base: SYNTHETIC + run * 100_000 + step * 100, count: 1 + dice.roll(50) }
        }
        9 => [Try::Seal, Try::Compact, Try::Compact][dice.roll(3) as usize].clone(),
        10 => Try::Bulk { keys: (base..=base + dice.roll(9)).collect() },
        _ => Try::Enrol { keys: (base..=base + dice.roll(6)).collect() },
    }
}

/// Does it; the first of the template ids that came of it.
async fn act(vault: &Vault, what: &Try) -> Option<TemplateId> {
    match what {
        Try::Enrol { keys } => {
            let outcome =
                vault.enrol(&name(), keys.iter().map(|&key| reference(key, keys[0])).collect()).await.unwrap();
            let new = |one: &Enrolment| match one {
                Enrolment::New(id) => *id,
                Enrolment::Already { .. } => panic!("{one:?}"),
            };
            outcome.iter().map(new).min()
        }
        Try::Bulk { keys } => {
            let (rows, people, count) = (keys.clone(), keys.clone(), keys.len() as u64);
            let fill = move |row: u64, out: &mut [f32]| {
                out.copy_from_slice(&raw(rows[row as usize]));
                Ok(())
            };
            let describe = move |row: u64| {
                let NewReference { subject, source, attributes, about, .. } =
                    reference(people[row as usize], people[0]);
                Ok(ImportedReference { subject, source, attributes, about })
            };
            let import = TemplateImport { gallery: name(), model: model(), count, job: None };
            Some(vault.import_templates(import, fill, describe, |_| ()).await.unwrap().first)
        }
        Try::Import { base, count } => {
            let base = *base;
            let fill = move |row: u64, out: &mut [f32]| out.copy_from_slice(&raw(base + row));
            Some(vault.import_synthetic(&name(), *count, fill, |_| ()).await.unwrap().first)
        }
        Try::EraseTemplate(id) => {
            vault.erase(&name(), Erase::Template(TemplateId(*id)), |_| ()).await.unwrap();
            None
        }
        Try::EraseSubject { batch } => {
            let whose = Erase::Subject(subject(*batch).parse().unwrap());
            vault.erase(&name(), whose, |_| ()).await.unwrap();
            None
        }
        Try::Seal => {
            vault.seal(&name()).await.unwrap();
            None
        }
        Try::Compact => {
            vault.compact(&name(), true, on).await.unwrap();
            None
        }
    }
}

/// What must be true: which key's template is live under which id.
#[derive(Default)]
struct Model {
    live: BTreeMap<u64, u64>,
    batch: BTreeMap<u64, u64>,
    /// Every id that was ever seen, and what it meant.
    ever: BTreeMap<u64, u64>,
    erased_keys: BTreeSet<u64>,
    last_id: u64,
    /// Rows of imports that were killed and don't count: as many ids may be passed over.
    lost: u64,
}

impl Model {
    /// `first` is the first id that came of it, if any did.
    fn apply(&mut self, what: &Try, first: u64) {
        if matches!(what, Try::Enrol { .. } | Try::Bulk { .. } | Try::Import { .. }) {
            let next = self.last_id + 1;
            assert!((next..=next + self.lost).contains(&first), "template {first} follows {}", self.last_id);
            (self.last_id, self.lost) = (first - 1, 0);
        }
        match what {
            Try::Enrol { keys } | Try::Bulk { keys } => {
                for &key in keys {
                    self.add(key, keys[0]);
                }
            }
            Try::Import { base, count } => (*base..base + count).for_each(|key| self.add(key, 0)),
            Try::EraseTemplate(id) => self.remove(&[*id]),
            Try::EraseSubject { batch } => {
                let ids: Vec<u64> =
                    self.live.iter().filter(|(_, key)| self.batch[key] == *batch).map(|(id, _)| *id).collect();
                self.remove(&ids);
            }
            Try::Seal | Try::Compact => {}
        }
    }

    fn undo(&mut self, what: &Try) {
        if let Try::Bulk { keys } = what {
            self.lost += keys.len() as u64;
        }
    }

    fn add(&mut self, key: u64, batch: u64) {
        self.last_id += 1;
        assert!(self.ever.insert(self.last_id, key).is_none());
        self.live.insert(self.last_id, key);
        self.batch.insert(key, if key >= SYNTHETIC { u64::MAX } else { batch });
    }

    fn remove(&mut self, ids: &[u64]) {
        for id in ids {
            self.erased_keys.extend(self.live.remove(id));
        }
    }
}

/// Whether the folder shows exactly the model. Content that differs is an error at once; only presence is compared.
async fn shows(vault: &Vault, model: &Model) -> bool {
    let snapshot = vault.snapshot(&name()).await.unwrap();
    let mut found = BTreeMap::new();
    for run in snapshot.rows() {
        for row in (0..run.len()).filter(|&row| run.is_live(row)) {
            let mut original = vec![0.0; DIMENSION];
            run.original(row, &mut original);
            assert!(run.scales()[row] == Code::of(&original).scale, "a row is half there");
            found.insert(run.template_id(row).0, original);
        }
    }
    if found.keys().ne(model.live.keys()) {
        return false;
    }
    // Of templates that are gone, and of ids not given yet, there is no reference either.
    let ids: Vec<TemplateId> = (1..=model.last_id + model.lost + 10).map(TemplateId).collect();
    let mut references = BTreeMap::new();
    for some in ids.chunks(10_000) {
        references.extend(vault.references(&name(), some).await.unwrap());
    }
    assert_eq!(references.len(), found.len(), "references without a template");
    for (id, original) in &found {
        let key = model.live[id];
        assert_eq!(original.as_slice(), template(key).values(), "template {id} is another one");
        let reference = references.get(&TemplateId(*id)).unwrap_or_else(|| panic!("template {id} has no reference"));
        if key < SYNTHETIC {
            assert_eq!(reference.subject.as_str(), subject(model.batch[&key]));
            // Imported templates have no picture, and the name of a row for its hash.
            let found = reference.image.as_ref().unwrap();
            assert!(found.width_px == 0 || found.sha256 == image(key));
            assert_eq!(found.source, source(key));
        } else {
            assert!(snapshot.is_synthetic(TemplateId(*id)) && reference.image.is_none());
        }
    }
    true
}

/// The first template that the folder has and the model has not.
async fn first_new(vault: &Vault, model: &Model) -> u64 {
    let snapshot = vault.snapshot(&name()).await.unwrap();
    let ids = snapshot.rows().iter().flat_map(|run| (0..run.len()).map(|row| run.template_id(row).0));
    ids.filter(|id| *id > model.last_id).min().unwrap_or_default()
}

#[test]
fn killed_two_hundred_times_nothing_acknowledged_is_lost_and_nothing_erased_returns() {
    let home = tempfile::tempdir().unwrap();
    let data: PathBuf = home.path().to_owned();
    let seed = std::env::var("BERTILLON_KILL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_121);
    let (mut dice, mut model, began) = (Dice(seed), Model::default(), Instant::now());
    block_on(async {
        let vault = Vault::open(&data, Access::Writer, options()).await.unwrap();
        let dimension = Dimension::new(DIMENSION).unwrap();
        vault.create_gallery(&name(), &self::model(), dimension, Precision::F32, "killed").await.unwrap();
        vault.close().await;
    });
    let mut pace = killing::Pace::default();
    let (mut steps, mut kept, mut undone, mut starting, mut searched) = (0, 0, 0, 0, 0);
    for run in 0..KILLS {
        let (acknowledged, open, was_ready) = killing::run_and_kill(&data, run, &mut dice, &mut pace);
        steps += acknowledged.len();
        starting += u32::from(!was_ready);
        for (what, first) in &acknowledged {
            model.apply(what, *first);
        }
        block_on(async {
            records_at::settled(&data).await;
            // As it lies, then (by this process or by the next child) as recovered: a step under way is whole or absent.
            let vault = Vault::open(&data, Access::Reader, options()).await.unwrap();
            let before = shows(&vault, &model).await;
            let without = match &open {
                Some(what) if !before => {
                    model.apply(what, first_new(&vault, &model).await);
                    kept += 1;
                    shows(&vault, &model).await
                }
                Some(what) => {
                    model.undo(what);
                    undone += 1;
                    true
                }
                None => before,
            };
            assert!(without, "seed {seed}, run {run}: not what was acknowledged, with or without {open:?}");
            drop(vault);
            let cut_short = matches!(open, Some(Try::EraseTemplate(_) | Try::EraseSubject { .. })) && searched < 12;
            if run % 3 == 0 || cut_short {
                let vault = Vault::open(&data, Access::Writer, options()).await.unwrap();
                assert!(shows(&vault, &model).await, "seed {seed}, run {run}: recovery changed something");
                vault.verify(&name(), |_, _| ()).await.unwrap();
                vault.close().await;
            }
            if cut_short {
                // The start has finished the erasure.
                check_traces(&data, &model);
                searched += 1;
            }
        });
    }
    block_on(async {
        let vault = Vault::open(&data, Access::Writer, options()).await.unwrap();
        log::check(&vault, &model.live.keys().copied().collect()).await;
        vault.close().await;
    });
    check_traces(&data, &model);
    let summary = format!(
        "{steps} steps acknowledged, {starting} kills while starting, {kept} steps under way kept and {undone} not, {} live, {} erased, {:.0} s",
        model.live.len(),
        model.erased_keys.len(),
        began.elapsed().as_secs_f64()
    );
    println!("{summary}");
    assert!(steps > 200 && kept >= 5 && undone >= 5, "the kills came at dull moments: {summary}");
}

fn check_traces(data: &Path, model: &Model) {
    let mut traces = HashSet::new();
    let mut live = HashSet::new();
    for (keys, set) in
        [(model.erased_keys.iter().collect::<Vec<_>>(), &mut traces), (model.live.values().collect(), &mut live)]
    {
        for &key in keys {
            let mut original = Vec::new();
            put_f32(template(key).values(), &mut original);
            set.insert(original[..12].to_vec());
            if key < SYNTHETIC {
                set.insert(source(key).as_bytes()[..12].to_vec());
            }
        }
    }
    let (mut found_live, mut folders) = (HashSet::new(), vec![data.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            for window in fs_err::read(&path).unwrap().windows(12) {
                assert!(!traces.contains(window), "{} holds what was erased", path.display());
                found_live.extend(live.get(window));
            }
        }
    }
    let all_there = found_live.len() == live.len() || (records_at::url().is_some() && !found_live.is_empty());
    assert!(all_there, "the search for traces finds what is there; on PostgreSQL texts are in no file of the folder");
}

/// Progress that nobody watches, and that breaks nothing off.
fn on(_done: u64, _all: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}
