//! Sealed blobs: files that are encrypted in chunks, so that any part of them can be read without the rest, and none of them
//! be changed, moved, cut off or joined to another without being seen (docs/SEALED_FORMAT.md). Works on bytes; who has files
//! is above.

use std::fmt;

use crate::base::hex;
use crate::crypto::aead::{Cipher, NONCE_BYTES, TAG_BYTES, WRAPPED_BYTES, Wrapped};
use crate::crypto::secret::SecretKey;
use crate::crypto::{CryptoError, random};

/// How a sealed blob begins.
pub const MAGIC: [u8; 8] = *b"BERTENC\n";
const VERSION: u32 = 1;
/// Bytes of a header.
pub const HEADER_BYTES: usize = 128;
/// Plain bytes of a chunk; the last one may have fewer, and has at least one.
pub const CHUNK_BYTES: usize = 65_536;
const GENERATION_BYTES: usize = 4;
/// Bytes by which a chunk that is written once is longer than what is in it.
#[cfg(test)]
const CHUNK_EXTRA: usize = GENERATION_BYTES + TAG_BYTES;
/// Bytes by which a sealed record is longer than what is in it.
pub const RECORD_EXTRA: usize = NONCE_BYTES + TAG_BYTES;
/// Where in the header the part ends that the wrapped key is bound to.
const BOUND_END: usize = 64;

/// What is in a sealed blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobKind {
    /// A picture of a reference.
    Picture,
    /// A probe's picture.
    Probe,
    /// A segment of a gallery.
    Segment,
    /// A graph of a segment.
    Graph,
    /// The newest templates of a gallery, as records after a header.
    Tail,
}

/// Names a key. No secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 16]);

/// A key under which the keys of blobs lie, with its name.
#[derive(Debug)]
pub struct NamedKey {
    /// Its name.
    pub id: KeyId,
    /// The key.
    pub key: SecretKey,
}

/// What is wrong with a sealed blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    /// Something else.
    #[error("it is no sealed blob")]
    NotSealed,
    /// A newer one.
    #[error("it is a sealed blob of version {0}, and this program reads version {VERSION}")]
    Version(u32),
    /// A damaged header.
    #[error("its header is damaged")]
    Header,
    /// A whole blob of another kind.
    #[error("it is a sealed blob of another kind ({0})")]
    OtherKind(u32),
    /// A blob of another key.
    #[error("it is sealed under the key {found}, not under {wanted}")]
    OtherKey {
        /// The one it names.
        found: KeyId,
        /// The one that was tried.
        wanted: KeyId,
    },
    /// A header that the key does not open.
    #[error(
        "its header was changed, or it is another file under this name, or sealed under another key of the same name"
    )]
    Forged,
    /// Cut off, or longer than it says.
    #[error("it has {found} bytes instead of {wanted}")]
    Length {
        /// As its header says.
        wanted: u64,
        /// As it is.
        found: u64,
    },
    /// A chunk that is not what was written there.
    #[error("its chunk {0} (counted from 0) was changed or moved")]
    Chunk(u64),
    /// A chunk that is not the one that was opened: an older one was put back.
    #[error("its chunk {0} (counted from 0) is not the one that was read before")]
    OtherChunk(u64),
    /// What was to be written into it and was not finished can't be read.
    #[error("what an interrupted erasure left beside it is no list of its chunks")]
    Redo,
    /// Randomness, or the cipher.
    #[error("it can't be sealed: {0}")]
    Crypto(&'static str),
}

/// Seals one blob: a header, then its chunks one after the other.
#[derive(Debug)]
pub struct BlobSealer {
    cipher: Cipher,
    header: [u8; HEADER_BYTES],
    layout: Layout,
}

/// Opens one blob, chunk by chunk in any order.
#[derive(Debug)]
pub struct BlobOpener {
    cipher: Cipher,
    layout: Layout,
}

/// What every chunk is bound to.
#[derive(Debug, Clone, Copy)]
struct Layout {
    file_id: [u8; 16],
    plain_bytes: u64,
    head: Head,
}

/// How a chunk begins, and where its nonce is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// A generation, which is 0: the chunk is written once, and its place is its nonce.
    Generation,
    /// The nonce, drawn at random: the chunk may be written again, also after older files were put back.
    Nonce,
}

