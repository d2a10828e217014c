//! What searches stated: why, on what basis, of which case; kept with the search, and shown to nobody who was not shown that.

use sqlx::Row as _;

use crate::audit::searched::Authorised;
use crate::base::hex;
use crate::policy::Stated;
use crate::records::lists::NO_SALT;
use crate::records::{Change, Records, RecordsError};

/// What a search stated, and the policy that it was held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What was stated. There is a purpose.
    pub stated: Stated,
    /// Of the policy.
    pub policy_sha256: [u8; 32],
    /// Whose pictures are searched with, where they did not come with the search.
    pub of: Option<SearchOf>,
}

/// Whose pictures are searched with, where they did not come with the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchOf {
    /// Those of a submission, by its number.
    Submission(i64),
    /// That of an unsolved probe, by its number.
    Unsolved(i64),
}

impl Change {
    pub(super) async fn add_statement(&mut self, search: i64, statement: &Statement) -> Result<(), RecordsError> {
        let Statement { stated, policy_sha256, of } = statement;
        // Who authorised it stands with what the log binds.
        let Stated { purpose, lawful_basis, seriousness, case_ref, reason, authoriser: _ } = stated;
        let insert = "INSERT INTO search_statement (search_id, purpose, lawful_basis, seriousness, policy_sha256) \
             VALUES ($1, $2, $3, $4, $5)";
        sqlx::query(insert)
            .bind(search)
            .bind(purpose.as_deref().unwrap_or_default())
            .bind(lawful_basis.as_deref())
            .bind(seriousness.as_deref())
            .bind(hex::encode(policy_sha256))
            .execute(&mut *self.transaction)
            .await
            .map_err(self.sql())?;
        for (field, said) in [("case_ref", case_ref), ("reason", reason)] {
            let Some(said) = said else { continue };
            sqlx::query("INSERT INTO search_text (search_id, field, said) VALUES ($1, $2, $3)")
                .bind(search)
                .bind(field)
                .bind(said)
                .execute(&mut *self.transaction)
                .await
                .map_err(self.sql())?;
        }
        match of {
            Some(SearchOf::Submission(submission)) => self.searched_with(*submission, search).await,
            Some(SearchOf::Unsolved(unsolved)) => self.rescanned(*unsolved, search).await,
            None => Ok(()),
        }
    }

    /// Keeps who authorised a search.
    pub(super) async fn add_authoriser(&mut self, search: i64, authorised: &Authorised) -> Result<(), RecordsError> {
        let Authorised::By { name, salt } = authorised else { return Ok(()) };
        let insert = "INSERT INTO search_authoriser (search_id, said, salt, entry) VALUES ($1, $2, $3, $4)";
        let query = sqlx::query(insert).bind(search).bind(name).bind(salt.to_string());
        let query = query.bind(authorised.entry(search).to_string()).execute(&mut *self.transaction);
        query.await.map(drop).map_err(self.sql())
    }

    /// Overwrites who authorised a search, and the salt of their hash.
    pub(super) async fn forget_authoriser(&mut self, search: i64) -> Result<(), RecordsError> {
        self.overwrite("search_authoriser", &["said"], "search_id = $1", &[search.into()]).await?;
        let update = "UPDATE search_authoriser SET salt = $2 WHERE search_id = $1";
        let query = sqlx::query(update).bind(search).bind(NO_SALT).execute(&mut *self.transaction);
        query.await.map(drop).map_err(self.sql())
    }
}

impl Records {
    /// Who authorised a search; `None` where that was not stated.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub(super) async fn authorised(&self, search: i64) -> Result<Option<Authorised>, RecordsError> {
        let select = "SELECT said, salt, entry FROM search_authoriser WHERE search_id = $1";
        let query = sqlx::query_as::<_, (String, String, String)>(select).bind(search);
        let Some((name, salt, entry)) = query.fetch_optional(&self.pool).await.map_err(self.sql())? else {
            return Ok(None);
        };
        let bad = |_| self.damaged("who authorised a search is bound by no hash".to_owned());
        Ok(Some(if salt == NO_SALT {
            Authorised::Ended(entry.parse().map_err(bad)?)
        } else {
            Authorised::By { name, salt: salt.parse().map_err(bad)? }
        }))
    }

    /// What a search stated; `None` where it stated nothing, or there is no such search.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn stated(&self, search: i64) -> Result<Option<Statement>, RecordsError> {
        let select = "SELECT purpose, lawful_basis, seriousness, policy_sha256, \
             (SELECT said FROM search_text t WHERE t.search_id = s.search_id AND field = 'case_ref') AS case_ref, \
             (SELECT said FROM search_text t WHERE t.search_id = s.search_id AND field = 'reason') AS reason, \
             (SELECT said FROM search_authoriser a WHERE a.search_id = s.search_id) AS authoriser, \
             (SELECT w.submission_id FROM submission_search w WHERE w.search_id = s.search_id) AS submission, \
             (SELECT w.unsolved_id FROM unsolved_search w WHERE w.search_id = s.search_id) AS unsolved \
             FROM search_statement s WHERE search_id = $1";
        let row = sqlx::query(select).bind(search).fetch_optional(&self.pool).await.map_err(self.sql())?;
        let Some(row) = row else { return Ok(None) };
        let text = |column: &str| row.try_get::<Option<String>, _>(column).map_err(self.sql());
        let stated = Stated {
            purpose: text("purpose")?,
            lawful_basis: text("lawful_basis")?,
            seriousness: text("seriousness")?,
            case_ref: text("case_ref")?,
            reason: text("reason")?,
            authoriser: text("authoriser")?,
        };
        let policy = text("policy_sha256")?.as_deref().and_then(hex::decode_32);
        let policy_sha256 = policy.ok_or_else(|| self.damaged("a search was held against no policy".to_owned()))?;
        let number = |column: &str| row.try_get::<Option<i64>, _>(column).map_err(self.sql());
        let unsolved = number("unsolved")?.map(SearchOf::Unsolved);
        let of = number("submission")?.map(SearchOf::Submission).or(unsolved);
        Ok(Some(Statement { stated, policy_sha256, of }))
    }
}
