//! Draws every sample of an exported audit log again, with nothing but the export: whether what was drawn is what had to be.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;

use crate::audit::{Chain, Checkpoint, Event, EventLine, Hash, StoredEvent};
use crate::base::clock;
use crate::base::limits::{AUDIT_LINE_BYTES_MAX, SAMPLE_ITEMS_MAX, SAMPLES_MAX};
use crate::casework::CaseworkError;
use crate::casework::audit::{Whose, anchors_in};
use crate::casework::folder::unreadable;
use crate::casework::sampling::draw::{self, Draw};
use crate::casework::sampling::told::{Drawing, Opening};
use crate::crypto::PublicKey;

/// What checking an export came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Id of the data folder.
    pub folder: String,
    /// Events that follow each other.
    pub events: u64,
    /// The key that checkpoints were checked by.
    pub key: String,
    /// The samples that were opened, in their order.
    pub samples: Vec<CheckedSample>,
}

/// What checking one sample came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedSample {
    /// Its number.
    pub sample: i64,
    /// Of what.
    pub of: &'static str,
    /// In which gallery; empty for all.
    pub gallery: String,
    /// From when on, RFC 3339.
    pub from: String,
    /// Before when.
    pub to: String,
    /// How many things it had to be drawn from; `None` where it was not drawn.
    pub population: Option<u64>,
    /// What had to be drawn.
    pub items: Vec<String>,
    /// What is wrong with it.
    pub fault: Option<String>,
}

impl Checked {
    /// The first sample at fault.
    #[must_use]
    pub fn fault(&self) -> Option<(i64, &str)> {
        self.samples.iter().find_map(|sample| Some((sample.sample, sample.fault.as_deref()?)))
    }
}

/// Draws the samples of the export in `folder` again (docs/AUDIT_FORMAT.md says what an export is). Checkpoints are checked by
/// `key`, or else by the one in the export.
///
/// # Errors
/// [`CaseworkError::Unreadable`] for what is no export, and for a log that is not as it was written. A sample that was not
/// drawn as it had to be is no error: it is said of it.
pub fn check(folder: &Path, key: Option<PublicKey>) -> Result<Checked, CaseworkError> {
    let export = Export::open(folder, key)?;
    let mut log = export.read()?;
    let mut samples: Vec<(Opening, CheckedSample)> = Vec::new();
    for opening in std::mem::take(&mut log.openings) {
        let drawing = log.drawings.remove(&opening.sample);
        let fault = export.fault_of(&opening, &samples, drawing.as_ref(), &log);
        let found = CheckedSample {
            sample: opening.sample,
            of: opening.frame.of.as_str(),
            gallery: opening.frame.gallery.clone(),
            from: clock::rfc3339_of(opening.frame.from),
            to: clock::rfc3339_of(opening.frame.to),
            population: None,
            items: Vec::new(),
            fault,
        };
        if let Some(drawing) = drawing {
            log.drawn.push((samples.len(), drawing));
        }
        samples.push((opening, found));
    }
    export.draw_again(&log.drawn, &mut samples)?;
    if let Some(number) = log.drawings.keys().next() {
        return Err(export.wrong(format!("sample {number} was drawn, and never opened")));
    }
    let (folder, key) = (export.folder.clone(), export.key.to_string());
    Ok(Checked { folder, events: log.events, key, samples: samples.into_iter().map(|(_, found)| found).collect() })
}

/// An export, and by what it is checked.
struct Export {
    path: PathBuf,
    folder: String,
    key: PublicKey,
    /// Checkpoints by the event they cover last, each signed by the key.
    checkpoints: BTreeMap<u64, Vec<Checkpoint>>,
}

/// What a log tells of samples.
#[derive(Default)]
struct Log {
    events: u64,
    openings: Vec<Opening>,
    drawings: BTreeMap<i64, Drawing>,
    /// Drawings with the place of their sample.
    drawn: Vec<(usize, Drawing)>,
    twice: Vec<i64>,
}

impl Export {
    fn open(path: &Path, key: Option<PublicKey>) -> Result<Self, CaseworkError> {
        let text = |name: &str| {
            let file = path.join(name);
            let mut text = String::new();
            let opened = fs::File::open(&file).map_err(|error| unreadable(&file, &error))?;
            opened.take(1_024).read_to_string(&mut text).map_err(|error| unreadable(&file, &error))?;
            Ok::<_, CaseworkError>(text.trim().to_owned())
        };
        let folder = text("FOLDER")?;
        let wrong = |reason: String| CaseworkError::Unreadable { path: path.to_owned(), reason };
        let key = match key {
            Some(key) => key,
            None => PublicKey::parse(&text("signing.pub")?).map_err(|error| wrong(error.to_string()))?,
        };
        let mut checkpoints = BTreeMap::new();
        for (seq, stored) in anchors_in(&path.join("checkpoints.jsonl"), Whose::Given)? {
            let opened = stored.iter().map(|one| one.open(key, &folder, seq)).collect::<Result<Vec<_>, _>>();
            checkpoints.insert(seq, opened.map_err(|fault| wrong(fault.to_string()))?);
        }
        Ok(Self { path: path.to_owned(), folder, key, checkpoints })
    }

    fn wrong(&self, reason: String) -> CaseworkError {
        CaseworkError::Unreadable { path: self.path.clone(), reason }
    }

