//! What can happen. Each kind belongs to one operation: those of section 62 of the Data Protection Act 2018 (collection,
//! alteration, consultation, disclosure, combination, erasure) and those that identification adds.

use serde::{Deserialize, Serialize};

/// An operation in the words of the law, or of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Personal data came in.
    Collection,
    /// Personal data was changed.
    Alteration,
    /// Personal data, or what is known about it, was looked at.
    Consultation,
    /// Personal data was given to somebody.
    Disclosure,
    /// Personal data of several sources was joined.
    Combination,
    /// Personal data was erased.
    Erasure,
    /// A gallery was searched.
    Search,
    /// Somebody decided about candidates.
    Adjudication,
    /// The system was set up otherwise.
    Config,
    /// Personal data left the system as files.
    Export,
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal of $op:ident,)+) => {
        /// A kind of event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// As events name it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// Which operation it is.
            #[must_use]
            pub const fn op(self) -> Op {
                match self { $(Self::$name => Op::$op,)+ }
            }
        }
    };
}

kinds! {
    /// A gallery was made.
    GalleryCreated = "gallery.created" of Config,
    /// Galleries were listed.
    GalleryListed = "gallery.listed" of Consultation,
    /// Counts of what was done were made, to be published.
    CountsRead = "counts.read" of Consultation,
    /// What is known of one gallery was shown.
    GalleryRead = "gallery.read" of Consultation,
    /// Every checksum of a gallery was checked.
    GalleryVerified = "gallery.verified" of Consultation,
    /// Statistics of a gallery's templates were taken.
    GalleryMeasured = "gallery.measured" of Consultation,
    /// A copy of a gallery was made.
    GalleryBackedUp = "gallery.backed_up" of Export,
    /// A copy of a gallery was taken in.
    GalleryRestored = "gallery.restored" of Collection,
    /// Segments were merged, and erased rows dropped.
    GalleryCompacted = "gallery.compacted" of Config,
    /// Pictures of people became references.
    ReferenceEnrolled = "reference.enrolled" of Collection,
    /// Templates of people that another system made became references.
    ReferenceImported = "reference.imported" of Collection,
    /// Synthetic templates were added, which belong to nobody.
    SyntheticImported = "synthetic.imported" of Config,
    /// A gallery was searched.
    SearchRun = "search.run" of Search,
    /// All references of a subject are in no search any more, and are being overwritten.
    SubjectErased = "subject.erased" of Erasure,
    /// The same of one reference.
    ReferenceErased = "reference.erased" of Erasure,
    /// The bytes of erased templates are in no file any more.
    ErasureFinished = "erasure.finished" of Erasure,
    /// Graphs for approximate searches were asked for.
    GraphAsked = "graph.asked" of Config,
    /// A gallery's graphs are kept up from now on.
    GraphKept = "graph.kept" of Config,
    /// A gallery's graphs are kept up no more.
    GraphEnded = "graph.ended" of Config,
    /// An import was asked for.
    ImportAsked = "import.asked" of Config,
    /// A compaction was asked for.
    CompactionAsked = "compaction.asked" of Config,
    /// A restore was asked for.
    RestoreAsked = "restore.asked" of Config,
    /// Jobs were listed.
    JobListed = "job.listed" of Consultation,
    /// One job was shown.
    JobRead = "job.read" of Consultation,
    /// A job was cancelled.
    JobCancelled = "job.cancelled" of Config,
    /// What runs here was shown.
    StatusRead = "status.read" of Consultation,
    /// A server began to answer.
    ServerStarted = "server.started" of Config,
    /// A command was refused or failed before it came to an event of its own.
    CommandRefused = "command.refused" of Consultation,
    /// Segments were merged, and rows that were erased before are gone from files.
    SegmentsMerged = "segments.merged" of Erasure,
    /// What an import had recorded that never came to count was overwritten.
    ImportVoided = "import.voided" of Erasure,
    /// A server ended.
    ServerStopped = "server.stopped" of Config,
    /// A policy or an operating point was proposed.
    ProposalMade = "proposal.made" of Config,
    /// Somebody approved a proposal; what it leads to stands in the state.
    ProposalApproved = "proposal.approved" of Config,
    /// Somebody rejected a proposal.
    ProposalRejected = "proposal.rejected" of Config,
    /// Whoever made a proposal took it back.
    ProposalWithdrawn = "proposal.withdrawn" of Config,
    /// Proposals were listed.
    ProposalListed = "proposal.listed" of Consultation,
    /// One proposal was shown.
    ProposalRead = "proposal.read" of Consultation,
    /// The policy in force, or those that were, were shown.
    PolicyRead = "policy.read" of Consultation,
    /// A user was added.
    UserAdded = "user.added" of Config,
    /// Users were listed.
    UserListed = "user.listed" of Consultation,
    /// One user was shown.
    UserRead = "user.read" of Consultation,
    /// A user was given a role.
    UserRoleGranted = "user.role_granted" of Config,
    /// A role of a user was withdrawn.
    UserRoleWithdrawn = "user.role_withdrawn" of Config,
    /// Somebody locked a user.
    UserLocked = "user.locked" of Config,
    /// A user was locked for a while, after too many wrong passwords.
    UserLockedOut = "user.locked_out" of Config,
    /// A user was unlocked.
    UserUnlocked = "user.unlocked" of Config,
    /// A user has left for good.
    UserLeft = "user.left" of Config,
    /// A user has a new password.
    UserPasswordSet = "user.password_set" of Config,
    /// A second factor of a user waits for its first code.
    UserFactorBegun = "user.factor_begun" of Config,
    /// A user signs in with a second factor from now on.
    UserFactorConfirmed = "user.factor_confirmed" of Config,
    /// A user's second factor counts no more.
    UserFactorRemoved = "user.factor_removed" of Config,
    /// A user is who a provider calls so.
    UserIdentityLinked = "user.identity_linked" of Config,
    /// A user is not who a provider calls so any more.
    UserIdentityUnlinked = "user.identity_unlinked" of Config,
    /// Somebody was sent to the provider of the settings, to sign in there.
    SsoBegun = "sso.begun" of Config,
    /// Somebody signed in.
    SessionOpened = "session.opened" of Config,
    /// Somebody's session was shown to them.
    SessionRead = "session.read" of Consultation,
    /// Somebody signed out.
    SessionEnded = "session.ended" of Config,
    /// An API key was made.
    KeyCreated = "key.created" of Config,
    /// API keys were listed.
    KeyListed = "key.listed" of Consultation,
    /// An API key is being replaced by a new one.
    KeyRotated = "key.rotated" of Config,
    /// An API key counts no more.
    KeyRevoked = "key.revoked" of Config,
    /// The keys of galleries lie under another master key from now on.
    MasterKeyRotated = "key.master_rotated" of Config,
    /// A gallery got the key under which its pictures are kept.
    GalleryKeyMade = "gallery.key_made" of Config,
    /// A gallery's key was destroyed: nobody can see its kept pictures any more.
    GalleryKeyDestroyed = "gallery.key_destroyed" of Erasure,
    /// Kept pictures were listed, without what they show.
    PictureListed = "picture.listed" of Consultation,
    /// A kept picture was given out.
    PictureExported = "picture.exported" of Export,
    /// Kept probe images were listed, without what they show.
    ProbeListed = "probe.listed" of Consultation,
    /// A kept probe image, or what was made of it, was given out.
    ProbeExported = "probe.exported" of Export,
    /// Something that was made of a probe image was added to it.
    ProbeEdited = "probe.edited" of Collection,
    /// A kept probe image and what was made of it are given out no more, and are being overwritten.
    ProbeErased = "probe.erased" of Erasure,
    /// Submissions got the key under which their pictures are kept.
    SubmissionKeyMade = "submission.key_made" of Config,
    /// Somebody handed pictures in, and got a receipt.
    SubmissionHandedIn = "submission.handed_in" of Collection,
    /// Submissions were listed, without what their pictures show.
    SubmissionListed = "submission.listed" of Consultation,
    /// A submission was shown, without what its pictures show.
    SubmissionRead = "submission.read" of Consultation,
    /// A picture that was handed in was given out.
    SubmissionPictureExported = "submission.picture_exported" of Export,
    /// Somebody took a submission, to work on it.
    SubmissionTaken = "submission.taken" of Alteration,
    /// Work on a submission is over.
    SubmissionClosed = "submission.closed" of Alteration,
    /// The pictures of a submission are given out no more, and are being overwritten with what was written.
    SubmissionErased = "submission.erased" of Erasure,
    /// A search that led to nobody was put on the list of those.
    UnsolvedAdded = "unsolved.added" of Alteration,
    /// That list was shown.
    UnsolvedListed = "unsolved.listed" of Consultation,
    /// A search was taken off that list.
    UnsolvedRemoved = "unsolved.removed" of Alteration,
    /// The review of a search was opened.
    ReviewOpened = "review.opened" of Adjudication,
    /// Somebody took a review, to decide it.
    ReviewClaimed = "review.claimed" of Adjudication,
    /// The candidates of a review were shown.
    ReviewRead = "review.read" of Consultation,
    /// Somebody decided.
    ReviewDecided = "review.decided" of Adjudication,
    /// A review was taken back.
    ReviewWithdrawn = "review.withdrawn" of Adjudication,
    /// Reviews were listed.
    ReviewListed = "review.listed" of Consultation,
    /// Leads were shown.
    LeadListed = "lead.listed" of Consultation,
    /// Somebody said what came of a lead.
    LeadOutcome = "lead.outcome" of Alteration,
    /// Subjects were listed.
    SubjectListed = "subject.listed" of Consultation,
    /// What is known of a subject was shown.
    SubjectRead = "subject.read" of Consultation,
    /// Two subjects became one.
    SubjectMerged = "subject.merged" of Combination,
    /// Some images of a subject became a subject of their own.
    SubjectSplit = "subject.split" of Alteration,
    /// An image was given to another subject.
    ImageReassigned = "image.reassigned" of Alteration,
    /// Images went back to the subject that they came from.
    SubjectMoveUndone = "subject.move_undone" of Alteration,
    /// What is known of an image was changed.
    ImageDescribed = "image.described" of Alteration,
    /// A subject is kept, and in no search any more.
    SubjectRestricted = "subject.restricted" of Alteration,
    /// A subject is searched again.
    SubjectUnrestricted = "subject.unrestricted" of Alteration,
    /// A subject must not be erased.
    HoldPlaced = "hold.placed" of Alteration,
    /// A hold stands no more.
    HoldLifted = "hold.lifted" of Alteration,
    /// Holds were listed.
    HoldListed = "hold.listed" of Consultation,
    /// What is due or overdue was listed.
    RetentionListed = "retention.listed" of Consultation,
    /// Somebody decided about an image that was due.
    RetentionReviewed = "retention.reviewed" of Alteration,
    /// The period of lists was over: who stood on them, and what was written about them, is gone.
    SearchEmptied = "search.emptied" of Erasure,
    /// What was decided or had expired was erased, as far as it could be.
    RetentionRun = "retention.run" of Erasure,
    /// A deletion certificate was signed.
    CertificateMade = "certificate.made" of Erasure,
    /// A deletion certificate was shown.
    CertificateRead = "certificate.read" of Consultation,
    /// A sample was opened: of what, of when, and what its draw is bound to.
    SampleOpened = "sample.opened" of Config,
    /// A sample was drawn.
    SampleDrawn = "sample.drawn" of Consultation,
    /// A supervisor said what they found of something that was drawn.
    SampleRecorded = "sample.recorded" of Adjudication,
    /// A sample was shown.
    SampleRead = "sample.read" of Consultation,
    /// Samples were listed.
    SampleListed = "sample.listed" of Consultation,
    /// A pack of a search was made for somebody.
    DisclosureMade = "disclosure.made" of Disclosure,
    /// A search was run again, to see whether its list is the same.
    SearchRerun = "search.rerun" of Search,
    /// Disclosures were listed.
    DisclosureListed = "disclosure.listed" of Consultation,
    /// Events were shown.
    AuditRead = "audit.read" of Consultation,
    /// The chain was checked.
    AuditVerified = "audit.verified" of Consultation,
    /// Events were written to a file.
    AuditExported = "audit.exported" of Export,
}

impl Kind {
    /// The kind of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn kinds_have_names_of_their_own_that_read_back() {
        let names: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(*kind));
            let plain = |letter: char| letter.is_ascii_lowercase() || "._".contains(letter);
            assert!(kind.as_str().chars().all(plain), "{kind:?}");
        }
        assert_eq!(Kind::parse("gallery"), None);
    }
}
