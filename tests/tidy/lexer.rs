//! A small honest lexer: tells code from comments and from text in quotes, so that no rule is fooled by either. Every
//! byte keeps its place, so an offset in one part is an offset in the file.

/// A file taken apart: each part as long as the file, with blanks where the other parts stand.
pub(crate) struct Parts {
    /// What the compiler acts on; text in quotes is blank. ASCII only.
    pub(crate) code: String,
    /// Comments, with their slashes.
    pub(crate) comments: String,
}

/// A name, a number or one punctuation character of the code.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Token<'a> {
    /// Offset in the file.
    pub(crate) at: usize,
    /// The characters.
    pub(crate) text: &'a str,
}

/// Takes Rust source apart.
pub(crate) fn split(text: &str) -> Parts {
    let bytes = text.as_bytes();
    let blank = |byte: &u8| if *byte == b'\n' { b'\n' } else { b' ' };
    let mut code: Vec<u8> = bytes.iter().map(blank).collect();
    let mut comments = code.clone();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let begins_word = at == 0 || !is_word(bytes[at - 1]);
        if let Some(length) = comment(rest) {
            comments[at..at + length].copy_from_slice(&rest[..length]);
            at += length;
        } else if let Some(length) = raw_string(rest).filter(|_| begins_word) {
            at += length;
        } else if rest[0] == b'"' {
            at += quoted(rest, b'"');
        } else if let Some(length) = character(text, at) {
            at += length;
        } else {
            if rest[0].is_ascii() {
                code[at] = rest[0];
            }
            at += 1;
        }
    }
    let text_of = |part: Vec<u8>| String::from_utf8(part).expect("comments are copied whole");
    Parts { code: text_of(code), comments: text_of(comments) }
}

/// The tokens of blanked code.
pub(crate) fn tokens(code: &str) -> Vec<Token<'_>> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let word = bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
        let length = word.max(1);
        if !bytes[at].is_ascii_whitespace() {
            found.push(Token { at, text: &code[at..at + length] });
        }
        at += length;
    }
    found
}

/// Index of the token that closes the bracket opened at `open`, or the last token's.
pub(crate) fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    tokens.len().saturating_sub(1)
}

/// Index of the first `{` or `;` outside round and square brackets from `from` on: where a declaration's head ends.
pub(crate) fn head_end(tokens: &[Token<'_>], from: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(from) {
        match token.text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "{" | ";" if depth == 0 => return Some(index),
            _ => {}
        }
    }
    None
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn comment(rest: &[u8]) -> Option<usize> {
    if rest.starts_with(b"//") {
        return Some(rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()));
    }
    if !rest.starts_with(b"/*") {
        return None;
    }
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    Some(rest.len())
}

/// `r"…"`, `r#"…"#`, `br"…"`, `cr"…"`; `r#name` is a name.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let prefix = [&b"r"[..], b"br", b"cr"].into_iter().find(|prefix| rest.starts_with(prefix))?;
    let fences = rest[prefix.len()..].iter().take_while(|byte| **byte == b'#').count();
    let open = prefix.len() + fences;
    if rest.get(open) != Some(&b'"') {
        return None;
    }
    let mut end = vec![b'"'];
    end.resize(1 + fences, b'#');
    let body = &rest[open + 1..];
    let close = body.windows(end.len()).position(|window| window == end);
    Some(close.map_or(rest.len(), |close| open + 1 + close + end.len()))
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// `'a'` and `'\n'`, but not the lifetime `'a`.
fn character(text: &str, at: usize) -> Option<usize> {
    let inside = text.get(at..)?.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    if first == '\\' {
        return Some(quoted(&text.as_bytes()[at..], b'\''));
    }
    inside[first.len_utf8()..].starts_with('\'').then(|| first.len_utf8() + 2)
}

#[test]
fn quotes_and_comments_are_told_from_code() {
    let text = "a /* b /* c */ d */ \"e \\\" // f\" r#\"g\" h\"# br\"i\" 'j' '\\'' '\u{2713}' 'k: l // m \u{2713}\nn r#fn b'o' p";
    let parts = split(text);
    assert_eq!(parts.code.split_whitespace().collect::<Vec<_>>(), ["a", "'k:", "l", "n", "r#fn", "b", "p"]);
    assert_eq!(parts.comments.trim(), parts.comments.trim().trim_matches(' '));
    assert!(parts.comments.contains("/* b /* c */ d */") && parts.comments.contains("// m \u{2713}"));
    assert!(!parts.comments.contains("// f"));
    assert_eq!(parts.code.len(), text.len());
    assert_eq!(parts.code.find('n'), text.find("n r#fn"));
}

#[test]
fn brackets_find_their_partners() {
    let code = "fn f(x: [u8; 4]) -> T { g({}) } h";
    let found = tokens(code);
    let open = head_end(&found, 0).unwrap();
    assert_eq!(found[open].text, "{");
    assert_eq!(found[closing(&found, open) + 1].text, "h");
}
