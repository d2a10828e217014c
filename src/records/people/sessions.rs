//! Sessions: what a browser has after somebody showed who they are. Known by the hash of a token, like keys.

use std::time::Duration;

use sqlx::Row as _;

use crate::audit::{Caller, Detail, Happening, Kind, Object};
use crate::base::clock;
use crate::base::hex;
use crate::base::limits::{SESSION_H_MAX, SESSION_IDLE_MIN_MAX, SESSIONS_OF_USER_MAX};
use crate::records::people::{Compared, PeopleBook, PeopleError, UserRecord};
use crate::records::{Change, RecordsError};

/// By what somebody showed who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A password alone.
    Password,
    /// A password and a code of their telephone.
    Code,
    /// A password and a code on paper.
    Recovery,
    /// A provider's word.
    Provider,
    /// A provider's word, and that they showed a second factor there.
    ProviderAndFactor,
}

impl Proof {
    const ALL: [Self; 5] = [Self::Password, Self::Code, Self::Recovery, Self::Provider, Self::ProviderAndFactor];

    /// The word for it, in records and events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Code => "password and code",
            Self::Recovery => "password and recovery code",
            Self::Provider => "provider",
            Self::ProviderAndFactor => "provider and second factor",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|proof| proof.as_str() == text)
    }

    /// Whether a second factor was shown.
    #[must_use]
    pub fn has_factor(self) -> bool {
        match self {
            Self::Code | Self::Recovery | Self::ProviderAndFactor => true,
            Self::Password | Self::Provider => false,
        }
    }
}

/// On what somebody comes in. It was looked at some time before, and must still be so when the session is opened.
#[derive(Debug, Clone, Copy)]
pub enum Basis<'a> {
    /// What they typed was right.
    Typed(&'a Compared),
    /// A provider says that it is them.
    Provider {
        /// The provider's address.
        issuer: &'a str,
        /// Its name for them.
        subject: &'a str,
        /// Whether they showed a second factor there.
        second_factor: bool,
    },
}

impl Basis<'_> {
    fn proof(self) -> Proof {
        match self {
            Self::Typed(Compared { beside: Some((_, shown)), .. }) => (*shown).into(),
            Self::Typed(Compared { beside: None, .. }) => Proof::Password,
            Self::Provider { second_factor: true, .. } => Proof::ProviderAndFactor,
            Self::Provider { second_factor: false, .. } => Proof::Provider,
        }
    }
}

/// What came of opening a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// It is open.
    Done(SessionRecord),
    /// What was looked at changed meanwhile.
    Changed,
    /// The code that was shown does not count, or not any more.
    Spent,
}

/// A session that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its number.
    pub id: i64,
    /// By what it was opened.
    pub by: Proof,
    /// Until when it counts at most.
    pub expires_at: String,
    /// Until when it counts if nothing more comes.
    pub idle_until: String,
}

impl PeopleBook {
    /// Opens a session of a user, if that on which they come in still is so; what they showed counts no more then.
    ///
    /// # Errors
    /// What the records say.
    pub async fn open_session(
        &self,
        caller: &Caller,
        user: i64,
        basis: Basis<'_>,
        token_sha256: [u8; 32],
    ) -> Result<Opening, PeopleError> {
        let mut change = self.0.begin().await?;
        if !self.still_so(&mut change, user, basis).await? {
            return Ok(Opening::Changed);
        }
        if let Basis::Typed(compared) = basis
            && !self.let_in(&mut change, user, compared).await?
        {
            return Ok(Opening::Spent);
        }
        let by = basis.proof();
        let opened = self.insert_session(&mut change, user, by, token_sha256).await?;
        let happening =
            Happening::new(Kind::SessionOpened).about([Object::User(user)]).with("by", Detail::Word(by.as_str()));
        self.settle(change, caller, &happening).await?;
        Ok(Opening::Done(opened))
    }

    /// Whether a user may come in, and what was looked at is still there.
    async fn still_so(&self, change: &mut Change, user: i64, basis: Basis<'_>) -> Result<bool, RecordsError> {
        let query = match basis {
            Basis::Typed(compared) => {
                let select = "SELECT COUNT(*) AS held FROM app_user u JOIN user_secret s ON s.user_id = u.id \
                     WHERE u.id = $1 AND u.state = 'active' AND s.password = $2";
                sqlx::query_scalar::<_, i64>(select).bind(user).bind(&compared.password)
            }
            Basis::Provider { issuer, subject, .. } => {
                let select = "SELECT COUNT(*) AS held FROM app_user u JOIN user_identity i ON i.user_id = u.id \
                     WHERE u.id = $1 AND u.state = 'active' AND i.issuer = $2 AND i.subject = $3";
                sqlx::query_scalar::<_, i64>(select).bind(user).bind(issuer).bind(subject)
            }
        };
        let held = query.fetch_one(&mut *change.transaction).await.map_err(self.0.sql())? > 0;
        match basis {
            Basis::Typed(Compared { beside, .. }) if held => {
                self.is_factor(change, user, beside.as_ref().map(|(sealed, _)| sealed.as_str())).await
            }
            Basis::Typed(_) | Basis::Provider { .. } => Ok(held),
        }
    }

    /// Keeps a session; the user's oldest make room.
    async fn insert_session(
        &self,
        change: &mut Change,
        user: i64,
        by: Proof,
        token_sha256: [u8; 32],
    ) -> Result<SessionRecord, RecordsError> {
        let now = clock::now_rfc3339();
        let row = SessionRecord {
            id: 0,
            by,
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
        let insert = "INSERT INTO session (id, token_sha256, user_id, created_at, expires_at, idle_until, opened_by) \
             SELECT COALESCE(MAX(id), 0) + 1, $1, $2, $3, $4, $5, $6 FROM session RETURNING id";
        let id: i64 = sqlx::query_scalar(insert)
            .bind(hex::encode(&token_sha256))
            .bind(user)
            .bind(now)
            .bind(&row.expires_at)
            .bind(&row.idle_until)
            .bind(by.as_str())
            .fetch_one(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        Ok(SessionRecord { id, ..row })
    }

    /// The session of that token and whose it is, if it counts.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn session(&self, token_sha256: [u8; 32]) -> Result<Option<(SessionRecord, UserRecord)>, RecordsError> {
        let mut connection = self.0.pool.acquire().await.map_err(self.0.sql())?;
        let select = "SELECT id, user_id, opened_by, expires_at, idle_until FROM session \
             WHERE token_sha256 = $1 AND expires_at > $2 AND idle_until > $2";
        let query = sqlx::query(select).bind(hex::encode(&token_sha256)).bind(clock::now_rfc3339());
        let Some(row) = query.fetch_optional(&mut *connection).await.map_err(self.0.sql())? else { return Ok(None) };
        let number = |column: &str| row.try_get::<i64, _>(column).map_err(self.0.sql());
        let session = SessionRecord {
            id: number("id")?,
            by: self.parsed(&row, "opened_by", Proof::parse)?,
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
