//! What was handed in: pictures from outside, what was written with them, and what became of them as far as it is their submitter's
//! business. The pictures are files; here stands which, and until when. Each change is made with the event that tells of it.

mod read;
mod write;

use crate::audit::Caller;
use crate::records::Records;

/// The submissions of a data folder, for one caller. Clones share them.
#[derive(Debug, Clone)]
pub struct SubmissionBook {
    records: Records,
    caller: Caller,
}

impl Records {
    /// Submissions, for `caller`: the audit log names them for what is done.
    #[must_use]
    pub fn submission_book(&self, caller: &Caller) -> SubmissionBook {
        SubmissionBook { records: self.clone(), caller: caller.clone() }
    }
}

/// What a submitter wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Their own reference of the case or offence.
    pub reference: String,
    /// Where it was.
    pub place: Option<String>,
    /// When it was.
    pub time: Option<String>,
}

/// A picture that was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmittedPicture {
    /// From 1.
    pub number: i64,
    /// sha256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// Bytes of the file.
    pub bytes: u64,
}

/// What was done with a submission: not for who handed it in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Work {
    /// Who took it, and when.
    pub taken: Option<(String, String)>,
    /// Who closed it, and when.
    pub closed: Option<(String, String)>,
    /// Why it was closed.
    pub reason: Option<String>,
    /// Searches with its pictures, ascending.
    pub searches: Vec<i64>,
}

/// A submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionRecord {
    /// Its number.
    pub id: i64,
    /// Who handed it in.
    pub submitter: String,
    /// received, taken or closed.
    pub state: String,
    /// When, RFC 3339.
    pub received_at: String,
    /// When its pictures and words are erased.
    pub expires_at: String,
    /// What they wrote; `None` once it is erased.
    pub told: Option<Told>,
    /// Its pictures.
    pub pictures: Vec<SubmittedPicture>,
    /// What was done with it.
    pub work: Work,
}

/// A submission to be taken in. Its pictures are sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubmission {
    /// Who hands it in.
    pub submitter: String,
    /// When, RFC 3339.
    pub received_at: String,
    /// Until when it is kept.
    pub expires_at: String,
    /// What they wrote.
    pub told: Told,
}

/// What became of a hand-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It was taken in.
    New(Box<SubmissionRecord>),
    /// The same submitter handed in one of its pictures before: number of that submission, and which picture of this one.
    Before(i64, [u8; 32]),
}
