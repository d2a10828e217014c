//! Where the master key is: never the key itself.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where the master key is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum MasterKey {
    /// In a file.
    File(PathBuf),
    /// In a variable of the environment.
    Environment(String),
    /// A program prints it: its name, and what it is called with.
    Command(String, Vec<String>),
    /// A text that says nowhere, and is perhaps the key: forgotten as soon as it is read, so that no error shows it. Refused when
    /// settings are put together.
    Nowhere,
}

/// A text that says nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this says not where the master key is: write \"file:PATH\", \"env:NAME\" or \"command:PROGRAM ARGS\", and never the key itself"
)]
pub struct NoMasterKey;

impl FromStr for MasterKey {
    type Err = NoMasterKey;

    /// Nothing of a wrong text is said again: it may be the key.
    fn from_str(text: &str) -> Result<Self, NoMasterKey> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("env", name)) if is_variable(name) => Ok(Self::Environment(name.to_owned())),
            Some(("command", command)) => {
                let mut words = command.split_whitespace().map(str::to_owned);
                Ok(Self::Command(words.next().ok_or(NoMasterKey)?, words.collect()))
            }
            Some(_) | None => Err(NoMasterKey),
        }
    }
}

fn is_variable(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && name.bytes().all(plain)
}

impl fmt::Display for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::Command(program, arguments) => {
                write!(f, "command:{program}")?;
                arguments.iter().try_for_each(|argument| write!(f, " {argument}"))
            }
            Self::Nowhere => f.write_str("nowhere"),
        }
    }
}

impl From<String> for MasterKey {
    fn from(text: String) -> Self {
        text.parse().unwrap_or(Self::Nowhere)
    }
}

impl From<MasterKey> for String {
    fn from(key: MasterKey) -> Self {
        key.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_read_back_and_a_key_is_none() {
        for text in ["file:/run/secrets/a b", "env:MASTER_1", "command:pass", "command:vault read -field=key secret/x"]
        {
            assert_eq!(text.parse::<MasterKey>().unwrap().to_string(), text);
        }
        let key = "0f".repeat(32);
        for text in ["", "file:", "env:", "env:A B", "command:", "command:  ", "somewhere:x", &key] {
            let error = text.parse::<MasterKey>().unwrap_err().to_string();
            assert!(text.is_empty() || !error.contains(&key), "{text}");
        }
    }
}
