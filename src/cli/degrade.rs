//! `bertillon degrade`: pictures made poor, for measuring what that costs.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::base::limits::IMAGE_BYTES_MAX;
use crate::cli::print;
use crate::vision::degrade::{Preset, degrade};

/// Make pictures poor, as cameras on walls do: smaller, blurred, noisy, hard pressed. For measuring, never for casework.
///
/// The same picture, preset and seed give the same result.
#[derive(Debug, clap::Args)]
pub struct Degrade {
    /// Pictures.
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// Folder for the results, as NAME.PRESET.jpg.
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// How poor: mild, cctv or night.
    #[arg(long, default_value = "cctv")]
    pub preset: Preset,
    /// Seed of what is drawn.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
}

/// Degrades each picture; nothing that is there is replaced.
///
/// # Errors
/// At the first picture that can't be used.
pub fn run(asked: &Degrade) -> Result<()> {
    fs_err::create_dir_all(&asked.out)?;
    for path in &asked.images {
        let size = fs_err::metadata(path)?.len();
        anyhow::ensure!(size <= IMAGE_BYTES_MAX as u64, "{}: {size} bytes; at most {IMAGE_BYTES_MAX}", path.display());
        let poor = degrade(&fs_err::read(path)?, asked.preset, asked.seed);
        let poor = poor.with_context(|| format!("{}", path.display()))?;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let to = asked.out.join(format!("{stem}.{}.jpg", asked.preset.name()));
        if to.exists() {
            bail!("{}: is there already", to.display());
        }
        fs_err::write(&to, poor)?;
        print::line(&format!("{}", to.display()))?;
    }
    Ok(())
}
