//! What the decoder does not tell of a JPEG: whether its four colours can be understood, and whether its end is there.

/// What a walk over the markers found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct JpegHeader {
    /// Colour components, from the frame header; 0 when there is none.
    pub(super) components: u8,
    /// Whether Adobe's marker is there, which says how four components are to be read (inverted CMYK or YCCK).
    pub(super) adobe: bool,
    /// Whether the end marker follows the picture data: without it rows may be missing, which decoders fill with grey.
    pub(super) complete: bool,
}

/// Walks the marker segments (ITU-T T.81 annex B) up to the picture data. Never fails: what is broken is left at zero,
/// and the decoder says what is wrong.
#[must_use]
pub(super) fn read_header(bytes: &[u8]) -> JpegHeader {
    let mut header = JpegHeader::default();
    let mut rest = bytes.get(2..).unwrap_or_default();
    // Every step takes at least two bytes off, so the walk ends.
    while let [0xff, marker, after @ ..] = rest {
        match *marker {
            0xff => rest = rest.get(1..).unwrap_or_default(),
            0x01 | 0xd0..=0xd8 => rest = after,
            0xd9 => break,
            marker => {
                let Some((body, next)) = segment(after) else { break };
                match marker {
                    // Start of frame, all processes; c4, c8 and cc share the range but are tables.
                    0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                        header.components = body.get(5).copied().unwrap_or(0);
                    }
                    0xee => header.adobe |= body.starts_with(b"Adobe"),
                    // Start of scan: in the data behind it ff d9 can only be the end marker.
                    0xda => {
                        header.complete = next.windows(2).rev().any(|pair| pair == [0xff, 0xd9]);
                        break;
                    }
                    _ => {}
                }
                rest = next;
            }
        }
    }
    header
}

/// Splits a marker's segment (without its two length bytes) from what follows; `None` when it is cut short.
fn segment(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, _) = bytes.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (whole, next) = bytes.split_at_checked(length)?;
    Some((whole.get(2..)?, next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FRAME: [u8; 12] = [0xff, 0xd8, 0xff, 0xc0, 0, 8, 8, 0, 1, 0, 1, 4];

    #[test]
    fn four_colours_with_and_without_the_marker() {
        assert_eq!(read_header(&FRAME), JpegHeader { components: 4, adobe: false, complete: false });
        let mut adobe = vec![0xff, 0xd8, 0xff, 0xee, 0, 7];
        adobe.extend_from_slice(b"Adobe");
        adobe.extend_from_slice(&FRAME[2..]);
        adobe.extend_from_slice(&[0xff, 0xda, 0, 2, 1, 2, 3, 0xff, 0xd9]);
        assert_eq!(read_header(&adobe), JpegHeader { components: 4, adobe: true, complete: true });
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(prop_oneof![Just(0xff_u8), any::<u8>()], 0..300)) {
            let _ = read_header(&bytes);
        }
    }
}
