//! The audit log as people use it: seal it, check it, write it to files for others to check.

pub mod reading;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fs_err as fs;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::audit::chain::Wrong;
use crate::audit::{
    Caller, Chain, Checkpoint, Detail, EventLine, Fault, Happening, Kind, Outcome, StoredCheckpoint, StoredEvent,
};
use crate::base::clock;
use crate::base::limits::{AUDIT_ANCHORS_MAX, AUDIT_CHECKPOINT_BYTES_MAX};
use crate::casework::folder::unreadable;
use crate::casework::keys::{public_key, signing_key};
use crate::casework::{CaseworkError, Desk};
use crate::crypto::PublicKey;
use crate::gallery::GalleryError;
use crate::records::AuditBook;
use crate::store::disk;

/// Every checkpoint, a line each, in the data folder: for copying elsewhere.
pub const CHECKPOINTS: &str = "audit/checkpoints.log";
/// How long events wait for their checkpoint while a server runs.
const SEAL_EVERY: Duration = Duration::from_mins(1);

/// What checking the log came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Id of the data folder.
    pub folder: String,
    /// Events that follow each other without a fault, from the first on.
    pub events: u64,
    /// Of these, up to which one there is a signed checkpoint.
    pub sealed_through: u64,
    /// Checkpoints that were checked, those of the anchor included.
    pub checkpoints: u64,
    /// The key that they were checked by; `None` where there are none.
    pub key: Option<String>,
    /// There is a key that signs for this log, and no checkpoint of it: they were taken away, or the very first is yet to come.
    pub checkpoints_missing: bool,
    /// What is wrong, and where first.
    pub fault: Option<FaultFound>,
}

/// What is wrong with a log, and where first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultFound {
    /// The event.
    pub seq: u64,
    /// In words.
    pub what: String,
}

/// What was written to files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// The folder.
    pub folder: PathBuf,
    /// Events in it.
    pub events: u64,
    /// Checkpoints in it.
    pub checkpoints: u64,
}

/// Signs how far the log is, if it went on since the last time: the last event that is sealed now, or `None`.
///
/// # Errors
/// [`CaseworkError::Key`], what records and files say.
pub async fn seal(desk: &Desk) -> Result<Option<u64>, CaseworkError> {
    let (book, data) = (desk.vault.audit_book(), desk.settings.data.folder.clone());
    let head = book.head().await?;
    let sealed_through = book.sealed_through().await?;
    if head.seq() == sealed_through {
        return Ok(None);
    }
    still_as_sealed(&book, sealed_through).await?;
    let key = signing_key(&data)?;
    let folder = book.folder().await?;
    let checkpoint = Checkpoint::new(clock::now_rfc3339(), &folder, head.seq(), head.hash(), &key);
    let sealed = checkpoint.sealed(&key).map_err(CaseworkError::Stopped)?;
    // To the file first: cut short between the two, the next time signs once more, and the file lacks none.
    let path = data.join(CHECKPOINTS);
    append_line(&path, &sealed).map_err(|error| unreadable(&path, &error))?;
    book.seal(head.seq(), &sealed).await?;
    Ok(Some(head.seq()))
}

/// Nothing is signed on top of a log that is not what was signed before.
async fn still_as_sealed(book: &AuditBook, seq: u64) -> Result<(), CaseworkError> {
    let Some((_, last)) = book.checkpoints_after(seq.saturating_sub(1)).await?.into_iter().next() else {
        return Ok(());
    };
    let sealed = serde_json::from_str::<Checkpoint>(&last.body).ok().map(|checkpoint| checkpoint.hash.to_string());
    if sealed.is_some() && sealed == book.hash_at(seq).await? {
        return Ok(());
    }
    let said = format!("event {seq} of the audit log is not what was signed: `bertillon audit verify` says more");
    Err(CaseworkError::Stopped(said))
}

fn append_line(path: &Path, sealed: &StoredCheckpoint) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().create(true).append(true).read(true).open(path)?;
    let mut line = serde_json::to_string(sealed)? + "\n";
    // A line that a power cut tore ends here, so that it takes no other with it.
    let mut last = [b'\n'];
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        line.insert(0, '\n');
    }
    file.write_all(line.as_bytes())?;
    file.sync_data()
}

/// Seals the log now and then, as long as a server runs.
pub struct Sealer {
    stop: Arc<Notify>,
    desk: Arc<Desk>,
    task: JoinHandle<()>,
}

