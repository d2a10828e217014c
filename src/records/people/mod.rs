//! Users, their roles, passwords, second factors, identities at providers and keys. Every change is committed with its event.

mod factors;
mod identities;
mod keys;
mod passwords;
mod sessions;
mod users;

use sqlx::Row as _;

use crate::audit::{Caller, Happening};
use crate::base::ids::UserName;
use crate::records::{Change, DbRow, Records, RecordsError};
use crate::rights::{Grant, RightsError};

pub use factors::{Compared, FactorRecord, Shown};
pub use identities::IdentityRecord;
pub use keys::{KeyRecord, NewKeyRecord};
pub use passwords::Attempt;
pub use sessions::{Basis, Opening, Proof, SessionRecord};

/// What can't be done with users and keys.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// The records.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// Roles that can't be.
    #[error(transparent)]
    Rights(#[from] RightsError),
    /// The name is taken, perhaps by somebody who left.
    #[error("there is, or was, a user {0}: names are never used again, since events name people by them")]
    Taken(UserName),
    /// No such user.
    #[error("there is no user {0}: `bertillon user list` shows those there are")]
    NoUser(UserName),
    /// Who left does not come back.
    #[error("{0} has left for good: add a new user")]
    Left(UserName),
    /// A role that the user has not got.
    #[error("{0} has not got the role {1}")]
    NoRole(UserName, Grant),
    /// A second factor is there already.
    #[error(
        "{0} has a second factor: `bertillon user totp {0} --remove` takes it away, then a new one can be enrolled"
    )]
    HasFactor(UserName),
    /// There is no second factor, or none that waits for its first code.
    #[error("{0} has no second factor that this could be done with: `bertillon user totp {0}` shows what there is")]
    NoFactor(UserName),
    /// Somebody else is who a provider calls so.
    #[error(
        "this identity is another user's: `bertillon user sso NAME` shows whose are which, and --remove takes one away"
    )]
    IdentityTaken,
    /// No such identity.
    #[error("{0} has no such identity: `bertillon user sso {0}` shows those they have")]
    NoIdentity(UserName),
    /// No such key.
    #[error("there is no key {0}: `bertillon key list` shows those there are")]
    NoKey(String),
    /// The key counts no more.
    #[error("the key {0} counts no more: make a new one with `bertillon key create`")]
    Dead(String),
}

/// Whether somebody may come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserState {
    /// Yes.
    Active,
    /// Not until somebody unlocks them.
    Locked,
    /// Never again.
    Left,
}

impl UserState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Locked => "locked",
            Self::Left => "left",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Locked, Self::Left].into_iter().find(|state| state.as_str() == text)
    }
}

/// A user, without their secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Their number.
    pub id: i64,
    /// By which events name them.
    pub name: UserName,
    /// Their full name, or what a service is for.
    pub display: String,
    /// Whether they may come in.
    pub state: UserState,
    /// Until when no password counts, after wrong ones.
    pub locked_until: Option<String>,
    /// When they were added.
    pub created_at: String,
    /// Their roles.
    pub grants: Vec<Grant>,
}

/// The people of a data folder. Clones share them.
#[derive(Debug, Clone)]
pub struct PeopleBook(Records);

impl Records {
    /// Users and keys.
    #[must_use]
    pub fn people_book(&self) -> PeopleBook {
        PeopleBook(self.clone())
    }
}

impl PeopleBook {
    /// Whether there is, or ever was, a user.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn any(&self) -> Result<bool, RecordsError> {
        let query = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) AS there FROM (SELECT id FROM app_user LIMIT 1) one");
        Ok(query.fetch_one(&self.0.pool).await.map_err(self.0.sql())? > 0)
    }

    /// Commits a change with its event.
    async fn settle(&self, mut change: Change, caller: &Caller, happening: &Happening) -> Result<(), PeopleError> {
        change.tell(caller, happening).await?;
        Ok(change.commit().await?)
    }

    fn text(&self, row: &DbRow, column: &str) -> Result<String, RecordsError> {
        row.try_get(column).map_err(self.0.sql())
    }

    fn parsed<T>(&self, row: &DbRow, column: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, RecordsError> {
        let text = self.text(row, column)?;
        parse(&text).ok_or_else(|| self.0.damaged(format!("a user or key has an impossible {column}")))
    }
}
