//! Which program this is: its version, and the commit that it was built from.

/// What a report says it was made by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Program {
    commit: Option<&'static str>,
}

impl Program {
    /// This program, built from `commit`: 40 hexadecimal digits, with `-dirty` behind them where files had been changed. `None` or
    /// nothing where the build was not told.
    #[must_use]
    pub fn new(commit: Option<&'static str>) -> Self {
        Self { commit: commit.filter(|commit| !commit.is_empty()) }
    }

    /// Name and version.
    #[must_use]
    pub fn name(self) -> String {
        format!("bertillon {}", env!("CARGO_PKG_VERSION"))
    }

    /// The commit; `None` where nobody told.
    #[must_use]
    pub fn commit(self) -> Option<String> {
        self.commit.map(str::to_owned)
    }

    /// Version and commit, as `--version` prints them behind the name.
    #[must_use]
    pub fn version_line(self) -> String {
        let commit = self.commit.unwrap_or("not known: built without tools/");
        format!("{} (commit {commit})", env!("CARGO_PKG_VERSION"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_nobody_told_is_not_known() {
        for untold in [None, Some("")] {
            assert_eq!(Program::new(untold).commit(), None);
            assert!(Program::new(untold).version_line().ends_with(" (commit not known: built without tools/)"));
        }
        let told = Program::new(Some("0123-dirty"));
        assert_eq!(told.commit().as_deref(), Some("0123-dirty"));
        assert!(told.version_line().ends_with(" (commit 0123-dirty)"));
    }
}
