//! The seven roles of casework.

use std::fmt;
use std::str::FromStr;

use crate::rights::RightsError;

/// What somebody is here. A person may have several, but for the auditor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Hands pictures in, sees no candidates.
    Submitter,
    /// Searches, and decides about candidates.
    Examiner,
    /// Decides about candidates independently of the examiner.
    Verifier,
    /// Answers for the work of examiners, and for what is enrolled and erased.
    Supervisor,
    /// Measures how well the system does, in galleries made for that.
    Evaluator,
    /// Reads the audit log, and does nothing else.
    Auditor,
    /// Runs the system: users, keys, galleries. Reads no audit log.
    Administrator,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Submitter,
        Self::Examiner,
        Self::Verifier,
        Self::Supervisor,
        Self::Evaluator,
        Self::Auditor,
        Self::Administrator,
    ];

    /// As records and events name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submitter => "submitter",
            Self::Examiner => "examiner",
            Self::Verifier => "verifier",
            Self::Supervisor => "supervisor",
            Self::Evaluator => "evaluator",
            Self::Auditor => "auditor",
            Self::Administrator => "administrator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = RightsError;

    fn from_str(text: &str) -> Result<Self, RightsError> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        let all = || Self::ALL.map(Self::as_str).join(", ");
        found.ok_or_else(|| RightsError::Unknown(text.chars().take(40).collect(), "role", all()))
    }
}
