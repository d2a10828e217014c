//! What is known of a search, as the files of a pack tell it.

use serde::Serialize;

use crate::audit::{Caller, Event, Kind, Object};
use crate::base::hex;
use crate::base::ids::{GalleryName, TemplateId};
use crate::base::text::NOT_EVIDENCE;
use crate::casework::CaseworkError;
use crate::casework::access::require;
use crate::casework::disclosure::{DisclosureError, What};
use crate::casework::governing::in_force;
use crate::casework::governing::in_force::of_hash;
use crate::gallery::Vault;
use crate::pack::contents::{Candidate, Decision, Decisions, Lead, ListFile, Picture, SearchFile, Sibling};
use crate::pack::{DECISIONS, Entry, LIST, POLICY, PROBE, SEARCH};
use crate::policy::Policy;
use crate::records::disclosures::{RecordedSearch, searches_in};
use crate::records::review::{DecisionRecord, LeadRecord};
use crate::records::{EventFilter, Statement};
use crate::rights::Permission;

/// What goes into a pack, but for the log.
pub(super) struct Gathered {
    pub(super) search: i64,
    pub(super) review: Option<i64>,
    pub(super) lead: Option<i64>,
    /// Its kept picture, if there was one.
    pub(super) probe: Option<i64>,
    pub(super) gallery: GalleryName,
    pub(super) entries: Vec<Entry>,
    pub(super) model: String,
    pub(super) operating_point: Option<String>,
    pub(super) policy_sha256: String,
    /// Candidates that were not erased when the list was read, before anything else of the pack.
    pub(super) shown: Vec<TemplateId>,
    /// The picture of which it says that it is kept.
    pub(super) kept: Option<i64>,
}

/// States of reviews in which nobody decides any more.
const OVER: [&str; 4] = ["lead", "closed_negative", "closed_conflict", "withdrawn"];

/// Gathers it, for whoever may disclose searches of that gallery.
pub(super) async fn gather(vault: &Vault, caller: &Caller, what: What) -> Result<Gathered, CaseworkError> {
    let reviews = vault.review_book();
    let search = match what {
        What::Search(search) => search,
        What::Lead(lead) => reviews.lead(lead).await?.ok_or(DisclosureError::NoLead(lead))?.search,
    };
    let book = vault.disclosure_book();
    let found = book.search(search).await?.ok_or(DisclosureError::NoSearch(search))?;
    let gallery: GalleryName = found.searched.gallery.parse()?;
    require(caller, Permission::DisclosureMake, Some(&gallery))?;
    if let Some(at) = book.emptied(search).await? {
        return Err(DisclosureError::Emptied { search, at }.into());
    }
    let there = found.candidates.iter().filter(|candidate| candidate.state != "erased");
    let shown = there.map(|candidate| TemplateId(candidate.template)).collect();
    let review = reviews.of_search(search).await?;
    if let Some(review) = review
        && reviews.one(review).await?.is_some_and(|review| !OVER.contains(&review.state.as_str()))
    {
        return Err(DisclosureError::UnderReview { search, review }.into());
    }
    let lead = match review {
        Some(review) => book.lead_of(review).await?,
        None => None,
    };
    let lead = match lead {
        Some(lead) => reviews.lead(lead).await?,
        None => None,
    };
    let candidates = named(vault, &gallery, found.candidates.clone(), lead.as_ref()).await?;
    let decisions = decisions_of(vault, review, lead.as_ref()).await?;
    let (policy, policy_sha256) = policy_of(vault, found.statement.as_ref()).await?;
    let searched = search_file(vault, &found).await?;
    let probe = book.probe(search, &found.searched.probe).await?;
    let list = ListFile { notice: NOT_EVIDENCE.to_owned(), candidates };
    let entries = vec![
        json(SEARCH, &searched)?,
        json(LIST, &list)?,
        json(PROBE, &probe)?,
        json(DECISIONS, &decisions)?,
        Entry::text(POLICY, &policy.text().map_err(CaseworkError::Stopped)?),
    ];
    let (model, operating_point) = (found.searched.model, found.searched.operating_point);
    let kept = probe.probe.filter(|_| probe.picture == Picture::Kept);
    let (lead, probe) = (lead.map(|lead| lead.id), probe.probe);
    Ok(Gathered { search, review, lead, probe, gallery, entries, model, operating_point, policy_sha256, shown, kept })
}

