//! Passwords as they are kept, and how often wrong ones were tried.

use std::time::Duration;

use sqlx::Row as _;

use crate::audit::{Caller, Happening, Kind, Object, Outcome};
use crate::base::clock;
use crate::base::ids::UserName;
use crate::base::limits::{LOCK_OUT_MIN_MAX, PASSWORD_FAILURES_MAX};
use crate::records::RecordsError;
use crate::records::people::{PeopleBook, PeopleError, UserRecord, UserState};

/// What a try at a password may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// Compare with this PHC text. The try was counted as a wrong one already: [`PeopleBook::let_in`] takes that back.
    Compare(Box<UserRecord>, String),
    /// There is nothing to compare with: no such user, or one without a password, locked or gone.
    Hopeless,
    /// None counts before then.
    Later(String),
}

impl PeopleBook {
    /// Gives a user a password, as its PHC text; `again` says that it is the old one at today's cost, which is no event.
    ///
    /// # Errors
    /// [`PeopleError::NoUser`], [`PeopleError::Left`], what the records say.
    pub async fn set_password(
        &self,
        caller: &Caller,
        name: &UserName,
        phc: &str,
        again: bool,
    ) -> Result<(), PeopleError> {
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
        if again {
            return Ok(change.commit().await?);
        }
        // Whoever knew the old one is out.
        self.end_sessions(&mut change, user.id).await?;
        self.settle(change, caller, &Happening::new(Kind::UserPasswordSet).about([Object::User(user.id)])).await
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
        let select = "SELECT u.failed_count AS failed, s.password AS password FROM app_user u \
             JOIN user_secret s ON s.user_id = u.id WHERE u.id = $1";
        let row = sqlx::query(select).bind(user.id).fetch_optional(&mut *change.transaction).await;
        let Some(row) = row.map_err(self.0.sql())? else { return Ok(Attempt::Hopeless) };
        if user.state != UserState::Active {
            return Ok(Attempt::Hopeless);
        }
        if let Some(until) = user.locked_until.clone().filter(|until| *until > clock::now_rfc3339()) {
            return Ok(Attempt::Later(until));
        }
        let failed: i64 = row.try_get("failed").map_err(self.0.sql())?;
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
        let password = self.text(&row, "password")?;
        change.commit().await?;
        Ok(Attempt::Compare(Box::new(user), password))
    }

    /// The password was right: wrong ones before it are forgotten.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn let_in(&self, user: i64) -> Result<(), RecordsError> {
        let mut change = self.0.begin().await?;
        sqlx::query("UPDATE app_user SET failed_count = 0, locked_until = NULL WHERE id = $1")
            .bind(user)
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        change.commit().await
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
