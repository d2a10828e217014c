//! A copy of one gallery, taken while it is in use, and its way back.
//!
//! Segments are overwritten in place when a template is erased, so a link to a file, or a copy made while it is erased in,
//! would not do. Instead: files and tail are opened as of one moment, copied at leisure, and then the records are copied,
//! also as of one moment, a later one. Whatever they know to be erased, or about to be, is erased in the copied files too.
//! So the copy has every template of the first moment that was live at the second, and nothing else, in files and records
//! alike. The tail comes as a segment. A file named `BACKUP`, with the hash of each file, is written last: a folder
//! without it is no backup.

use std::fmt::Write as _;
use std::io::Read as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;
use sha2::{Digest, Sha256};

use crate::audit::{Detail, Happening, Kind};
use crate::base::clock;
use crate::base::hex;
use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::MANIFEST_BYTES_MAX;
use crate::gallery::manifest::{MANIFEST, Manifest, SegmentEntry, segment_file};
use crate::gallery::opening::Opened;
use crate::gallery::tail::Tail;
use crate::gallery::vault::{Inner, READ_ATTEMPTS_MAX, Vault};
use crate::gallery::{GalleryError, folders};
use crate::records::GalleryRecord;
use crate::segment::{Before, Segment, SegmentWriter, erase_rows};
use crate::store::disk::{self, DiskFolder};
use crate::store::{Blob, Folder, Mode, StoreError, private, read_small, replace_small};
use crate::vector::codec::Code;
use crate::vector::rows::Rows;

/// The list of a backup's files, written last.
pub(super) const BACKUP: &str = "BACKUP";
/// The key of a backup that is sealed, under the master key.
pub(super) const KEY: &str = "KEY";
/// The records of a backup.
pub(super) const RECORDS: &str = "records.sqlite";
const FIRST_LINE: &str = "bertillon gallery backup 1";
const COPY_BYTES: usize = 1 << 20;

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// The moment whose templates it has: the gallery's snapshot.
    pub snapshot: u64,
    /// Highest template id in it.
    pub last_template: u64,
    /// Live templates in it.
    pub templates: u64,
    /// Files, `BACKUP` excluded.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl Vault {
    /// Copies a gallery with its records into the folder `to`, which is made, and checks every byte of the copy.
    /// Enrolments, searches and erasures go on meanwhile. `progress` is told how many bytes of how many are copied.
    ///
    /// # Errors
    /// [`GalleryError::BackupInTheWay`] when there is something at `to`, and what files and records say. A folder that was
    /// begun and not finished has no file `BACKUP`, and can be removed.
    pub async fn backup(
        &self,
        name: &GalleryName,
        to: &Path,
        progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<BackedUp, GalleryError> {
        if to.exists() {
            return Err(GalleryError::BackupInTheWay(to.to_owned()));
        }
        DiskFolder::create(to)?;
        disk::keep_private(to)?;
        let mut attempt = 0;
        let (opened, readers, record, blobs) = loop {
            let (opened, readers, record) = self.inner.open_to_read(name).await?;
            attempt += 1;
            // Open files stay what they are when a merge takes their names away; one that did so just now is passed over.
            match open_blobs(&opened) {
                Ok(blobs) => break (opened, readers, record, blobs),
                Err(GalleryError::Store(StoreError::Missing(_))) if attempt < READ_ATTEMPTS_MAX => {}
                Err(error) => return Err(error),
            }
        };
        // From here on erasures may overwrite rows: the records say later which ones.
        drop(readers);
        let (snapshot, last_id) = (record.snapshot_number, record.last_template_id);
        let folder = self.inner.backup_folder(&record, to).await?;
        let leaving = Happening::new(Kind::GalleryBackedUp).of(name).with("snapshot", Detail::Number(snapshot));
        self.tell(&leaving.with("last_template", Detail::Number(last_id))).await?;
        let copying = Arc::clone(&folder);
        let copied =
            tokio::task::spawn_blocking(move || copy_files(&copying, &opened, &blobs, last_id, progress)).await;
        let segments = copied.map_err(|_| GalleryError::Interrupted)??;
        let now = clock::now_rfc3339();
        let records = to.join(RECORDS);
        disk::touch_private(&records)?;
        let gone = self.inner.records.copy_gallery_to(name, last_id, &now, &records).await?;
        let (to, name) = (to.to_owned(), name.clone());
        let finish = move || {
            erase_in(folder.as_ref(), &segments, &gone)?;
            finish_backup(folder.as_ref(), &to, &name, &now, segments.len())
        };
        let (files, bytes, templates) =
            tokio::task::spawn_blocking(finish).await.map_err(|_| GalleryError::Interrupted)??;
        Ok(BackedUp { snapshot, last_template: last_id, templates, files, bytes })
    }
}