/// The policy that a search was held against; where it stated nothing, the one in force now.
async fn policy_of(vault: &Vault, statement: Option<&Statement>) -> Result<(Policy, String), CaseworkError> {
    let then = match statement {
        Some(statement) => of_hash(vault, &hex::encode(&statement.policy_sha256)).await?,
        None => None,
    };
    let found = match then {
        Some(then) => then,
        None => in_force(vault).await?,
    };
    Ok((found.policy, hex::encode(&found.sha256)))
}

fn json(path: &str, value: &impl Serialize) -> Result<Entry, CaseworkError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| CaseworkError::Stopped(error.to_string()))?;
    Ok(Entry::text(path, &(text + "\n")))
}

async fn search_file(vault: &Vault, found: &RecordedSearch) -> Result<SearchFile, CaseworkError> {
    let RecordedSearch { at, actor, origin, statement, searched, sha256, .. } = found.clone();
    let mut bound = Vec::new();
    if sha256.is_some() {
        let (kind, object) = (Some(Kind::SearchRun), Some(Object::Search(searched.search).in_words()));
        let events = vault.audit_book().newest(&EventFilter { kind, object }, 1).await?;
        let event = events.first().and_then(|event| serde_json::from_str::<Event>(&event.body).ok());
        for search in searches_in(&event.map(|event| event.objects).unwrap_or_default()) {
            if let Some(sha256) = vault.disclosure_book().bound(search).await? {
                bound.push(Sibling { search, sha256 });
            }
        }
    }
    let (stated, policy) = statement.map(|statement| (statement.stated, statement.policy_sha256)).unzip();
    let (case_ref, reason) = stated.map(|stated| (stated.case_ref, stated.reason)).unwrap_or_default();
    // The candidates stand in a file of their own.
    let searched = crate::audit::searched::Searched { candidates: Vec::new(), ..searched };
    Ok(SearchFile {
        at,
        actor,
        origin,
        case_ref,
        reason,
        policy_sha256: policy.map(|hash| hex::encode(&hash)),
        searched,
        bound,
    })
}

/// With whose reference the candidate of the lead is: who else was on the list is nobody's business outside.
async fn named(
    vault: &Vault,
    gallery: &GalleryName,
    mut candidates: Vec<Candidate>,
    lead: Option<&LeadRecord>,
) -> Result<Vec<Candidate>, CaseworkError> {
    let Some(lead) = lead else { return Ok(candidates) };
    let references = vault.references(gallery, &[lead.template]).await?;
    if let (Some(reference), Some(candidate)) = (
        references.get(&lead.template),
        candidates.iter_mut().find(|candidate| TemplateId(candidate.template) == lead.template),
    ) {
        candidate.subject = Some(reference.subject.as_str().to_owned());
        candidate.image_sha256 = reference.image.as_ref().map(|image| hex::encode(&image.sha256));
    }
    Ok(candidates)
}

async fn decisions_of(
    vault: &Vault,
    review: Option<i64>,
    lead: Option<&LeadRecord>,
) -> Result<Decisions, CaseworkError> {
    let Some(id) = review else { return Ok(Decisions::default()) };
    let Some(review) = vault.review_book().one(id).await? else { return Ok(Decisions::default()) };
    let decision = |made: DecisionRecord| {
        let DecisionRecord { stage, person, finding, template, seen, at } = made;
        let (seen_at, seen_sha256) = seen.unzip();
        Decision { stage, person, finding, template: template.map(|id| id.0), at, seen_at, seen_sha256 }
    };
    let lead = lead.cloned().map(|lead| {
        let LeadRecord { id, template, named_by, dissent, made_at, outcomes, .. } = lead;
        Lead { lead: id, template: template.0, named_by, dissent, made_at, outcomes }
    });
    Ok(Decisions {
        review: Some(id),
        state: Some(review.state),
        opened_by: Some(review.opened_by),
        opened_at: Some(review.opened_at),
        policy_sha256: Some(review.policy_sha256),
        decisions: review.decisions.into_iter().map(decision).collect(),
        said: vault.disclosure_book().said(id).await?,
        lead,
    })
}
