//! What may become of a submission: received, taken, closed, and never back.

use std::fmt;

/// Where a submission stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It came, and nobody works on it yet.
    Received,
    /// Somebody works on it.
    Taken,
    /// It is over. What came of it is not told to whoever handed it in.
    Closed,
}

/// Why something can't be done with a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Somebody has it.
    Taken,
    /// It is over.
    Closed,
    /// Its pictures and words are gone.
    Erased,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Received, Self::Taken, Self::Closed];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Taken => "taken",
            Self::Closed => "closed",
        }
    }

    /// The state of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether somebody may take it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub const fn take(self) -> Result<Self, Refusal> {
        match self {
            Self::Received => Ok(Self::Taken),
            Self::Taken => Err(Refusal::Taken),
            Self::Closed => Err(Refusal::Closed),
        }
    }

    /// Whether somebody may search with its pictures, which takes it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub const fn search(self) -> Result<Self, Refusal> {
        match self {
            Self::Received | Self::Taken => Ok(Self::Taken),
            Self::Closed => Err(Refusal::Closed),
        }
    }

    /// Whether somebody may close it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub const fn close(self) -> Result<Self, Refusal> {
        match self {
            Self::Received | Self::Taken => Ok(Self::Closed),
            Self::Closed => Err(Refusal::Closed),
        }
    }
}

impl Refusal {
    /// A name for programs and for the audit log.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Closed => "closed",
            Self::Erased => "erased",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken => "somebody has taken it",
            Self::Closed => "it is closed",
            Self::Erased => "its pictures and what was written are erased",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_back_and_what_is_closed_stays_so() {
        for from in State::ALL {
            assert_eq!(State::parse(from.as_str()), Some(from));
            for next in [from.take(), from.search(), from.close()].into_iter().flatten() {
                assert!(next as u8 >= from as u8 && from != State::Closed, "{from:?} to {next:?}");
            }
        }
        assert_eq!(State::Taken.take(), Err(Refusal::Taken));
        assert_eq!(State::Closed.search(), Err(Refusal::Closed));
        assert_eq!(State::parse("lead"), None);
    }
}
