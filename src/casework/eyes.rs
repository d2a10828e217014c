//! A model set at work: several loaded copies of it, each for one picture at a time.
//!
//! One copy works on one picture on one core. So the number of copies is the number of pictures worked on at once, in the
//! whole process and whoever asks, and with it the memory that decoding can take.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::base::ids::ModelId;
use crate::vector::dimension::Dimension;
use crate::vision::catalogue::ModelSet;
use crate::vision::runtime::Runtime;
use crate::vision::{Analysis, Vision, VisionError};

/// Copies of one model set, loaded as they are needed, up to a limit.
pub struct Eyes {
    model: ModelId,
    dimension: Dimension,
    set: ModelSet,
    folder: PathBuf,
    runtime: Runtime,
    most: usize,
    state: Mutex<State>,
    returned: Condvar,
}

struct State {
    idle: Vec<Arc<Vision>>,
    loaded: usize,
}

impl Eyes {
    /// Loads the first copy; at most `most` will be loaded (at least one).
    ///
    /// # Errors
    /// [`VisionError`] when the set is not installed or damaged.
    pub fn open(set: ModelSet, folder: PathBuf, runtime: Runtime, most: usize) -> Result<Self, VisionError> {
        let first = Vision::load(&set, &folder, &runtime, 1)?;
        let (model, dimension) = (first.model().clone(), first.dimension());
        let state = Mutex::new(State { idle: vec![Arc::new(first)], loaded: 1 });
        Ok(Self { model, dimension, set, folder, runtime, most: most.max(1), state, returned: Condvar::new() })
    }

    /// Which model.
    #[must_use]
    pub fn model(&self) -> &ModelId {
        &self.model
    }

    /// Numbers of its templates.
    #[must_use]
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// Works on one picture, after waiting for a copy to be free; the picture's time begins then.
    ///
    /// # Errors
    /// [`VisionError`] for a picture that can't be worked on, and when a further copy can't be loaded.
    pub fn analyse(&self, bytes: &[u8]) -> Result<Analysis, VisionError> {
        let vision = self.take()?;
        let _loan = Loan { eyes: self, vision: Arc::clone(&vision) };
        vision.analyse(bytes)
    }

    fn take(&self) -> Result<Arc<Vision>, VisionError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(vision) = state.idle.pop() {
                return Ok(vision);
            }
            if state.loaded < self.most {
                state.loaded += 1;
                drop(state);
                let loaded = Vision::load(&self.set, &self.folder, &self.runtime, 1);
                if loaded.is_err() {
                    self.state.lock().unwrap_or_else(PoisonError::into_inner).loaded -= 1;
                    self.returned.notify_one();
                }
                return loaded.map(Arc::new);
            }
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A copy on loan; it comes back also when the work panics.
struct Loan<'a> {
    eyes: &'a Eyes,
    vision: Arc<Vision>,
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        self.eyes.state.lock().unwrap_or_else(PoisonError::into_inner).idle.push(Arc::clone(&self.vision));
        self.eyes.returned.notify_one();
    }
}
