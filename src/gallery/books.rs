//! What of a vault's records others read and change by themselves, each a book of its own, for whoever calls.

use std::sync::Arc;

use crate::base::day::Day;
use crate::base::ids::{GalleryName, TemplateId};
use crate::gallery::{GalleryError, Vault};
use crate::keys::KeyRing;
use crate::records::disclosures::DisclosureBook;
use crate::records::governing::GoverningBook;
use crate::records::review::ReviewBook;
use crate::records::samples::SampleBook;
use crate::records::subjects::SubjectBook;
use crate::records::submissions::SubmissionBook;
use crate::records::unsolved::UnsolvedBook;
use crate::records::{AuditBook, Counted, JobBook, PeopleBook};

impl Vault {
    /// The audit log, to read.
    #[must_use]
    pub fn audit_book(&self) -> AuditBook {
        self.inner.records.audit_book()
    }

    /// The keys under which kept pictures lie.
    #[must_use]
    pub fn keys(&self) -> Arc<KeyRing> {
        Arc::clone(&self.inner.keys)
    }

    /// Users and keys.
    #[must_use]
    pub fn people_book(&self) -> PeopleBook {
        self.inner.records.people_book()
    }

    /// Reviews of searches, for the caller.
    #[must_use]
    pub fn review_book(&self) -> ReviewBook {
        self.inner.records.review_book(&self.caller)
    }

    /// Policies and proposals, for the caller.
    #[must_use]
    pub fn governing_book(&self) -> GoverningBook {
        self.inner.records.governing_book(&self.caller)
    }

    /// Subjects and their images, for the caller.
    #[must_use]
    pub fn subject_book(&self) -> SubjectBook {
        self.inner.records.subject_book(&self.caller)
    }

    /// Templates that are kept and not searched, ascending, as of now: those of restricted subjects, and what has expired and is kept by a
    /// legal hold alone.
    ///
    /// # Errors
    /// What the records say.
    pub async fn restricted_templates(&self, name: &GalleryName) -> Result<Vec<TemplateId>, GalleryError> {
        Ok(self.inner.records.restricted_templates(name, Day::today()).await?)
    }

    /// How often what was done from one day on and before another.
    ///
    /// # Errors
    /// What the records say.
    pub async fn counts(&self, from: Day, before: Day) -> Result<Vec<Counted>, GalleryError> {
        Ok(self.inner.records.counts(from, before).await?)
    }

    /// What was handed in, for the caller.
    #[must_use]
    pub fn submission_book(&self) -> SubmissionBook {
        self.inner.records.submission_book(&self.caller)
    }

    /// Unsolved probes, for the caller.
    #[must_use]
    pub fn unsolved_book(&self) -> UnsolvedBook {
        self.inner.records.unsolved_book(&self.caller)
    }

    /// Samples, for the caller.
    #[must_use]
    pub fn sample_book(&self) -> SampleBook {
        self.inner.records.sample_book(&self.caller)
    }

    /// Disclosures, for the caller.
    #[must_use]
    pub fn disclosure_book(&self) -> DisclosureBook {
        self.inner.records.disclosure_book(&self.caller)
    }

    /// Jobs that were asked for: done by the process that serves, asked for and followed by any.
    #[must_use]
    pub fn job_book(&self) -> JobBook {
        self.inner.records.job_book()
    }
}
