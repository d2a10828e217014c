//! Leads, and what came of them.

use crate::audit::{Detail, Happening, Kind, Object};
use crate::casework::CaseworkError;
use crate::casework::review::machine::Act;
use crate::casework::review::{ReviewError, ReviewRoom};
use crate::records::review::LeadRecord;

/// What came of a lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Somebody was arrested.
    Arrest,
    /// Somebody was charged.
    Charge,
    /// It was somebody else: said in every list of leads.
    Eliminated,
    /// Nothing more is done.
    NoFurtherAction,
    /// A witness did not recognise them under Code D of the Police and Criminal Evidence Act 1984.
    DeniedCodeD,
    /// Something else.
    Other,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Arrest, Self::Charge, Self::Eliminated, Self::NoFurtherAction, Self::DeniedCodeD, Self::Other];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arrest => "arrest",
            Self::Charge => "charge",
            Self::Eliminated => "eliminated",
            Self::NoFurtherAction => "no_further_action",
            Self::DeniedCodeD => "denied_code_d",
            Self::Other => "other",
        }
    }

    /// The outcome of that word.
    ///
    /// # Errors
    /// In words, which there are.
    pub fn parse(word: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::as_str).join(", ");
        Self::ALL
            .into_iter()
            .find(|outcome| outcome.as_str() == word)
            .ok_or_else(|| format!("outcomes are {}", known()))
    }
}

impl ReviewRoom {
    /// Leads, newest first.
    ///
    /// # Errors
    /// [`ReviewError::Refused`] without a role that reviews, and what the records say.
    pub async fn leads(&self, limit: usize) -> Result<Vec<LeadRecord>, CaseworkError> {
        self.may_look(Kind::LeadListed).await?;
        let found = self.book.leads(self.within().as_ref(), limit).await?;
        let happening = Happening::new(Kind::LeadListed).about(found.iter().map(|lead| Object::Lead(lead.id)));
        self.vault.tell(&happening).await?;
        Ok(found)
    }

    /// Says what came of a lead.
    ///
    /// # Errors
    /// [`ReviewError`], and what the records say.
    pub async fn outcome(&self, lead: i64, outcome: Outcome) -> Result<LeadRecord, CaseworkError> {
        let found = self.book.lead(lead).await?.ok_or(ReviewError::NoLead(lead))?;
        let loaded = self.load(found.review, None).await?;
        let happening = Happening::new(Kind::LeadOutcome).of(&found.gallery).about([Object::Lead(lead)]);
        if let Err(refusal) = self.step(&loaded, Act::Outcome) {
            return Err(self.refused(happening, refusal).await?);
        }
        let word = outcome.as_str();
        let happening = happening.with("outcome", Detail::Word(word));
        self.book.add_outcome(lead, word, &self.person.0, &happening).await?;
        self.book.lead(lead).await?.ok_or_else(|| ReviewError::NoLead(lead).into())
    }
}
