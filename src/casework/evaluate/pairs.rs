//! One-to-one comparison of pictures in pairs, by the product's own vision and the arithmetic of its lists.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::base::hex;
use crate::base::ids::ModelId;
use crate::casework::evaluate::extract::{self, Item, Taken};
use crate::casework::evaluate::{JOURNALS, RunFolder, RunKey, Watch, sha256_of};
use crate::casework::{CaseworkError, desk};
use crate::evaluation::verification::{Pair, Scored, Verification, read_pairs, verify};
use crate::settings::Settings;
use crate::vector::score::exact_score;

/// Compares the pairs that `list` names among the pictures below `folder`. Gives the figures and the model.
///
/// # Errors
/// [`CaseworkError`]; after an interruption the same call goes on.
pub async fn run(
    settings: &Settings,
    folder: &Path,
    list: &Path,
    out: &Path,
    keep: bool,
    watch: &Watch,
) -> Result<(Verification, ModelId), CaseworkError> {
    let pairs = read_pairs(list)?;
    let set = desk::catalogue_of(settings)?.set(&settings.models.set)?.id();
    let key = RunKey {
        data_sha256: sha256_of(&format!("{pairs:?} below {}", folder.display())),
        model_sha256: hex::encode(&set.hash),
        settings: json!({ "kind": "pairs", "journals": JOURNALS }),
    };
    let run = RunFolder::take(out, &key)?;
    let desk = run.desk(settings).await?;
    let scored = scored(&desk, folder, &pairs, &run, watch).await;
    desk.vault.clone().close().await;
    let found = verify(&scored?)?;
    if !keep {
        run.remove_work()?;
    }
    Ok((found, set))
}

async fn scored(
    desk: &crate::casework::Desk,
    folder: &Path,
    pairs: &[Pair],
    run: &RunFolder,
    watch: &Watch,
) -> Result<Vec<Scored>, CaseworkError> {
    let vision = desk.default_vision().await?;
    let mut numbers: HashMap<&PathBuf, usize> = HashMap::new();
    let mut items = Vec::new();
    for picture in pairs.iter().flat_map(|pair| &pair.pictures) {
        numbers.entry(picture).or_insert_with(|| {
            items.push(Item { path: folder.join(picture), gallery: false, degraded: None });
            items.len() - 1
        });
    }
    let journal = extract::extract(&vision, items, run, desk.vision_threads(), 0, watch).await?;
    let values = |picture: &PathBuf| -> Result<Option<Vec<f32>>, CaseworkError> {
        let Some(&number) = numbers.get(picture) else { return Ok(None) };
        Ok(match extract::taken(&journal, number)? {
            Taken::Template { values, .. } => Some(values),
            Taken::Failed(_) => None,
        })
    };
    let score = |pair: &Pair| {
        let [one, other] = &pair.pictures;
        let both = values(one)?.zip(values(other)?);
        Ok((pair.fold, pair.mated, both.map(|(one, other)| exact_score(&one, &other))))
    };
    pairs.iter().map(score).collect()
}
