//! The seven roles of casework.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::rights::{Permission, RightsError};

/// What somebody is here. A person may have several, but for the auditor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

    /// Whether that role may ever be shown a candidate list.
    #[must_use]
    pub fn searches(self) -> bool {
        Permission::SearchRun.roles().contains(&self)
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

/// Some roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Roles(u8);

impl Roles {
    /// These.
    #[must_use]
    pub fn of(roles: &[Role]) -> Self {
        Self(roles.iter().fold(0, |bits, role| bits | 1 << *role as u8))
    }

    /// Whether one of them is among these.
    #[must_use]
    pub fn any_of(self, roles: &[Role]) -> bool {
        self.0 & Self::of(roles).0 != 0
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<T: IntoIterator<Item = Role>>(roles: T) -> Self {
        Self(roles.into_iter().fold(0, |bits, role| bits | 1 << role as u8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_roles_keep_them_apart() {
        for one in Role::ALL {
            for other in Role::ALL {
                assert_eq!(Roles::of(&[one]).any_of(&[other]), one == other);
            }
            assert!(Roles::of(&Role::ALL).any_of(&[one]) && !Roles::default().any_of(&[one]));
            assert_eq!(serde_json::to_value(one).unwrap(), one.as_str());
        }
    }
}
