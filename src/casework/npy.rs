//! Raw templates in NumPy's `.npy` files, versions 1 to 3: two dimensions, C order, little-endian f32 or f16. Read row by
//! row; whatever the header says, no more memory is taken than for the header and one row.
//!
//! The format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use std::io::Read;

use crate::base::limits::{DIMENSION_MAX, IMPORT_ROWS_MAX, NPY_HEADER_BYTES_MAX, NPZ_LABEL_CHARS_MAX};
use crate::segment::Precision;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// How much of a foreign description of numbers an error shows: none that NumPy writes for plain numbers is longer.
const DESCR_CHARS_SHOWN: usize = 8;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NpyHeader {
    /// Rows.
    pub rows: u64,
    /// Numbers of each row.
    pub columns: usize,
    /// How numbers are kept.
    pub numbers: Precision,
    /// Bytes before the first row.
    pub data_at: u64,
}

impl NpyHeader {
    /// Bytes of the whole file.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        // Rows and columns are limited where they are read: no overflow.
        self.data_at + self.rows * (self.columns * self.numbers.bytes()) as u64
    }
}

/// An open file of templates.
#[derive(Debug)]
pub struct Npy<R> {
    source: R,
    header: NpyHeader,
    row: Vec<u8>,
}

impl<R: Read> Npy<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// In words, for whoever made the file.
    pub fn open(mut source: R) -> Result<Self, String> {
        let header = read_header(&mut source)?;
        let row = vec![0; header.columns * header.numbers.bytes()];
        Ok(Self { source, header, row })
    }

    /// What the header says.
    pub fn header(&self) -> NpyHeader {
        self.header
    }

    /// What it was read from, from where reading ended on.
    pub fn into_source(self) -> R {
        self.source
    }

    /// Reads the next row into `out`, whose length is the number of columns.
    ///
    /// # Errors
    /// When the file ends before it, or can't be read.
    pub fn next_row(&mut self, out: &mut [f32]) -> Result<(), String> {
        self.source.read_exact(&mut self.row).map_err(|error| format!("it ends early, or can't be read: {error}"))?;
        self.header.numbers.take(&self.row, out);
        Ok(())
    }
}

/// Reads one label a row from a file of one dimension: whole numbers, or text as NumPy keeps it (`<U12`), at most `most` of them.
///
/// # Errors
/// In words, for whoever made the file.
pub fn labels(source: &mut impl Read, most: usize) -> Result<Vec<String>, String> {
    let (text, _) = header_text(source)?;
    let described = describe(&text)?;
    let [rows] = described.shape[..] else { return Err("it has not one dimension, as labels have".to_owned()) };
    if rows == 0 || rows > most as u64 {
        return Err(format!("it has {rows} labels: 1 to {most} are read"));
    }
    let kind = Label::of(&described.descr)?;
    let mut bytes = vec![0; kind.bytes()];
    let mut labels = Vec::with_capacity(rows as usize);
    for row in 0..rows {
        source.read_exact(&mut bytes).map_err(|error| format!("it ends early, or can't be read: {error}"))?;
        labels.push(kind.read(&bytes).ok_or_else(|| format!("label {row} is empty, or no text"))?);
    }
    Ok(labels)
}

/// How a label is kept.
#[derive(Debug, Clone, Copy)]
enum Label {
    /// A whole number of so many bytes.
    Number { signed: bool, bytes: usize },
    /// So many characters of four bytes, with zeros after the last.
    Text { chars: usize },
}

