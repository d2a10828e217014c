//! NumPy's `.npz` archives: a ZIP file with one `.npy` file a name, stored (`numpy.savez`) or deflated (`numpy.savez_compressed`).
//!
//! Members are found by their own headers, one after the other, as NumPy writes them; the directory at the archive's end is not
//! needed. So whatever an archive says, no more memory is taken than for one header. The format: APPNOTE.TXT of PKWARE, 4.3.7
//! (headers) and 4.5.3 (sizes of 64 bits).

use std::io::{Read, Seek, SeekFrom, Take};

use flate2::read::DeflateDecoder;

use crate::base::limits::{NPZ_MEMBERS_MAX, NPZ_NAME_BYTES_MAX};

/// What each member, and so each archive that has any, begins with.
const MEMBER: [u8; 4] = *b"PK\x03\x04";
/// What the directory begins with, after the last member.
const DIRECTORY: [u8; 4] = *b"PK\x01\x02";
/// Bytes of a member's header after these.
const HEADER_BYTES: usize = 26;
const ENCRYPTED: u16 = 1;
/// Sizes stand behind the member, not in its header.
const STREAMED: u16 = 1 << 3;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Name of the field with sizes of 64 bits.
const LONG_SIZES: u16 = 1;
/// A size that stands in that field.
const IS_LONG: u32 = u32::MAX;

/// Whether a file that begins so is an archive.
#[must_use]
pub fn is_archive(start: &[u8]) -> bool {
    start.starts_with(&MEMBER)
}

/// A member that is being read: checked against its size and its checksum.
#[derive(Debug)]
pub struct Member<R> {
    bytes: Bytes<R>,
    /// Bytes that are still to come.
    left: u64,
    checksum: crc32fast::Hasher,
    wanted: u32,
}

#[derive(Debug)]
enum Bytes<R> {
    Stored(Take<R>),
    Deflated(Box<DeflateDecoder<Take<R>>>),
}

impl<R: Read> Read for Member<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        // However much a small file may inflate to, nothing past the size in the header is asked for.
        let most = usize::try_from(self.left).map_or(out.len(), |left| left.min(out.len()));
        let room = out.get_mut(..most).unwrap_or_default();
        let count = match &mut self.bytes {
            Bytes::Stored(bytes) => bytes.read(room)?,
            Bytes::Deflated(bytes) => bytes.read(room)?,
        };
        self.checksum.update(room.get(..count).unwrap_or_default());
        self.left -= count as u64;
        Ok(count)
    }
}

impl<R: Read> Member<R> {
    /// Whether everything was read, and was what was written.
    ///
    /// # Errors
    /// In words, for whoever made the file.
    pub fn finish(self) -> Result<(), String> {
        match self.left {
            0 if self.checksum.finalize() == self.wanted => Ok(()),
            0 => Err("its checksum is wrong: the file is damaged".to_owned()),
            left => Err(format!("it has {left} bytes more than its header says")),
        }
    }
}

/// What a header says.
struct Header {
    name: String,
    method: u16,
    checksum: u32,
    /// Bytes in the archive, and bytes that they stand for.
    packed: u64,
    size: u64,
}

/// The member `name` (without `.npy`), from its first byte on; `None` where there is none of that name.
///
/// # Errors
/// In words, for whoever made the file.
pub fn member<R: Read + Seek>(mut source: R, name: &str) -> Result<Option<Member<R>>, String> {
    let bad = |error: std::io::Error| format!("it can't be read: {error}");
    source.seek(SeekFrom::Start(0)).map_err(bad)?;
    for _ in 0..NPZ_MEMBERS_MAX {
        let Some(header) = header(&mut source)? else { return Ok(None) };
        let Header { name: found, method, checksum, packed, size } = header;
        if found.strip_suffix(".npy") != Some(name) {
            let packed = i64::try_from(packed).map_err(|_| "a member is longer than any file".to_owned())?;
            source.seek(SeekFrom::Current(packed)).map_err(bad)?;
            continue;
        }
        let bytes = source.take(packed);
        let bytes = match method {
            STORED if packed == size => Bytes::Stored(bytes),
            DEFLATED => Bytes::Deflated(Box::new(DeflateDecoder::new(bytes))),
            STORED => return Err(format!("its member {name} has two sizes")),
            other => return Err(format!("its member {name} is packed by method {other}; numpy.savez writes 0 or 8")),
        };
        return Ok(Some(Member { bytes, left: size, checksum: crc32fast::Hasher::new(), wanted: checksum }));
    }
    Err(format!("it has more than {NPZ_MEMBERS_MAX} members"))
}