impl Inner {
    /// The folder of a backup. That of a sealed gallery is sealed under its key, whose file lies with it: it opens with the
    /// master key.
    async fn backup_folder(&self, record: &GalleryRecord, to: &Path) -> Result<Arc<dyn Folder>, GalleryError> {
        let key = self.seal_of(record).await?;
        if let Some(key) = &key {
            private::make_once(&to.join(KEY), &self.keys.file_of(key.id)?)?;
        }
        folders::open(to, key, self.options.accept_unlocked_memory)
    }
}

fn open_blobs(opened: &Opened) -> Result<Vec<Box<dyn Blob>>, GalleryError> {
    let open = |held: &crate::gallery::opening::Held| Ok(opened.folder.open(&held.entry.file(), Mode::Read)?);
    opened.segments.iter().map(open).collect()
}

/// Copies segments, writes the tail as one more, and a manifest with an empty tail; the segments' entries.
fn copy_files(
    folder: &Arc<dyn Folder>,
    opened: &Opened,
    blobs: &[Box<dyn Blob>],
    last_id: u64,
    mut progress: impl FnMut(u64, u64),
) -> Result<Vec<SegmentEntry>, GalleryError> {
    let all = opened.bytes();
    let mut done = 0;
    let mut entries = Vec::new();
    for (held, blob) in opened.segments.iter().zip(blobs) {
        copy_blob(blob.as_ref(), folder.as_ref(), &held.entry.file(), |bytes| {
            done += bytes;
            progress(done, all);
        })?;
        entries.push(held.entry.clone());
    }
    let spec = &opened.manifest.spec;
    let mut next_segment = opened.manifest.next_segment;
    let tail = opened.chunks.as_slice();
    let live =
        |chunk: &Arc<crate::vector::memory::MemoryRows>| (0..chunk.len()).filter(|&row| chunk.is_live(row)).count();
    let rows = tail.iter().map(|chunk| live(chunk) as u64).sum();
    if rows > 0 {
        let (shared, name) = (Arc::clone(folder), segment_file(next_segment));
        let mut writer = SegmentWriter::create(shared, &name, &spec.of_segment(false), rows)?;
        let mut original = vec![0.0; spec.dimension.get()];
        for chunk in tail {
            for row in (0..chunk.len()).filter(|&row| chunk.is_live(row)) {
                chunk.original(row, &mut original);
                writer.push(chunk.template_id(row), &original, &Code::of(&original))?;
            }
        }
        let (first, last) = writer.finish()?.id_range();
        entries.push(SegmentEntry { number: next_segment, first: first.0, last: last.0, rows, synthetic: false });
        next_segment += 1;
    }
    Tail::create(folder.as_ref(), spec, 1)?;
    let manifest = Manifest {
        edition: 1,
        spec: spec.clone(),
        sealed_through: last_id,
        tail: 1,
        next_segment,
        importing: None,
        segments: entries.clone(),
    };
    manifest.store(folder.as_ref())?;
    progress(all, all);
    Ok(entries)
}

/// Copies a blob that is complete; where it is sealed on either side, it is opened and sealed anew.
pub(super) fn copy_blob(
    from: &dyn Blob,
    folder: &dyn Folder,
    name: &str,
    mut progress: impl FnMut(u64),
) -> Result<(), GalleryError> {
    let draft = folder.draft(name)?;
    let size = from.size_bytes()?;
    draft.set_size(size)?;
    let mut buffer = vec![0; COPY_BYTES];
    let mut at = 0;
    while at < size {
        let count = (size - at).min(COPY_BYTES as u64);
        let part = buffer.get_mut(..count as usize).unwrap_or_default();
        from.read_at(at, part)?;
        draft.write_at(at, part)?;
        at += count;
        progress(count);
    }
    Ok(folder.publish(name, draft)?)
}

/// Overwrites templates in copied segments. A block may have been copied while it was being overwritten.
pub(super) fn erase_in(
    folder: &dyn Folder,
    segments: &[SegmentEntry],
    gone: &[TemplateId],
) -> Result<u64, GalleryError> {
    let mut erased = 0;
    for entry in segments {
        let segment = Segment::open(folder, &entry.file())?;
        let rows: Vec<u32> = gone.iter().filter_map(|&id| segment.row_of(id)).collect();
        if !rows.is_empty() {
            erased += rows.iter().filter(|&&row| segment.is_live(row as usize)).count() as u64;
            erase_rows(folder, &entry.file(), &rows, Before::PerhapsTorn)?;
        }
    }
    Ok(erased)
}

