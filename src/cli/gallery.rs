//! `bertillon gallery`.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::audit::{Happening, Kind};
use crate::base::ids::{GalleryName, TemplateId};
use crate::base::text::thousands;
use crate::casework::certificate::Certified;
use crate::casework::jobs::Work;
use crate::casework::{Desk, certificate, enrol, statistics};
use crate::cli::as_whom::caller;
use crate::cli::gallery_args::GalleryCommand;
use crate::cli::{desk, jobs, print, retention, upkeep};
use crate::gallery::{Access, Erase, GallerySummary, GraphPlan, gallery_of_backup};
use crate::http::shapes::GalleryShape;
use crate::segment::Precision;
use crate::settings::Settings;
use crate::settings::storage::Storage;

/// Carries out one of the gallery commands.
///
/// # Errors
/// When the gallery is not there or the data folder can't be used.
pub async fn run(settings: Settings, command: GalleryCommand) -> Result<()> {
    match command {
        GalleryCommand::Create { gallery, purpose, originals, segments } => {
            let half = originals == Precision::F16.as_str();
            let originals = if half { Precision::F16 } else { Precision::F32 };
            create(settings, &gallery, &purpose, (originals, segments)).await
        }
        GalleryCommand::List { json } => list(settings, json).await,
        GalleryCommand::Show { gallery, json } => show(settings, &gallery, json).await,
        GalleryCommand::Import { gallery, templates, subjects, model, json } => {
            let (templates, subjects) = (jobs::from_the_root(&templates)?, jobs::from_the_root(&subjects)?);
            jobs::here_or_there(settings, &gallery, Work::Import { templates, subjects, model }, json).await
        }
        GalleryCommand::Verify { gallery, json } => upkeep::verify(settings, &gallery, json).await,
        GalleryCommand::Compact { gallery, all, json } => {
            jobs::here_or_there(settings, &gallery, Work::Compact { all }, json).await
        }
        GalleryCommand::Backup { gallery, to, json } => upkeep::backup(settings, &gallery, &to, json).await,
        GalleryCommand::Restore { folder, name, json } => {
            let from = jobs::from_the_root(&folder)?;
            let name = name.map_or_else(|| gallery_of_backup(&from), Ok)?;
            jobs::here_or_there(settings, &name, Work::Restore { from }, json).await
        }
        GalleryCommand::Erase { gallery, subject, template, yes } => {
            let what = match (subject, template) {
                (Some(subject), _) => Erase::Subject(subject),
                (None, Some(template)) => Erase::Template(TemplateId(template)),
                (None, None) => bail!("say what to erase: --subject or --template"),
            };
            erase(settings, &gallery, what, yes).await
        }
        GalleryCommand::Index { gallery, off: true, .. } => {
            let vault = desk(settings, Access::Reader).await?.vault.acting_for(&caller());
            vault.keep_graphs(&gallery, None).await?;
            print::line(&format!("graphs of {gallery} are kept up no more; those there are stay in use"))
        }
        GalleryCommand::Index { gallery, m, ef_construction, audit_probes, again, once, off: false, json } => {
            let plan = GraphPlan { m, ef_construction, audit_probes: audit_probes as usize };
            let work = Work::Index { plan, again, rows_min: 0, keep: Some(!once) };
            jobs::here_or_there(settings, &gallery, work, json).await
        }
        GalleryCommand::Statistics { gallery, source, out } => measure(settings, &gallery, &source, &out).await,
    }
}

async fn create(
    settings: Settings,
    gallery: &GalleryName,
    purpose: &str,
    how: (Precision, Option<Storage>),
) -> Result<()> {
    let desk = desk(settings, Access::Writer).await?;
    if !enrol::ensure_gallery_as(&desk, &caller(), gallery, purpose, how).await? {
        bail!("the gallery {gallery} is there already");
    }
    print::gallery(&summary(&desk, gallery).await?)
}

async fn list(settings: Settings, json: bool) -> Result<()> {
    let vault = desk(settings, Access::Reader).await?.vault.acting_for(&caller());
    let summaries = vault.galleries().await?;
    vault.tell(&Happening::new(Kind::GalleryListed)).await?;
    if json {
        return print::json(&summaries.iter().map(GalleryShape::from).collect::<Vec<_>>());
    }
    print::galleries(&summaries)
}

async fn show(settings: Settings, gallery: &GalleryName, json: bool) -> Result<()> {
    let desk = desk(settings, Access::Reader).await?;
    let summary = summary(&desk, gallery).await?;
    desk.vault.acting_for(&caller()).tell(&Happening::new(Kind::GalleryRead).of(gallery)).await?;
    if json { print::json(&GalleryShape::from(&summary)) } else { print::gallery(&summary) }
}

async fn summary(desk: &Desk, gallery: &GalleryName) -> Result<GallerySummary> {
    let found = desk.vault.galleries().await?.into_iter().find(|summary| summary.record.name == *gallery);
    found.with_context(|| format!("no gallery {gallery}: `bertillon gallery list` shows those there are"))
}

async fn erase(settings: Settings, gallery: &GalleryName, what: Erase, yes: bool) -> Result<()> {
    if !yes {
        confirm(gallery, &what)?;
    }
    let desk = desk(settings, Access::Writer).await?;
    let Certified { erased, certificate, left } = certificate::erase(&desk, &caller(), gallery, what).await?;
    let ids: Vec<String> = erased.templates.iter().map(ToString::to_string).collect();
    let what = if ids.len() == 1 { "template" } else { "templates" };
    print::line(&format!("erased {} {what} from {gallery}: {}", ids.len(), ids.join(", ")))?;
    if erased.pictures > 0 {
        let pictures = if erased.pictures == 1 { "picture" } else { "pictures" };
        print::line(&format!("and {} {pictures} that had been kept", erased.pictures))?;
    }
    left.iter().try_for_each(|one| print::line(&format!("NOT ERASED: {}: {}", one.what, one.why)))?;
    let salt = retention::shown(erased.begun.and_then(|begun| begun.salt));
    certificate.map_or(Ok(()), |id| print::line(&retention::certificate_line(id, salt.as_deref())))
}

fn confirm(gallery: &GalleryName, what: &Erase) -> Result<()> {
    let named = match what {
        Erase::Subject(subject) => format!("all templates of the subject {subject}"),
        Erase::Template(template) | Erase::Due(template, _) => format!("the template {template}"),
    };
    print::confirm(&format!("{named} from {gallery}"))
}

async fn measure(settings: Settings, gallery: &GalleryName, source: &str, out: &Path) -> Result<()> {
    let desk = desk(settings, Access::Reader).await?;
    let statistics = statistics::of_gallery(&desk, gallery, source).await?;
    desk.vault.acting_for(&caller()).tell(&Happening::new(Kind::GalleryMeasured).of(gallery)).await?;
    fs_err::write(out, serde_json::to_string(&statistics)? + "\n")?;
    let impostor = statistics.impostor;
    print::line(&format!(
        "{} people, {} pairs of different people: comparison scores {:.4} on average, deviation {:.4}, largest {:.4}",
        statistics.people,
        thousands(impostor.pairs),
        impostor.mean,
        impostor.deviation,
        impostor.largest
    ))?;
    print::line(&format!("written to {}", out.display()))
}
