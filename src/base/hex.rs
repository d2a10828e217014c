//! Lower-case hexadecimal, for hashes.

/// Two lower-case digits a byte.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 0xf] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('?'));
        }
    }
    text
}

/// The 32 bytes of a sha256 written as 64 hexadecimal digits of either case; `None` for any other text.
#[must_use]
pub fn decode_32(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let bytes: [u8; 32] = std::array::from_fn(|i| (i * 37 % 256) as u8);
        assert_eq!(decode_32(&encode(&bytes)), Some(bytes));
    }

    #[test]
    fn other_text_is_refused() {
        assert_eq!(decode_32("00ff"), None);
        assert_eq!(decode_32(&"g".repeat(64)), None);
        assert_eq!(decode_32(&"+1".repeat(32)), None);
    }
}
