//! Where records are, when they are not in the data folder: a PostgreSQL data base, named with its password perhaps.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A PostgreSQL data base as `postgres://USER:PASSWORD@HOST:PORT/NAME`. Shows itself without the password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum RecordsUrl {
    /// What to connect to.
    Postgres(String),
    /// A text that names none, and has perhaps a password in it: forgotten as soon as it is read, so that no error shows it. Refused
    /// when settings are put together.
    Nowhere,
}

/// A text that names no data base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this names no PostgreSQL data base: write \"postgres://USER:PASSWORD@HOST:PORT/NAME\", or nothing for a file in the data folder"
)]
pub struct NoRecordsUrl;

impl FromStr for RecordsUrl {
    type Err = NoRecordsUrl;

    /// Nothing of a wrong text is said again: it may hold a password.
    fn from_str(text: &str) -> Result<Self, NoRecordsUrl> {
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        match rest {
            Some(rest) if !rest.is_empty() => Ok(Self::Postgres(text.to_owned())),
            Some(_) | None => Err(NoRecordsUrl),
        }
    }
}

impl fmt::Display for RecordsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Postgres(url) = self else { return f.write_str("nowhere") };
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        // A password may stand before the host, with any sign in it, or among the options.
        let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        let place = place.split(['?', '#']).next().unwrap_or_default();
        write!(f, "postgres://{place}")
    }
}

impl fmt::Debug for RecordsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl From<String> for RecordsUrl {
    fn from(text: String) -> Self {
        text.parse().unwrap_or(Self::Nowhere)
    }
}

impl From<RecordsUrl> for String {
    fn from(url: RecordsUrl) -> Self {
        url.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (text, shown) in [
            ("postgres://me:se@cret@db.example:5432/police", "postgres://db.example:5432/police"),
            ("postgresql://db/police?user=me&password=secret", "postgres://db/police"),
            ("postgres://me:pa?ss#w@db.example/police", "postgres://db.example/police"),
            ("postgres:///police?host=/run/postgresql&password=secret", "postgres:///police"),
        ] {
            let url: RecordsUrl = text.parse().unwrap();
            assert_eq!((url.to_string(), format!("{url:?}")), (shown.to_owned(), shown.to_owned()));
            assert_eq!(serde_json::to_string(&url).unwrap(), format!("\"{shown}\""));
        }
    }

    #[test]
    fn what_names_no_data_base_is_refused_unsaid() {
        for text in ["", "postgres://", "mysql://me:secret@db/x", "secret", "sqlite:secret"] {
            let error = text.parse::<RecordsUrl>().unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
            assert_eq!(RecordsUrl::from(text.to_owned()), RecordsUrl::Nowhere);
        }
    }
}
