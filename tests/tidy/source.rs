//! A Rust source file as the rules see it.

use std::ops::Range;

use super::lexer::{self, Token, closing, head_end};

/// Something wrong at a line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    /// Counted from 1.
    pub(crate) line: usize,
    /// What is wrong and what to do.
    pub(crate) what: String,
}

impl Fault {
    /// For people and editors.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{path}:{}: {}", self.line, self.what)
    }
}

/// One `.rs` file.
pub(crate) struct Source {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
    /// Without comments and quoted text, see [`lexer::Parts`].
    pub(crate) code: String,
    /// Comments only.
    pub(crate) comments: String,
    /// Where code stands that only tests see.
    tests: Vec<Range<usize>>,
}

impl Source {
    /// Takes a file apart. Files under `tests/` and `benches/` are tests altogether.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let lexer::Parts { code, comments } = lexer::split(text);
        let all = !path.starts_with("src/") || code.contains("#![cfg(test)]");
        let tests = if all { std::iter::once(0..text.len()).collect() } else { test_spans(&code) };
        Self { path: path.to_owned(), text: text.to_owned(), code, comments, tests }
    }

    /// Marks the whole file as test code.
    pub(crate) fn mark_as_test(&mut self) {
        self.tests = std::iter::once(0..self.text.len()).collect();
    }

    /// The tokens of the code.
    pub(crate) fn tokens(&self) -> Vec<Token<'_>> {
        lexer::tokens(&self.code)
    }

    /// Line of an offset, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        1 + self.code[..at].matches('\n').count()
    }

    /// Whether only tests see what stands there.
    pub(crate) fn is_test(&self, at: usize) -> bool {
        self.tests.iter().any(|span| span.contains(&at))
    }

    /// A fault at an offset.
    pub(crate) fn fault(&self, at: usize, what: impl Into<String>) -> Fault {
        Fault { line: self.line(at), what: what.into() }
    }

    /// The room: the first folder or file name below `src`; `None` elsewhere.
    pub(crate) fn room(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        let first = below.split('/').next()?;
        Some(first.strip_suffix(".rs").unwrap_or(first))
    }

    /// Names of modules declared `#[cfg(test)] mod name;`, whose files hold nothing but tests.
    pub(crate) fn test_modules(&self) -> Vec<&str> {
        let tokens = self.tokens();
        let declared = tokens.windows(3).filter(|three| three[0].text == "mod" && three[2].text == ";");
        declared.filter(|three| self.is_test(three[0].at)).map(|three| three[1].text).collect()
    }

    /// Places of the blocks of `mod name { … }`.
    pub(crate) fn inline_modules(&self) -> Vec<Range<usize>> {
        let tokens = self.tokens();
        let mut found = Vec::new();
        for (index, three) in tokens.windows(3).enumerate() {
            if three[0].text == "mod" && three[2].text == "{" {
                found.push(three[2].at..tokens[closing(&tokens, index + 2)].at);
            }
        }
        found
    }
}

fn test_spans(code: &str) -> Vec<Range<usize>> {
    let tokens = lexer::tokens(code);
    let texts: Vec<&str> = tokens.iter().map(|token| token.text).collect();
    let mut spans = Vec::new();
    for index in 0..tokens.len() {
        let here = &texts[index..];
        let only = here.starts_with(&["#", "[", "cfg", "(", "test", ")", "]"]);
        let with_more = here.starts_with(&["#", "[", "cfg", "(", "all", "(", "test"]);
        if only || with_more {
            let item = closing(&tokens, index + 1) + 1;
            let Some(end) = head_end(&tokens, item) else { continue };
            let last = if texts[end] == "{" { closing(&tokens, end) } else { end };
            spans.push(tokens[index].at..tokens[last].at + 1);
        }
    }
    spans
}

#[test]
fn test_code_is_known() {
    let text = "fn a() {}\n#[cfg(test)]\n#[allow(x)]\nmod tests { fn b() { {} } }\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}\n";
    let source = Source::new("src/vector/x.rs", text);
    let at = |name: &str| text.find(name).unwrap();
    assert!(!source.is_test(at("fn a")) && source.is_test(at("fn b")) && !source.is_test(at("fn c")));
    assert!(source.is_test(at("mod more")) && !source.is_test(at("fn d")));
    assert_eq!(source.test_modules(), ["more"]);
    assert_eq!(source.line(at("fn c")), 5);
    assert_eq!(source.room(), Some("vector"));
    assert!(Source::new("tests/a.rs", text).is_test(0));
}
