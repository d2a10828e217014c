//! Who may do what: roles, what each may do, in which galleries, and what a key leaves of it. Decides nothing about a
//! person; it knows no names of people and no data base.

mod grants;
mod permissions;
mod roles;

pub use grants::{Grant, Limits, Rights, Within, check_grants};
pub use permissions::Permission;
pub use roles::{Role, Roles};

/// Why roles or rights can't be so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RightsError {
    /// A word that is none.
    #[error("{0:?} is no {1}: there are {2}")]
    Unknown(String, &'static str, String),
    /// A gallery that can't be one.
    #[error(transparent)]
    Gallery(#[from] crate::base::ids::IdError),
    /// An auditor who is something else too would check what they did themselves.
    #[error("an auditor is nothing else: withdraw the other roles first, or give the role to somebody else")]
    AuditorAlone,
    /// An auditor reads the whole log, which is of all galleries.
    #[error("the role {0} is of all galleries: give it without naming one")]
    AllOnly(Role),
    /// An evaluator searches without a case, so only where galleries are named.
    #[error("an evaluator's role names its galleries: evaluator:GALLERY")]
    NamedOnly,
}
