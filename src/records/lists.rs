//! Candidate lists that end: candidates with whom they show, whole lists with their period. What the log binds of a list stays: the hash
//! by which it names a candidate.

use sqlx::Row as _;

use crate::audit::{Caller, Detail, Happening, Kind, Object};
use crate::base::clock;
use crate::base::day::Day;
use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::{LISTS_EMPTIED_AT_ONCE, SUBJECT_PAGE_MAX};
use crate::records::disclosures::DisclosureBook;
use crate::records::templates::IDS_PER_STATEMENT;
use crate::records::{Change, DbRow, RecordsError, SqlBuilder};

/// As many digits as a salt has.
pub(super) const NO_SALT: &str = "00000000000000000000000000000000";

/// Searches of a gallery whose list is over: of those that became no lead and were disclosed to nobody, the ones before `$2`; of the others
/// the ones before `$3`. What is under review, and whatever shows somebody who is under legal hold, stays.
const TO_EMPTY: &str = "SELECT s.id AS id FROM search s LEFT JOIN review r ON r.search_id = s.id LEFT JOIN lead l ON l.review_id = r.id \
     WHERE s.gallery = $1 AND s.emptied_at IS NULL AND s.at < $2 \
     AND (r.id IS NULL OR r.state IN ('lead', 'closed_negative', 'closed_conflict', 'withdrawn')) \
     AND (COALESCE(l.made_at, s.at) < $3 OR (l.id IS NULL AND NOT EXISTS (SELECT 1 FROM disclosure d WHERE d.search_id = s.id))) \
     AND NOT EXISTS (SELECT 1 FROM search_candidate c JOIN image i ON i.gallery = s.gallery AND i.template_id = c.template_id \
     JOIN legal_hold h ON h.subject_id = i.subject_id AND h.lifted_at IS NULL WHERE c.search_id = s.id) ORDER BY s.at, s.id LIMIT $4";

/// Reviews of a gallery that were opened before `$2` and are not over, but for what shows somebody who is under legal hold.
const OPEN_TOO_LONG: &str = "SELECT r.id AS id, r.search_id AS search_id, r.opened_at AS opened_at FROM review r \
     WHERE r.gallery = $1 AND r.opened_at < $2 \
     AND r.state IN ('open', 'first', 'awaiting_second', 'second', 'conflict', 'third') \
     AND NOT EXISTS (SELECT 1 FROM search_candidate c JOIN image i ON i.gallery = r.gallery AND i.template_id = c.template_id \
     JOIN legal_hold h ON h.subject_id = i.subject_id AND h.lifted_at IS NULL WHERE c.search_id = r.search_id) \
     ORDER BY r.opened_at, r.id LIMIT $3";

/// What was stated and written about a search ($1), and what was drawn of it in samples: tables, and which of their rows.
const SAID: [(&str, &str); 5] = [
    ("search_text", "search_id = $1"),
    ("review_text", "review_id IN (SELECT id FROM review WHERE search_id = $1)"),
    ("disclosure_text", "field = 'reason' AND disclosure_id IN (SELECT id FROM disclosure WHERE search_id = $1)"),
    (
        "sample_text",
        "EXISTS (SELECT 1 FROM sample_item i \
         WHERE i.sample_id = sample_text.sample_id AND i.position = sample_text.position AND i.search_id = $1)",
    ),
    ("unsolved_text", "unsolved_id IN (SELECT id FROM unsolved WHERE search_id = $1)"),
];

/// A review that is open longer than its list is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenTooLong {
    /// Its number.
    pub review: i64,
    /// Of which search.
    pub search: i64,
    /// Since when, RFC 3339.
    pub opened_at: String,
}

/// Until when lists were made that are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// Lists made before this day.
    pub lists: Day,
    /// Leads made, and searches that were disclosed, before this one.
    pub leads: Day,
}

