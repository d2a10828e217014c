//! The tail: the newest templates, appended to a file and kept in memory as chunks until they are sealed into a segment.
//!
//! A record is durable before the SQL transaction that names it is committed, and counts only if that was: reading stops
//! at the last committed id. `docs/SEGMENT_FORMAT.md` has the bytes.

use std::borrow::Cow;
use std::io;
use std::sync::{Arc, Weak};

use crate::base::ids::TemplateId;
use crate::base::limits::TAIL_CHUNK_ROWS;
use crate::crypto::BlobKind;
use crate::crypto::sealed::{self, BlobOpener, BlobSealer, RECORD_EXTRA};
use crate::gallery::GalleryError;
use crate::gallery::manifest::{GallerySpec, damaged, tail_file};
use crate::store::{Blob, Folder, Mode, StoreError};
use crate::vector::codec::{Code, DEAD_SCALE};
use crate::vector::dimension::Dimension;
use crate::vector::memory::MemoryRows;
use crate::vector::rows::Rows;

const MAGIC: [u8; 8] = *b"BERTLOG\n";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 64;
/// Records read at once.
const READ_RECORDS: usize = 256;
/// Of a record: its template's id, which is never sealed.
const ID_BYTES: usize = 8;

/// Where the records of a tail's file lie. Those of a sealed gallery are sealed one by one, behind the header of a sealed blob
/// without chunks (docs/SEALED_FORMAT.md).
#[derive(Debug, Clone, Copy)]
struct Form {
    header_bytes: usize,
    record_bytes: usize,
}

impl Form {
    fn of(spec: &GallerySpec, sealed: bool) -> Self {
        let plain = Self { header_bytes: HEADER_BYTES, record_bytes: record_bytes(spec) };
        if sealed {
            Self {
                header_bytes: sealed::HEADER_BYTES + plain.header_bytes,
                record_bytes: plain.record_bytes + RECORD_EXTRA,
            }
        } else {
            plain
        }
    }

    fn record_at(self, row: usize) -> u64 {
        (self.header_bytes + row * self.record_bytes) as u64
    }
}

/// One template on its way into the tail.
#[derive(Clone)]
pub(super) struct TailRow {
    pub(super) id: TemplateId,
    /// Rounded to the gallery's precision.
    pub(super) original: Vec<f32>,
    pub(super) code: Code,
}

impl TailRow {
    /// What is left of an erased row.
    pub(super) fn dead(id: TemplateId, dimension: Dimension) -> Self {
        let zeros = vec![0; dimension.get()];
        Self {
            id,
            original: vec![0.0; dimension.get()],
            code: Code { codes: zeros, scale: DEAD_SCALE, error_norm: 0.0 },
        }
    }
}

/// What the records say about a gallery: the truth about what its files may show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Committed {
    /// Highest committed template id; 0 when there is none.
    pub(super) last_id: u64,
    /// Ids whose erasure was begun and is not finished, ascending.
    pub(super) erasing: Vec<TemplateId>,
}

impl Committed {
    fn is_erasing(&self, id: u64) -> bool {
        self.erasing.binary_search(&TemplateId(id)).is_ok()
    }
}

/// The rows of a tail in memory.
#[derive(Clone)]
pub(super) struct Chunks {
    spec: GallerySpec,
    form: Form,
    runs: Vec<Arc<MemoryRows>>,
    rows: usize,
}

/// The open tail of a gallery that this process writes.
pub(super) struct Tail {
    blob: Box<dyn Blob>,
    chunks: Chunks,
    /// Of a sealed gallery: what seals its records.
    seal: Option<BlobOpener>,
    /// Bytes past the committed records may be left from a failed append.
    dirty: bool,
}

impl Tail {
    /// Makes an empty tail file.
    pub(super) fn create(folder: &dyn Folder, spec: &GallerySpec, generation: u64) -> Result<Self, GalleryError> {
        Self::create_with(folder, spec, generation, &[])
    }

    /// Makes a tail file of committed rows, dead ones included.
    pub(super) fn create_with(
        folder: &dyn Folder,
        spec: &GallerySpec,
        generation: u64,
        rows: &[TailRow],
    ) -> Result<Self, GalleryError> {
        let name = tail_file(generation);
        let draft = folder.draft(&name)?;
        let sealer = folder.key().map(|key| BlobSealer::of_file(BlobKind::Tail, key, 0, &name)).transpose();
        let sealer = sealer.map_err(|what| StoreError::Sealed { path: folder.path(&name), what })?;
        let mut bytes = sealer.as_ref().map_or_else(Vec::new, |sealer| sealer.header().to_vec());
        bytes.extend_from_slice(&header(spec, generation));
        let seal = sealer.map(BlobSealer::into_opener);
        let mut chunks = Chunks::new(spec, seal.is_some());
        for (number, row) in rows.iter().enumerate() {
            put(spec, seal.as_ref(), number, row, &mut bytes)?;
            chunks.push(row, &mut Vec::new());
        }
        draft.write_at(0, &bytes)?;
        folder.publish(&name, draft)?;
        mark_dead(&mut chunks, &Committed::default());
        Ok(Self { blob: folder.open(&name, Mode::Change)?, chunks, seal, dirty: false })
    }