impl Label {
    fn of(descr: &str) -> Result<Self, String> {
        let other = || {
            let some: String = descr.chars().take(DESCR_CHARS_SHOWN).collect();
            format!(
                "its labels are {some:?}; whole numbers and text of at most {NPZ_LABEL_CHARS_MAX} characters are read"
            )
        };
        let (order, rest) = descr.split_at_checked(1).ok_or_else(other)?;
        let (kind, width) = rest.split_at_checked(1).ok_or_else(other)?;
        let width: usize = width.parse().map_err(|_| other())?;
        match (order, kind, width) {
            ("<", "i" | "u", 2 | 4 | 8) | ("|", "i" | "u", 1) => Ok(Self::Number { signed: kind == "i", bytes: width }),
            ("<", "U", 1..=NPZ_LABEL_CHARS_MAX) => Ok(Self::Text { chars: width }),
            _other => Err(other()),
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Number { bytes, .. } => bytes,
            Self::Text { chars } => 4 * chars,
        }
    }

    fn read(self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Number { signed, .. } => {
                // Widened with its sign.
                let minus = signed && bytes.last().is_some_and(|last| last & 0x80 != 0);
                let mut wide = [if minus { 0xFF } else { 0 }; 16];
                wide.iter_mut().zip(bytes).for_each(|(wide, byte)| *wide = *byte);
                Some(i128::from_le_bytes(wide).to_string())
            }
            Self::Text { .. } => {
                let chars = bytes.as_chunks::<4>().0.iter().map(|four| char::from_u32(u32::from_le_bytes(*four)));
                let text: String = chars.collect::<Option<String>>()?;
                let text = text.trim_end_matches('\0');
                let plain = !text.is_empty() && !text.chars().any(char::is_control);
                plain.then(|| text.to_owned())
            }
        }
    }
}

fn read_header(source: &mut impl Read) -> Result<NpyHeader, String> {
    let (text, data_at) = header_text(source)?;
    let (rows, columns, numbers) = parse(&text)?;
    Ok(NpyHeader { rows, columns, numbers, data_at })
}

/// The description, and where the data begin.
fn header_text(source: &mut impl Read) -> Result<(String, u64), String> {
    let mut read = |bytes: &mut [u8]| source.read_exact(bytes).map_err(|_| "it ends inside its header".to_owned());
    let mut start = [0; 8];
    read(&mut start)?;
    if !start.starts_with(MAGIC) {
        return Err("it is no .npy file".to_owned());
    }
    let [.., major, _minor] = start;
    let (bytes, before) = match major {
        1 => {
            let mut length = [0; 2];
            read(&mut length)?;
            (usize::from(u16::from_le_bytes(length)), 10)
        }
        2 | 3 => {
            let mut length = [0; 4];
            read(&mut length)?;
            (u32::from_le_bytes(length) as usize, 12)
        }
        other => return Err(format!("it is of version {other} of the format; versions 1 to 3 are read")),
    };
    if bytes > NPY_HEADER_BYTES_MAX {
        return Err(format!("its header has {bytes} bytes, more than {NPY_HEADER_BYTES_MAX}"));
    }
    let mut text = vec![0; bytes];
    read(&mut text)?;
    let text = String::from_utf8(text).map_err(|_| "its header is no text".to_owned())?;
    Ok((text, (before + bytes) as u64))
}

/// What a description says.
struct Described {
    descr: String,
    fortran: bool,
    shape: Vec<u64>,
}

/// Reads the description: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 512), }`.
fn describe(text: &str) -> Result<Described, String> {
    let bad = || "its header is not what NumPy writes".to_owned();
    let mut rest = Rest(text.trim());
    let (mut descr, mut fortran, mut shape) = (None, None, None);
    rest.skip("{").ok_or_else(bad)?;
    while rest.skip("}").is_none() {
        let key = rest.quoted().ok_or_else(bad)?;
        rest.skip(":").ok_or_else(bad)?;
        match key {
            "descr" => descr = Some(rest.quoted().ok_or_else(|| "its numbers are records, not f32 or f16".to_owned())?),
            "fortran_order" => fortran = Some(rest.truth().ok_or_else(bad)?),
            "shape" => shape = Some(rest.shape().ok_or_else(bad)?),
            _other => return Err(bad()),
        }
        if rest.skip(",").is_none() {
            rest.skip("}").ok_or_else(bad)?;
            break;
        }
    }
    if !rest.0.is_empty() {
        return Err(bad());
    }
    let (descr, fortran, shape) = (descr.ok_or_else(bad)?, fortran.ok_or_else(bad)?, shape.ok_or_else(bad)?);
    Ok(Described { descr: descr.to_owned(), fortran, shape })
}

