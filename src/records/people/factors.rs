//! Second factors: sealed secrets, the last step whose code was taken, hashes of codes on paper.

use sqlx::Row as _;

use crate::audit::{Caller, Happening, Kind, Object};
use crate::base::clock;
use crate::base::hex;
use crate::base::ids::UserName;
use crate::records::people::{PeopleBook, PeopleError, Proof};
use crate::records::{Change, RecordsError};

/// A second factor, its secret sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactorRecord {
    /// What codes are made of, sealed.
    pub sealed: String,
    /// Since when codes are asked for; `None` until a first one was shown.
    pub confirmed_at: Option<String>,
    /// The last step whose code was taken.
    pub last_step: u64,
    /// Codes on paper that are left.
    pub recovery_left: u64,
}

/// What somebody showed beside their password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Nothing.
    Nothing,
    /// The code of this step.
    Code(u64),
    /// A code on paper with this hash.
    Recovery([u8; 32]),
}

/// With what it was compared that somebody typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The password, as its PHC text.
    pub password: String,
    /// The confirmed second factor, sealed, where there was one, and what was shown of it.
    pub beside: Option<(String, Shown)>,
}

impl From<Shown> for Proof {
    fn from(shown: Shown) -> Self {
        match shown {
            Shown::Nothing => Self::Password,
            Shown::Code(_) => Self::Code,
            Shown::Recovery(_) => Self::Recovery,
        }
    }
}

