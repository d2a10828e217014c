//! What every other room may use: identifiers, limits, the clock, which program this is, numbers and hashes as text
//! and in the headers of files. Knows nothing of faces or files.

pub mod clock;
pub mod day;
pub mod fields;
pub mod hex;
pub mod ids;
pub mod limits;
pub mod program;
pub mod random;
pub mod record_limit;
pub mod text;
