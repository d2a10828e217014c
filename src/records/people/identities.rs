//! Who users are at a provider.

use crate::audit::{Caller, Happening, Kind, Object};
use crate::base::clock;
use crate::base::ids::UserName;
use crate::base::limits::IDENTITIES_OF_USER_MAX;
use crate::records::people::{PeopleBook, PeopleError, UserRecord};
use crate::records::{Change, RecordsError};
use sqlx::Row as _;

/// An identity at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityRecord {
    /// The provider's address.
    pub issuer: String,
    /// Its name for somebody.
    pub subject: String,
    /// Since when it is a user's.
    pub linked_at: String,
}

impl PeopleBook {
    /// Says that a user is who a provider calls so. One that is theirs already is no error, and no event.
    ///
    /// # Errors
    /// [`PeopleError::NoUser`], [`PeopleError::Left`], [`PeopleError::IdentityTaken`], what the records say.
    pub async fn link(
        &self,
        caller: &Caller,
        name: &UserName,
        (issuer, subject): (&str, &str),
    ) -> Result<(), PeopleError> {
        let mut change = self.0.begin().await?;
        let user = self.present(&mut change, name).await?;
        let select = "SELECT user_id FROM user_identity WHERE issuer = $1 AND subject = $2";
        let query = sqlx::query_scalar::<_, i64>(select).bind(issuer).bind(subject);
        match query.fetch_optional(&mut *change.transaction).await.map_err(self.0.sql())? {
            Some(owner) if owner == user.id => return Ok(()),
            Some(_) => return Err(PeopleError::IdentityTaken),
            None => {}
        }
        let query = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) AS held FROM user_identity WHERE user_id = $1");
        let count = query.bind(user.id).fetch_one(&mut *change.transaction).await.map_err(self.0.sql())?;
        let limit = IDENTITIES_OF_USER_MAX;
        if count >= limit as i64 {
            return Err(RecordsError::TooMany { what: "identities of one user", limit }.into());
        }
        sqlx::query("INSERT INTO user_identity (issuer, subject, user_id, linked_at) VALUES ($1, $2, $3, $4)")
            .bind(issuer)
            .bind(subject)
            .bind(user.id)
            .bind(clock::now_rfc3339())
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        self.settle(change, caller, &Happening::new(Kind::UserIdentityLinked).about([Object::User(user.id)])).await
    }

    /// Says that a user is not, or not any more. Sessions of theirs end, since one of them may have come so.
    ///
    /// # Errors
    /// [`PeopleError::NoUser`], [`PeopleError::NoIdentity`], what the records say.
    pub async fn unlink(
        &self,
        caller: &Caller,
        name: &UserName,
        (issuer, subject): (&str, &str),
    ) -> Result<(), PeopleError> {
        let mut change = self.0.begin().await?;
        let user = self.user_on(&mut change.transaction, name).await?;
        let delete = "DELETE FROM user_identity WHERE issuer = $1 AND subject = $2 AND user_id = $3";
        let query = sqlx::query(delete).bind(issuer).bind(subject).bind(user.id);
        let gone = query.execute(&mut *change.transaction).await.map_err(self.0.sql())?;
        if gone.rows_affected() != 1 {
            return Err(PeopleError::NoIdentity(name.clone()));
        }
        self.end_sessions(&mut change, user.id).await?;
        self.settle(change, caller, &Happening::new(Kind::UserIdentityUnlinked).about([Object::User(user.id)])).await
    }

    /// A user's identities.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn identities(&self, user: i64) -> Result<Vec<IdentityRecord>, RecordsError> {
        let select = "SELECT issuer, subject, linked_at FROM user_identity WHERE user_id = $1 ORDER BY issuer, subject";
        let rows = sqlx::query(select).bind(user).fetch_all(&self.0.pool).await.map_err(self.0.sql())?;
        let one = |row| {
            let text = |column: &str| self.text(row, column);
            Ok(IdentityRecord { issuer: text("issuer")?, subject: text("subject")?, linked_at: text("linked_at")? })
        };
        rows.iter().map(one).collect()
    }

    /// Whose identity this is.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn of_identity(&self, issuer: &str, subject: &str) -> Result<Option<UserRecord>, RecordsError> {
        let mut connection = self.0.pool.acquire().await.map_err(self.0.sql())?;
        let select = "SELECT user_id FROM user_identity WHERE issuer = $1 AND subject = $2";
        let query = sqlx::query(select).bind(issuer).bind(subject);
        let Some(row) = query.fetch_optional(&mut *connection).await.map_err(self.0.sql())? else { return Ok(None) };
        let id = row.try_get("user_id").map_err(self.0.sql())?;
        self.user_of_id(&mut connection, id).await.map(Some)
    }

    /// Forgets all identities of a user.
    pub(super) async fn forget_identities(&self, change: &mut Change, user: i64) -> Result<(), RecordsError> {
        let query = sqlx::query("DELETE FROM user_identity WHERE user_id = $1").bind(user);
        query.execute(&mut *change.transaction).await.map(drop).map_err(self.0.sql())
    }
}