impl Sealer {
    /// Begins with what was not sealed by an earlier process.
    #[must_use]
    pub fn start(desk: Arc<Desk>) -> Self {
        let stop = Arc::new(Notify::new());
        let (theirs, told) = (Arc::clone(&desk), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            loop {
                if let Err(error) = seal(&theirs).await {
                    tracing::error!(%error, "the audit log can't be sealed");
                }
                if tokio::time::timeout(SEAL_EVERY, told.notified()).await.is_ok() {
                    break;
                }
            }
        });
        Self { stop, desk, task }
    }

    /// Seals what is there, and ends.
    pub async fn stop(self) {
        self.stop.notify_one();
        if self.task.await.is_err() {
            tracing::error!("the sealing of the audit log ended in a bug");
        }
        if let Err(error) = seal(&self.desk).await {
            tracing::error!(%error, "the audit log can't be sealed");
        }
    }
}

/// Checks every event and every checkpoint, by `key` or else by the data folder's own, and that nothing is missing that the
/// checkpoints in the file `anchor` know of. `progress` is told how many events of how many are checked. That it was checked
/// is an event itself.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::Key`] where there are checkpoints and no key, and what records and files say.
/// A log with a fault is no error: the verdict names it.
pub async fn verify(
    desk: &Desk,
    caller: &Caller,
    (key, anchor): (Option<PublicKey>, Option<&Path>),
    mut progress: impl FnMut(u64, u64),
) -> Result<Verdict, CaseworkError> {
    reading::may(caller)?;
    let book = desk.vault.audit_book();
    let folder = book.folder().await?;
    let key = match key {
        Some(key) => Some(key),
        None => public_key(&desk.settings.data.folder)?,
    };
    let own = desk.settings.data.folder.join(CHECKPOINTS);
    let own = if own.is_file() { anchors_in(&own, Whose::Ours)? } else { Anchors::new() };
    // By itself: nothing in the data folder may push out what was kept elsewhere.
    let given = anchor.map(|path| anchors_in(path, Whose::Given)).transpose()?;
    if let (Some(path), true) = (anchor, given.as_ref().is_some_and(Anchors::is_empty)) {
        let reason = "there is no checkpoint in it, so it proves nothing: give a copy of one that has some".to_owned();
        return Err(CaseworkError::Unreadable { path: path.to_owned(), reason });
    }
    let given = given.unwrap_or_default();
    let end = book.newest(&crate::records::EventFilter::default(), 1).await?.first().map_or(0, |event| event.seq);
    let mut check = Check::new(book, folder, key, [own, given]);
    let walked = check.walk(|done| progress(done, end)).await?;
    let mut verdict = check.verdict(walked.err());
    verdict.checkpoints_missing = verdict.checkpoints == 0 && public_key(&desk.settings.data.folder)?.is_some();
    let mut happening = Happening::new(Kind::AuditVerified).with("events", Detail::Number(verdict.events));
    if let Some(fault) = &verdict.fault {
        happening = happening.with("first_fault", Detail::Number(fault.seq)).ended(Outcome::Failed);
    }
    match (desk.vault.acting_for(caller).tell(&happening).await, &verdict.fault) {
        (Ok(()), _) => Ok(verdict),
        (Err(error), None) => Err(error.into()),
        (Err(error), Some(_)) => {
            // A log that is damaged at its end can't be added to; what was found must still be said.
            tracing::error!(%error, "that the log was checked could not be added to it");
            Ok(verdict)
        }
    }
}

/// A walk over a log.
struct Check {
    book: AuditBook,
    folder: String,
    key: Option<PublicKey>,
    chain: Chain,
    /// Checkpoints of the data folder's own file, and of the file that was given.
    anchors: [Anchors; 2],
    sealed_through: u64,
    checkpoints: u64,
}

impl Check {
    fn new(book: AuditBook, folder: String, key: Option<PublicKey>, anchors: [Anchors; 2]) -> Self {
        let chain = Chain::new(&folder);
        Self { book, folder, key, chain, anchors, sealed_through: 0, checkpoints: 0 }
    }