impl DisclosureBook {
    /// Empties the lists of a gallery that are over, some at once, in one transaction with the event that names them; how many. To be
    /// called again until there are none.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn empty_lists(&self, gallery: &GalleryName, over: Over) -> Result<usize, RecordsError> {
        let mut change = self.records.begin().await?;
        let query = sqlx::query(TO_EMPTY).bind(gallery.as_str()).bind(over.lists.to_string());
        let query = query.bind(over.leads.to_string()).bind(LISTS_EMPTIED_AT_ONCE as i64);
        let rows = query.fetch_all(&mut *change.transaction).await.map_err(change.sql())?;
        let ids = rows.iter().map(|row| row.try_get::<i64, _>("id")).collect::<Result<Vec<_>, _>>();
        let ids = ids.map_err(change.sql())?;
        if ids.is_empty() {
            return Ok(0);
        }
        for &id in &ids {
            change.empty_list(id).await?;
        }
        let emptied = Happening::new(Kind::SearchEmptied).of(gallery);
        change.tell(&self.caller, &emptied.about(ids.iter().map(|&id| Object::Search(id)))).await?;
        change.commit().await?;
        Ok(ids.len())
    }

    /// Reviews of a gallery that were opened before a day and are not over, the longest open first, at most `limit`. What shows somebody who
    /// is under legal hold is not among them.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn open_too_long(
        &self,
        gallery: &GalleryName,
        before: Day,
        limit: usize,
    ) -> Result<Vec<OpenTooLong>, RecordsError> {
        let query = sqlx::query(OPEN_TOO_LONG).bind(gallery.as_str()).bind(before.to_string());
        let query = query.bind(limit.min(SUBJECT_PAGE_MAX) as i64);
        let rows = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        let one = |row: &DbRow| {
            let (review, search) = (row.try_get("id")?, row.try_get("search_id")?);
            Ok(OpenTooLong { review, search, opened_at: row.try_get("opened_at")? })
        };
        rows.iter().map(one).collect::<Result<_, sqlx::Error>>().map_err(self.records.sql())
    }

    /// Withdraws such reviews, some at once, in one transaction with the event that names them; how many. To be called again until there
    /// are none.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn withdraw_open_too_long(&self, gallery: &GalleryName, before: Day) -> Result<usize, RecordsError> {
        let mut change = self.records.begin().await?;
        let query = sqlx::query(OPEN_TOO_LONG).bind(gallery.as_str()).bind(before.to_string());
        let query = query.bind(LISTS_EMPTIED_AT_ONCE as i64);
        let rows = query.fetch_all(&mut *change.transaction).await.map_err(change.sql())?;
        let ids = rows.iter().map(|row| row.try_get::<i64, _>("id")).collect::<Result<Vec<_>, _>>();
        let ids = ids.map_err(change.sql())?;
        if ids.is_empty() {
            return Ok(0);
        }
        // Whoever has one of them before them hears that somebody else changed it.
        let update = "UPDATE review SET state = 'withdrawn', version = version + 1, claimed_by = NULL, claimed_until = NULL, \
             seen_at = NULL, seen_sha256 = NULL, changed_at = $2 WHERE id = $1";
        for id in &ids {
            let query = sqlx::query(update).bind(*id).bind(clock::now_rfc3339());
            query.execute(&mut *change.transaction).await.map_err(change.sql())?;
        }
        let withdrawn = Happening::new(Kind::ReviewWithdrawn).of(gallery).with("state", Detail::Word("withdrawn"));
        let withdrawn = withdrawn.about(ids.iter().map(|&id| Object::Review(id)));
        change.tell(&Caller::itself("their period was over"), &withdrawn).await?;
        change.commit().await?;
        Ok(ids.len())
    }

    /// When the list of a search was emptied; `None` while it is there.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn emptied(&self, search: i64) -> Result<Option<String>, RecordsError> {
        let select = "SELECT emptied_at FROM search WHERE id = $1";
        let found = sqlx::query_scalar::<_, Option<String>>(select).bind(search);
        Ok(found.fetch_optional(&self.records.pool).await.map_err(self.records.sql())?.flatten())
    }
}

impl Change {
    /// Refuses what is about a list that is not there any more: what would be written of it now would never go.
    ///
    /// # Errors
    /// [`RecordsError::ListEmptied`], [`RecordsError::Sql`].
    pub(in crate::records) async fn refuse_emptied(&mut self, search: i64) -> Result<(), RecordsError> {
        let select = "SELECT COUNT(*) AS emptied FROM search WHERE id = $1 AND emptied_at IS NOT NULL";
        let query = sqlx::query_scalar::<_, i64>(select).bind(search).fetch_one(&mut *self.transaction);
        if query.await.map_err(self.sql())? > 0 { Err(RecordsError::ListEmptied(search)) } else { Ok(()) }
    }

