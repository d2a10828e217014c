//! Enrolling references: into the tail's file, then the records, then what searches see.

use std::collections::HashMap;
use std::sync::Arc;

use crate::audit::{Caller, Detail, Happening, Kind};
use crate::base::clock;
use crate::base::ids::{GalleryName, ModelId, SubjectRef, TemplateId};
use crate::base::limits::{ENROL_BATCH_MAX, QUALITY_BYTES_MAX, RECORD_TEXT_BYTES_MAX, TEMPLATE_ID_MAX};
use crate::gallery::GalleryError;
use crate::gallery::maintenance::seal_in_background;
use crate::gallery::manifest::GallerySpec;
use crate::gallery::pictures::ToKeep;
use crate::gallery::room::{Guard, Room, blocking, detached};
use crate::gallery::shelf::Shelf;
use crate::gallery::tail::TailRow;
use crate::gallery::vault::{Inner, Vault, check_text};
use crate::policy::DatedFacts;
use crate::records::{Attribute, Change, KeptPicture, NewDetail, ReferenceImage, check_attributes};
use crate::segment::Precision;
use crate::vector::codec::Code;
use crate::vector::template::Template;

/// A new reference, ready to be enrolled.
#[derive(Debug, Clone)]
pub struct NewReference {
    /// Whose.
    pub subject: SubjectRef,
    /// Hash of the image file: one image is enrolled once.
    pub image_sha256: [u8; 32],
    /// Where the image came from: a file's name.
    pub source: String,
    /// Width of the image in pixels.
    pub width_px: u32,
    /// Height of the image in pixels.
    pub height_px: u32,
    /// Quality measures; kept as they are.
    pub quality_json: String,
    /// The face's template.
    pub template: Template,
    /// Which model made it.
    pub model: ModelId,
    /// By what searches may be restricted to it.
    pub attributes: Vec<Attribute>,
    /// What is known of the image, and its dates.
    pub about: DatedFacts,
}

/// What became of a new reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enrolment {
    /// It is enrolled.
    New(TemplateId),
    /// Its image was enrolled before.
    Already {
        /// The template it has.
        id: TemplateId,
        /// The subject it was enrolled for, who may be another one.
        subject: SubjectRef,
    },
}

impl Vault {
    /// Enrols references, all of them or none: one transaction. An image that is enrolled already, or comes twice in the
    /// call, is enrolled once. When this returns they survive a power cut, and every snapshot from now on has them.
    ///
    /// # Errors
    /// [`GalleryError::OtherModel`], [`GalleryError::OtherDimension`], [`GalleryError::BeingErased`], limits, and what
    /// records or files say.
    pub async fn enrol(
        &self,
        name: &GalleryName,
        references: Vec<NewReference>,
    ) -> Result<Vec<Enrolment>, GalleryError> {
        self.enrol_keeping(name, references, ToKeep::new()).await
    }

    /// The same, and of images in `pictures` that are new the picture is kept: sealed, and on the medium when this returns.
    ///
    /// # Errors
    /// As [`enrol`](Self::enrol); [`GalleryError::Keys`], [`GalleryError::Picture`].
    pub async fn enrol_keeping(
        &self,
        name: &GalleryName,
        references: Vec<NewReference>,
        pictures: ToKeep,
    ) -> Result<Vec<Enrolment>, GalleryError> {
        let room = self.inner.room(name)?;
        if references.len() > ENROL_BATCH_MAX {
            return Err(GalleryError::TooMany { what: "references in one call", limit: ENROL_BATCH_MAX });
        }
        for new in &references {
            check_text("source", &new.source, RECORD_TEXT_BYTES_MAX)?;
            check_text("quality", &new.quality_json, QUALITY_BYTES_MAX)?;
            check_attributes(&new.attributes)?;
        }
        let (inner, caller) = (Arc::clone(&self.inner), self.caller.clone());
        detached(async move { inner.enrol(room, references, pictures, &caller).await }).await
    }