impl BlobKind {
    const fn number(self) -> u32 {
        match self {
            Self::Picture => 1,
            Self::Probe => 2,
            Self::Segment => 3,
            Self::Graph => 4,
            Self::Tail => 5,
        }
    }

    const fn head(self) -> Head {
        match self {
            Self::Picture | Self::Probe => Head::Generation,
            Self::Segment | Self::Graph | Self::Tail => Head::Nonce,
        }
    }
}

impl Head {
    const fn bytes(self) -> usize {
        match self {
            Self::Generation => GENERATION_BYTES,
            Self::Nonce => NONCE_BYTES,
        }
    }
}

impl BlobSealer {
    /// For a blob with so many bytes in it, under a key of its own that lies under `key`.
    ///
    /// # Errors
    /// [`SealedError::Crypto`].
    pub fn new(kind: BlobKind, key: &NamedKey, plain_bytes: u64) -> Result<Self, SealedError> {
        Self::of_file(kind, key, plain_bytes, "")
    }

    /// As [`new`](Self::new), for a file that opens under the name `name` only.
    ///
    /// # Errors
    /// [`SealedError::Crypto`].
    pub fn of_file(kind: BlobKind, key: &NamedKey, plain_bytes: u64, name: &str) -> Result<Self, SealedError> {
        let layout = Layout { file_id: random::bytes().map_err(failed)?, plain_bytes, head: kind.head() };
        let data_key = SecretKey::random().map_err(failed)?;
        let mut header = [0; HEADER_BYTES];
        put(&mut header, 0, &MAGIC);
        put(&mut header, 8, &VERSION.to_le_bytes());
        put(&mut header, 12, &kind.number().to_le_bytes());
        put(&mut header, 16, &(CHUNK_BYTES as u32).to_le_bytes());
        put(&mut header, 24, &plain_bytes.to_le_bytes());
        put(&mut header, 32, &layout.file_id);
        put(&mut header, 48, &key.id.0);
        let wrapped = Cipher::new(&key.key).and_then(|cipher| cipher.seal_key(&about_header(&header, name), &data_key));
        let Wrapped { nonce, sealed } = wrapped.map_err(failed)?;
        put(&mut header, 64, &nonce);
        put(&mut header, 76, &sealed);
        let crc = crc32fast::hash(&header[..124]);
        put(&mut header, 124, &crc.to_le_bytes());
        Ok(Self { cipher: Cipher::new(&data_key).map_err(failed)?, header, layout })
    }

    /// The first bytes of the blob.
    #[must_use]
    pub fn header(&self) -> &[u8; HEADER_BYTES] {
        &self.header
    }

    /// Bytes of the whole blob.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.layout.file_bytes()
    }

    /// Chunk number `index` of the blob, and where in it that stands. To be called once for each.
    ///
    /// # Errors
    /// [`SealedError::Chunk`] for bytes that are not as many as this chunk has, [`SealedError::Crypto`].
    pub fn chunk(&self, index: u64, plain: &[u8]) -> Result<(u64, Vec<u8>), SealedError> {
        self.layout.seal(&self.cipher, index, plain)
    }

    /// The same blob, to be read, and written into.
    #[must_use]
    pub fn into_opener(self) -> BlobOpener {
        BlobOpener { cipher: self.cipher, layout: self.layout }
    }
}

impl BlobOpener {
    /// From the header of a blob of `kind` that has `file_bytes` bytes in all and is sealed under `key`.
    ///
    /// # Errors
    /// [`SealedError`].
    pub fn new(
        header: &[u8; HEADER_BYTES],
        file_bytes: u64,
        kind: BlobKind,
        key: &NamedKey,
    ) -> Result<Self, SealedError> {
        Self::of_file(header, file_bytes, kind, key, "")
    }

