//! What became of subjects after a backup was taken, done again in what is restored from it beside them.

use crate::base::ids::GalleryName;
use crate::records::DbConnection;

/// `$1` is the gallery that the backup is of, `$2` what was restored from it. Whom an image shows may have changed between
/// them, so each image of somebody who is restricted restricts whom it shows in the copy.
const RESTRICT: &str = "UPDATE subject SET restricted_at = (SELECT MIN(o.restricted_at) FROM image i \
     JOIN image j ON j.gallery = $1 AND j.template_id = i.template_id JOIN subject o ON o.id = j.subject_id \
     WHERE i.subject_id = subject.id AND i.state = 'live' AND j.state = 'live') \
     WHERE gallery = $2 AND state = 'live' AND restricted_at IS NULL AND EXISTS (SELECT 1 FROM image i \
     JOIN image j ON j.gallery = $1 AND j.template_id = i.template_id JOIN subject o ON o.id = j.subject_id \
     WHERE i.subject_id = subject.id AND i.state = 'live' AND j.state = 'live' AND o.restricted_at IS NOT NULL)";

/// As [`RESTRICT`], of holds that stand and did not come with the backup. One may hold several in the copy.
const HOLD: &str = "INSERT INTO legal_hold (id, gallery, subject_id, placed_by, placed_at) \
     SELECT (SELECT MAX(id) FROM legal_hold) + ROW_NUMBER() OVER (ORDER BY n.hold, n.subject), $2, n.subject, n.placed_by, n.placed_at \
     FROM (SELECT DISTINCT h.id AS hold, i.subject_id AS subject, h.placed_by AS placed_by, h.placed_at AS placed_at \
     FROM legal_hold h JOIN image j ON j.subject_id = h.subject_id AND j.state = 'live' \
     JOIN image i ON i.gallery = $2 AND i.template_id = j.template_id AND i.state = 'live' \
     WHERE h.gallery = $1 AND h.lifted_at IS NULL AND NOT EXISTS (SELECT 1 FROM legal_hold k WHERE k.subject_id = i.subject_id \
     AND k.lifted_at IS NULL AND k.placed_by = h.placed_by AND k.placed_at = h.placed_at)) n";

/// Subjects who were restricted and holds that were placed since.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::records) struct Since {
    pub(in crate::records) restricted: u64,
    pub(in crate::records) held: u64,
}

/// Restricts and holds in `restored` whom `origin`, of which it is a copy, restricts and holds now. What was lifted since stays as it was:
/// somebody who is found too seldom is asked about, and somebody erased too early is gone.
pub(in crate::records) async fn restrict_and_hold_as_now(
    connection: &mut DbConnection,
    origin: &GalleryName,
    restored: &GalleryName,
) -> Result<Since, sqlx::Error> {
    let mut counts = [0; 2];
    for (count, statement) in counts.iter_mut().zip([RESTRICT, HOLD]) {
        let query = sqlx::query(statement).bind(origin.as_str()).bind(restored.as_str());
        *count = query.execute(&mut *connection).await?.rows_affected();
    }
    let [restricted, held] = counts;
    Ok(Since { restricted, held })
}
