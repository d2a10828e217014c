//! Reading a policy: whole or not at all.

use std::io::Read;
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::base::limits::{POLICY_BYTES_MAX, POLICY_FINDINGS_SHOWN_MAX};
use crate::policy::{Finding, Policy, Weight};

/// The policy of those who adopted none.
pub const BUILTIN: &str = include_str!("builtin.toml");

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file can't be read.
    #[error("{}: the policy can't be read: {reason}", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file is no policy.
    #[error(
        "{place}: no policy. {detail}\ndocs/POLICY.md has every key; `bertillon policy show --toml` prints a whole file"
    )]
    Form {
        /// Which file.
        place: String,
        /// Line, key, what stands there and what may stand there.
        detail: String,
    },
    /// It contradicts itself.
    #[error("{place}: the policy contradicts itself. {}", in_lines(.findings))]
    Contradictions {
        /// Which file.
        place: String,
        /// Each of them.
        findings: Vec<Finding>,
    },
}

fn in_lines(findings: &[Finding]) -> String {
    let shown = findings.iter().take(POLICY_FINDINGS_SHOWN_MAX).map(|finding| format!("\n  {finding}"));
    let more = findings.len().saturating_sub(POLICY_FINDINGS_SHOWN_MAX);
    let more = (more > 0).then(|| format!("\n  and {more} more"));
    shown.chain(more).collect()
}

/// What stands in a file; no more of it than a policy may have and a byte.
///
/// # Errors
/// [`PolicyError::Unreadable`].
pub fn text_of(path: &Path) -> Result<String, PolicyError> {
    let unreadable = |reason: String| PolicyError::Unreadable { path: path.to_owned(), reason };
    let file = fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut text = String::new();
    let limit = POLICY_BYTES_MAX as u64 + 1;
    file.take(limit).read_to_string(&mut text).map_err(|error| unreadable(error.to_string()))?;
    Ok(text)
}

impl Policy {
    /// The policy of those who adopted none.
    ///
    /// # Errors
    /// [`PolicyError`]; only for a defect of this program, which a test would have found.
    pub fn builtin() -> Result<Self, PolicyError> {
        Self::consistent(Self::parse(BUILTIN, "the built-in policy")?, "the built-in policy")
    }

    /// Reads a file, contradictions included: for those who look for them.
    ///
    /// # Errors
    /// [`PolicyError::Unreadable`], [`PolicyError::Form`].
    pub fn read(path: &Path) -> Result<Self, PolicyError> {
        Self::parse(&text_of(path)?, &path.display().to_string())
    }

    /// Reads a text; `place` is where it stands, for errors.
    ///
    /// # Errors
    /// [`PolicyError::Form`].
    pub fn parse(text: &str, place: &str) -> Result<Self, PolicyError> {
        let wrong = |detail: String| PolicyError::Form { place: place.to_owned(), detail };
        if text.len() > POLICY_BYTES_MAX {
            return Err(wrong(format!("It is longer than the {POLICY_BYTES_MAX} bytes that a policy may have")));
        }
        toml::from_str(text).map_err(|error| wrong(error.to_string().trim_end().to_owned()))
    }

    /// The same policy, if it does not contradict itself.
    ///
    /// # Errors
    /// [`PolicyError::Contradictions`].
    pub fn consistent(self, place: &str) -> Result<Self, PolicyError> {
        let mut findings = self.check();
        findings.retain(|finding| finding.weight == Weight::Contradiction);
        if findings.is_empty() {
            Ok(self)
        } else {
            Err(PolicyError::Contradictions { place: place.to_owned(), findings })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn the_builtin_policy_is_consistent_and_its_hash_is_of_what_it_says() {
        let policy = Policy::builtin().unwrap();
        let spaced = format!("# another comment\n{}\n\n", BUILTIN.replace(" = ", "  =  "));
        assert_eq!(Policy::parse(&spaced, "x").unwrap().sha256(), policy.sha256());
        let text = toml::to_string(&policy).unwrap();
        assert_eq!(Policy::parse(&text, "x").unwrap(), policy);
        let other = Policy { name: "another".to_owned(), ..policy.clone() };
        assert_ne!(other.sha256(), policy.sha256());
    }

    /// By hand, as docs/POLICY.md says it: keys ascending, no blanks.
    fn canonical(value: &serde_json::Value) -> String {
        match value {
            serde_json::Value::Object(map) => {
                let mut keys: Vec<_> = map.keys().collect();
                keys.sort();
                let members = keys
                    .iter()
                    .map(|key| format!("{}:{}", serde_json::Value::from(key.as_str()), canonical(&map[key.as_str()])));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }
            serde_json::Value::Array(items) => {
                format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
            }
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Number(_)
            | serde_json::Value::String(_) => value.to_string(),
        }
    }

    #[test]
    fn the_hash_is_that_of_the_page() {
        let policy = Policy::builtin().unwrap();
        let value = serde_json::to_value(&policy).unwrap();
        let wanted: [u8; 32] = Sha256::digest(format!("bertillon policy 1\n{}", canonical(&value))).into();
        assert_eq!(policy.sha256().unwrap(), wanted);
    }

    #[test]
    fn wrong_files_are_refused_by_line_and_key() {
        let cases = [
            (BUILTIN.replace("claim_minutes", "claim_minuets"), "claim_minuets"),
            (BUILTIN.replace("failed_probe = \"delete\"", "failed_probe = \"soon\""), "soon"),
            (BUILTIN.replace("examiner = ", "examinor = "), "examinor"),
            (BUILTIN.replace("version = 1", ""), "version"),
            ("x".repeat(POLICY_BYTES_MAX + 1), "longer than"),
        ];
        for (text, wanted) in cases {
            assert_ne!(text, BUILTIN);
            let said = Policy::parse(&text, "force.toml").unwrap_err().to_string();
            assert!(said.contains(wanted) && said.starts_with("force.toml: "), "{said}");
        }
        let missing = Policy::read(Path::new("no such file")).unwrap_err();
        assert!(matches!(missing, PolicyError::Unreadable { .. }), "{missing}");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}", cut in 0_usize..4_000) {
            let _refused = Policy::parse(&text, "x");
            let part: String = BUILTIN.chars().take(cut).chain(text.chars()).collect();
            if let Ok(policy) = Policy::parse(&part, "x") {
                let _findings = policy.check();
            }
        }
    }
}
