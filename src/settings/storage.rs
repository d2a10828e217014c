//! How the templates of a gallery lie on disk, by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A gallery's kind of files. Searches find the same in both, to the bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// Plain files, mapped: for disks that are encrypted themselves.
    #[default]
    Mapped,
    /// Sealed under the gallery's key, and open in locked memory while in use.
    Sealed,
}

impl Storage {
    /// Its name in files, flags and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mapped => "mapped",
            Self::Sealed => "sealed",
        }
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Storage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Mapped, Self::Sealed]
            .into_iter()
            .find(|storage| storage.as_str() == text)
            .ok_or_else(|| format!("{text:?} is no way to keep segments: use mapped or sealed"))
    }
}
