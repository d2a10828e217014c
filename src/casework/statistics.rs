//! A gallery's own spread of faces: one real template a person, summed up for synthetic crowds.

use std::collections::HashSet;

use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::STATISTICS_PEOPLE_MAX;
use crate::casework::{CaseworkError, Desk};
use crate::evaluation::statistics::Statistics;
use crate::vector::VectorError;
use crate::vector::template::Template;
use crate::vision::VisionError;

/// Measures over the first template of each of the first people of `gallery`, synthetic ones left out.
///
/// # Errors
/// [`CaseworkError::Evaluation`] when there are too few people.
pub async fn of_gallery(desk: &Desk, gallery: &GalleryName, source: &str) -> Result<Statistics, CaseworkError> {
    let snapshot = desk.vault.snapshot(gallery).await?;
    let mut ids: Vec<(TemplateId, Template)> = Vec::new();
    let wrong = |error: VectorError| CaseworkError::Vision(VisionError::Vector(error));
    for run in snapshot.rows() {
        let real = |row: &usize| run.is_live(*row) && !snapshot.is_synthetic(run.template_id(*row));
        let room = STATISTICS_PEOPLE_MAX - ids.len();
        for row in (0..run.len()).filter(real).take(room) {
            let mut values = vec![0.0; run.dimension().get()];
            run.original(row, &mut values);
            ids.push((run.template_id(row), Template::from_unit(values).map_err(wrong)?));
        }
    }
    let wanted: Vec<TemplateId> = ids.iter().map(|(id, _)| *id).collect();
    let references = desk.vault.references(gallery, &wanted).await?;
    let mut seen = HashSet::new();
    let first = |(id, template): (TemplateId, Template)| {
        let subject = &references.get(&id)?.subject;
        seen.insert(subject.clone()).then_some(template)
    };
    let people: Vec<Template> = ids.into_iter().filter_map(first).collect();
    Ok(Statistics::measure(snapshot.model(), source, &people)?)
}
