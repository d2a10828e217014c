//! What can be wrong with statistics, a crowd or an evaluation.

/// Why an evaluation, a model's statistics or a crowd did not come about.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EvaluationError {
    /// Too few people to say anything about the spread of a model.
    #[error("{found} people are too few to measure a model's statistics: at least {wanted} are wanted")]
    TooFewPeople {
        /// People found.
        found: usize,
        /// People wanted.
        wanted: usize,
    },
    /// Templates of differing dimension, or statistics whose parts do not fit together.
    #[error("the statistics do not fit together: {0}")]
    Shape(String),
    /// A model whose statistics nobody has measured.
    #[error(
        "no statistics of the model {0} are known, so no crowd can be drawn for it: measure them with `bertillon gallery statistics`"
    )]
    NoStatistics(String),
    /// A covariance that no set of templates has.
    #[error("the statistics' covariance is not positive definite (row {0}): the file is damaged or was edited")]
    NotPositive(usize),
    /// Statistics of one model used for another.
    #[error(
        "these statistics were measured on the model {measured}, the gallery's is {gallery}: different models are never mixed"
    )]
    OtherModel {
        /// Hash that the statistics carry.
        measured: String,
        /// Hash of the gallery's model.
        gallery: String,
    },
    /// Nothing to compute from.
    #[error("there are no {0}, so nothing can be said about them")]
    Empty(&'static str),
    /// A number outside what it may be; NaN is outside everything.
    #[error("{what} is {found}: {wanted}")]
    Figure {
        /// What the number says.
        what: &'static str,
        /// What was given.
        found: f64,
        /// What it must be.
        wanted: &'static str,
    },
    /// A search that contradicts itself.
    #[error("search {index} (probe {probe}): {what}")]
    Search {
        /// Its place among the searches.
        index: usize,
        /// Whose probe it is.
        probe: u32,
        /// The contradiction.
        what: &'static str,
    },
    /// A rank that the candidate lists do not reach.
    #[error("rank {rank} was asked for, but the candidate lists end at {list_length}: search again with longer lists")]
    RankBeyondList {
        /// Rank asked for.
        rank: u32,
        /// Length of the lists.
        list_length: u32,
    },
    /// A resampled interval of a rate without events, or without anything but events.
    #[error(
        "{events} events of {trials}: resampling cannot see what never varied; use the Clopper-Pearson interval on the effective number of searches"
    )]
    ZeroCount {
        /// Events counted.
        events: u64,
        /// Searches counted.
        trials: u64,
    },
    /// Two sets that should belong together one by one.
    #[error("these do not belong together: {0}")]
    NotPaired(String),
    /// More than is handled at once.
    #[error("{found} {what} are too many: at most {most} are handled")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// Most allowed.
        most: usize,
    },
    /// Lists so long, of people with so many images, that no scorer is asked for as many templates.
    #[error(
        "lists of {list_length} people who have up to {images} images each: their product may be {most} at most; ask for shorter lists"
    )]
    Depth {
        /// People on a list.
        list_length: usize,
        /// Most images of one of them.
        images: usize,
        /// Largest product.
        most: usize,
    },
    /// More than there may be in memory.
    #[error(
        "{searches} searches with lists of {list_length} would take {:.1} GB of memory while figures are worked out, at most {:.1} GB are taken: ask for shorter lists, or fewer probes",
        *.bytes as f64 / 1e9, *.most as f64 / 1e9
    )]
    Memory {
        /// Searches of one gallery.
        searches: u64,
        /// Candidates of each.
        list_length: usize,
        /// What they would take.
        bytes: u64,
        /// What they may take.
        most: u64,
    },
    /// Searches that can't be had again.
    #[error("the searches can't be read: {0}")]
    Searches(String),
    /// Whoever waited for the figures went away; nothing went wrong.
    #[error("interrupted")]
    Interrupted,
    /// An iteration that did not settle.
    #[error("{0} did not settle: the data do not determine it")]
    NotSettled(&'static str),
    /// Results of another version of the format.
    #[error("these results are of version {found} of their format, this program reads versions {oldest} to {newest}")]
    ResultsVersion {
        /// Version that the results carry.
        found: u32,
        /// Oldest version that is read.
        oldest: u32,
        /// Newest one.
        newest: u32,
    },
    /// Results whose parts do not fit together, or of which there are more than a report can show.
    #[error("the results can not be shown: {0}")]
    Results(String),
    /// A plot that the library could not draw.
    #[error("a plot could not be drawn: {0}")]
    Drawing(String),
}
