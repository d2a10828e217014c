//! The typeface of reports: Noto Sans (SIL Open Font License 1.1), which the crate `notosans` carries, put into the page so
//! that it looks and measures the same on every machine.

/// `@font-face` rules with the fonts in them.
pub(super) fn faces() -> String {
    [(400, notosans::REGULAR_TTF), (700, notosans::BOLD_TTF)]
        .map(|(weight, font)| {
            format!(
                "@font-face{{font-family:\"Noto Sans\";font-weight:{weight};src:url(data:font/ttf;base64,{}) format(\"truetype\")}}\n",
                base64(font)
            )
        })
        .concat()
}

/// Base64 (RFC 4648, section 4), with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (plain, encoded) in cases {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }
}