    /// As [`new`](Self::new), of the file `name`.
    ///
    /// # Errors
    /// [`SealedError`].
    pub fn of_file(
        header: &[u8; HEADER_BYTES],
        file_bytes: u64,
        kind: BlobKind,
        key: &NamedKey,
        name: &str,
    ) -> Result<Self, SealedError> {
        if header[..8] != MAGIC {
            return Err(SealedError::NotSealed);
        }
        if u32::from_le_bytes(take(header, 124)) != crc32fast::hash(&header[..124]) {
            return Err(SealedError::Header);
        }
        let [version, kind_found, chunk_bytes, reserved] =
            [8, 12, 16, 20].map(|at| u32::from_le_bytes(take(header, at)));
        if version != VERSION {
            return Err(SealedError::Version(version));
        }
        if chunk_bytes as usize != CHUNK_BYTES || reserved != 0 {
            return Err(SealedError::Header);
        }
        let found = KeyId(take(header, 48));
        if found != key.id {
            return Err(SealedError::OtherKey { found, wanted: key.id });
        }
        let wrapped = Wrapped { nonce: take::<NONCE_BYTES>(header, 64), sealed: take::<WRAPPED_BYTES>(header, 76) };
        let data_key = Cipher::new(&key.key).map_err(failed)?.open_key(&about_header(header, name), &wrapped);
        let data_key = data_key.ok_or(SealedError::Forged)?;
        if kind_found != kind.number() {
            return Err(SealedError::OtherKind(kind_found));
        }
        let plain_bytes = u64::from_le_bytes(take(header, 24));
        let layout = Layout { file_id: take(header, 32), plain_bytes, head: kind.head() };
        let wanted = layout.file_bytes();
        if wanted != file_bytes {
            return Err(SealedError::Length { wanted, found: file_bytes });
        }
        Ok(Self { cipher: Cipher::new(&data_key).map_err(failed)?, layout })
    }

    /// Bytes that are in it.
    #[must_use]
    pub fn plain_bytes(&self) -> u64 {
        self.layout.plain_bytes
    }

    /// Where in the blob chunk number `index` stands, and its sealed length; `None` after the last.
    #[must_use]
    pub fn place(&self, index: u64) -> Option<(u64, usize)> {
        self.layout.place(index)
    }

    /// What is in chunk number `index`, opened in place.
    ///
    /// # Errors
    /// [`SealedError::Chunk`].
    pub fn chunk<'a>(&self, index: u64, sealed: &'a mut [u8]) -> Result<&'a [u8], SealedError> {
        let wrong = SealedError::Chunk(index);
        if self.layout.place(index).map(|(_, bytes)| bytes) != Some(sealed.len()) {
            return Err(wrong);
        }
        let (head, inside) = sealed.split_at_mut_checked(self.layout.head.bytes()).ok_or(wrong)?;
        let nonce = match self.layout.head {
            Head::Nonce => take(head, 0),
            // Such a chunk is written once.
            Head::Generation if head.iter().all(|byte| *byte == 0) => nonce(index),
            Head::Generation => return Err(wrong),
        };
        let opened = self.cipher.open(nonce, &self.layout.about(index), inside);
        opened.map(|plain| &*plain).ok_or(wrong)
    }

    /// Chunk number `index` with other bytes in it, as many as before, and where in the blob it stands; for kinds of blobs that
    /// are written into.
    ///
    /// # Errors
    /// [`SealedError::Chunk`] for another number of bytes, and of blobs that are written once; [`SealedError::Crypto`].
    pub fn reseal(&self, index: u64, plain: &[u8]) -> Result<(u64, Vec<u8>), SealedError> {
        match self.layout.head {
            Head::Nonce => self.layout.seal(&self.cipher, index, plain),
            Head::Generation => Err(SealedError::Chunk(index)),
        }
    }

    /// Appends a record to `out`: one that opens in this blob only, and only as the one that `number` and `id` name.
    ///
    /// # Errors
    /// [`SealedError::Crypto`].
    pub fn seal_record(&self, (number, id): (u64, u64), plain: &[u8], out: &mut Vec<u8>) -> Result<(), SealedError> {
        let nonce: [u8; NONCE_BYTES] = random::bytes().map_err(failed)?;
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plain);
        let inside = out.get_mut(start..).unwrap_or_default();
        let tag = self.cipher.seal(nonce, &self.about_record(number, id), inside).map_err(failed)?;
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// What is in a record, opened in place; `None` where it is not the one that was sealed as that.
    #[must_use]
    pub fn record<'a>(&self, (number, id): (u64, u64), sealed: &'a mut [u8]) -> Option<&'a [u8]> {
        let (nonce, inside) = sealed.split_first_chunk_mut::<NONCE_BYTES>()?;
        self.cipher.open(*nonce, &self.about_record(number, id), inside).map(|plain| &*plain)
    }

    fn about_record(&self, number: u64, id: u64) -> [u8; 32] {
        let mut about = [0; 32];
        put(&mut about, 0, &self.layout.file_id);
        put(&mut about, 16, &number.to_le_bytes());
        put(&mut about, 24, &id.to_le_bytes());
        about
    }
}

