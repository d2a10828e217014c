//! A search run again, on the gallery as far as it is still what it was then: whether the same list comes, and if not, whether
//! erasures since say why.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::audit::searched::{Listed, Named, Searched};
use crate::audit::{Caller, Detail, Happening, Kind, Object, Outcome};
use crate::base::hex;
use crate::base::ids::{GalleryName, ModelId, TemplateId};
use crate::casework::access::require;
use crate::casework::access::users::somebody;
use crate::casework::disclosure::DisclosureError;
use crate::casework::enrol::blocking;
use crate::casework::keys::public_key;
use crate::casework::{CaseworkError, Desk};
use crate::identify::search::{Identification, ListRule, Question, identify};
use crate::identify::{Filter, Mode};
use crate::pack::{LIST, ListFile, SEARCH, SearchFile, verify, zip};
use crate::rights::Permission;
use crate::vector::template::Template;
use crate::vision::geometry::Bounds;

/// Which search is run again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// As it was recorded.
    Search(i64),
    /// As a pack of this data folder tells of it.
    Pack(Vec<u8>),
}

/// What running a search again came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The same list, to the bit.
    Same,
    /// Candidates were erased or restricted since; all others stand there in their order with their scores.
    GalleryChanged,
    /// Another list, and neither erasures nor restrictions say why.
    Different,
}

impl Verdict {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::GalleryChanged => "gallery_changed",
            Self::Different => "different",
        }
    }
}

/// What running a search again came to, with what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Rerun {
    /// Which search.
    pub search: i64,
    /// What came of it.
    pub verdict: Verdict,
    /// Templates that counted then, and do no more.
    pub gone: u64,
    /// Of these, how many were on the list.
    pub gone_from_list: u64,
    /// The first rank that has something else; `None` where none has.
    pub differs_at: Option<u32>,
}

/// Runs a search again with the picture it was made with.
///
/// # Errors
/// [`DisclosureError`] for another picture, and for searches that can't be run again; [`CaseworkError::NotAllowed`]; what vision
/// and records say.
pub async fn rerun(desk: &Desk, caller: &Caller, which: Again, picture: Vec<u8>) -> Result<Rerun, CaseworkError> {
    let (caller, _) = somebody(&desk.vault, caller).await?;
    require(&caller, Permission::DisclosureMake, None)?;
    let searched = match which {
        Again::Search(search) => {
            let book = desk.vault.disclosure_book();
            if let Some(at) = book.emptied(search).await? {
                return Err(DisclosureError::Emptied { search, at }.into());
            }
            let found = book.search(search).await?;
            found.ok_or(DisclosureError::NoSearch(search))?.searched
        }
        Again::Pack(bytes) => of_pack(desk, &bytes).await?,
    };
    let gallery: GalleryName = searched.gallery.parse()?;
    require(&caller, Permission::DisclosureMake, Some(&gallery))?;
    if hex::encode(&Sha256::digest(&picture)) != searched.probe {
        return Err(DisclosureError::OtherPicture(searched.probe).into());
    }
    let eyes = desk.vision_for(&gallery).await?;
    let model = eyes.model().clone();
    let analysis = blocking(move || eyes.analyse(&picture)).await??;
    let [x, y, width, height] = searched.face.map(|number| number.0);
    let place = Bounds { x, y, width, height };
    let apart = |face: &Bounds| face.apart(&place);
    // On another processor an edge may be a little elsewhere.
    let nearest = analysis.faces.into_iter().min_by(|one, other| apart(&one.bounds).total_cmp(&apart(&other.bounds)));
    let face = nearest.ok_or(DisclosureError::NoFace)?;
    again(desk, &caller, &searched, (face.template, model)).await
}

/// What a whole pack of this data folder says of its search.
async fn of_pack(desk: &Desk, bytes: &[u8]) -> Result<Searched, CaseworkError> {
    let key = public_key(&desk.settings.data.folder)?;
    let report = verify(bytes, key).map_err(DisclosureError::NotWhole)?;
    let folder = desk.vault.audit_book().folder().await?;
    if report.manifest.folder != folder || !report.key_known {
        return Err(DisclosureError::OtherFolder.into());
    }
    let entries = zip::read(bytes).map_err(DisclosureError::Pack)?;
    let text = |path: &str| entries.iter().find(|entry| entry.path == path).map(|entry| entry.bytes.as_slice());
    let broken = |error: serde_json::Error| CaseworkError::Stopped(error.to_string());
    let search: SearchFile = serde_json::from_slice(text(SEARCH).unwrap_or_default()).map_err(broken)?;
    let list: ListFile = serde_json::from_slice(text(LIST).unwrap_or_default()).map_err(broken)?;
    Ok(Searched { candidates: list.listed(), ..search.searched })
}

