//! Statements that are put together from pieces, with numbered parameters: lists and rows of any length.

use std::fmt::Write as _;

use sqlx::query::{Query, QueryScalar};
use sqlx::{AssertSqlSafe, Database, Decode, Type};

use crate::records::{Db, DbRow};

type Arguments = <Db as Database>::Arguments;

/// A statement and what is bound to it. All of its text is of this program; whatever comes from elsewhere is bound.
#[derive(Debug)]
pub(super) struct SqlBuilder {
    text: String,
    bound: Vec<Bound>,
}

/// What can be bound: the types that lists and rows have.
#[derive(Debug, Clone)]
pub(super) enum Bound {
    Number(Option<i64>),
    Text(Option<String>),
    Real(f64),
}

impl From<f64> for Bound {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<i64> for Bound {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Option<i64>> for Bound {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Bound {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Bound {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<&str>> for Bound {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<Option<String>> for Bound {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl SqlBuilder {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), bound: Vec::new() }
    }

    /// A statement that has its parameters' numbers already.
    pub(super) fn numbered(text: String, bound: Vec<Bound>) -> Self {
        Self { text, bound }
    }

    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub(super) fn push_bind(&mut self, value: impl Into<Bound>) -> &mut Self {
        self.bound.push(value.into());
        // Writing to a String can't fail.
        let _ = write!(self.text, "${}", self.bound.len());
        self
    }

    /// `a, b, c`, each bound.
    pub(super) fn push_list(&mut self, values: impl IntoIterator<Item = impl Into<Bound>>) -> &mut Self {
        for (position, value) in values.into_iter().enumerate() {
            if position > 0 {
                self.push(", ");
            }
            self.push_bind(value);
        }
        self
    }

    /// `VALUES (a, b), (c, d)`: a row an item, its values bound by `bind`.
    pub(super) fn push_values<I>(&mut self, items: impl IntoIterator<Item = I>, bind: impl Fn(&mut Values<'_>, I)) {
        self.push("VALUES ");
        for (position, item) in items.into_iter().enumerate() {
            self.push(if position > 0 { ", (" } else { "(" });
            bind(&mut Values { into: self, first: true }, item);
            self.push(")");
        }
    }

    pub(super) fn build(self) -> Query<'static, Db, Arguments> {
        let query = sqlx::query(AssertSqlSafe(self.text));
        self.bound.into_iter().fold(query, |query, bound| match bound {
            Bound::Number(number) => query.bind(number),
            Bound::Text(text) => query.bind(text),
            Bound::Real(number) => query.bind(number),
        })
    }

    pub(super) fn build_query_scalar<O>(self) -> QueryScalar<'static, Db, O, Arguments>
    where
        O: for<'r> Decode<'r, Db> + Type<Db> + Send + Unpin,
        (O,): for<'r> sqlx::FromRow<'r, DbRow>,
    {
        let query = sqlx::query_scalar(AssertSqlSafe(self.text));
        self.bound.into_iter().fold(query, |query, bound| match bound {
            Bound::Number(number) => query.bind(number),
            Bound::Text(text) => query.bind(text),
            Bound::Real(number) => query.bind(number),
        })
    }
}

/// One row of [`SqlBuilder::push_values`].
pub(super) struct Values<'a> {
    into: &'a mut SqlBuilder,
    first: bool,
}

impl Values<'_> {
    pub(super) fn push_bind(&mut self, value: impl Into<Bound>) -> &mut Self {
        if !self.first {
            self.into.push(", ");
        }
        self.first = false;
        self.into.push_bind(value);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_bound_is_numbered_in_order() {
        let mut list = SqlBuilder::new("SELECT id FROM t WHERE g = ");
        list.push_bind("a").push(" AND id IN (").push_list([1_i64, 2, 3]).push(")");
        assert_eq!(list.text, "SELECT id FROM t WHERE g = $1 AND id IN ($2, $3, $4)");
        assert_eq!(list.bound.len(), 4);
        let mut rows = SqlBuilder::new("INSERT INTO t (a, b) ");
        rows.push_values([(1_i64, "x"), (2, "y")], |row, (a, b)| {
            row.push_bind(a).push_bind(b);
        });
        assert_eq!(rows.text, "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4)");
        assert_eq!(rows.bound.len(), 4);
    }
}