    /// Opens the tail for writing and cuts off what was not committed.
    pub(super) fn open(
        folder: &dyn Folder,
        spec: &GallerySpec,
        generation: u64,
        sealed_through: u64,
        committed: &Committed,
    ) -> Result<Self, GalleryError> {
        let blob = folder.open(&tail_file(generation), Mode::Change)?;
        let chunks = read(folder, blob.as_ref(), spec, generation, sealed_through, committed)?;
        let seal = seal_of(folder, blob.as_ref(), generation)?;
        let tail = Self { blob, chunks, seal, dirty: false };
        if tail.blob.size_bytes()? > tail.end() {
            tail.cut()?;
        }
        Ok(tail)
    }

    /// Whether a tail's file, of whatever kind, has nothing but its header.
    pub(super) fn is_empty(blob: &dyn Blob) -> Result<bool, StoreError> {
        let (bytes, mut magic) = (blob.size_bytes()?, [0; MAGIC.len()]);
        if bytes >= MAGIC.len() as u64 {
            blob.read_at(0, &mut magic)?;
        }
        let before = if magic == sealed::MAGIC { sealed::HEADER_BYTES } else { 0 };
        Ok(bytes <= (before + HEADER_BYTES) as u64)
    }

    pub(super) fn chunks(&self) -> &Chunks {
        &self.chunks
    }

    /// Writes rows after the committed ones and syncs. They count from [`commit`](Self::commit) on.
    pub(super) fn append(&mut self, rows: &[TailRow]) -> Result<(), GalleryError> {
        if self.dirty {
            self.cut()?;
        }
        self.dirty = true;
        let mut bytes = Vec::with_capacity(rows.len() * self.chunks.form.record_bytes);
        for (number, row) in (self.chunks.rows..).zip(rows) {
            put(&self.chunks.spec, self.seal.as_ref(), number, row, &mut bytes)?;
        }
        self.blob.write_at(self.end(), &bytes)?;
        Ok(self.blob.sync()?)
    }

    /// Takes the appended rows into memory; the chunk that grows is replaced, and pointed to by `retired`.
    pub(super) fn commit(&mut self, rows: &[TailRow], retired: &mut Vec<Weak<dyn Rows>>) {
        for row in rows {
            self.chunks.push(row, retired);
        }
        self.dirty = false;
    }

    /// Takes an append back.
    pub(super) fn roll_back(&mut self) -> Result<(), GalleryError> {
        self.dirty = true;
        self.cut()?;
        self.dirty = false;
        Ok(())
    }

    /// Marks templates as erased in memory. Ids that are not here are left out.
    pub(super) fn mark_erased(&mut self, ids: &[TemplateId], retired: &mut Vec<Weak<dyn Rows>>) {
        self.chunks.change_rows(ids, retired, |chunk, rows| {
            let erased = chunk.erased().as_slice().iter().copied().chain(rows.iter().copied()).collect();
            chunk.mark_erased(erased);
        });
    }

    /// Overwrites the records of templates in the file and in memory; whether there were any.
    pub(super) fn overwrite(
        &mut self,
        ids: &[TemplateId],
        retired: &mut Vec<Weak<dyn Rows>>,
    ) -> Result<bool, GalleryError> {
        let mut found = false;
        for &id in ids {
            let Some(row) = self.chunks.row_of(id) else { continue };
            let mut bytes = Vec::new();
            let dead = TailRow::dead(id, self.chunks.spec.dimension);
            put(&self.chunks.spec, self.seal.as_ref(), row, &dead, &mut bytes)?;
            self.blob.write_at(self.chunks.form.record_at(row), &bytes)?;
            found = true;
        }
        if found {
            self.blob.sync()?;
            self.chunks.change_rows(ids, retired, |chunk, rows| rows.iter().for_each(|&row| chunk.erase(row as usize)));
        }
        Ok(found)
    }

    fn end(&self) -> u64 {
        self.chunks.file_bytes()
    }

    fn cut(&self) -> Result<(), GalleryError> {
        self.blob.set_size(self.end())?;
        Ok(self.blob.sync()?)
    }
}

impl Chunks {
    fn new(spec: &GallerySpec, sealed: bool) -> Self {
        Self { spec: spec.clone(), form: Form::of(spec, sealed), runs: Vec::new(), rows: 0 }
    }