    /// Which of `images` are enrolled already, with template and subject, so that nobody needs to look at them again.
    ///
    /// # Errors
    /// What the records say.
    pub async fn images_enrolled(
        &self,
        name: &GalleryName,
        images: &[[u8; 32]],
    ) -> Result<HashMap<[u8; 32], (TemplateId, SubjectRef)>, GalleryError> {
        let limit = ENROL_BATCH_MAX;
        if images.len() > limit {
            return Err(GalleryError::TooMany { what: "images asked for", limit });
        }
        let found = self.inner.records.images(name, images).await?;
        let live = found.into_iter().filter(|(_, (_, live))| *live);
        Ok(live.map(|(image, (detail, _))| (image, (detail.id, detail.subject))).collect())
    }

    /// Seals the tail now, whatever its size.
    ///
    /// # Errors
    /// What the files say.
    pub async fn seal(&self, name: &GalleryName) -> Result<(), GalleryError> {
        let room = self.inner.room(name)?;
        let inner = Arc::clone(&self.inner);
        detached(async move {
            let guard = room.lock().await?;
            inner.check_settled(&room).await?;
            seal(&room, guard).await
        })
        .await
    }
}

impl Inner {
    async fn enrol(
        self: &Arc<Self>,
        room: Arc<Room>,
        references: Vec<NewReference>,
        pictures: ToKeep,
        caller: &Caller,
    ) -> Result<Vec<Enrolment>, GalleryError> {
        let guard = room.lock().await?;
        check_templates(&room.name, guard.spec(), &references)?;
        let images: Vec<[u8; 32]> = references.iter().map(|new| new.image_sha256).collect();
        let known = self.records.images(&room.name, &images).await?;
        if let Some((detail, _)) = known.values().find(|(_, live)| !live) {
            return Err(GalleryError::BeingErased(detail.id));
        }
        if guard.last_given() > TEMPLATE_ID_MAX - references.len() as u64 {
            return Err(GalleryError::TooMany { what: "templates", limit: TEMPLATE_ID_MAX as usize });
        }
        let known = known.into_iter().map(|(image, (detail, _))| (image, (detail.id, detail.subject))).collect();
        let plan = Plan::make(references, known, guard.last_given(), guard.spec().originals);
        let Some(last_id) = plan.rows.last().map(|row| row.id.0) else { return Ok(plan.outcome) };
        let kept = self.keep_pictures(&room.name, &plan.details, pictures).await?;
        let rows = plan.rows;
        let (guard, appended) = blocking(guard, move |shelf| {
            // What can't be taken back now is cut off before the next append, or at the next start.
            shelf.append(rows).inspect_err(|_| drop(shelf.roll_back()))
        })
        .await?;
        if let Err(error) = appended {
            self.unkeep_pictures(&room.name, &kept).await;
            return Err(error);
        }
        let details = plan.details;
        let committed = self
            .commit(&room.name, last_id, async |change| {
                change.add_references(&room.name, &details).await?;
                change.add_pictures(&room.name, &kept).await?;
                Ok(change.tell(caller, &enrolled(&room.name, &details, &kept)).await?)
            })
            .await;
        let guard = match committed {
            Ok(number) => {
                let (guard, ()) = blocking(guard, Shelf::commit).await?;
                room.publish(&guard, number);
                guard
            }
            Err(error) => {
                // Where it is not known whether they count, a start finds out.
                if !matches!(error, GalleryError::Unsettled(_)) {
                    self.unkeep_pictures(&room.name, &kept).await;
                }
                return Err(self.roll_back(&room, guard, error).await);
            }
        };
        if guard.tail_rows() >= self.options.tail_rows_max {
            seal_in_background(self, room);
        }
        Ok(plan.outcome)
    }

