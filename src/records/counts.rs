//! How often what was done in some time, by gallery: numbers that anybody may see, and no one's name.

use sqlx::Row as _;

use crate::base::day::Day;
use crate::base::limits::COUNTS_MAX;
use crate::records::{Records, RecordsError};

/// How often something was done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counted {
    /// In which gallery.
    pub gallery: String,
    /// What: searches, reviews, leads ...
    pub what: &'static str,
    /// Of which kind: a purpose, a state, an outcome; empty where there is one only, or none was stated.
    pub kind: String,
    /// How often.
    pub count: u64,
}

/// From the day `$1` on and before `$2`, at most `$3`.
const COUNTS: [(&str, &str); 6] = [
    (
        "searches",
        "SELECT s.gallery AS gallery, COALESCE(t.purpose, '') AS kind, COUNT(*) AS counted FROM search s \
         LEFT JOIN search_statement t ON t.search_id = s.id WHERE s.at >= $1 AND s.at < $2 \
         GROUP BY s.gallery, COALESCE(t.purpose, '') LIMIT $3",
    ),
    (
        "reviews",
        "SELECT r.gallery AS gallery, r.state AS kind, COUNT(*) AS counted FROM review r \
         WHERE r.opened_at >= $1 AND r.opened_at < $2 GROUP BY r.gallery, r.state LIMIT $3",
    ),
    (
        "leads",
        "SELECT l.gallery AS gallery, '' AS kind, COUNT(*) AS counted FROM lead l \
         WHERE l.made_at >= $1 AND l.made_at < $2 GROUP BY l.gallery LIMIT $3",
    ),
    (
        "outcomes of leads",
        "SELECT l.gallery AS gallery, o.outcome AS kind, COUNT(*) AS counted FROM lead_outcome o JOIN lead l ON l.id = o.lead_id \
         WHERE o.at >= $1 AND o.at < $2 GROUP BY l.gallery, o.outcome LIMIT $3",
    ),
    (
        "disclosures",
        "SELECT d.gallery AS gallery, '' AS kind, COUNT(*) AS counted FROM disclosure d \
         WHERE d.made_at >= $1 AND d.made_at < $2 GROUP BY d.gallery LIMIT $3",
    ),
    (
        "references erased",
        "SELECT t.gallery AS gallery, '' AS kind, COUNT(*) AS counted FROM template t \
         WHERE t.state = 'erased' AND t.erased_at >= $1 AND t.erased_at < $2 GROUP BY t.gallery LIMIT $3",
    ),
];

impl Records {
    /// What was done from one day on and before another, by gallery, in a fixed order.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::TooMany`].
    pub async fn counts(&self, from: Day, before: Day) -> Result<Vec<Counted>, RecordsError> {
        let mut found = Vec::new();
        for (what, select) in COUNTS {
            let query = sqlx::query(select).bind(from.to_string()).bind(before.to_string());
            let rows = query.bind(COUNTS_MAX as i64).fetch_all(&self.pool).await.map_err(self.sql())?;
            if rows.len() == COUNTS_MAX {
                return Err(RecordsError::TooMany { what: "kinds of what was done", limit: COUNTS_MAX });
            }
            for row in &rows {
                let (gallery, kind) = (row.try_get("gallery"), row.try_get("kind"));
                let count: i64 = row.try_get("counted").map_err(self.sql())?;
                let (gallery, kind) = (gallery.map_err(self.sql())?, kind.map_err(self.sql())?);
                found.push(Counted { gallery, what, kind, count: count as u64 });
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}