/// Runs a search again with a template of its probe, and tells of it.
///
/// # Errors
/// [`DisclosureError`] for searches that can't be run again, and what the search says.
pub async fn again(
    desk: &Desk,
    caller: &Caller,
    searched: &Searched,
    (probe, model): (Template, ModelId),
) -> Result<Rerun, CaseworkError> {
    let question = question(searched, probe, model)?;
    let gallery = question.gallery.clone();
    let last = TemplateId(searched.last_template);
    let live = desk.vault.snapshot(&gallery).await?.live_up_to(last);
    let Identification { mut lists, .. } = identify(&desk.vault, &desk.engine.batcher, question).await?;
    let exact = |candidate: crate::identify::people::Candidate| Listed {
        rank: u32::try_from(candidate.rank).unwrap_or(u32::MAX),
        template: candidate.template.0,
        score: crate::audit::searched::Exact(candidate.score),
        named: Named::Plainly,
    };
    let found: Vec<Listed> = lists.pop().unwrap_or_default().into_iter().map(exact).collect();
    let ids: Vec<TemplateId> = searched.candidates.iter().map(|one| TemplateId(one.template)).collect();
    let there = desk.vault.references(&gallery, &ids).await?;
    // Who is restricted is in no search either.
    let hidden = desk.vault.restricted_templates(&gallery).await?;
    let counts = |id: &TemplateId| there.contains_key(id) && hidden.binary_search(id).is_err();
    let gone_from_list = ids.iter().filter(|id| !counts(id)).count() as u64;
    let still: Vec<&Listed> = searched.candidates.iter().filter(|one| counts(&TemplateId(one.template))).collect();
    let gone = searched.live.saturating_sub(live);
    let verdict = compare(&searched.candidates, &still, &found);
    let differs = searched.candidates.iter().zip(&found).position(|(then, now)| !same(then, now));
    let shorter = searched.candidates.len().min(found.len());
    let differs = differs.or((searched.candidates.len() != found.len()).then_some(shorter));
    let differs_at = differs.and_then(|at| u32::try_from(at + 1).ok());
    let rerun = Rerun { search: searched.search, verdict, gone, gone_from_list, differs_at };
    let mut happening = Happening::new(Kind::SearchRerun)
        .of(&gallery)
        .about([Object::Search(searched.search)])
        .with("gone", Detail::Number(gone))
        .with("gone_from_list", Detail::Number(gone_from_list))
        .with("verdict", Detail::Word(verdict.as_str()));
    if verdict == Verdict::Different {
        happening = happening.ended(Outcome::Failed);
    }
    desk.vault.acting_for(caller).tell(&happening).await?;
    Ok(rerun)
}

fn question(searched: &Searched, probe: Template, model: ModelId) -> Result<Question, CaseworkError> {
    let can_not = |why: &'static str| DisclosureError::NotAgain { search: searched.search, why };
    if searched.people == 0 {
        return Err(can_not("it is of before the records kept what that takes").into());
    }
    if searched.back_end.contains("APPROXIMATE") {
        return Err(can_not("it was approximate, and graphs are built anew").into());
    }
    if model.hash_hex() != searched.model {
        return Err(can_not("the gallery is of another model now").into());
    }
    let filter = searched.restriction.as_deref().unwrap_or_default().parse::<Filter>();
    let filter = filter.map_err(|_| can_not("it was restricted to subjects, whom records name by hash only"))?;
    let people = usize::try_from(searched.people).unwrap_or(usize::MAX);
    Ok(Question {
        gallery: searched.gallery.parse()?,
        model,
        probes: vec![probe],
        rule: ListRule { people, threshold: searched.threshold.map(|score| score.0) },
        filter: filter.up_to(TemplateId(searched.last_template)),
        mode: Mode::Exact,
    })
}

fn same(then: &Listed, now: &Listed) -> bool {
    then.template == now.template && then.score.0.to_bits() == now.score.0.to_bits()
}

/// `still` is what of `then` is not erased.
fn compare(then: &[Listed], still: &[&Listed], now: &[Listed]) -> Verdict {
    if then.len() == now.len() && then.iter().zip(now).all(|(then, now)| same(then, now)) {
        return Verdict::Same;
    }
    // Whoever lost a reference may stand further down with another, and room was made at the end.
    let mut rest = now.iter();
    let in_order = still.iter().all(|then| rest.any(|now| same(then, now)));
    let explained = still.len() < then.len() && in_order && now.len() - still.len() <= then.len() - still.len();
    if explained { Verdict::GalleryChanged } else { Verdict::Different }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::searched::Exact;

    fn list(templates: &[u64]) -> Vec<Listed> {
        let listed = |(at, &template): (usize, &u64)| Listed {
            rank: at as u32 + 1,
            template,
            score: Exact(1.0 / (template as f32 + 1.0)),
            named: Named::Plainly,
        };
        templates.iter().enumerate().map(listed).collect()
    }

    fn verdict(then: &[u64], gone: &[u64], now: &[u64]) -> Verdict {
        let (then, now) = (list(then), list(now));
        let still: Vec<&Listed> = then.iter().filter(|one| !gone.contains(&one.template)).collect();
        compare(&then, &still, &now)
    }

    #[test]
    fn only_erasures_explain_another_list() {
        assert_eq!(verdict(&[1, 2, 3], &[], &[1, 2, 3]), Verdict::Same);
        assert_eq!(verdict(&[1, 2, 3], &[2], &[1, 3, 4]), Verdict::GalleryChanged);
        assert_eq!(verdict(&[1, 2, 3], &[2], &[1, 3]), Verdict::GalleryChanged, "nobody is left to follow");
        assert_eq!(verdict(&[2, 3, 4], &[2], &[3, 5, 4]), Verdict::GalleryChanged, "with another reference of theirs");
        assert_eq!(verdict(&[1, 2, 3], &[], &[1, 2, 4]), Verdict::Different);
        assert_eq!(verdict(&[1, 2, 3], &[], &[1, 2]), Verdict::Different);
        assert_eq!(verdict(&[1, 2, 3], &[2], &[3, 1, 4]), Verdict::Different, "in another order");
        assert_eq!(verdict(&[1, 2, 3], &[2], &[1, 4, 5]), Verdict::Different, "3 was not erased");
        assert_eq!(verdict(&[1, 2, 3], &[2], &[1, 3, 4, 5]), Verdict::Different, "longer than there is room for");
        let mut other = list(&[1, 2, 3]);
        other[1].score.0 = f32::from_bits(other[1].score.0.to_bits() + 1);
        let then = list(&[1, 2, 3]);
        assert_eq!(compare(&then, &then.iter().collect::<Vec<_>>(), &other), Verdict::Different, "by one bit");
    }
}
