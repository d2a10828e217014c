//! Synthetic people and their templates: a population with groups, relatives and poor images, whose comparison scores are known
//! in closed form as long as those are left out.
//!
//! **Nothing here is anybody's face, and nothing measured on it is evidence about a model.** The presets meet published error
//! rates because they are made to ([`presets`]); what they are good for is to try the evaluation, and to see what a gallery's size, its relatives or
//! its poor images do to error rates.
//!
//! Every template can be made alone from (seed, identity, image), with the same bits on every machine: integer operations and
//! single IEEE additions, multiplications, divisions and square roots in a fixed order, and logarithm and exponential
//! made of those ([`draws`]). docs/SYNTHETIC.md describes the generator to the bit; `tests/golden/synthetic.py` was written from it alone and gives
//! the same fingerprint.
//!
//! The model: person i has a centroid `m` on the sphere; a template is `a m + sqrt(1 - a^2) n`, with `n` noise across `m`. `a`, the
//! template's fidelity, says how much of the person is in it and is drawn from a beta distribution. Centroids and noise share one
//! falling spectrum, which leaves `d_eff` effective dimensions. So two templates score
//! `s = a_p a_g <m_p, m_g> + sqrt((1 - a_p^2) (1 - a_g^2) / d_eff) N(0, 1)` for one person, and `N(0, 1 / d_eff)` for two
//! strangers ([`closed_form`]).

pub mod closed_form;
pub mod draws;

pub mod fit;
pub mod generator;
pub mod parameters;
pub mod people;
pub mod presets;
pub mod spectrum;
#[cfg(test)]
mod tests;

pub use generator::Generator;
pub use parameters::Parameters;
pub use presets::Preset;

/// Changes whenever the same parameters and seed give other bits.
pub const VERSION: u32 = 1;

/// What can be wrong with a synthetic population.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SyntheticError {
    /// A figure out of its range.
    #[error("{what} of {found}: {least} to {most} can be made")]
    Figure {
        /// Of what.
        what: &'static str,
        /// What was given.
        found: f64,
        /// Least.
        least: f64,
        /// Most.
        most: f64,
    },
    /// A fidelity whose distribution would rise towards 0 or 1.
    #[error(
        "a fidelity of mean {mean} with a concentration of {concentration}: mean times concentration, and (1 - mean) times concentration, must be 1 at least"
    )]
    Fidelity {
        /// Its mean.
        mean: f64,
        /// Its concentration.
        concentration: f64,
    },
    /// Shares that don't add up.
    #[error("the shares of {what} add up to {sum}: {wanted}")]
    Shares {
        /// Of what.
        what: &'static str,
        /// What they add up to.
        sum: f64,
        /// What is wanted.
        wanted: &'static str,
    },
    /// More effective dimensions than components.
    #[error(
        "{effective} effective dimensions in {dimension} components: at least {wanted} components are wanted for them"
    )]
    Dimension {
        /// Effective dimensions asked for.
        effective: f64,
        /// Components.
        dimension: usize,
        /// Components that would do.
        wanted: usize,
    },
    /// Names that are missing, too long or double.
    #[error("the names of {0}: each needs one of its own, of 1 to 64 bytes")]
    Names(&'static str),
    /// A file of parameters that can't be understood.
    #[error("these are no parameters of the generator: {0}")]
    Unreadable(String),
    /// Too little to fit parameters to.
    #[error("{found} {what} are too few to fit the generator to: at least {wanted} are wanted")]
    TooFew {
        /// Of what.
        what: &'static str,
        /// Found.
        found: usize,
        /// Wanted.
        wanted: usize,
    },
    /// Templates of differing dimension.
    #[error("templates of {0} and of {1} components: one model's templates are of one dimension")]
    Mixed(usize, usize),
    /// Scores that the generator can't imitate.
    #[error("the generator can't imitate these templates: {0}")]
    Unlike(String),
}
