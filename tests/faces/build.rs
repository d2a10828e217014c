//! Picture files made by the tests: encoders for what the library can't write, and changes to pictures.
#![allow(dead_code)]

use std::fmt::Write as _;
use std::io::Cursor;

use image::{DynamicImage, ImageFormat, RgbImage};

/// `image` as a file of this format.
pub(crate) fn file(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A JPEG of good quality.
pub(crate) fn jpeg(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 95).encode_image(image).unwrap();
    bytes
}

/// The JPEG with an EXIF segment that holds nothing but this orientation.
pub(crate) fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend_from_slice(&[orientation, 0, 0, 0, 0, 0, 0]);
    let mut out = vec![0xff, 0xd8, 0xff, 0xe1];
    out.extend_from_slice(&((exif.len() + 2) as u16).to_be_bytes());
    out.extend_from_slice(&exif);
    out.extend_from_slice(&jpeg[2..]);
    out
}

/// A PNG of no data whose header promises `width` by `height` pixels.
pub(crate) fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend_from_slice(&width.to_be_bytes());
    header.extend_from_slice(&height.to_be_bytes());
    header.extend_from_slice(&[8, 2, 0, 0, 0]);
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    for chunk in [header.as_slice(), b"IDAT\x78\x9c\x63\0\0", b"IEND"] {
        out.extend_from_slice(&((chunk.len() - 4) as u32).to_be_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(&crc32fast::hash(chunk).to_be_bytes());
    }
    out
}

/// A JPEG of 8 x 8 px in one colour of four components, with Adobe's marker and this transform (0 CMYK, 2 YCCK) or none.
pub(crate) fn jpeg_of_four(colour: [u8; 4], adobe: Option<u8>) -> Vec<u8> {
    let mut out = vec![0xff, 0xd8];
    if let Some(transform) = adobe {
        out.extend_from_slice(b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0");
        out.push(transform);
    }
    out.extend_from_slice(&[0xff, 0xdb, 0, 67, 0]);
    out.extend_from_slice(&[1; 64]);
    out.extend_from_slice(&[0xff, 0xc0, 0, 20, 8, 0, 8, 0, 8, 4]);
    out.extend((1..=4).flat_map(|component| [component, 0x11, 0]));
    // First coefficients: twelve categories with codes of four bits. Others: one code of one bit, "end of block".
    out.extend_from_slice(&[0xff, 0xc4, 0, 31, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.extend(0..12);
    out.extend_from_slice(&[0xff, 0xc4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(&[0xff, 0xda, 0, 14, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0]);
    let mut bits = String::new();
    for value in colour {
        // With quantisers of 1 the first coefficient is eight times the mean, less 128.
        let coefficient = (i32::from(value) - 128) * 8;
        let category = 32 - coefficient.unsigned_abs().leading_zeros();
        let raw = if coefficient < 0 { coefficient + (1 << category) - 1 } else { coefficient };
        write!(bits, "{category:04b}").unwrap();
        if category > 0 {
            write!(bits, "{raw:0width$b}", width = category as usize).unwrap();
        }
        bits.push('0');
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    for byte in bits.as_bytes().chunks(8) {
        let byte = byte.iter().fold(0_u8, |byte, bit| byte << 1 | (bit - b'0'));
        out.push(byte);
        if byte == 0xff {
            out.push(0);
        }
    }
    out.extend_from_slice(&[0xff, 0xd9]);
    out
}

/// A TIFF of one pixel of cyan, magenta, yellow and black ink.
pub(crate) fn tiff_cmyk(ink: [u8; 4]) -> Vec<u8> {
    let entries: [(u16, u16, u32, u32); 9] = [
        (256, 3, 1, 1),
        (257, 3, 1, 1),
        (258, 3, 4, 130),
        (259, 3, 1, 1),
        (262, 3, 1, 5),
        (273, 4, 1, 138),
        (277, 3, 1, 4),
        (278, 3, 1, 1),
        (279, 4, 1, 4),
    ];
    let mut out = b"II*\0\x08\0\0\0".to_vec();
    out.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    for (tag, kind, count, value) in entries {
        out.extend_from_slice(&tag.to_le_bytes());
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(&value.to_le_bytes());
    }
    out.resize(130, 0);
    out.extend_from_slice(&[8, 0, 8, 0, 8, 0, 8, 0]);
    out.extend_from_slice(&ink);
    out
}

/// `portraits` side by side, `columns` in a row, each `side` px.
pub(crate) fn contact_sheet(portraits: &[RgbImage], columns: u32, side: u32) -> RgbImage {
    let rows = (portraits.len() as u32).div_ceil(columns);
    let mut sheet = RgbImage::new(columns * side, rows * side);
    for (index, portrait) in portraits.iter().enumerate() {
        let small = image::imageops::resize(portrait, side, side, image::imageops::FilterType::Triangle);
        let (column, row) = (index as u32 % columns, index as u32 / columns);
        image::imageops::replace(&mut sheet, &small, i64::from(column * side), i64::from(row * side));
    }
    sheet
}

/// Turned clockwise (as seen) about its centre, on grey.
pub(crate) fn turned(image: &RgbImage, degrees: f32) -> RgbImage {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (cx, cy) = (image.width() as f32 / 2.0, image.height() as f32 / 2.0);
    RgbImage::from_fn(image.width(), image.height(), |x, y| {
        let (dx, dy) = (x as f32 - cx, y as f32 - cy);
        let (sx, sy) = (cos * dx + sin * dy + cx, cos * dy - sin * dx + cy);
        image::imageops::interpolate_bilinear(image, sx, sy).unwrap_or(image::Rgb([128; 3]))
    })
}
