//! Sessions: what a browser has after a password was right. Known by the hash of a token, like keys.

use std::time::Duration;

use sqlx::Row as _;

use crate::audit::{Caller, Happening, Kind, Object};
use crate::base::clock;
use crate::base::hex;
use crate::base::limits::{SESSION_H_MAX, SESSION_IDLE_MIN_MAX, SESSIONS_OF_USER_MAX};
use crate::records::people::{PeopleBook, PeopleError, UserRecord};
use crate::records::{Change, RecordsError};

/// A session that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its number.
    pub id: i64,
    /// Until when it counts at most.
    pub expires_at: String,
    /// Until when it counts if nothing more comes.
    pub idle_until: String,
}

impl PeopleBook {
    /// Opens a session of a user; the oldest make room.
    ///
    /// # Errors
    /// What the records say.
    pub async fn open_session(
        &self,
        caller: &Caller,
        user: i64,
        token_sha256: [u8; 32],
    ) -> Result<SessionRecord, PeopleError> {
        let mut change = self.0.begin().await?;
        let now = clock::now_rfc3339();
        let row = SessionRecord {
            id: 0,
            expires_at: clock::rfc3339_in(Duration::from_hours(SESSION_H_MAX)),
            idle_until: clock::rfc3339_in(Duration::from_mins(SESSION_IDLE_MIN_MAX)),
        };
        // Those that are over tell nobody anything: their events stay.
        sqlx::query("DELETE FROM session WHERE expires_at < $1 OR idle_until < $1")
            .bind(&now)
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        let room = "DELETE FROM session WHERE user_id = $1 AND id NOT IN \
             (SELECT id FROM session WHERE user_id = $1 ORDER BY id DESC LIMIT $2)";
        sqlx::query(room)
            .bind(user)
            .bind(SESSIONS_OF_USER_MAX as i64 - 1)
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        let insert = "INSERT INTO session (id, token_sha256, user_id, created_at, expires_at, idle_until) \
             SELECT COALESCE(MAX(id), 0) + 1, $1, $2, $3, $4, $5 FROM session RETURNING id";
        let id: i64 = sqlx::query_scalar(insert)
            .bind(hex::encode(&token_sha256))
            .bind(user)
            .bind(now)
            .bind(&row.expires_at)
            .bind(&row.idle_until)
            .fetch_one(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        let happening = Happening::new(Kind::SessionOpened).about([Object::User(user)]);
        self.settle(change, caller, &happening).await?;
        Ok(SessionRecord { id, ..row })
    }

    /// The session of that token and whose it is, if it counts.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn session(&self, token_sha256: [u8; 32]) -> Result<Option<(SessionRecord, UserRecord)>, RecordsError> {
        let mut connection = self.0.pool.acquire().await.map_err(self.0.sql())?;
        let select = "SELECT id, user_id, expires_at, idle_until FROM session \
             WHERE token_sha256 = $1 AND expires_at > $2 AND idle_until > $2";
        let query = sqlx::query(select).bind(hex::encode(&token_sha256)).bind(clock::now_rfc3339());
        let Some(row) = query.fetch_optional(&mut *connection).await.map_err(self.0.sql())? else { return Ok(None) };
        let number = |column: &str| row.try_get::<i64, _>(column).map_err(self.0.sql());
        let session = SessionRecord {
            id: number("id")?,
            expires_at: self.text(&row, "expires_at")?,
            idle_until: self.text(&row, "idle_until")?,
        };
        let user = self.user_of_id(&mut connection, number("user_id")?).await?;
        Ok(Some((session, user)))
    }

    /// Notes that a session is in use.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn session_used(&self, id: i64) -> Result<(), RecordsError> {
        let mut change = self.0.begin().await?;
        sqlx::query("UPDATE session SET idle_until = $2 WHERE id = $1")
            .bind(id)
            .bind(clock::rfc3339_in(Duration::from_mins(SESSION_IDLE_MIN_MAX)))
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        change.commit().await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// What the records say.
    pub async fn end_session(&self, caller: &Caller, id: i64, user: i64) -> Result<(), PeopleError> {
        let mut change = self.0.begin().await?;
        sqlx::query("DELETE FROM session WHERE id = $1")
            .bind(id)
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        self.settle(change, caller, &Happening::new(Kind::SessionEnded).about([Object::User(user)])).await
    }

    /// Ends all sessions of a user.
    pub(super) async fn end_sessions(&self, change: &mut Change, user: i64) -> Result<(), RecordsError> {
        let query = sqlx::query("DELETE FROM session WHERE user_id = $1").bind(user);
        query.execute(&mut *change.transaction).await.map(drop).map_err(self.0.sql())
    }
}
