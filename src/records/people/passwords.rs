//! Passwords as they are kept, and how often wrong ones were tried.

use std::time::Duration;

use sqlx::Row as _;

use crate::audit::{Caller, Happening, Kind, Object, Outcome};
use crate::base::clock;
use crate::base::ids::UserName;
use crate::base::limits::{LOCK_OUT_MIN_MAX, PASSWORD_FAILURES_MAX};
use crate::records::people::{PeopleBook, PeopleError, UserRecord, UserState};
use crate::records::{DbConnection, RecordsError};

/// What a try at a password may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// Compare with this PHC text. The try was counted as a wrong one already: [`PeopleBook::open_session`] takes that back.
    Compare(Box<UserRecord>, String),
    /// There is nothing to compare with: no such user, or one without a password, locked or gone.
    Hopeless,
    /// None counts before then.
    Later(String),
}

impl PeopleBook {
    /// Gives a user a password, as its PHC text.
    ///
    /// # Errors
    /// [`PeopleError::NoUser`], [`PeopleError::Left`], what the records say.
    pub async fn set_password(&self, caller: &Caller, name: &UserName, phc: &str) -> Result<(), PeopleError> {
        let mut change = self.0.begin().await?;
        let user = self.present(&mut change, name).await?;
        let upsert = "INSERT INTO user_secret (user_id, password, set_at) VALUES ($1, $2, $3) \
             ON CONFLICT (user_id) DO UPDATE SET password = excluded.password, set_at = excluded.set_at";
        sqlx::query(upsert)
            .bind(user.id)
            .bind(phc)
            .bind(clock::now_rfc3339())
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        // Whoever knew the old one is out.
        self.end_sessions(&mut change, user.id).await?;
        self.settle(change, caller, &Happening::new(Kind::UserPasswordSet).about([Object::User(user.id)])).await
    }

    /// Keeps a password anew, at today's cost, if `old` is still what is kept of it. No event: it is the same password.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn renew_password(&self, user: i64, old: &str, new: &str) -> Result<(), RecordsError> {
        let mut change = self.0.begin().await?;
        sqlx::query("UPDATE user_secret SET password = $3 WHERE user_id = $1 AND password = $2")
            .bind(user)
            .bind(old)
            .bind(new)
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        change.commit().await
    }

    /// Begins a try at a user's password. It counts as a wrong one from here on, so that many tries at once don't get more than
    /// one after the other do; a process that dies meanwhile does not give one back.
    ///
    /// # Errors
    /// What the records say.
    pub async fn attempt(&self, name: &UserName) -> Result<Attempt, PeopleError> {
        let mut change = self.0.begin().await?;
        let user = match self.user_on(&mut change.transaction, name).await {
            Err(PeopleError::NoUser(_)) => return Ok(Attempt::Hopeless),
            user => user?,
        };
        let Some((failed, password)) = self.to_compare(&mut change.transaction, &user).await? else {
            return Ok(Attempt::Hopeless);
        };
        if let Some(until) = user.locked_until.clone().filter(|until| *until > clock::now_rfc3339()) {
            return Ok(Attempt::Later(until));
        }
        let failed = failed.saturating_add(1);
        let until = lock_for(failed).map(clock::rfc3339_in);
        sqlx::query("UPDATE app_user SET failed_count = $2, locked_until = $3 WHERE id = $1")
            .bind(user.id)
            .bind(failed)
            .bind(&until)
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        if until.is_some() {
            let locked = Happening::new(Kind::UserLockedOut).about([Object::User(user.id)]).ended(Outcome::Refused);
            change.tell(&Caller::itself("wrong passwords"), &locked).await?;
        }
        change.commit().await?;
        Ok(Attempt::Compare(Box::new(user), password))
    }

    /// Goes on with a try of which something changed since it was begun. It counts as one with that.
    ///
    /// # Errors
    /// What the records say.
    pub async fn attempt_again(&self, user: i64) -> Result<Attempt, RecordsError> {
        let mut connection = self.0.pool.acquire().await.map_err(self.0.sql())?;
        let user = self.user_of_id(&mut connection, user).await?;
        let found = self.to_compare(&mut connection, &user).await?;
        Ok(found.map_or(Attempt::Hopeless, |(_, password)| Attempt::Compare(Box::new(user), password)))
    }

    /// How often wrong passwords were tried, and with what to compare another one; `None` where none counts.
    async fn to_compare(
        &self,
        connection: &mut DbConnection,
        user: &UserRecord,
    ) -> Result<Option<(i64, String)>, RecordsError> {
        let select = "SELECT u.failed_count AS failed, s.password AS password FROM app_user u \
             JOIN user_secret s ON s.user_id = u.id WHERE u.id = $1";
        let row = sqlx::query(select).bind(user.id).fetch_optional(connection).await.map_err(self.0.sql())?;
        let Some(row) = row.filter(|_| user.state == UserState::Active) else { return Ok(None) };
        Ok(Some((row.try_get("failed").map_err(self.0.sql())?, self.text(&row, "password")?)))
    }
}

/// For how long so many wrong passwords lock.
fn lock_for(failed: i64) -> Option<Duration> {
    let beyond = u32::try_from(failed).unwrap_or(u32::MAX).checked_sub(PASSWORD_FAILURES_MAX)?;
    let minutes = 1_u64.checked_shl(beyond.min(16)).unwrap_or(u64::MAX).min(LOCK_OUT_MIN_MAX);
    Some(Duration::from_mins(minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_further_failure_locks_for_longer_up_to_an_hour() {
        assert_eq!(lock_for(4), None);
        let minutes = |failed| lock_for(failed).unwrap().as_secs() / 60;
        assert_eq!([5, 6, 7, 10, 11, 12, 900].map(minutes), [1, 2, 4, 32, 60, 60, 60]);
        assert_eq!(minutes(i64::MAX), 60);
    }
}