    /// Hands out every event, held against the chain and the checkpoints.
    fn each(&self, mut take: impl FnMut(&Event) -> Result<(), CaseworkError>) -> Result<Chain, CaseworkError> {
        let path = self.path.join("events.jsonl");
        let file = fs::File::open(&path).map_err(|error| unreadable(&path, &error))?;
        let mut reader = BufReader::new(file);
        let (mut line, mut chain) = (String::new(), Chain::new(&self.folder));
        loop {
            line.clear();
            let limit = AUDIT_LINE_BYTES_MAX as u64;
            let count = reader.by_ref().take(limit).read_line(&mut line).map_err(|error| unreadable(&path, &error))?;
            if count == 0 {
                break;
            }
            let seq = chain.seq() + 1;
            let no_event = || self.wrong(format!("line {seq} of events.jsonl is no event"));
            let EventLine { body, hash } = serde_json::from_str(&line).map_err(|_| no_event())?;
            let Event { kind, objects, .. } = serde_json::from_str(&body).map_err(|_| no_event())?;
            let stored = StoredEvent { seq, body, hash, kind, objects };
            let event = chain.take(&stored).map_err(|fault| self.wrong(fault.to_string()))?;
            let sealed = self.checkpoints.get(&seq).into_iter().flatten();
            if sealed.into_iter().any(|checkpoint| checkpoint.hash != chain.hash()) {
                return Err(self.wrong(format!("event {seq}: a signed checkpoint has another hash for it")));
            }
            take(&event)?;
        }
        match self.checkpoints.keys().next_back() {
            Some(last) if *last > chain.seq() => Err(self.wrong(format!("events after {} are missing", chain.seq()))),
            Some(_) | None => Ok(chain),
        }
    }

    fn read(&self) -> Result<Log, CaseworkError> {
        let mut log = Log::default();
        let chain = self.each(|event| {
            if let Some(opening) = Opening::of(event) {
                log.openings.push(opening);
            } else if let Some(drawing) = Drawing::of(event)
                && let Some(before) = log.drawings.insert(drawing.sample, drawing)
            {
                log.twice.push(before.sample);
            }
            if log.openings.len() > SAMPLES_MAX {
                return Err(self.wrong(format!("more than {SAMPLES_MAX} samples were opened")));
            }
            Ok(())
        })?;
        log.events = chain.seq();
        Ok(log)
    }

    /// What is wrong with a sample, but for what was drawn.
    fn fault_of(
        &self,
        opening: &Opening,
        before: &[(Opening, CheckedSample)],
        drawing: Option<&Drawing>,
        log: &Log,
    ) -> Option<String> {
        if let Some((other, _)) = before.iter().find(|(other, _)| other.frame.overlaps(&opening.frame)) {
            return Some(format!("it was opened although sample {} is of the same things and time", other.sample));
        }
        if before.iter().any(|(other, _)| other.sample == opening.sample) {
            return Some("it was opened twice".to_owned());
        }
        if log.twice.contains(&opening.sample) {
            return Some("it was drawn twice".to_owned());
        }
        let drawing = drawing?;
        if draw::commitment(&drawing.seed) != opening.commitment {
            return Some("its seed is not what was published when it was opened".to_owned());
        }
        let over = clock::rfc3339_of(opening.frame.to);
        let since = self.checkpoints.range(opening.seq..).flat_map(|(_, all)| all);
        let first =
            since.filter(|checkpoint| checkpoint.at >= over).map(|checkpoint| (checkpoint.seq, checkpoint.hash));
        let used: (u64, Hash) = (drawing.checkpoint_seq, drawing.checkpoint);
        if first.min_by_key(|(seq, _)| *seq) != Some(used) || drawing.checkpoint_seq >= drawing.seq {
            let said = "it was not drawn by the first checkpoint since it was opened and its period ended";
            return Some(said.to_owned());
        }
        None
    }

    /// Draws what was drawn again, and says where something else was drawn.
    fn draw_again(
        &self,
        drawn: &[(usize, Drawing)],
        samples: &mut [(Opening, CheckedSample)],
    ) -> Result<(), CaseworkError> {
        let mut draws: Vec<_> = drawn
            .iter()
            .filter_map(|(at, drawing)| {
                let (opening, found) = samples.get(*at).filter(|(_, found)| found.fault.is_none())?;
                let wanted = usize::try_from(opening.wanted).unwrap_or(usize::MAX).min(SAMPLE_ITEMS_MAX);
                let draw = Draw::new(&drawing.seed, drawing.checkpoint, wanted);
                Some((*at, drawing, opening.frame.clone(), draw, found.sample))
            })
            .collect();
        if draws.is_empty() {
            return Ok(());
        }
        self.each(|event| {
            for (_, drawing, frame, draw, _) in
                draws.iter_mut().filter(|(_, drawing, ..)| event.seq <= drawing.checkpoint_seq)
            {
                draw.take(frame, event).map_err(|error| self.wrong(format!("sample {}: {error}", drawing.sample)))?;
            }
            Ok(())
        })?;
        for (at, drawing, _, draw, _) in draws {
            let Some((_, found)) = samples.get_mut(at) else { continue };
            found.population = Some(draw.population());
            found.items = draw.drawn().into_iter().map(|(object, _)| object).collect();
            if found.items != drawing.items || found.population != Some(drawing.population) {
                found.fault = Some("something else was drawn than had to be".to_owned());
            }
        }
        Ok(())
    }
}
