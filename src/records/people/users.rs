//! Users and their roles.

use sqlx::Row as _;

use crate::audit::{Caller, Detail, Happening, Kind, Object};
use crate::base::clock;
use crate::base::ids::UserName;
use crate::base::limits::{ROLES_OF_USER_MAX, USERS_MAX};
use crate::records::people::{PeopleBook, PeopleError, UserRecord, UserState};
use crate::records::{Change, DbConnection, DbRow, RecordsError};
use crate::rights::{Grant, Within, check_grants};

const SELECT_ONE: &str = "SELECT id, name, display, state, locked_until, created_at FROM app_user WHERE name = $1";
const SELECT_ID: &str = "SELECT id, name, display, state, locked_until, created_at FROM app_user WHERE id = $1";
const SELECT: &str = "SELECT id, name, display, state, locked_until, created_at FROM app_user ORDER BY name LIMIT $1";

impl PeopleBook {
    /// All users by name.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn users(&self) -> Result<Vec<UserRecord>, RecordsError> {
        let query = sqlx::query(SELECT).bind(USERS_MAX as i64);
        let rows = query.fetch_all(&self.0.pool).await.map_err(self.0.sql())?;
        let mut users = rows.iter().map(|row| self.user_of(row)).collect::<Result<Vec<_>, _>>()?;
        let select = "SELECT user_id, role, gallery FROM user_role ORDER BY user_id, role, gallery";
        let mut grants: std::collections::HashMap<i64, Vec<Grant>> = std::collections::HashMap::new();
        for row in sqlx::query(select).fetch_all(&self.0.pool).await.map_err(self.0.sql())? {
            let id = row.try_get("user_id").map_err(self.0.sql())?;
            grants.entry(id).or_default().push(self.grant_of(&row)?);
        }
        for user in &mut users {
            user.grants = grants.remove(&user.id).unwrap_or_default();
        }
        Ok(users)
    }

    /// One user.
    ///
    /// # Errors
    /// [`PeopleError::NoUser`], what the records say.
    pub async fn user(&self, name: &UserName) -> Result<UserRecord, PeopleError> {
        let mut connection = self.0.pool.acquire().await.map_err(self.0.sql())?;
        self.user_on(&mut connection, name).await
    }

    pub(super) async fn user_on(
        &self,
        connection: &mut DbConnection,
        name: &UserName,
    ) -> Result<UserRecord, PeopleError> {
        let row = sqlx::query(SELECT_ONE).bind(name.as_str()).fetch_optional(&mut *connection).await;
        let row = row.map_err(self.0.sql())?.ok_or_else(|| PeopleError::NoUser(name.clone()))?;
        Ok(self.with_grants(connection, self.user_of(&row)?).await?)
    }

    pub(super) async fn user_of_id(&self, connection: &mut DbConnection, id: i64) -> Result<UserRecord, RecordsError> {
        let row = sqlx::query(SELECT_ID).bind(id).fetch_one(&mut *connection).await.map_err(self.0.sql())?;
        self.with_grants(connection, self.user_of(&row)?).await
    }

    async fn with_grants(&self, connection: &mut DbConnection, user: UserRecord) -> Result<UserRecord, RecordsError> {
        let select = "SELECT role, gallery FROM user_role WHERE user_id = $1 ORDER BY role, gallery";
        let rows = sqlx::query(select).bind(user.id).fetch_all(connection).await.map_err(self.0.sql())?;
        let grants = rows.iter().map(|row| self.grant_of(row)).collect::<Result<_, _>>()?;
        Ok(UserRecord { grants, ..user })
    }

    /// Adds a user.
    ///
    /// # Errors
    /// [`PeopleError::Taken`], [`PeopleError::Rights`], what the records say.
    pub async fn add(
        &self,
        caller: &Caller,
        name: &UserName,
        display: &str,
        grants: &[Grant],
    ) -> Result<UserRecord, PeopleError> {
        check_grants(grants)?;
        let mut change = self.0.begin().await?;
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM app_user")
            .fetch_one(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        if count >= USERS_MAX as i64 {
            return Err(RecordsError::TooMany { what: "users", limit: USERS_MAX }.into());
        }
        match self.user_on(&mut change.transaction, name).await {
            Err(PeopleError::NoUser(_)) => {}
            Ok(_) => return Err(PeopleError::Taken(name.clone())),
            Err(error) => return Err(error),
        }
        let insert = "INSERT INTO app_user (id, name, display, state, failed_count, created_at, changed_at) \
             SELECT COALESCE(MAX(id), 0) + 1, $1, $2, 'active', 0, $3, $3 FROM app_user RETURNING id";
        let id: i64 = sqlx::query_scalar(insert)
            .bind(name.as_str())
            .bind(display)
            .bind(clock::now_rfc3339())
            .fetch_one(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        change.tell(caller, &Happening::new(Kind::UserAdded).about([Object::User(id)])).await?;
        for grant in grants {
            self.insert_role(&mut change, caller, id, grant).await?;
        }
        let added = self.user_on(&mut change.transaction, name).await?;
        check_count(&added.grants)?;
        change.commit().await?;
        Ok(added)
    }

    /// Gives a user a role. One that they have is no error, and no event.
    ///
    /// # Errors
    /// [`PeopleError::NoUser`], [`PeopleError::Left`], [`PeopleError::Rights`], what the records say.
    pub async fn grant(&self, caller: &Caller, name: &UserName, grant: &Grant) -> Result<UserRecord, PeopleError> {
        let mut change = self.0.begin().await?;
        let user = self.present(&mut change, name).await?;
        if user.grants.contains(grant) {
            return Ok(user);
        }
        let mut after = user.grants;
        after.push(grant.clone());
        check_grants(&after)?;
        check_count(&after)?;
        self.insert_role(&mut change, caller, user.id, grant).await?;
        let user = self.user_on(&mut change.transaction, name).await?;
        change.commit().await?;
        Ok(user)
    }

    async fn insert_role(
        &self,
        change: &mut Change,
        caller: &Caller,
        user: i64,
        grant: &Grant,
    ) -> Result<(), PeopleError> {
        sqlx::query("INSERT INTO user_role (user_id, role, gallery, granted_at) VALUES ($1, $2, $3, $4)")
            .bind(user)
            .bind(grant.role.as_str())
            .bind(grant.within.to_string())
            .bind(clock::now_rfc3339())
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        Ok(change.tell(caller, &role_event(Kind::UserRoleGranted, user, grant)).await?)
    }

    /// Takes a role from a user.
    ///
    /// # Errors
    /// [`PeopleError::NoUser`], [`PeopleError::NoRole`], what the records say.
    pub async fn withdraw(&self, caller: &Caller, name: &UserName, grant: &Grant) -> Result<UserRecord, PeopleError> {
        let mut change = self.0.begin().await?;
        let user = self.user_on(&mut change.transaction, name).await?;
        if !user.grants.contains(grant) {
            return Err(PeopleError::NoRole(name.clone(), grant.clone()));
        }
        sqlx::query("DELETE FROM user_role WHERE user_id = $1 AND role = $2 AND gallery = $3")
            .bind(user.id)
            .bind(grant.role.as_str())
            .bind(grant.within.to_string())
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        let after = self.user_on(&mut change.transaction, name).await?;
        self.settle(change, caller, &role_event(Kind::UserRoleWithdrawn, user.id, grant)).await?;
        Ok(after)
    }

    /// Locks a user, unlocks them (wrong passwords are forgotten too), or lets them go for good: then their password and their
    /// keys count no more.
    ///
    /// # Errors
    /// [`PeopleError::NoUser`], [`PeopleError::Left`], what the records say.
    pub async fn set_state(
        &self,
        caller: &Caller,
        name: &UserName,
        state: UserState,
    ) -> Result<UserRecord, PeopleError> {
        let mut change = self.0.begin().await?;
        let user = self.present(&mut change, name).await?;
        let update =
            "UPDATE app_user SET state = $2, changed_at = $3, failed_count = 0, locked_until = NULL WHERE id = $1";
        sqlx::query(update)
            .bind(user.id)
            .bind(state.as_str())
            .bind(clock::now_rfc3339())
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        let kind = match state {
            UserState::Active => Kind::UserUnlocked,
            UserState::Locked => Kind::UserLocked,
            UserState::Left => Kind::UserLeft,
        };
        if state != UserState::Active {
            self.end_sessions(&mut change, user.id).await?;
        }
        let mut happening = Happening::new(kind).about([Object::User(user.id)]);
        if state == UserState::Left {
            sqlx::query("DELETE FROM user_secret WHERE user_id = $1")
                .bind(user.id)
                .execute(&mut *change.transaction)
                .await
                .map_err(self.0.sql())?;
            self.forget_factor(&mut change, user.id).await?;
            self.forget_identities(&mut change, user.id).await?;
            happening = happening.about(self.revoke_all(&mut change, user.id).await?);
        }
        let after = self.user_on(&mut change.transaction, name).await?;
        self.settle(change, caller, &happening).await?;
        Ok(after)
    }

    /// A user who has not left.
    pub(super) async fn present(&self, change: &mut Change, name: &UserName) -> Result<UserRecord, PeopleError> {
        let user = self.user_on(&mut change.transaction, name).await?;
        if user.state == UserState::Left { Err(PeopleError::Left(name.clone())) } else { Ok(user) }
    }

    fn user_of(&self, row: &DbRow) -> Result<UserRecord, RecordsError> {
        Ok(UserRecord {
            id: row.try_get("id").map_err(self.0.sql())?,
            name: self.parsed(row, "name", |text| text.parse().ok())?,
            display: self.text(row, "display")?,
            state: self.parsed(row, "state", UserState::parse)?,
            locked_until: row.try_get("locked_until").map_err(self.0.sql())?,
            created_at: self.text(row, "created_at")?,
            grants: Vec::new(),
        })
    }

    fn grant_of(&self, row: &DbRow) -> Result<Grant, RecordsError> {
        let role = self.parsed(row, "role", |text| text.parse().ok())?;
        Ok(Grant { role, within: self.parsed(row, "gallery", |text| text.parse().ok())? })
    }
}

fn check_count(grants: &[Grant]) -> Result<(), RecordsError> {
    let limit = ROLES_OF_USER_MAX;
    if grants.len() > limit { Err(RecordsError::TooMany { what: "roles of one user", limit }) } else { Ok(()) }
}

fn role_event(kind: Kind, user: i64, grant: &Grant) -> Happening {
    let happening = Happening::new(kind).about([Object::User(user)]).with("role", Detail::Word(grant.role.as_str()));
    match &grant.within {
        Within::All => happening,
        Within::Gallery(name) => happening.of(name),
    }
}
