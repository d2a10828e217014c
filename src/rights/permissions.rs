//! What can be allowed, and which roles allow it: the one table from which routes, keys and the manual take it.

use std::fmt;
use std::str::FromStr;

use crate::rights::{RightsError, Role};

/// Something that not everybody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// See what runs here.
    StatusRead,
    /// See galleries, summed up.
    GalleryRead,
    /// Make galleries.
    GalleryCreate,
    /// Have graphs built and galleries compacted.
    GalleryMaintain,
    /// Enrol references.
    ReferenceEnrol,
    /// Erase references and subjects.
    ReferenceErase,
    /// Search.
    SearchRun,
    /// Search with a threshold of one's own instead of an operating point.
    SearchThreshold,
    /// Hand pictures in, for others to search with.
    SubmissionHandIn,
    /// See what one handed in oneself; with the next one, what anybody did.
    SubmissionRead,
    /// Take submissions, see their pictures, search with these, and close them.
    SubmissionWork,
    /// See reviews, their candidates, and leads.
    ReviewRead,
    /// Open, claim, decide and withdraw reviews, and say what came of leads: which of these, each role by the rules of reviews.
    ReviewDecide,
    /// Open and draw samples, and say what was found in them.
    SampleRun,
    /// Make disclosure packs, and see which were made.
    DisclosureMake,
    /// See jobs.
    JobRead,
    /// Cancel jobs.
    JobCancel,
    /// See the policies that are and were in force, and what was proposed.
    PolicyRead,
    /// Propose a policy or an operating point.
    PolicyPropose,
    /// Approve or reject what others proposed.
    PolicyApprove,
    /// Read the audit log.
    AuditRead,
    /// Add users, change their roles, lock them; make and revoke keys.
    UserManage,
}

use Role::{Administrator, Auditor, Evaluator, Examiner, Submitter, Supervisor, Verifier};

impl Permission {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::StatusRead,
        Self::GalleryRead,
        Self::GalleryCreate,
        Self::GalleryMaintain,
        Self::ReferenceEnrol,
        Self::ReferenceErase,
        Self::SearchRun,
        Self::SearchThreshold,
        Self::SubmissionHandIn,
        Self::SubmissionRead,
        Self::SubmissionWork,
        Self::ReviewRead,
        Self::ReviewDecide,
        Self::SampleRun,
        Self::DisclosureMake,
        Self::JobRead,
        Self::JobCancel,
        Self::PolicyRead,
        Self::PolicyPropose,
        Self::PolicyApprove,
        Self::AuditRead,
        Self::UserManage,
    ];

    /// As keys and records name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StatusRead => "status.read",
            Self::GalleryRead => "gallery.read",
            Self::GalleryCreate => "gallery.create",
            Self::GalleryMaintain => "gallery.maintain",
            Self::ReferenceEnrol => "reference.enrol",
            Self::ReferenceErase => "reference.erase",
            Self::SearchRun => "search.run",
            Self::SearchThreshold => "search.threshold",
            Self::SubmissionHandIn => "submission.hand_in",
            Self::SubmissionRead => "submission.read",
            Self::SubmissionWork => "submission.work",
            Self::ReviewRead => "review.read",
            Self::ReviewDecide => "review.decide",
            Self::SampleRun => "sample.run",
            Self::DisclosureMake => "disclosure.make",
            Self::JobRead => "job.read",
            Self::JobCancel => "job.cancel",
            Self::PolicyRead => "policy.read",
            Self::PolicyPropose => "policy.propose",
            Self::PolicyApprove => "policy.approve",
            Self::AuditRead => "audit.read",
            Self::UserManage => "user.manage",
        }
    }

    /// The roles that allow it.
    #[must_use]
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Self::StatusRead => &Role::ALL,
            Self::GalleryRead | Self::PolicyRead => {
                &[Examiner, Verifier, Supervisor, Evaluator, Auditor, Administrator]
            }
            Self::GalleryCreate | Self::GalleryMaintain | Self::JobCancel | Self::UserManage => &[Administrator],
            Self::ReferenceEnrol => &[Supervisor, Administrator],
            Self::ReferenceErase | Self::PolicyApprove | Self::SampleRun | Self::DisclosureMake => &[Supervisor],
            // A bare threshold: to those of them whom the policy in force allows it.
            Self::SearchRun | Self::SearchThreshold => &[Examiner, Supervisor, Evaluator],
            Self::SubmissionHandIn => &[Submitter],
            Self::SubmissionRead => &[Submitter, Examiner, Supervisor],
            Self::SubmissionWork => &[Examiner, Supervisor],
            Self::ReviewRead | Self::ReviewDecide => &[Examiner, Verifier, Supervisor],
            Self::JobRead | Self::PolicyPropose => &[Supervisor, Evaluator, Administrator],
            Self::AuditRead => &[Auditor],
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Permission {
    type Err = RightsError;

    fn from_str(text: &str) -> Result<Self, RightsError> {
        let found = Self::ALL.into_iter().find(|permission| permission.as_str() == text);
        let all = || Self::ALL.map(Self::as_str).join(", ");
        found.ok_or_else(|| RightsError::Unknown(text.chars().take(40).collect(), "permission", all()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_runs_the_system_does_not_read_its_log_and_nobody_needs_the_auditor() {
        assert_eq!(Permission::AuditRead.roles(), [Auditor]);
        let of = |role: Role| Permission::ALL.into_iter().filter(move |may| may.roles().contains(&role));
        let auditor: Vec<_> = of(Auditor).collect();
        assert_eq!(
            auditor,
            [Permission::StatusRead, Permission::GalleryRead, Permission::PolicyRead, Permission::AuditRead]
        );
        assert!(!of(Administrator).any(|may| [Permission::SearchRun, Permission::ReferenceErase].contains(&may)));
        let of_submitters = [Permission::StatusRead, Permission::SubmissionHandIn, Permission::SubmissionRead];
        assert_eq!(of(Submitter).collect::<Vec<_>>(), of_submitters);
        for may in Permission::ALL {
            assert_eq!(may.as_str().parse(), Ok(may));
        }
        assert!("search".parse::<Permission>().unwrap_err().to_string().contains("search.run"));
    }
}
