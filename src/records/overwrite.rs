//! Forgetting texts: they are overwritten in their own length, so that their rows stay in their places in SQLite's pages and
//! no copy is left in one that was freed.

use crate::base::limits::{QUALITY_BYTES_MAX, RECORD_TEXT_BYTES_MAX};
use crate::records::sql::{Bound, SqlBuilder};
use crate::records::{Change, RecordsError};

/// The longest text that there is. What is kept may be longer than what was sent: a control character becomes a mark of three bytes.
pub(in crate::records) const TEXT_BYTES_MAX: usize =
    if QUALITY_BYTES_MAX > 4 * RECORD_TEXT_BYTES_MAX { QUALITY_BYTES_MAX } else { 4 * RECORD_TEXT_BYTES_MAX };

impl Change {
    /// Overwrites `columns` of the rows of `table` that `which` finds with as many `x` as they have bytes. `which` is what follows
    /// WHERE, with `bound` as its parameters from $1 on; like the names, it is of this program's text.
    pub(in crate::records) async fn overwrite(
        &mut self,
        table: &str,
        columns: &[&str],
        which: &str,
        bound: &[Bound],
    ) -> Result<(), RecordsError> {
        let (text, bound) = statement(table, columns, which, bound);
        let query = SqlBuilder::numbered(text, bound).build();
        query.execute(&mut *self.transaction).await.map(drop).map_err(self.sql())
    }
}

fn statement(table: &str, columns: &[&str], which: &str, bound: &[Bound]) -> (String, Vec<Bound>) {
    let filler = bound.len() + 1;
    let set: Vec<_> =
        columns.iter().map(|column| format!("{column} = substr(${filler}, 1, octet_length({column}))")).collect();
    let mut bound = bound.to_vec();
    bound.push(Bound::from("x".repeat(TEXT_BYTES_MAX)));
    (format!("UPDATE {table} SET {} WHERE {which}", set.join(", ")), bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filler_follows_what_finds_the_rows() {
        let (text, bound) = statement("note", &["said", "tool"], "a = $1 AND b = $2", &[1_i64.into(), "c".into()]);
        let set = "said = substr($3, 1, octet_length(said)), tool = substr($3, 1, octet_length(tool))";
        assert_eq!(text, format!("UPDATE note SET {set} WHERE a = $1 AND b = $2"));
        assert!(matches!(&bound[2], Bound::Text(Some(filler)) if filler.len() == TEXT_BYTES_MAX));
    }
}
