//! What people are to the system. Which rights a role has is for those who give them; here roles have names.

use serde::{Deserialize, Serialize};

/// A role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Hands pictures in and sees their own receipts.
    Submitter,
    /// Searches, and decides first.
    Examiner,
    /// Decides second, independently.
    Verifier,
    /// Answers for the work of examiners and verifiers.
    Supervisor,
    /// Measures, in galleries for evaluation.
    Evaluator,
    /// Reads the audit log, and is nothing else.
    Auditor,
    /// Looks after the system.
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

    /// As files and flags name it.
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
    pub const fn searches(self) -> bool {
        match self {
            Self::Examiner | Self::Supervisor | Self::Evaluator => true,
            Self::Submitter | Self::Verifier | Self::Auditor | Self::Administrator => false,
        }
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
