//! What a long evaluation has done so far, on disk: records that are only appended, each with its length and checksum, so that one
//! that was cut short goes on where it was. A killed program loses no more than the record that it was writing, a power cut the
//! records of a few seconds.

use std::collections::HashMap;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use fs_err as fs;
use fs_err::os::unix::fs::{FileExt as _, OpenOptionsExt as _};

use crate::base::limits::EVALUATION_RECORD_BYTES_MAX;
use crate::store::StoreError;

/// Key, length and checksum before each record's bytes.
const HEAD_BYTES: usize = 16;
const MAGIC: &[u8; 8] = b"BTLEVAL1";
/// Records are brought to the disk this often at least, as long as there are any: seconds of work are what a power cut may take.
const SYNC_EVERY: Duration = Duration::from_secs(5);

/// An open journal. The keys are in memory, the records on disk.
#[derive(Debug)]
pub struct Journal {
    file: fs::File,
    end: u64,
    places: HashMap<u64, (u64, u32)>,
    /// Up to where everything is on the disk, as far as this program knows, and since when.
    synced: (u64, Instant),
    sync_every: Duration,
}

impl Journal {
    /// Opens the journal at `path`, or begins one. A record that was cut short is cut off.
    ///
    /// # Errors
    /// What the system says; [`StoreError::Io`] of kind `InvalidData` for a file that is no journal.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut options = fs::OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let size = file.metadata()?.len();
        let mut journal = Self {
            end: MAGIC.len() as u64,
            file: file.try_clone()?,
            places: HashMap::new(),
            synced: (0, Instant::now()),
            sync_every: SYNC_EVERY,
        };
        if size < MAGIC.len() as u64 {
            file.set_len(0)?;
            file.write_all(MAGIC)?;
            // The name must outlive a power cut, too.
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                fs::File::open(folder)?.sync_all()?;
            }
            return Ok(journal);
        }
        file.seek(SeekFrom::Start(0))?;
        let mut reader = std::io::BufReader::with_capacity(1 << 20, &mut file);
        let mut magic = [0; MAGIC.len()];
        reader.read_exact(&mut magic)?;
        if magic != *MAGIC {
            let what = format!("{} is no journal of an evaluation", path.display());
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, what).into());
        }
        let mut payload = Vec::new();
        while let Some(key) = next(&mut reader, &mut payload)? {
            journal.places.insert(key, (journal.end + HEAD_BYTES as u64, payload.len() as u32));
            journal.end += (HEAD_BYTES + payload.len()) as u64;
        }
        drop(reader);
        journal.file.set_len(journal.end)?;
        Ok(journal)
    }

    /// Appends a record. One of the same key takes the place of the earlier.
    ///
    /// # Errors
    /// What the system says; a record that is too long.
    pub fn append(&mut self, key: u64, payload: &[u8]) -> Result<(), StoreError> {
        if payload.len() > EVALUATION_RECORD_BYTES_MAX {
            let what = format!("a record of {} bytes: at most {EVALUATION_RECORD_BYTES_MAX}", payload.len());
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, what).into());
        }
        let length = payload.len() as u32;
        let mut bytes = Vec::with_capacity(HEAD_BYTES + payload.len());
        bytes.extend(key.to_le_bytes());
        bytes.extend(length.to_le_bytes());
        bytes.extend(checksum(key, payload).to_le_bytes());
        bytes.extend(payload);
        self.file.write_all_at(&bytes, self.end)?;
        self.places.insert(key, (self.end + HEAD_BYTES as u64, length));
        self.end += bytes.len() as u64;
        if self.synced.1.elapsed() >= self.sync_every { self.sync() } else { Ok(()) }
    }

    /// The record of a key.
    ///
    /// # Errors
    /// What the system says.
    pub fn get(&self, key: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(&(at, length)) = self.places.get(&key) else { return Ok(None) };
        let mut payload = vec![0; length as usize];
        self.file.read_exact_at(&mut payload, at)?;
        Ok(Some(payload))
    }

    /// Whether there is a record of that key.
    #[must_use]
    pub fn has(&self, key: u64) -> bool {
        self.places.contains_key(&key)
    }

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        if self.synced.0 < self.end {
            self.file.sync_data()?;
        }
        self.synced = (self.end, Instant::now());
        Ok(())
    }
}