fn parse(text: &str) -> Result<(u64, usize, Precision), String> {
    let Described { descr, fortran, shape } = describe(text)?;
    let numbers = match descr.as_str() {
        "<f4" => Precision::F32,
        "<f2" => Precision::F16,
        other => {
            let some: String = other.chars().take(DESCR_CHARS_SHOWN).collect();
            return Err(format!("its numbers are {some:?}; '<f4' and '<f2' are read (astype('<f4') makes them)"));
        }
    };
    if fortran {
        return Err("it is in Fortran order; numpy.ascontiguousarray puts it right".to_owned());
    }
    let [rows, columns] = shape[..] else {
        return Err("its header is not what NumPy writes for templates: two dimensions".to_owned());
    };
    if rows == 0 || rows > IMPORT_ROWS_MAX || columns == 0 || columns > DIMENSION_MAX as u64 {
        return Err(format!(
            "it has {rows} rows of {columns} numbers: 1 to {IMPORT_ROWS_MAX} rows of at most {DIMENSION_MAX} are read"
        ));
    }
    Ok((rows, columns as usize, numbers))
}

/// What is left of a header.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip(&mut self, token: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(token)?.trim_start();
        Some(())
    }

    fn quoted(&mut self) -> Option<&'a str> {
        let quote = self.0.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let (text, rest) = self.0.get(1..)?.split_once(quote)?;
        self.0 = rest.trim_start();
        Some(text)
    }

    fn truth(&mut self) -> Option<bool> {
        self.skip("False").map(|()| false).or_else(|| self.skip("True").map(|()| true))
    }

    fn number(&mut self) -> Option<u64> {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (text, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest.trim_start();
        text.parse().ok()
    }

    /// One or two numbers in brackets, with a comma after the first.
    fn shape(&mut self) -> Option<Vec<u64>> {
        self.skip("(")?;
        let mut shape = vec![self.number()?];
        self.skip(",")?;
        if self.skip(")").is_none() {
            shape.push(self.number()?);
            let _last = self.skip(",");
            self.skip(")")?;
        }
        Some(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(major: u8, description: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([major, 0]);
        match major {
            1 => bytes.extend((description.len() as u16).to_le_bytes()),
            _later => bytes.extend((description.len() as u32).to_le_bytes()),
        }
        bytes.extend(description.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn what_numpy_writes_is_read_in_each_version() {
        let description = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }            \n";
        let data: Vec<u8> = [1.0_f32, 2.0, 3.0, -1.0, 0.5, 0.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        for major in 1..=3 {
            let bytes = file(major, description, &data);
            let mut npy = Npy::open(bytes.as_slice()).unwrap();
            assert_eq!((npy.header().rows, npy.header().columns), (2, 3));
            assert_eq!(npy.header().file_bytes(), bytes.len() as u64);
            let mut row = [0.0; 3];
            npy.next_row(&mut row).unwrap();
            npy.next_row(&mut row).unwrap();
            assert_eq!(row, [-1.0, 0.5, 0.0]);
            assert!(npy.next_row(&mut row).is_err());
        }
        let half = file(1, "{'descr': '<f2', 'fortran_order': False, 'shape': (1, 2)}", &[0, 0x3c, 0, 0xc0]);
        let mut row = [0.0; 2];
        Npy::open(half.as_slice()).unwrap().next_row(&mut row).unwrap();
        assert_eq!(row, [1.0, -2.0]);
    }

    #[test]
    fn what_is_not_read_is_said() {
        let described = |text: &str| Npy::open(file(1, text, &[]).as_slice()).unwrap_err();
        for (text, says) in [
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}", "<f8"),
            ("{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3)}", ">f4"),
            ("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}", "Fortran"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", "not what NumPy writes"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3)}", "not what NumPy writes"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3)}", "0 rows"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551615, 512)}", "rows of"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 512)}", "not what"),
            ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3)}", "records"),
            ("{'descr': '<f4', 'shape': (2, 3)}", "not what NumPy writes"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} more", "not what NumPy writes"),
            ("", "not what NumPy writes"),
        ] {
            let error = described(text);
            assert!(error.contains(says), "{text}: {error}");
        }
        let long = format!("{{'descr': '{}', 'fortran_order': False, 'shape': (2, 3)}}", "z".repeat(9_000));
        assert!(described(&long).len() < 120, "an error is short, whatever the file says");
        let mut huge = MAGIC.to_vec();
        huge.extend([2, 0, 0xff, 0xff, 0xff, 0xff]);
        assert!(Npy::open(huge.as_slice()).unwrap_err().contains("4294967295"));
        assert!(Npy::open(&b"PK\x03\x04 an .npz file"[..]).unwrap_err().contains("no .npy"));
    }

    #[test]
    fn labels_are_numbers_or_text() {
        let read = |descr: &str, rows: usize, data: &[u8]| {
            let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({rows},), }}");
            labels(&mut file(1, &text, data).as_slice(), 3)
        };
        assert_eq!(read("<i8", 2, &[7_i64.to_le_bytes(), (-2_i64).to_le_bytes()].concat()).unwrap(), ["7", "-2"]);
        assert_eq!(read("<u2", 1, &[0xFF, 0xFF]).unwrap(), ["65535"]);
        assert_eq!(read("|i1", 1, &[0xFF]).unwrap(), ["-1"]);
        let text: Vec<u8> = ['Z', 'é', '\0'].iter().flat_map(|one| u32::from(*one).to_le_bytes()).collect();
        assert_eq!(read("<U3", 1, &text).unwrap(), ["Zé"]);
        for (descr, rows, says) in [
            ("<U3", 4, "4 labels"),
            ("<U3", 0, "0 labels"),
            ("<U0", 1, "whole numbers and text"),
            ("<U9999999999", 1, "whole numbers and text"),
            (">i8", 1, "whole numbers and text"),
            ("<f8", 1, "whole numbers and text"),
            ("|O", 1, "whole numbers and text"),
            ("é", 1, "whole numbers and text"),
            ("<U3", 2, "ends early"),
        ] {
            let error = read(descr, rows, &text).unwrap_err();
            assert!(error.contains(says), "{descr}: {error}");
        }
        assert!(read("<U1", 1, &[0; 4]).unwrap_err().contains("empty"));
        assert!(read("<U1", 1, &[0xFF; 4]).unwrap_err().contains("no text"));
        let square = file(1, "{'descr': '<i8', 'fortran_order': False, 'shape': (1, 1)}", &[0; 8]);
        assert!(labels(&mut square.as_slice(), 3).unwrap_err().contains("one dimension"));
    }

    proptest! {
        #[test]
        fn hostile_headers_never_panic_and_never_take_much_memory(
            noise in proptest::collection::vec(any::<u8>(), 0..300),
            major in 0_u8..5,
            text in "[{}'():, a-zA-Z0-9<>é]{0,120}",
            rows in any::<u64>(),
            columns in any::<u64>(),
            cut in 0_usize..120,
        ) {
            let shaped = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns})}}");
            let cut_off = shaped.get(..cut.min(shaped.len())).unwrap_or_default();
            for bytes in [noise.clone(), file(major, &text, &noise), file(major, &shaped, &noise), file(major, cut_off, &noise)] {
                if let Ok(mut npy) = Npy::open(bytes.as_slice()) {
                    prop_assert!(npy.header().columns <= DIMENSION_MAX && npy.header().rows <= IMPORT_ROWS_MAX);
                    let mut row = vec![0.0; npy.header().columns];
                    let _ = npy.next_row(&mut row);
                }
                drop(labels(&mut bytes.as_slice(), 5));
            }
        }
    }
}