    /// Walks to the end or to the first fault.
    async fn walk(&mut self, mut progress: impl FnMut(u64)) -> Result<Result<(), Fault>, CaseworkError> {
        if self.book.has_strange_numbers().await? {
            return Ok(Err(Fault { seq: 1, what: Wrong::Before }));
        }
        let mut kept = Kept { page: Vec::new().into_iter(), last: 0, next: None };
        kept.step(&self.book).await?;
        loop {
            let page = self.book.after(self.chain.seq()).await?;
            if page.is_empty() {
                break;
            }
            for event in &page {
                if let Err(fault) = self.chain.take(event) {
                    return Ok(Err(fault));
                }
                while let Some((seq, checkpoint)) = kept.next.take() {
                    if seq > event.seq {
                        kept.next = Some((seq, checkpoint));
                        break;
                    }
                    if let Err(fault) = self.compare(seq, &checkpoint)? {
                        return Ok(Err(fault));
                    }
                    kept.step(&self.book).await?;
                }
                let of_files = self.anchors.each_mut().map(|anchors| anchors.remove(&event.seq).unwrap_or_default());
                for checkpoint in of_files.into_iter().flatten() {
                    if let Err(fault) = self.compare(event.seq, &checkpoint)? {
                        return Ok(Err(fault));
                    }
                }
            }
            progress(self.chain.seq());
        }
        let known =
            kept.next.map(|(seq, _)| seq).into_iter().chain(self.anchors.iter().flat_map(|of| of.keys().copied()));
        match known.max() {
            Some(_later) => Ok(Err(Fault { seq: self.chain.seq() + 1, what: Wrong::CutOff })),
            None => Ok(Ok(())),
        }
    }

    /// Holds a checkpoint that is kept at event `seq` against that event, the last that was taken.
    fn compare(&mut self, seq: u64, stored: &StoredCheckpoint) -> Result<Result<(), Fault>, CaseworkError> {
        let Some(key) = self.key else {
            return Err(CaseworkError::Key {
                path: PathBuf::from(crate::casework::keys::PUBLIC_KEY),
                reason: "it is missing, and there are signed checkpoints: give the public key with --key".to_owned(),
            });
        };
        let checkpoint = match stored.open(key, &self.folder, seq) {
            Ok(checkpoint) => checkpoint,
            Err(fault) => return Ok(Err(fault)),
        };
        if checkpoint.seq != seq {
            return Ok(Err(Fault { seq, what: Wrong::Forged }));
        }
        if checkpoint.hash != self.chain.hash() {
            return Ok(Err(Fault { seq, what: Wrong::NotAsSealed }));
        }
        // The same checkpoint in the records and in files is one.
        self.checkpoints += u64::from(self.sealed_through != seq);
        self.sealed_through = seq;
        Ok(Ok(()))
    }

    fn verdict(self, fault: Option<Fault>) -> Verdict {
        let fault = fault.map(|fault| FaultFound { seq: fault.seq, what: fault.what.to_string() });
        let key = if self.checkpoints > 0 { self.key.map(|key| key.to_string()) } else { None };
        let Self { folder, chain, sealed_through, checkpoints, .. } = self;
        let checkpoints_missing = false;
        Verdict { folder, events: chain.seq(), sealed_through, checkpoints, key, checkpoints_missing, fault }
    }
}

/// The checkpoints of the records, one after another.
struct Kept {
    page: std::vec::IntoIter<(u64, StoredCheckpoint)>,
    last: u64,
    next: Option<(u64, StoredCheckpoint)>,
}

impl Kept {
    async fn step(&mut self, book: &AuditBook) -> Result<(), CaseworkError> {
        if self.page.len() == 0 {
            self.page = book.checkpoints_after(self.last).await?.into_iter();
        }
        self.next = self.page.next();
        self.last = self.next.as_ref().map_or(self.last, |(seq, _)| *seq);
        Ok(())
    }
}

/// Checkpoints by event.
pub(in crate::casework) type Anchors = BTreeMap<u64, Vec<StoredCheckpoint>>;

/// Where a file of checkpoints comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::casework) enum Whose {
    /// From the data folder: a line that was cut short by a power cut is passed over, and of very many the latest count.
    Ours,
    /// From elsewhere: every line counts, or the file is refused.
    Given,
}