    /// One transaction that makes templates up to `last_id` count, and its snapshot number. An error means that it is
    /// known not to be kept, or [`GalleryError::Unsettled`].
    pub(super) async fn commit(
        &self,
        name: &GalleryName,
        last_id: u64,
        fill: impl AsyncFnOnce(&mut Change) -> Result<(), GalleryError>,
    ) -> Result<u64, GalleryError> {
        let before = self.records.gallery(name).await?.map_or(0, |record| record.snapshot_number);
        let mut change = self.records.begin().await?;
        fill(&mut change).await?;
        let number = change.advance(name, last_id).await?;
        let told = change.told();
        let Err(error) = change.commit().await else { return Ok(number) };
        match self.records.gallery(name).await {
            Ok(Some(record)) if record.snapshot_number == number => {
                // It was kept, and so was what it tells.
                told.iter().for_each(Caller::was_recorded);
                Ok(number)
            }
            Ok(Some(record)) if record.snapshot_number == before => Err(error.into()),
            Ok(_) | Err(_) => Err(GalleryError::Unsettled(name.clone())),
        }
    }

    async fn roll_back(&self, room: &Room, mut guard: Guard, error: GalleryError) -> GalleryError {
        if matches!(error, GalleryError::Unsettled(_)) {
            guard.unsettled = true;
            return error;
        }
        if let Ok((_, Err(second))) = blocking(guard, Shelf::roll_back).await {
            tracing::warn!(gallery = %room.name, error = %second, "an append is taken back later");
        }
        error
    }
}

fn enrolled(gallery: &GalleryName, details: &[NewDetail], kept: &[KeptPicture]) -> Happening {
    let ids: Vec<TemplateId> = details.iter().map(|detail| detail.id).collect();
    let enrolled = Happening::new(Kind::ReferenceEnrolled).of(gallery).about_templates(&ids);
    if kept.is_empty() { enrolled } else { enrolled.with("pictures", Detail::Number(kept.len() as u64)) }
}

/// What a call to enrol will do.
struct Plan {
    outcome: Vec<Enrolment>,
    rows: Vec<TailRow>,
    details: Vec<NewDetail>,
}

impl Plan {
    fn make(
        references: Vec<NewReference>,
        mut known: HashMap<[u8; 32], (TemplateId, SubjectRef)>,
        after: u64,
        originals: Precision,
    ) -> Self {
        let mut plan = Self { outcome: Vec::with_capacity(references.len()), rows: Vec::new(), details: Vec::new() };
        let enrolled_at = clock::now_rfc3339();
        for new in references {
            if let Some((id, subject)) = known.get(&new.image_sha256) {
                plan.outcome.push(Enrolment::Already { id: *id, subject: subject.clone() });
                continue;
            }
            let id = TemplateId(after + 1 + plan.rows.len() as u64);
            let original = originals.round(new.template.values());
            plan.rows.push(TailRow { id, code: Code::of(&original), original });
            known.insert(new.image_sha256, (id, new.subject.clone()));
            let image = ReferenceImage {
                sha256: new.image_sha256,
                source: new.source,
                width_px: new.width_px,
                height_px: new.height_px,
                quality_json: new.quality_json,
                enrolled_at: enrolled_at.clone(),
            };
            let NewReference { subject, attributes, about, .. } = new;
            plan.details.push(NewDetail { id, subject, image, attributes, about });
            plan.outcome.push(Enrolment::New(id));
        }
        plan
    }
}

fn check_templates(gallery: &GalleryName, spec: &GallerySpec, new: &[NewReference]) -> Result<(), GalleryError> {
    let gallery = gallery.clone();
    if let Some(other) = new.iter().find(|new| new.model.hash != spec.model.hash) {
        let (wanted, found) = (spec.model.to_string(), other.model.to_string());
        return Err(GalleryError::OtherModel { gallery, wanted, found });
    }
    if let Some(other) = new.iter().find(|new| new.template.dimension() != spec.dimension) {
        let (wanted, found) = (spec.dimension.get(), other.template.dimension().get());
        return Err(GalleryError::OtherDimension { gallery, wanted, found });
    }
    Ok(())
}

async fn seal(room: &Room, guard: Guard) -> Result<(), GalleryError> {
    let number = room.snapshot().number();
    let (guard, sealed) = blocking(guard, Shelf::seal).await?;
    // Also after a failure: whatever the files are now is what searches should read.
    room.publish(&guard, number);
    sealed
}
