//! How long things may be.

use super::lexer::{closing, head_end};
use super::source::{Fault, Source};

/// Longest file of code, in lines.
pub(crate) const FILE_LINES_MAX: usize = 500;
/// Longest function from its name to its last bracket, in lines.
const FUNCTION_LINES_MAX: usize = 70;

/// Refuses functions that no page holds.
pub(crate) fn functions(source: &Source) -> Vec<Fault> {
    let tokens = source.tokens();
    let mut faults = Vec::new();
    for (index, two) in tokens.windows(2).enumerate() {
        if two[0].text != "fn" || two[1].text == "(" {
            continue;
        }
        let Some(end) = head_end(&tokens, index).filter(|end| tokens[*end].text == "{") else { continue };
        let lines = source.line(tokens[closing(&tokens, end)].at) - source.line(two[0].at) + 1;
        if lines > FUNCTION_LINES_MAX {
            let what =
                format!("{} has {lines} lines, {FUNCTION_LINES_MAX} are allowed: give its steps names", two[1].text);
            faults.push(source.fault(two[0].at, what));
        }
    }
    faults
}

#[test]
fn long_functions_are_refused() {
    let of =
        |lines: usize| format!("trait T {{ fn short(&self); }}\nfn f(x: [u8; 2]) {{{}}}\n", "\n".repeat(lines - 1));
    assert_eq!(functions(&Source::new("src/a.rs", &of(FUNCTION_LINES_MAX))), []);
    let faults = functions(&Source::new("tests/a.rs", &of(FUNCTION_LINES_MAX + 1)));
    assert_eq!(faults.len(), 1);
    assert!(faults[0].line == 2 && faults[0].what.starts_with("f has 71 lines"), "{faults:?}");
}
