//! Populations that meet published error rates, **by construction**: each fidelity was chosen so that the closed form gives the
//! published figure. They are evidence about no model, and agreement with a publication is no finding.
//!
//! The fidelities' concentrations are assumptions, and their means were solved for by quadrature (`closed_form` checks them).
//! FNIR is met at the closed form's threshold; what FPIR a synthetic run has there is in docs/SYNTHETIC.md.
//! Assumptions of all: 150 effective dimensions, enrolled templates of fidelity 0.90 and concentration 120, nobody resembling anybody.

use crate::evaluation::synthetic::SyntheticError;
use crate::evaluation::synthetic::parameters::{Fidelity, Parameters, ProbeType};

/// Effective dimensions of every preset: an assumption.
const EFFECTIVE_DIMENSION: f64 = 150.0;
/// Share of the strongest direction: keeps the far tail of strangers' scores that of the closed form.
const STRONGEST: f64 = 0.035;
const GALLERY: Fidelity = Fidelity { mean: 0.90, concentration: 120.0 };

const FRTE: &str = "NIST FRTE 1:N, by-developer table, page of November 2025, one image a person";

/// A published point, and the probes that meet it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Published {
    /// FNIR.
    pub fnir: f64,
    /// People enrolled.
    pub people: u64,
    /// FPIR at which it was measured.
    pub fpir: f64,
    /// Fidelity of probes that meets it.
    pub probe: Fidelity,
    /// Where it was published, and of what.
    pub source: &'static str,
    /// What kind of probe it is.
    pub kind: &'static str,
}

/// A preset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Custody image against custody images, a leading developer.
    Mugshot,
    /// The same, a developer in the middle of the field.
    MugshotMedian,
    /// Webcam picture against custody images, a leading developer.
    Webcam,
    /// 90 degree profile against frontal custody images, a leading developer.
    Profile,
    /// Custody images twelve years and more apart, a leading developer.
    Aged,
    /// Live deployment against a watchlist of 10,000.
    LfrNpl,
    /// Surveillance stills against photographs, an openly published model.
    Cctv,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Mugshot, Self::MugshotMedian, Self::Webcam, Self::Profile, Self::Aged, Self::LfrNpl, Self::Cctv];

    /// Its name on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mugshot => "mugshot",
            Self::MugshotMedian => "mugshot_median",
            Self::Webcam => "webcam",
            Self::Profile => "profile",
            Self::Aged => "aged",
            Self::LfrNpl => "lfr_npl",
            Self::Cctv => "cctv",
        }
    }

    /// What it meets.
    #[must_use]
    pub fn published(self) -> Published {
        let row = |fnir, people, fpir, mean, concentration, kind, source| {
            let probe = Fidelity { mean, concentration };
            Published { fnir, people, fpir, probe, source, kind }
        };
        match self {
            Self::Mugshot => row(0.0006, 12_000_000, 0.003, 0.767_37, 90.0, "mugshot", FRTE),
            Self::MugshotMedian => row(0.0018, 12_000_000, 0.003, 0.747_12, 90.0, "mugshot", FRTE),
            Self::Webcam => row(0.0051, 1_600_000, 0.003, 0.733_25, 50.0, "webcam", FRTE),
            Self::Profile => row(0.039, 1_600_000, 0.003, 0.683_77, 40.0, "profile", FRTE),
            Self::Aged => row(0.0022, 3_000_000, 0.003, 0.731_42, 80.0, "mugshot, 12 years later", FRTE),
            Self::LfrNpl => {
                let source = "NPL's evaluation of live facial recognition, April 2023, watchlist of 10,000";
                row(0.11, 10_000, 1.0 / 6_000.0, 0.641_05, 20.0, "live", source)
            }
            Self::Cctv => {
                let source = "IJB-S surveillance to book, AdaFace R100, README of its authors";
                row(0.406, 202, 0.01, 0.412_14, 6.0, "cctv", source)
            }
        }
    }

    /// Its population, of which nobody differs from anybody else.
    #[must_use]
    pub fn parameters(self) -> Parameters {
        let Published { fnir, people, fpir, probe, source, kind } = self.published();
        let source = format!(
            "synthetic preset {}: meets FNIR {fnir} at {people} people and FPIR {fpir:.6} by construction ({source}); evidence about no model",
            self.name()
        );
        let probe = ProbeType { name: format!("synthetic {kind}"), share: 1.0, fidelity: probe };
        Parameters::plain(source, EFFECTIVE_DIMENSION, STRONGEST, GALLERY, probe)
    }
}

impl std::str::FromStr for Preset {
    type Err = SyntheticError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = || Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|preset| preset.name() == name);
        found.ok_or_else(|| SyntheticError::Unreadable(format!("no preset of that name: there are {}", known())))
    }
}
