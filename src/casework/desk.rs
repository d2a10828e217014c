//! The desk at which every use case works: the vault of galleries and records, the scorer, and the models, loaded when
//! first needed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::base::ids::{GalleryName, ModelId};
use crate::casework::CaseworkError;
use crate::casework::enrol::blocking;
use crate::casework::eyes::Eyes;
use crate::casework::search::ModeChoice;
use crate::gallery::{Access, Vault, VaultOptions};
use crate::graph::Policy;
use crate::identify::{Approach, Mode};
use crate::scoring::compose::{Engine, compose};
use crate::scoring::threads_here;
use crate::settings::Settings;
use crate::settings::sections::Scoring;
use crate::vision::catalogue::{Catalogue, ModelSet};
use crate::vision::runtime::Runtime;

/// Everything a use case needs, put together from the settings.
pub struct Desk {
    /// Galleries and records.
    pub vault: Vault,
    /// What scores, and what it runs on.
    pub engine: Engine,
    /// The model sets that can be had.
    pub catalogue: Catalogue,
    /// Settings in force.
    pub settings: Settings,
    /// Told when a job was asked for or is not wanted any more.
    pub work_waits: Notify,
    eyes: Loaded,
}

/// Loaded models by the hash of their set.
type Loaded = Arc<Mutex<HashMap<[u8; 32], Arc<Eyes>>>>;

/// How the settings have vaults opened.
#[must_use]
pub fn vault_options(settings: &Settings) -> VaultOptions {
    VaultOptions {
        master_key: settings.encryption.master_key.clone(),
        accept_unlocked_memory: settings.encryption.accept_unlocked_memory,
        records_url: settings.records.url.clone(),
        ..VaultOptions::default()
    }
}

impl Desk {
    /// Opens the data folder and chooses the back end. Models are loaded when a picture first needs one.
    ///
    /// # Errors
    /// [`CaseworkError`] when the data folder is in use or damaged, or the catalogue is wrong.
    pub async fn open(settings: Settings, access: Access) -> Result<Self, CaseworkError> {
        let catalogue = catalogue_of(&settings)?;
        let options = vault_options(&settings);
        let vault = Vault::open(&settings.data.folder, access, options).await?;
        let engine = compose(&settings.scoring).map_err(|error| CaseworkError::Stopped(error.to_string()))?;
        Ok(Self { vault, engine, catalogue, settings, work_waits: Notify::new(), eyes: Loaded::default() })
    }

    /// Pictures to work on at once.
    #[must_use]
    pub fn vision_threads(&self) -> usize {
        match self.settings.vision.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads => threads,
        }
    }

    /// Threads for scoring on the CPU.
    #[must_use]
    pub fn scoring_threads(&self) -> usize {
        if self.settings.scoring.threads == 0 { threads_here() } else { self.settings.scoring.threads }
    }

    /// What a request's choice of exactness means under the settings.
    #[must_use]
    pub fn mode(&self, choice: ModeChoice) -> Mode {
        match choice {
            ModeChoice::Exact => Mode::Exact,
            ModeChoice::Approximate(ef) => {
                let Scoring { approximate_recall_min: recall_min, approximate_mate_cosine: cosine, .. } =
                    self.settings.scoring;
                let policy = Policy { recall_min, mate_cosine: cosine as f32 };
                let exhaustive = Arc::clone(&self.engine.scorer);
                Mode::Approximate(Approach { ef, policy, threads: self.scoring_threads(), exhaustive })
            }
        }
    }

    /// The model set that new galleries get, loaded.
    ///
    /// # Errors
    /// [`CaseworkError::Vision`] when it is unknown, not installed or damaged.
    pub async fn default_vision(&self) -> Result<Arc<Eyes>, CaseworkError> {
        let set = self.catalogue.set(&self.settings.models.set)?;
        self.load(set).await
    }

    /// The model that made `gallery`'s templates, loaded.
    ///
    /// # Errors
    /// [`CaseworkError::ModelUnknown`] when no catalogue has it any more.
    pub async fn vision_for(&self, gallery: &GalleryName) -> Result<Arc<Eyes>, CaseworkError> {
        let theirs = self.vault.snapshot(gallery).await?.model().clone();
        match self.catalogue.set(&theirs.name) {
            Ok(set) if set.id().hash == theirs.hash => self.load(set).await,
            Ok(set) => Err(unknown(gallery, theirs, format!("its {}", set.id()))),
            Err(_) => Err(unknown(gallery, theirs, "it has no set of that name".to_owned())),
        }
    }

    /// The models loaded so far.
    #[must_use]
    pub fn loaded_models(&self) -> Vec<ModelId> {
        let eyes = self.eyes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut models: Vec<ModelId> = eyes.values().map(|vision| vision.model().clone()).collect();
        models.sort_by(|a, b| a.name.cmp(&b.name));
        models
    }

    /// The folder of model files.
    #[must_use]
    pub fn models_folder(&self) -> PathBuf {
        self.settings.models_folder()
    }

    async fn load(&self, set: &ModelSet) -> Result<Arc<Eyes>, CaseworkError> {
        let (eyes, set, folder) = (Arc::clone(&self.eyes), set.clone(), self.models_folder());
        let library = self.settings.models.runtime.clone();
        let most = self.vision_threads();
        blocking(move || load(&eyes, set, folder, library.as_deref(), most)).await?
    }
}

fn load(
    eyes: &Loaded,
    set: ModelSet,
    folder: PathBuf,
    library: Option<&Path>,
    most: usize,
) -> Result<Arc<Eyes>, CaseworkError> {
    let id = set.id();
    // Held while loading, so that two requests do not load the same hundred megabytes twice.
    let mut eyes = eyes.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(vision) = eyes.get(&id.hash) {
        return Ok(Arc::clone(vision));
    }
    let runtime = Runtime::load(library, &folder)?;
    let vision = Arc::new(Eyes::open(set, folder, runtime, most)?);
    eyes.insert(id.hash, Arc::clone(&vision));
    Ok(vision)
}

fn unknown(gallery: &GalleryName, theirs: ModelId, here: String) -> CaseworkError {
    CaseworkError::ModelUnknown { gallery: gallery.clone(), theirs, here }
}

/// The built-in catalogue, joined by the user's own.
///
/// # Errors
/// [`CaseworkError::Vision`] when a catalogue is wrong.
pub fn catalogue_of(settings: &Settings) -> Result<Catalogue, CaseworkError> {
    Ok(match &settings.models.catalogue {
        Some(path) => Catalogue::read(path)?,
        None => Catalogue::builtin()?,
    })
}