fn checksum(key: u64, payload: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&key.to_le_bytes());
    crc.update(payload);
    crc.finalize()
}

/// The next whole record's key; its bytes go into `payload`. `None` at the end, and where what follows is no whole record.
fn next(reader: &mut impl std::io::Read, payload: &mut Vec<u8>) -> Result<Option<u64>, StoreError> {
    let mut head = [0; HEAD_BYTES];
    if !filled(reader, &mut head)? {
        return Ok(None);
    }
    let [k0, k1, k2, k3, k4, k5, k6, k7, l0, l1, l2, l3, c0, c1, c2, c3] = head;
    let key = u64::from_le_bytes([k0, k1, k2, k3, k4, k5, k6, k7]);
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length > EVALUATION_RECORD_BYTES_MAX {
        return Ok(None);
    }
    payload.resize(length, 0);
    let whole = filled(reader, payload)?;
    Ok((whole && checksum(key, payload) == u32::from_le_bytes([c0, c1, c2, c3])).then_some(key))
}

fn filled(reader: &mut impl std::io::Read, bytes: &mut [u8]) -> Result<bool, StoreError> {
    match reader.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_there_again_wherever_the_file_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let records: Vec<(u64, Vec<u8>)> = (0..20).map(|n| (n % 15, vec![n as u8; 7 * n as usize])).collect();
        let mut journal = Journal::open(&path).unwrap();
        let mut ends = vec![MAGIC.len() as u64];
        for (key, payload) in &records {
            journal.append(*key, payload).unwrap();
            ends.push(journal.end);
        }
        let bytes = fs::read(&path).unwrap();
        for cut in 0..=bytes.len() {
            fs::write(&path, &bytes[..cut]).unwrap();
            let whole = ends.iter().filter(|end| **end <= cut as u64).count().saturating_sub(1);
            let mut journal = Journal::open(&path).unwrap();
            let latest: HashMap<u64, &Vec<u8>> =
                records[..whole].iter().map(|(key, payload)| (*key, payload)).collect();
            assert_eq!(journal.places.len(), latest.len(), "cut at {cut}");
            for (key, payload) in latest {
                assert_eq!(journal.get(key).unwrap().as_ref(), Some(payload));
            }
            // It goes on from there.
            journal.append(99, b"more").unwrap();
            assert_eq!(Journal::open(&path).unwrap().get(99).unwrap().unwrap(), b"more");
        }
    }

    #[test]
    fn records_wait_for_the_disk_for_seconds_only() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&folder.path().join("journal")).unwrap();
        journal.append(1, b"one").unwrap();
        assert!(
            journal.synced.0 == 0 && journal.sync_every == SYNC_EVERY,
            "not each by itself: that would take longer than the work"
        );
        journal.sync_every = Duration::from_millis(20);
        std::thread::sleep(Duration::from_millis(25));
        journal.append(2, b"two").unwrap();
        assert_eq!(journal.synced.0, journal.end, "with those before it");
        journal.append(3, b"three").unwrap();
        journal.sync().unwrap();
        assert_eq!(journal.synced.0, journal.end);
    }

    #[test]
    fn a_flipped_bit_ends_it_there_and_other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        for key in 0..3 {
            journal.append(key, &[1; 100]).unwrap();
        }
        let mut bytes = fs::read(&path).unwrap();
        bytes[MAGIC.len() + HEAD_BYTES + 100 + 50] ^= 4;
        fs::write(&path, &bytes).unwrap();
        let journal = Journal::open(&path).unwrap();
        assert!(journal.has(0) && !journal.has(1) && !journal.has(2));
        fs::write(&path, b"something else").unwrap();
        assert!(Journal::open(&path).is_err());
        let mut journal = Journal::open(&folder.path().join("other")).unwrap();
        assert!(journal.append(1, &vec![0; EVALUATION_RECORD_BYTES_MAX + 1]).is_err());
    }
}