impl Layout {
    fn extra(self) -> usize {
        self.head.bytes() + TAG_BYTES
    }

    fn file_bytes(self) -> u64 {
        let chunks = self.plain_bytes.div_ceil(CHUNK_BYTES as u64);
        let extra = chunks.saturating_mul(self.extra() as u64);
        self.plain_bytes.saturating_add(HEADER_BYTES as u64).saturating_add(extra)
    }

    fn place(self, index: u64) -> Option<(u64, usize)> {
        let before = index.checked_mul(CHUNK_BYTES as u64)?;
        let rest = self.plain_bytes.checked_sub(before).filter(|rest| *rest > 0)?;
        let plain = rest.min(CHUNK_BYTES as u64) as usize;
        let at = index.checked_mul((CHUNK_BYTES + self.extra()) as u64)?.checked_add(HEADER_BYTES as u64)?;
        Some((at, plain + self.extra()))
    }

    fn seal(self, cipher: &Cipher, index: u64, plain: &[u8]) -> Result<(u64, Vec<u8>), SealedError> {
        let Some((at, bytes)) = self.place(index).filter(|(_, bytes)| *bytes == plain.len() + self.extra()) else {
            return Err(SealedError::Chunk(index));
        };
        let mut sealed = Vec::with_capacity(bytes);
        let nonce = match self.head {
            Head::Generation => {
                sealed.extend_from_slice(&[0; GENERATION_BYTES]);
                nonce(index)
            }
            Head::Nonce => {
                let drawn = random::bytes().map_err(failed)?;
                sealed.extend_from_slice(&drawn);
                drawn
            }
        };
        sealed.extend_from_slice(plain);
        let inside = sealed.get_mut(self.head.bytes()..).unwrap_or_default();
        let tag = cipher.seal(nonce, &self.about(index), inside).map_err(failed)?;
        sealed.extend_from_slice(&tag);
        Ok((at, sealed))
    }

    /// Four bytes stay 0: the generation of chunks that are written once.
    fn about(self, index: u64) -> [u8; 36] {
        let mut about = [0; 36];
        put(&mut about, 0, &self.file_id);
        put(&mut about, 16, &index.to_le_bytes());
        put(&mut about, 28, &self.plain_bytes.to_le_bytes());
        about
    }
}

impl KeyId {
    /// A new name.
    ///
    /// # Errors
    /// [`CryptoError::NoRandom`].
    pub fn random() -> Result<Self, CryptoError> {
        random::bytes().map(Self)
    }

    /// From 32 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = hex::decode_32(&format!("{text}{text}")).filter(|_| text.len() == 32)?;
        bytes.first_chunk().copied().map(Self)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What the wrapped key of a blob is bound to.
fn about_header(header: &[u8; HEADER_BYTES], name: &str) -> Vec<u8> {
    [&header[..BOUND_END], name.as_bytes()].concat()
}

/// Of a chunk that is written once.
fn nonce(index: u64) -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    put(&mut nonce, 0, &index.to_le_bytes());
    nonce
}

fn failed(error: CryptoError) -> SealedError {
    SealedError::Crypto(match error {
        CryptoError::NoRandom => "the system gives no random bytes",
        CryptoError::NoKey(_) | CryptoError::Password | CryptoError::Cipher => "the cipher failed",
    })
}

/// Writes `bytes` at `at`, as far as there is room: every caller's places are constants.
pub(super) fn put(into: &mut [u8], at: usize, bytes: &[u8]) {
    for (place, byte) in into.iter_mut().skip(at).zip(bytes) {
        *place = *byte;
    }
}

/// `N` bytes at `at`; zeros beyond the end, where no caller looks.
pub(super) fn take<const N: usize>(from: &[u8], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    put(&mut bytes, 0, from.get(at..).unwrap_or_default());
    bytes
}

#[cfg(test)]
mod tests;
