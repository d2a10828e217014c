//! API keys: found by their prefix, known by the hash of their secret.

use std::time::Duration;

use sqlx::Row as _;

use crate::audit::{Caller, Detail, Happening, Kind, Object};
use crate::base::clock;
use crate::base::hex;
use crate::base::ids::{GalleryName, UserName};
use crate::base::limits::{KEY_ROTATION_H, KEYS_MAX, KEYS_OF_USER_MAX};
use crate::records::people::{PeopleBook, PeopleError, UserRecord};
use crate::records::{Change, DbRow, RecordsError};
use crate::rights::Limits;

/// A key to be kept.
#[derive(Debug, Clone)]
pub struct NewKeyRecord {
    /// Names it.
    pub prefix: String,
    /// Hash of its secret.
    pub sha256: [u8; 32],
    /// What it leaves of its owner's rights.
    pub limits: Limits,
    /// Requests a minute.
    pub rate_per_min: u32,
    /// Until when it counts.
    pub expires_at: String,
}

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its number.
    pub id: i64,
    /// Names it.
    pub prefix: String,
    /// Hash of its secret.
    pub sha256: [u8; 32],
    /// Whose it is.
    pub user: i64,
    /// What it leaves of its owner's rights.
    pub limits: Limits,
    /// Requests a minute.
    pub rate_per_min: u32,
    /// When it was made.
    pub created_at: String,
    /// Until when it counts.
    pub expires_at: String,
    /// Since when it counts no more.
    pub revoked_at: Option<String>,
    /// The day of its last use.
    pub last_used_day: Option<String>,
}

impl KeyRecord {
    /// Whether it counts, as far as it is about the key.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.revoked_at.is_none() && self.expires_at > clock::now_rfc3339()
    }
}

const ONE: &str = "SELECT * FROM api_key WHERE prefix = $1";

impl PeopleBook {
    /// Keeps a new key of a user.
    ///
    /// # Errors
    /// [`PeopleError::NoUser`], [`PeopleError::Left`], what the records say.
    pub async fn add_key(
        &self,
        caller: &Caller,
        owner: &UserName,
        key: &NewKeyRecord,
    ) -> Result<KeyRecord, PeopleError> {
        let mut change = self.0.begin().await?;
        let owner = self.present(&mut change, owner).await?;
        self.check_key_count(&mut change, owner.id).await?;
        let made = self.insert_key(&mut change, owner.id, key, None).await?;
        let happening = Happening::new(Kind::KeyCreated).about([Object::Key(made.id), Object::User(owner.id)]);
        self.settle(change, caller, &happening).await?;
        Ok(made)
    }

    async fn check_key_count(&self, change: &mut Change, owner: i64) -> Result<(), PeopleError> {
        let select = "SELECT (SELECT COUNT(*) FROM api_key WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2) \
             AS theirs, (SELECT COALESCE(MAX(id), 0) FROM api_key) AS all_keys";
        let query = sqlx::query(select).bind(owner).bind(clock::now_rfc3339());
        let row = query.fetch_one(&mut *change.transaction).await.map_err(self.0.sql())?;
        let count = |column: &str| row.try_get::<i64, _>(column).map_err(self.0.sql());
        if count("theirs")? >= KEYS_OF_USER_MAX as i64 {
            return Err(RecordsError::TooMany { what: "keys of one user", limit: KEYS_OF_USER_MAX }.into());
        }
        if count("all_keys")? >= KEYS_MAX as i64 {
            return Err(RecordsError::TooMany { what: "keys", limit: KEYS_MAX }.into());
        }
        Ok(())
    }

    async fn insert_key(
        &self,
        change: &mut Change,
        owner: i64,
        key: &NewKeyRecord,
        rotated_from: Option<i64>,
    ) -> Result<KeyRecord, RecordsError> {
        let NewKeyRecord { prefix, sha256, limits, rate_per_min, expires_at } = key;
        let words: Vec<&str> = limits.permissions.iter().map(|permission| permission.as_str()).collect();
        let galleries = limits.galleries.as_ref().map_or_else(
            || "*".to_owned(),
            |names| names.iter().map(GalleryName::as_str).collect::<Vec<_>>().join(" "),
        );
        let insert = "INSERT INTO api_key (id, prefix, secret_sha256, user_id, permissions, galleries, rate_per_min, \
             created_at, expires_at, rotated_from) \
             SELECT COALESCE(MAX(id), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8, $9 FROM api_key";
        sqlx::query(insert)
            .bind(prefix)
            .bind(hex::encode(sha256))
            .bind(owner)
            .bind(words.join(" "))
            .bind(galleries)
            .bind(i64::from(*rate_per_min))
            .bind(clock::now_rfc3339())
            .bind(expires_at)
            .bind(rotated_from)
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        let row = sqlx::query(ONE).bind(prefix).fetch_one(&mut *change.transaction).await.map_err(self.0.sql())?;
        self.key_of(&row)
    }