    /// Whether the erasure of one of these was begun.
    pub(in crate::records) async fn is_any_erased(
        &mut self,
        gallery: &GalleryName,
        ids: &[TemplateId],
    ) -> Result<bool, RecordsError> {
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut gone = SqlBuilder::new("SELECT COUNT(*) AS gone FROM template WHERE gallery = ");
            gone.push_bind(gallery.as_str()).push(" AND state IN ('erasing', 'erased') AND id IN (");
            gone.push_list(some.iter().map(|id| id.0 as i64)).push(")");
            let gone: i64 = gone.build_query_scalar().fetch_one(&mut *self.transaction).await.map_err(self.sql())?;
            if gone > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Refuses what somebody says of a list on which one of `shown` was when they read it, and is being erased or gone: the erasure has
    /// overwritten the words that there were, and would not come back for these.
    ///
    /// # Errors
    /// [`RecordsError::ErasedSince`], [`RecordsError::Sql`].
    pub(in crate::records) async fn refuse_erased_since(
        &mut self,
        gallery: &GalleryName,
        shown: &[TemplateId],
    ) -> Result<(), RecordsError> {
        if self.is_any_erased(gallery, shown).await? { Err(RecordsError::ErasedSince) } else { Ok(()) }
    }

    /// Refuses what somebody says of the list of a search at which they looked `at` that time, where somebody on it was erased after that.
    ///
    /// # Errors
    /// [`RecordsError::ErasedSince`], [`RecordsError::Sql`].
    pub(in crate::records) async fn refuse_erased_after(&mut self, search: i64, at: &str) -> Result<(), RecordsError> {
        // Lists of before there were salts don't say when.
        let select = "SELECT COUNT(*) FROM search_candidate c JOIN search s ON s.id = c.search_id \
             LEFT JOIN template t ON t.gallery = s.gallery AND t.id = c.template_id \
             WHERE c.search_id = $1 AND (c.erased_at > $2 OR t.erased_at > $2)";
        let query = sqlx::query_scalar::<_, i64>(select).bind(search).bind(at).fetch_one(&mut *self.transaction);
        if query.await.map_err(self.sql())? > 0 { Err(RecordsError::ErasedSince) } else { Ok(()) }
    }

    /// Takes an erased template off every list that was shown of its gallery. Lists of before there were salts keep its number: without
    /// it nobody could check them any more.
    pub(in crate::records) async fn forget_listed(
        &mut self,
        gallery: &GalleryName,
        id: TemplateId,
    ) -> Result<(), RecordsError> {
        let update = "UPDATE search_candidate SET template_id = 0, score = 0, salt = $3, erased_at = $4 \
             WHERE template_id = $2 AND salt IS NOT NULL \
             AND EXISTS (SELECT 1 FROM search s WHERE s.id = search_candidate.search_id AND s.gallery = $1)";
        let query =
            sqlx::query(update).bind(gallery.as_str()).bind(id.0 as i64).bind(NO_SALT).bind(clock::now_rfc3339());
        query.execute(&mut *self.transaction).await.map(drop).map_err(self.sql())
    }

    async fn empty_list(&mut self, search: i64) -> Result<(), RecordsError> {
        for (table, which) in SAID {
            self.overwrite(table, &["said"], which, &[search.into()]).await?;
        }
        self.forget_authoriser(search).await?;
        // Nothing is left to state when it is searched anew.
        self.expire_unsolved_search(search).await?;
        let now = clock::now_rfc3339();
        let update = "UPDATE search_candidate SET template_id = 0, score = 0, salt = $2, erased_at = COALESCE(erased_at, $3) \
             WHERE search_id = $1";
        let query = sqlx::query(update).bind(search).bind(NO_SALT).bind(&now);
        query.execute(&mut *self.transaction).await.map_err(self.sql())?;
        let query = sqlx::query("UPDATE search SET emptied_at = $2 WHERE id = $1").bind(search).bind(&now);
        query.execute(&mut *self.transaction).await.map(drop).map_err(self.sql())
    }
}