    /// Rows, erased ones included.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    pub(super) fn as_slice(&self) -> &[Arc<MemoryRows>] {
        &self.runs
    }

    /// Length of the file that holds them.
    pub(super) fn file_bytes(&self) -> u64 {
        self.form.record_at(self.rows)
    }

    fn push(&mut self, row: &TailRow, retired: &mut Vec<Weak<dyn Rows>>) {
        if self.rows.is_multiple_of(TAIL_CHUNK_ROWS) {
            self.runs.push(Arc::new(MemoryRows::new(self.spec.dimension)));
        }
        if let Some(chunk) = self.runs.last_mut() {
            let rows = changed(chunk, retired);
            rows.push_coded(row.id, &row.original, &row.code);
            if rows.len() == TAIL_CHUNK_ROWS {
                // Full: from now on a device may keep a copy.
                *chunk = Arc::new(rows.clone().resident());
            }
            self.rows += 1;
        }
    }

    fn row_of(&self, id: TemplateId) -> Option<usize> {
        let chunk = self.runs.partition_point(|chunk| chunk.ids().last().is_some_and(|&last| last < id));
        let row = self.runs.get(chunk)?.ids().binary_search(&id).ok()?;
        Some(chunk * TAIL_CHUNK_ROWS + row)
    }

    fn change_rows(
        &mut self,
        ids: &[TemplateId],
        retired: &mut Vec<Weak<dyn Rows>>,
        change: impl Fn(&mut MemoryRows, &[u32]),
    ) {
        let mut rows: Vec<usize> = ids.iter().filter_map(|&id| self.row_of(id)).collect();
        rows.sort_unstable();
        for group in rows.chunk_by(|a, b| a / TAIL_CHUNK_ROWS == b / TAIL_CHUNK_ROWS) {
            let Some(chunk) = group.first().and_then(|row| self.runs.get_mut(row / TAIL_CHUNK_ROWS)) else {
                continue;
            };
            let inside: Vec<u32> = group.iter().map(|row| (row % TAIL_CHUNK_ROWS) as u32).collect();
            change(changed(chunk, retired), &inside);
        }
    }
}

/// The chunk for changing: a copy when a snapshot reads it, and then the one that was read is retired.
fn changed<'a>(chunk: &'a mut Arc<MemoryRows>, retired: &mut Vec<Weak<dyn Rows>>) -> &'a mut MemoryRows {
    if Arc::strong_count(chunk) > 1 {
        let old: Weak<MemoryRows> = Arc::downgrade(chunk);
        retired.push(old);
    }
    Arc::make_mut(chunk)
}

/// Reads the committed records of a tail; those of begun erasures come as dead rows.
pub(super) fn read(
    folder: &dyn Folder,
    blob: &dyn Blob,
    spec: &GallerySpec,
    generation: u64,
    sealed_through: u64,
    committed: &Committed,
) -> Result<Chunks, GalleryError> {
    let name = tail_file(generation);
    let bad = |what: &str| damaged(folder.path(&name), what);
    let seal = seal_of(folder, blob, generation)?;
    let mut chunks = Chunks::new(spec, seal.is_some());
    let Form { header_bytes, record_bytes: size } = chunks.form;
    let mut head = [0; HEADER_BYTES];
    blob.read_at((header_bytes - HEADER_BYTES) as u64, &mut head)?;
    if head != header(spec, generation).as_slice() {
        return Err(bad("its header is not that of this gallery"));
    }
    let in_file = (blob.size_bytes()?.saturating_sub(header_bytes as u64) / size as u64) as usize;
    let mut last = sealed_through;
    while last < committed.last_id {
        let count = READ_RECORDS.min(in_file - chunks.rows);
        if count == 0 {
            return Err(bad(&format!("it ends after template {last} where {} were acknowledged", committed.last_id)));
        }
        let mut bytes = vec![0; count * size];
        blob.read_at(chunks.form.record_at(chunks.rows), &mut bytes)?;
        for record in bytes.chunks_exact_mut(size) {
            if last == committed.last_id {
                break;
            }
            let record = opened(seal.as_ref(), chunks.rows, record);
            let row = take_record(spec, &record, committed, last).map_err(|what| bad(&what))?;
            last = row.id.0;
            chunks.push(&row, &mut Vec::new());
        }
    }
    mark_dead(&mut chunks, committed);
    Ok(chunks)
}

fn mark_dead(chunks: &mut Chunks, committed: &Committed) {
    for chunk in &mut chunks.runs {
        let dead = |&(row, id): &(usize, &TemplateId)| {
            chunk.scales().get(row).is_none_or(|&scale| scale <= 0.0) || committed.is_erasing(id.0)
        };
        let rows: Vec<u32> = chunk.ids().iter().enumerate().filter(dead).map(|(row, _)| row as u32).collect();
        if !rows.is_empty() {
            Arc::make_mut(chunk).mark_erased(rows);
        }
    }
}

