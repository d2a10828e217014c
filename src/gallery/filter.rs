//! Which templates a search may be restricted to: by attribute, by number, by subject. All answers are live templates in
//! ascending order, as of the moment of asking; what is erased afterwards is missing from the next snapshot anyway.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use crate::base::ids::{GalleryName, SubjectRef, TemplateId};
use crate::base::limits::TOP_K_MAX;
use crate::gallery::{GalleryError, Vault};
use crate::records::{Attribute, AttributeName};

impl Vault {
    /// Templates with one of `values` under `name`.
    ///
    /// # Errors
    /// A limit, and what the records say.
    pub async fn templates_with(
        &self,
        gallery: &GalleryName,
        name: &AttributeName,
        values: &[&str],
    ) -> Result<Vec<TemplateId>, GalleryError> {
        Ok(self.inner.records.templates_with(gallery, name, values).await?)
    }

    /// Templates whose value under `name` is a whole number in `range`: `capture_year` from 2015 to 2020.
    ///
    /// # Errors
    /// What the records say.
    pub async fn templates_between(
        &self,
        gallery: &GalleryName,
        name: &AttributeName,
        range: RangeInclusive<i64>,
    ) -> Result<Vec<TemplateId>, GalleryError> {
        Ok(self.inner.records.templates_between(gallery, name, range).await?)
    }

    /// Templates of any of `subjects`.
    ///
    /// # Errors
    /// A limit, and what the records say.
    pub async fn templates_of_subjects(
        &self,
        gallery: &GalleryName,
        subjects: &[SubjectRef],
    ) -> Result<Vec<TemplateId>, GalleryError> {
        Ok(self.inner.records.templates_of_subjects(gallery, subjects).await?)
    }

    /// Attributes of live references, by name; templates without any are left out.
    ///
    /// # Errors
    /// [`GalleryError::TooMany`], what the records say.
    pub async fn attributes(
        &self,
        gallery: &GalleryName,
        ids: &[TemplateId],
    ) -> Result<HashMap<TemplateId, Vec<Attribute>>, GalleryError> {
        if ids.len() > TOP_K_MAX {
            return Err(GalleryError::TooMany { what: "templates asked for", limit: TOP_K_MAX });
        }
        Ok(self.inner.records.attributes(gallery, ids).await?)
    }
}
