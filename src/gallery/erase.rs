//! Erasing templates: everywhere, in place, and finished even when it is cut short.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::audit::{Caller, Detail, Happening, Kind};
use crate::base::clock;
use crate::base::day::Day;
use crate::base::ids::{GalleryName, SubjectRef, TemplateId};
use crate::base::limits::ERASE_BATCH_MAX;
use crate::gallery::GalleryError;
use crate::gallery::lock;
use crate::gallery::room::{Guard, Room, blocking, detached};
use crate::gallery::vault::{Inner, Vault};
use crate::records::{BegunErasure, CopyLeft, ErasureRecord, PackLeft};
use crate::segment::Before;
use crate::vector::rows::GalleryRows;

const POLL: Duration = Duration::from_millis(2);

/// What is to be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erase {
    /// One template, enrolled or synthetic.
    Template(TemplateId),
    /// One template, if its image was decided to go or its time is over on that day.
    Due(TemplateId, Day),
    /// Every reference of a subject.
    Subject(SubjectRef),
}

/// What was erased.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erased {
    /// The templates, ascending; those of earlier erasures that were finished now included.
    pub templates: Vec<TemplateId>,
    /// Files in which bytes were overwritten.
    pub files: Vec<PathBuf>,
    /// This erasure, for its certificate; `None` where only earlier ones were finished.
    pub begun: Option<BegunErasure>,
    /// Kept pictures that were overwritten and removed.
    pub pictures: u64,
}

impl Vault {
    /// Erases templates, and finishes earlier erasures of the gallery that could not be. When this returns, their bytes
    /// and those of pictures that were kept of them are in no file of the data folder, and `refresh` (which brings copies on devices up to date) has been called with
    /// the rows as they are now.
    ///
    /// # Errors
    /// [`GalleryError::NothingToErase`]; [`GalleryError::StillRead`] or a records' error when it could not be finished:
    /// the templates are out of every new search then, and erasing again finishes it, as does the next start.
    pub async fn erase(
        &self,
        name: &GalleryName,
        what: Erase,
        refresh: impl FnOnce(&GalleryRows) + Send + 'static,
    ) -> Result<Erased, GalleryError> {
        let room = self.inner.room(name)?;
        let (inner, caller) = (Arc::clone(&self.inner), self.caller.clone());
        detached(async move { inner.erase(&room, &what, &caller, refresh).await }).await
    }

    /// One erasure, by its number.
    ///
    /// # Errors
    /// What the records say.
    pub async fn erasure(&self, id: i64) -> Result<Option<ErasureRecord>, GalleryError> {
        Ok(self.inner.records.erasure(id).await?)
    }

    /// Erasures that are done and have no certificate.
    ///
    /// # Errors
    /// What the records say.
    pub async fn uncertified(&self, name: &GalleryName) -> Result<Vec<i64>, GalleryError> {
        Ok(self.inner.records.uncertified(name).await?)
    }

    /// What other galleries still have of what was erased, as they are now.
    ///
    /// # Errors
    /// What the records say.
    pub async fn copies_left(&self, erasure: i64) -> Result<Vec<CopyLeft>, GalleryError> {
        Ok(self.inner.records.copies_left(erasure).await?)
    }

    /// Packs whose lists named what was erased: as many as a certificate names, and one more.
    ///
    /// # Errors
    /// What the records say.
    pub async fn packs_left(&self, erasure: i64) -> Result<Vec<PackLeft>, GalleryError> {
        Ok(self.inner.records.packs_left(erasure).await?)
    }

    /// Keeps the certificate of an erasure with its signature, if it has none.
    ///
    /// # Errors
    /// What the records say.
    pub async fn certify(&self, erasure: &ErasureRecord, signed: (&str, &str)) -> Result<(), GalleryError> {
        Ok(self.inner.records.certify(erasure, signed).await?)
    }

    /// Finishes erasures that were cut short.
    pub(super) async fn finish_erasures(&self, room: &Arc<Room>) -> Result<Erased, GalleryError> {
        let (inner, room) = (Arc::clone(&self.inner), Arc::clone(room));
        detached(async move {
            let guard = room.lock().await?;
            let wait = inner.options.erase_wait;
            inner.finish_erasures(&room, guard, Before::PerhapsTorn, wait, |_| ()).await
        })
        .await
    }
}