/// Magic, version, dimension, precision, generation, model hash, checksum.
fn header(spec: &GallerySpec, generation: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(spec.dimension.get() as u16).to_le_bytes());
    bytes.extend_from_slice(&(spec.originals.bytes() as u16).to_le_bytes());
    bytes.extend_from_slice(&generation.to_le_bytes());
    bytes.extend_from_slice(&spec.model.hash);
    bytes.resize(HEADER_BYTES - 4, 0);
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

/// Id, scale, error norm, codes, original, checksum.
fn record_bytes(spec: &GallerySpec) -> usize {
    8 + 4 + 4 + spec.dimension.get() * (1 + spec.originals.bytes()) + 4
}

/// What seals the records of a tail that is there.
fn seal_of(folder: &dyn Folder, blob: &dyn Blob, generation: u64) -> Result<Option<BlobOpener>, StoreError> {
    let Some(key) = folder.key() else { return Ok(None) };
    let name = tail_file(generation);
    let mut header = [0; sealed::HEADER_BYTES];
    blob.read_at(0, &mut header)?;
    let opener = BlobOpener::of_file(&header, sealed::HEADER_BYTES as u64, BlobKind::Tail, key, &name);
    opener.map(Some).map_err(|what| StoreError::Sealed { path: folder.path(&name), what })
}

/// Appends the record of row `number` of the file.
fn put(
    spec: &GallerySpec,
    seal: Option<&BlobOpener>,
    number: usize,
    row: &TailRow,
    out: &mut Vec<u8>,
) -> Result<(), GalleryError> {
    let Some(seal) = seal else {
        put_record(spec, row, out);
        return Ok(());
    };
    let mut plain = Vec::with_capacity(record_bytes(spec));
    put_record(spec, row, &mut plain);
    let (id, inside) = plain.split_at(ID_BYTES);
    out.extend_from_slice(id);
    let sealed = seal.seal_record((number as u64, row.id.0), inside, out);
    Ok(sealed.map_err(|what| StoreError::Io(io::Error::other(format!("a template: {what}"))))?)
}

/// A record as [`put_record`] wrote it; one that does not open has its id only.
fn opened<'a>(seal: Option<&BlobOpener>, number: usize, record: &'a mut [u8]) -> Cow<'a, [u8]> {
    let Some(seal) = seal else { return Cow::Borrowed(record) };
    let Some((id, inside)) = record.split_first_chunk_mut::<ID_BYTES>() else { return Cow::Borrowed(record) };
    let id = *id;
    let inside = seal.record((number as u64, u64::from_le_bytes(id)), inside).unwrap_or_default();
    Cow::Owned([&id, inside].concat())
}

fn put_record(spec: &GallerySpec, row: &TailRow, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&row.id.0.to_le_bytes());
    out.extend_from_slice(&row.code.scale.to_le_bytes());
    out.extend_from_slice(&row.code.error_norm.to_le_bytes());
    out.extend_from_slice(bytemuck::cast_slice(&row.code.codes));
    spec.originals.put(&row.original, out);
    let crc = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&crc.to_le_bytes());
}

/// Reads one record after template `last`. A wrong checksum, or a seal that does not open, is what an erasure that was cut short
/// leaves behind; anywhere else among committed records it is damage.
fn take_record(spec: &GallerySpec, record: &[u8], committed: &Committed, last: u64) -> Result<TailRow, String> {
    let (id, _) = record.split_first_chunk::<ID_BYTES>().ok_or("a record is cut off")?;
    let id = u64::from_le_bytes(*id);
    if id <= last || id > committed.last_id {
        return Err(format!("template {id} where one from {} to {} should be", last + 1, committed.last_id));
    }
    match whole_row(spec, TemplateId(id), record) {
        Some(row) => Ok(row),
        None if committed.is_erasing(id) => Ok(TailRow::dead(TemplateId(id), spec.dimension)),
        None => Err(format!("the checksum or the seal of template {id} is wrong")),
    }
}

fn whole_row(spec: &GallerySpec, id: TemplateId, record: &[u8]) -> Option<TailRow> {
    let (body, crc) = record.split_last_chunk::<4>()?;
    let (scale, rest) = body.get(ID_BYTES..)?.split_first_chunk::<4>()?;
    let (error_norm, rest) = rest.split_first_chunk::<4>()?;
    let (codes, original) = rest.split_at_checked(spec.dimension.get())?;
    if crc32fast::hash(body) != u32::from_le_bytes(*crc) {
        return None;
    }
    let mut row = TailRow::dead(id, spec.dimension);
    row.code.scale = f32::from_le_bytes(*scale);
    row.code.error_norm = f32::from_le_bytes(*error_norm);
    row.code.codes.copy_from_slice(bytemuck::cast_slice(codes));
    spec.originals.take(original, &mut row.original);
    Some(row)
}