/// Checks the copy and lists its files with their hashes; how many, their bytes, and the live templates in them.
fn finish_backup(
    folder: &dyn Folder,
    path: &Path,
    name: &GalleryName,
    now: &str,
    segments: usize,
) -> Result<(usize, u64, u64), GalleryError> {
    let manifest = Manifest::load(folder)?;
    debug_assert_eq!(manifest.segments.len(), segments);
    let mut live = 0;
    for entry in &manifest.segments {
        let segment = Segment::open(folder, &entry.file())?;
        segment.verify()?;
        live += (segment.len() - segment.erased().as_slice().len()) as u64;
    }
    let mut text = format!("{FIRST_LINE}\ngallery {name}\ntaken {now}\n");
    let (mut files, mut bytes) = (0, 0);
    for file in folder.list()? {
        let (size, sha256) = hash_file(&path.join(&file), |_| ControlFlow::Continue(()))?;
        // Writing to a string can't fail.
        let _ = writeln!(text, "file {file} {size} {sha256}");
        (files, bytes) = (files + 1, bytes + size);
    }
    let crc = crc32fast::hash(text.as_bytes());
    let _ = writeln!(text, "crc32 {crc:08x}");
    replace_small(folder, BACKUP, text.as_bytes())?;
    Ok((files, bytes, live))
}

fn hash_file(path: &Path, mut read: impl FnMut(u64) -> ControlFlow<()>) -> Result<(u64, String), GalleryError> {
    let mut broken_off = false;
    let mut hash = || {
        let mut file = fs::File::open(path)?;
        let (mut digest, mut size) = (Sha256::new(), 0);
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let count = file.read(&mut buffer)?;
            if count == 0 {
                return Ok((size, hex::encode(&<[u8; 32]>::from(digest.finalize()))));
            }
            digest.update(buffer.get(..count).unwrap_or_default());
            size += count as u64;
            broken_off = read(size).is_break();
            if broken_off {
                return Ok((size, String::new()));
            }
        }
    };
    let hashed = hash().map_err(StoreError::Io)?;
    if broken_off { Err(GalleryError::Interrupted) } else { Ok(hashed) }
}

/// What `BACKUP` says.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) gallery: GalleryName,
    pub(super) bytes: u64,
    files: Vec<(String, u64, String)>,
}

/// Of which gallery the backup in a folder is, as it says itself: nothing is checked.
///
/// # Errors
/// [`GalleryError::NoBackup`].
pub fn gallery_of_backup(path: &Path) -> Result<GalleryName, GalleryError> {
    Ok(read_contents(path)?.gallery)
}

fn read_contents(path: &Path) -> Result<Contents, GalleryError> {
    let bad = |what: String| GalleryError::NoBackup { path: path.to_owned(), what };
    let folder = DiskFolder::open(path).map_err(|error| bad(error.to_string()))?;
    let text = read_small(&folder, BACKUP, MANIFEST_BYTES_MAX).map_err(|error| bad(error.to_string()))?;
    parse(&text).ok_or_else(|| bad("its file BACKUP is damaged".to_owned()))
}

/// Reads `BACKUP` and compares every file with it. `progress` is told bytes of all bytes, and may break it off.
pub(super) fn check_backup(
    path: &Path,
    mut progress: impl FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Contents, GalleryError> {
    let bad = |what: String| GalleryError::NoBackup { path: path.to_owned(), what };
    let contents = read_contents(path)?;
    let all = contents.bytes;
    let mut done = 0;
    for (name, size, sha256) in &contents.files {
        let file: PathBuf = path.join(name);
        let hashed = hash_file(&file, |read| progress(done + read.min(*size), all));
        let (found, hash) = match hashed {
            Err(GalleryError::Interrupted) => return Err(GalleryError::Interrupted),
            hashed => hashed.map_err(|error| bad(error.to_string()))?,
        };
        if (found, &hash) != (*size, sha256) {
            return Err(bad(format!("{name} is not the file that was backed up")));
        }
        done += size;
    }
    let listed = |wanted: &str| contents.files.iter().any(|(name, _, _)| name == wanted);
    if listed(MANIFEST) && listed(RECORDS) {
        Ok(contents)
    } else {
        Err(bad("it has no manifest or no records".to_owned()))
    }
}

fn parse(bytes: &[u8]) -> Option<Contents> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (body, crc) = text.split_at(text.rfind("crc32 ")?);
    if crc != format!("crc32 {:08x}\n", crc32fast::hash(body.as_bytes())) {
        return None;
    }
    let mut lines = body.lines();
    (lines.next()? == FIRST_LINE).then_some(())?;
    let gallery = lines.next()?.strip_prefix("gallery ")?.parse().ok()?;
    lines.next()?.strip_prefix("taken ")?;
    let file = |line: &str| {
        let mut words = line.strip_prefix("file ")?.split(' ');
        let (name, size, sha256) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
        // A name of ours is one word and no path.
        let plain = !name.contains('/') && name != "." && name != "..";
        plain.then(|| (name.to_owned(), size, sha256.to_owned()))
    };
    let files: Vec<(String, u64, String)> = lines.map(file).collect::<Option<_>>()?;
    let bytes = files.iter().fold(0_u64, |sum, (_, size, _)| sum.saturating_add(*size));
    Some(Contents { gallery, bytes, files })
}