/// The checkpoints in a file as [`CHECKPOINTS`] is one.
pub(in crate::casework) fn anchors_in(path: &Path, whose: Whose) -> Result<Anchors, CaseworkError> {
    let mut anchors = Anchors::new();
    let file = fs::File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut reader = BufReader::new(file);
    let (mut line, mut found) = (String::new(), 0_usize);
    for number in 1_usize.. {
        line.clear();
        let limit = AUDIT_CHECKPOINT_BYTES_MAX as u64;
        let count = reader.by_ref().take(limit).read_line(&mut line).map_err(|error| unreadable(path, &error))?;
        if count == 0 {
            break;
        }
        let wrong = |what: &str| CaseworkError::Unreadable {
            path: path.to_owned(),
            reason: format!("line {number} {what}: it should be a file of checkpoints, as {CHECKPOINTS} is one"),
        };
        let Some((seq, stored)) = checkpoint_in(&line) else {
            if whose == Whose::Ours {
                continue;
            }
            return Err(wrong("is no checkpoint"));
        };
        let of_one = anchors.entry(seq).or_default();
        if !of_one.contains(&stored) {
            of_one.push(stored);
            found += 1;
        }
        if found > AUDIT_ANCHORS_MAX {
            if whose == Whose::Given {
                return Err(wrong("is one too many: give the newest lines"));
            }
            found -= anchors.pop_first().map_or(0, |(_, of_one)| of_one.len());
        }
    }
    Ok(anchors)
}

fn checkpoint_in(line: &str) -> Option<(u64, StoredCheckpoint)> {
    let stored: StoredCheckpoint = serde_json::from_str(line).ok()?;
    let checkpoint: Checkpoint = serde_json::from_str(&stored.body).ok()?;
    Some((checkpoint.seq, stored))
}

/// Writes the whole log to a new folder, for others to check: `events.jsonl`, `checkpoints.jsonl`, `signing.pub` and
/// `FOLDER`, the id that the first event follows. That it is written is an event itself, in it.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::Unreadable`] where there is something at `to` or it can't be written, and what
/// the records say.
pub async fn export(
    desk: &Desk,
    caller: &Caller,
    to: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<Exported, CaseworkError> {
    reading::may(caller)?;
    if to.exists() {
        return Err(CaseworkError::Unreadable { path: to.to_owned(), reason: "there is something already".to_owned() });
    }
    let failed = |error: std::io::Error| unreadable(to, &error);
    fs::create_dir_all(to).map_err(failed)?;
    disk::keep_private(to).map_err(GalleryError::from)?;
    desk.vault.acting_for(caller).tell(&Happening::new(Kind::AuditExported)).await?;
    seal(desk).await?;
    let book = desk.vault.audit_book();
    let (folder, end) = (book.folder().await?, book.sealed_through().await?);
    fs::write(to.join("FOLDER"), format!("{folder}\n")).map_err(failed)?;
    let key = signing_key(&desk.settings.data.folder)?.public();
    fs::write(to.join("signing.pub"), format!("{key}\n")).map_err(failed)?;
    let mut events = std::io::BufWriter::new(fs::File::create(to.join("events.jsonl")).map_err(failed)?);
    let mut last = 0;
    while last < end {
        let page = book.after(last).await?;
        let Some(at) = page.last().map(|event| event.seq) else { break };
        for StoredEvent { body, hash, .. } in page.into_iter().filter(|event| event.seq <= end) {
            let line = serde_json::to_string(&EventLine { body, hash }).map_err(|error| failed(error.into()))?;
            writeln!(events, "{line}").map_err(failed)?;
        }
        last = at.min(end);
        progress(last, end);
    }
    events.into_inner().map_err(|error| failed(error.into_error()))?.sync_all().map_err(failed)?;
    let checkpoints = export_checkpoints(&book, end, &to.join("checkpoints.jsonl")).await?;
    Ok(Exported { folder: to.to_owned(), events: last, checkpoints })
}

/// Those up to event `end`: others may have come meanwhile, of events that are not in the export.
async fn export_checkpoints(book: &AuditBook, end: u64, to: &Path) -> Result<u64, CaseworkError> {
    let failed = |error: std::io::Error| unreadable(to, &error);
    let mut file = std::io::BufWriter::new(fs::File::create(to).map_err(failed)?);
    let (mut last, mut count) = (0, 0);
    loop {
        let page = book.checkpoints_after(last).await?;
        let Some(at) = page.last().map(|(seq, _)| *seq) else { break };
        let covered = page.iter().filter(|(seq, _)| *seq <= end);
        count += covered.clone().count() as u64;
        for (_, checkpoint) in covered {
            let line = serde_json::to_string(checkpoint).map_err(|error| failed(error.into()))?;
            writeln!(file, "{line}").map_err(failed)?;
        }
        last = at;
    }
    file.into_inner().map_err(|error| failed(error.into_error()))?.sync_all().map_err(failed)?;
    Ok(count)
}