impl Inner {
    async fn erase(
        &self,
        room: &Room,
        what: &Erase,
        caller: &Caller,
        refresh: impl FnOnce(&GalleryRows) + Send + 'static,
    ) -> Result<Erased, GalleryError> {
        let guard = room.lock().await?;
        let unfinished = self.records.erasing(&room.name).await?;
        let ids = self.resolve(room, &guard, what).await?;
        if ids.is_empty() && unfinished.is_empty() {
            let what = match what {
                Erase::Template(_) | Erase::Due(..) => "such template",
                Erase::Subject(_) => "reference of that subject",
            };
            return Err(GalleryError::NothingToErase { gallery: room.name.clone(), what });
        }
        if ids.len() > ERASE_BATCH_MAX {
            return Err(GalleryError::TooMany { what: "templates to erase at once", limit: ERASE_BATCH_MAX });
        }
        let mut guard = guard;
        let mut new = None;
        if !ids.is_empty() {
            let begun = self
                .commit(&room.name, guard.last_id(), async |change| {
                    // Images may be moved by others until the transaction began: nobody else's is erased.
                    if let Erase::Subject(subject) = what
                        && change.templates_of(&room.name, subject).await? != ids
                    {
                        return Err(GalleryError::Moved(room.name.clone()));
                    }
                    // What was decided to be kept since it was looked for stays.
                    if let Erase::Due(id, day) = what
                        && !change.is_to_go(&room.name, *id, *day).await?
                    {
                        let what = "template that has to go";
                        return Err(GalleryError::NothingToErase { gallery: room.name.clone(), what });
                    }
                    // In the same transaction: a hold that is placed from now on comes too late.
                    if let Some(hold) = change.hold_on_templates(&room.name, &ids).await? {
                        return Err(GalleryError::Held { gallery: room.name.clone(), hold });
                    }
                    for &id in &ids {
                        change.begin_erasure(&room.name, id).await?;
                    }
                    let (kind, word) = match what {
                        Erase::Template(_) | Erase::Due(..) => (Kind::ReferenceErased, "reference"),
                        Erase::Subject(_) => (Kind::SubjectErased, "subject"),
                    };
                    new = Some(change.add_erasure(&room.name, word, &ids, caller).await?);
                    Ok(change.tell(caller, &Happening::new(kind).of(&room.name).about_templates(&ids)).await?)
                })
                .await;
            if matches!(begun, Err(GalleryError::Unsettled(_))) {
                guard.unsettled = true;
            }
            let number = begun?;
            let (back, ()) = blocking(guard, move |shelf| shelf.mark_erased(&ids)).await?;
            guard = back;
            room.publish(&guard, number);
        }
        let before = if unfinished.is_empty() { Before::Whole } else { Before::PerhapsTorn };
        let done = self.finish_erasures(room, guard, before, self.options.erase_wait, refresh).await?;
        Ok(Erased { begun: new, ..done })
    }

    /// The live templates that are meant.
    async fn resolve(&self, room: &Room, guard: &Guard, what: &Erase) -> Result<Vec<TemplateId>, GalleryError> {
        match what {
            Erase::Subject(subject) => Ok(self.records.templates_of(&room.name, subject).await?),
            Erase::Template(id) | Erase::Due(id, _) => {
                let state = self.records.states(&room.name, &[*id]).await?.remove(id);
                let synthetic = id.0 <= guard.last_id() && room.snapshot().is_synthetic(*id);
                let live = state.map_or(synthetic, |state| state == "live");
                Ok(if live { vec![*id] } else { Vec::new() })
            }
        }
    }

    /// Finishes erasures that were begun, waiting for readers for at most `wait`.
    pub(super) async fn finish_erasures(
        &self,
        room: &Room,
        mut guard: Guard,
        before: Before,
        wait: Duration,
        refresh: impl FnOnce(&GalleryRows) + Send + 'static,
    ) -> Result<Erased, GalleryError> {
        let ids = self.records.erasing(&room.name).await?;
        if ids.is_empty() {
            return Ok(Erased::default());
        }
        let _pressing = room.press();
        wait_for_searches(room, &mut guard, ids.len(), wait).await?;
        let Some(alone) = lock::exclude(&room.path, wait).await? else {
            return Err(still_read(room, ids.len(), "another process", wait));
        };
        let templates = ids.clone();
        let (guard, overwritten) = blocking(guard, move |shelf| shelf.overwrite(&templates, before)).await?;
        drop(alone);
        let files: Vec<PathBuf> = overwritten?.into_iter().map(|name| room.path.join(name)).collect();
        room.publish(&guard, room.snapshot().number());
        let snapshot = room.snapshot();
        let refreshed = tokio::task::spawn_blocking(move || refresh(snapshot.rows())).await;
        refreshed.map_err(|_| GalleryError::Interrupted)?;
        let pictures = self.erase_pictures(&room.name, &ids).await?;
        self.forget(&room.name, &ids, (files.len(), pictures)).await?;
        Ok(Erased { templates: ids, files, pictures, begun: None })
    }

    /// Removes the details, then their traces in the journal, and only then declares the erasures done.
    async fn forget(
        &self,
        name: &GalleryName,
        ids: &[TemplateId],
        (files, pictures): (usize, u64),
    ) -> Result<(), GalleryError> {
        let mut change = self.records.begin().await?;
        for &id in ids {
            change.forget(name, id).await?;
        }
        change.commit().await?;
        let older = self.records.empty_journal(self.options.erase_wait).await?;
        let mut change = self.records.begin().await?;
        let now = clock::now_rfc3339();
        for &id in ids {
            change.finish_erasure(name, id, &now).await?;
        }
        let mut finished = Happening::new(Kind::ErasureFinished).of(name).about_templates(ids);
        if pictures > 0 {
            finished = finished.with("pictures", Detail::Number(pictures));
        }
        if older > 0 {
            finished = finished.with("older_transactions", Detail::Number(older));
        }
        change.tell(&Caller::itself("bytes overwritten"), &finished).await?;
        change.finish_erasures(name, files).await?;
        Ok(change.commit().await?)
    }
}

/// Waits until every run that still shows the templates is dropped.
async fn wait_for_searches(room: &Room, guard: &mut Guard, count: usize, wait: Duration) -> Result<(), GalleryError> {
    let older = guard.retired();
    let deadline = Instant::now() + wait;
    while older.iter().any(|run| run.strong_count() > 0) {
        if Instant::now() > deadline {
            return Err(still_read(room, count, "a search", wait));
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

fn still_read(room: &Room, count: usize, reader: &'static str, waited: Duration) -> GalleryError {
    GalleryError::StillRead { gallery: room.name.clone(), count, reader, waited_ms: waited.as_millis() as u64 }
}