/// The next member's header; `None` after the last one.
fn header(source: &mut impl Read) -> Result<Option<Header>, String> {
    let mut read = |bytes: &mut [u8]| source.read_exact(bytes).map_err(|_| "it ends inside a member".to_owned());
    let mut start = [0; MEMBER.len()];
    read(&mut start)?;
    if start == DIRECTORY {
        return Ok(None);
    }
    if start != MEMBER {
        return Err("it is no .npz archive, or damaged".to_owned());
    }
    let mut fixed = [0; HEADER_BYTES];
    read(&mut fixed)?;
    let [_, _, f0, f1, m0, m1, _, _, _, _, c0, c1, c2, c3, p0, p1, p2, p3, s0, s1, s2, s3, n0, n1, e0, e1] = fixed;
    let (flags, method) = (u16::from_le_bytes([f0, f1]), u16::from_le_bytes([m0, m1]));
    let checksum = u32::from_le_bytes([c0, c1, c2, c3]);
    let (packed, size) = (u32::from_le_bytes([p0, p1, p2, p3]), u32::from_le_bytes([s0, s1, s2, s3]));
    let (name_bytes, extra_bytes) = (u16::from_le_bytes([n0, n1]), u16::from_le_bytes([e0, e1]));
    if flags & (ENCRYPTED | STREAMED) != 0 {
        return Err(
            "it is encrypted, or was written to a pipe; numpy.savez to a file makes one that is read".to_owned()
        );
    }
    if usize::from(name_bytes) > NPZ_NAME_BYTES_MAX {
        return Err(format!("a member's name has {name_bytes} bytes: at most {NPZ_NAME_BYTES_MAX}"));
    }
    let mut name = vec![0; usize::from(name_bytes)];
    read(&mut name)?;
    // Two bytes of length: 64 KiB at most.
    let mut extra = vec![0; usize::from(extra_bytes)];
    read(&mut extra)?;
    let mut long = long_sizes(&extra);
    let mut take = |short: u32| {
        if short != IS_LONG {
            return Ok(u64::from(short));
        }
        let (bytes, rest) = long.split_first_chunk::<8>().ok_or("a member's sizes are missing")?;
        long = rest;
        Ok::<u64, String>(u64::from_le_bytes(*bytes))
    };
    // In this order, whichever of them is there.
    let size = take(size)?;
    let packed = take(packed)?;
    Ok(Some(Header { name: String::from_utf8_lossy(&name).into_owned(), method, checksum, packed, size }))
}

/// What stands in the field of long sizes; nothing where there is none.
fn long_sizes(mut extra: &[u8]) -> &[u8] {
    while let Some(([k0, k1, l0, l1], rest)) = extra.split_first_chunk::<4>() {
        let (kind, length) = (u16::from_le_bytes([*k0, *k1]), usize::from(u16::from_le_bytes([*l0, *l1])));
        let Some((field, rest)) = rest.split_at_checked(length) else { break };
        if kind == LONG_SIZES {
            return field;
        }
        extra = rest;
    }
    &[]
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    /// Written by NumPy 2.4.6: `savez` with the members templates (4 x 16, f32) and subjects (i64), and `savez_compressed` with
    /// subjects (unicode), templates and where (u8).
    const STORED_FILE: &[u8] = include_bytes!("../../tests/fixtures/templates-numbers.npz");
    const DEFLATED_FILE: &[u8] = include_bytes!("../../tests/fixtures/templates-names.npz");

    fn all(file: &[u8], name: &str) -> Result<Option<Vec<u8>>, String> {
        let Some(mut found) = member(Cursor::new(file), name)? else { return Ok(None) };
        let mut bytes = Vec::new();
        found.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        found.finish().map(|()| Some(bytes))
    }

    #[test]
    fn members_are_what_numpy_put_there_packed_or_not() {
        let templates = all(STORED_FILE, "templates").unwrap().unwrap();
        assert!(templates.starts_with(b"\x93NUMPY") && templates.ends_with(&4.875_f32.to_le_bytes()));
        assert_eq!(all(DEFLATED_FILE, "templates").unwrap().unwrap(), templates);
        assert!(all(DEFLATED_FILE, "where").unwrap().unwrap().ends_with(&[0, 1, 0, 1]));
        for file in [STORED_FILE, DEFLATED_FILE] {
            assert!(is_archive(file) && all(file, "subjects").unwrap().is_some());
            assert_eq!(all(file, "Templates").unwrap(), None);
        }
    }

    #[test]
    fn damage_is_seen_wherever_it_is() {
        for file in [STORED_FILE, DEFLATED_FILE] {
            let whole = ["templates", "subjects"].map(|name| all(file, name).unwrap());
            for cut in 0..file.len() {
                for (name, whole) in ["templates", "subjects"].iter().zip(&whole) {
                    // Cut off behind a member, that member is still whole.
                    if let Ok(found) = all(&file[..cut], name) {
                        assert_eq!(&found, whole, "cut at {cut}");
                    }
                }
            }
            for at in 0..file.len() {
                let mut damaged = file.to_vec();
                damaged[at] ^= 0x10;
                if let Ok(Some(found)) = all(&damaged, "templates") {
                    assert_eq!(Some(found), whole[0], "changed at {at}");
                }
            }
        }
        let mut piped = STORED_FILE.to_vec();
        piped[6] |= 8;
        assert!(all(&piped, "templates").unwrap_err().contains("written to a pipe"));
        assert!(member(Cursor::new(&b"\x93NUMPY"[..]), "templates").unwrap_err().contains("no .npz"));
    }

    #[test]
    fn members_without_end_are_not_looked_through() {
        let empty = [&MEMBER[..], &[0; HEADER_BYTES]].concat();
        let refused = member(Cursor::new(empty.repeat(NPZ_MEMBERS_MAX + 1)), "templates").unwrap_err();
        assert!(refused.contains("members"), "{refused}");
    }

    proptest! {
        #[test]
        fn hostile_archives_never_panic(noise in proptest::collection::vec(any::<u8>(), 0..400), at in 0_usize..200) {
            let mut file = STORED_FILE.to_vec();
            file.iter_mut().skip(at).zip(&noise).for_each(|(byte, noise)| *byte = *noise);
            for bytes in [&noise[..], &[&MEMBER[..], &noise[..]].concat(), &file] {
                if let Ok(Some(found)) = member(Cursor::new(bytes), "templates") {
                    let mut read = Vec::new();
                    drop(found.take(1 << 20).read_to_end(&mut read));
                    prop_assert!(read.len() <= 1 << 20);
                }
            }
        }
    }
}