impl PeopleBook {
    /// A user's second factor, if there is one.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn factor(&self, user: i64) -> Result<Option<FactorRecord>, RecordsError> {
        let select = "SELECT sealed, confirmed_at, last_step, \
             (SELECT COUNT(*) FROM user_recovery WHERE user_id = $1) AS recovery_left FROM user_totp WHERE user_id = $1";
        let row = sqlx::query(select).bind(user).fetch_optional(&self.0.pool).await.map_err(self.0.sql())?;
        let Some(row) = row else { return Ok(None) };
        let number = |column: &str| row.try_get::<i64, _>(column).map(|number| number as u64).map_err(self.0.sql());
        Ok(Some(FactorRecord {
            sealed: self.text(&row, "sealed")?,
            confirmed_at: row.try_get("confirmed_at").map_err(self.0.sql())?,
            last_step: number("last_step")?,
            recovery_left: number("recovery_left")?,
        }))
    }

    /// Keeps a second factor that waits for its first code, in the place of one that waited before.
    ///
    /// # Errors
    /// [`PeopleError::NoUser`], [`PeopleError::Left`], [`PeopleError::HasFactor`], what the records say.
    pub async fn begin_factor(&self, caller: &Caller, name: &UserName, sealed: &str) -> Result<(), PeopleError> {
        let mut change = self.0.begin().await?;
        let user = self.present(&mut change, name).await?;
        let upsert = "INSERT INTO user_totp (user_id, sealed, confirmed_at, last_step, begun_at) \
             VALUES ($1, $2, NULL, 0, $3) \
             ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, begun_at = excluded.begun_at \
             WHERE user_totp.confirmed_at IS NULL";
        let done = sqlx::query(upsert)
            .bind(user.id)
            .bind(sealed)
            .bind(clock::now_rfc3339())
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        if done.rows_affected() != 1 {
            return Err(PeopleError::HasFactor(name.clone()));
        }
        self.settle(change, caller, &Happening::new(Kind::UserFactorBegun).about([Object::User(user.id)])).await
    }

    /// The code of `step` was right for what waits as `sealed`: codes are asked for from now on. Sessions that were opened
    /// without one end.
    ///
    /// # Errors
    /// [`PeopleError::NoUser`], [`PeopleError::Left`], [`PeopleError::NoFactor`], what the records say.
    pub async fn confirm_factor(
        &self,
        caller: &Caller,
        name: &UserName,
        (sealed, step): (&str, u64),
        recovery: &[[u8; 32]],
    ) -> Result<(), PeopleError> {
        let mut change = self.0.begin().await?;
        let user = self.present(&mut change, name).await?;
        let update = "UPDATE user_totp SET confirmed_at = $3, last_step = $4 \
             WHERE user_id = $1 AND sealed = $2 AND confirmed_at IS NULL";
        let done = sqlx::query(update)
            .bind(user.id)
            .bind(sealed)
            .bind(clock::now_rfc3339())
            .bind(step as i64)
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        if done.rows_affected() != 1 {
            return Err(PeopleError::NoFactor(name.clone()));
        }
        for hash in recovery {
            sqlx::query("INSERT INTO user_recovery (user_id, sha256) VALUES ($1, $2)")
                .bind(user.id)
                .bind(hex::encode(hash))
                .execute(&mut *change.transaction)
                .await
                .map_err(self.0.sql())?;
        }
        self.end_sessions(&mut change, user.id).await?;
        self.settle(change, caller, &Happening::new(Kind::UserFactorConfirmed).about([Object::User(user.id)])).await
    }

    /// Takes a second factor away, also one that waits.
    ///
    /// # Errors
    /// [`PeopleError::NoUser`], [`PeopleError::NoFactor`], what the records say.
    pub async fn remove_factor(&self, caller: &Caller, name: &UserName) -> Result<(), PeopleError> {
        let mut change = self.0.begin().await?;
        let user = self.user_on(&mut change.transaction, name).await?;
        if !self.forget_factor(&mut change, user.id).await? {
            return Err(PeopleError::NoFactor(name.clone()));
        }
        self.settle(change, caller, &Happening::new(Kind::UserFactorRemoved).about([Object::User(user.id)])).await
    }

    /// Whether there was one.
    pub(super) async fn forget_factor(&self, change: &mut Change, user: i64) -> Result<bool, RecordsError> {
        let codes = sqlx::query("DELETE FROM user_recovery WHERE user_id = $1").bind(user);
        codes.execute(&mut *change.transaction).await.map_err(self.0.sql())?;
        let secret = sqlx::query("DELETE FROM user_totp WHERE user_id = $1").bind(user);
        let gone = secret.execute(&mut *change.transaction).await.map_err(self.0.sql())?;
        Ok(gone.rows_affected() > 0)
    }

    /// Whether a user's second factor is the one that a code was compared with, or there is still none.
    pub(super) async fn is_factor(
        &self,
        change: &mut Change,
        user: i64,
        sealed: Option<&str>,
    ) -> Result<bool, RecordsError> {
        let select = "SELECT sealed FROM user_totp WHERE user_id = $1 AND confirmed_at IS NOT NULL";
        let query = sqlx::query_scalar::<_, String>(select).bind(user);
        let held = query.fetch_optional(&mut *change.transaction).await.map_err(self.0.sql())?;
        Ok(held.as_deref() == sealed)
    }

    /// Lets somebody in if what they showed beside their password counts, or nothing is asked for, and says whether. What they
    /// showed counts no more then, and wrong tries before it are forgotten.
    pub(super) async fn let_in(
        &self,
        change: &mut Change,
        user: i64,
        compared: &Compared,
    ) -> Result<bool, RecordsError> {
        if let Some((_, shown)) = compared.beside
            && !self.take(change, user, shown).await?
        {
            return Ok(false);
        }
        let update = "UPDATE app_user SET failed_count = 0, locked_until = NULL WHERE id = $1";
        let query = sqlx::query(update).bind(user);
        query.execute(&mut *change.transaction).await.map_err(self.0.sql())?;
        Ok(true)
    }

    /// Uses up what was shown; whether it counted.
    async fn take(&self, change: &mut Change, user: i64, shown: Shown) -> Result<bool, RecordsError> {
        let query = match shown {
            Shown::Nothing => return Ok(false),
            Shown::Code(step) => {
                let update = "UPDATE user_totp SET last_step = $2 WHERE user_id = $1 AND last_step < $2";
                sqlx::query(update).bind(user).bind(step as i64)
            }
            Shown::Recovery(hash) => {
                let delete = "DELETE FROM user_recovery WHERE user_id = $1 AND sha256 = $2";
                sqlx::query(delete).bind(user).bind(hex::encode(&hash))
            }
        };
        let done = query.execute(&mut *change.transaction).await.map_err(self.0.sql())?;
        Ok(done.rows_affected() == 1)
    }
}