    /// Keys, newest first: of one user, or of all.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn keys(&self, owner: Option<i64>, limit: usize) -> Result<Vec<KeyRecord>, RecordsError> {
        let select = "SELECT * FROM api_key WHERE ($1 IS NULL OR user_id = $1) ORDER BY id DESC LIMIT $2";
        let query = sqlx::query(select).bind(owner).bind(limit.min(KEYS_MAX) as i64);
        let rows = query.fetch_all(&self.0.pool).await.map_err(self.0.sql())?;
        rows.iter().map(|row| self.key_of(row)).collect()
    }

    /// The key of that prefix and its owner.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn key(&self, prefix: &str) -> Result<Option<(KeyRecord, UserRecord)>, RecordsError> {
        let mut connection = self.0.pool.acquire().await.map_err(self.0.sql())?;
        let row = sqlx::query(ONE).bind(prefix).fetch_optional(&mut *connection).await.map_err(self.0.sql())?;
        let Some(row) = row else { return Ok(None) };
        let key = self.key_of(&row)?;
        let owner = self.user_of_id(&mut connection, key.user).await?;
        Ok(Some((key, owner)))
    }

    /// Notes that a key was used today.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn key_used(&self, id: i64, day: &str) -> Result<(), RecordsError> {
        let mut change = self.0.begin().await?;
        sqlx::query("UPDATE api_key SET last_used_day = $2 WHERE id = $1")
            .bind(id)
            .bind(day)
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        change.commit().await
    }

    /// Ends a key at once. One that counts no more already stays as it is.
    ///
    /// # Errors
    /// [`PeopleError::NoKey`], what the records say.
    pub async fn revoke_key(&self, caller: &Caller, prefix: &str) -> Result<KeyRecord, PeopleError> {
        let mut change = self.0.begin().await?;
        let key = self.key_on(&mut change, prefix).await?;
        if key.revoked_at.is_some() {
            return Ok(key);
        }
        sqlx::query("UPDATE api_key SET revoked_at = $2 WHERE id = $1")
            .bind(key.id)
            .bind(clock::now_rfc3339())
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        let key = self.key_on(&mut change, prefix).await?;
        let happening = Happening::new(Kind::KeyRevoked).about([Object::Key(key.id), Object::User(key.user)]);
        self.settle(change, caller, &happening).await?;
        Ok(key)
    }

    /// Replaces a key: the new one has the same limits, the old one counts for [`KEY_ROTATION_H`] hours more.
    ///
    /// # Errors
    /// [`PeopleError::NoKey`], [`PeopleError::Dead`], what the records say.
    pub async fn rotate_key(
        &self,
        caller: &Caller,
        prefix: &str,
        new: impl FnOnce(&KeyRecord) -> NewKeyRecord,
    ) -> Result<KeyRecord, PeopleError> {
        let mut change = self.0.begin().await?;
        let old = self.key_on(&mut change, prefix).await?;
        if !old.counts() {
            return Err(PeopleError::Dead(prefix.to_owned()));
        }
        self.check_key_count(&mut change, old.user).await?;
        let made = self.insert_key(&mut change, old.user, &new(&old), Some(old.id)).await?;
        let end = clock::rfc3339_in(Duration::from_hours(KEY_ROTATION_H));
        sqlx::query("UPDATE api_key SET expires_at = $2 WHERE id = $1 AND expires_at > $2")
            .bind(old.id)
            .bind(end)
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        let happening = Happening::new(Kind::KeyRotated)
            .about([Object::Key(made.id), Object::User(old.user)])
            .with("replaces", Detail::Number(old.id as u64));
        self.settle(change, caller, &happening).await?;
        Ok(made)
    }

    /// Ends all keys of a user, and says which those were.
    pub(super) async fn revoke_all(&self, change: &mut Change, user: i64) -> Result<Vec<Object>, RecordsError> {
        let update = "UPDATE api_key SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL RETURNING id";
        let query = sqlx::query_scalar::<_, i64>(update).bind(user).bind(clock::now_rfc3339());
        let mut ids = query.fetch_all(&mut *change.transaction).await.map_err(self.0.sql())?;
        ids.sort_unstable();
        Ok(ids.into_iter().map(Object::Key).collect())
    }

    async fn key_on(&self, change: &mut Change, prefix: &str) -> Result<KeyRecord, PeopleError> {
        let row = sqlx::query(ONE).bind(prefix).fetch_optional(&mut *change.transaction).await;
        let row = row.map_err(self.0.sql())?.ok_or_else(|| PeopleError::NoKey(prefix.to_owned()))?;
        Ok(self.key_of(&row)?)
    }

    fn key_of(&self, row: &DbRow) -> Result<KeyRecord, RecordsError> {
        let optional = |column: &str| row.try_get::<Option<String>, _>(column).map_err(self.0.sql());
        let number = |column: &str| row.try_get::<i64, _>(column).map_err(self.0.sql());
        let galleries = self.parsed(row, "galleries", |text| match text {
            "*" => Some(None),
            names => names.split_whitespace().map(|name| name.parse().ok()).collect::<Option<_>>().map(Some),
        })?;
        let permissions = self.parsed(row, "permissions", |text| {
            text.split_whitespace().map(|word| word.parse().ok()).collect::<Option<_>>()
        })?;
        Ok(KeyRecord {
            id: number("id")?,
            prefix: self.text(row, "prefix")?,
            sha256: self.parsed(row, "secret_sha256", hex::decode_32)?,
            user: number("user_id")?,
            limits: Limits { permissions, galleries },
            rate_per_min: u32::try_from(number("rate_per_min")?).unwrap_or(1),
            created_at: self.text(row, "created_at")?,
            expires_at: self.text(row, "expires_at")?,
            revoked_at: optional("revoked_at")?,
            last_used_day: optional("last_used_day")?,
        })
    }
}
