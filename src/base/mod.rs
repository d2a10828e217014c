//! What every other room may use: identifiers, limits, the clock and hexadecimal text. Knows nothing of faces or files.

pub mod clock;
pub mod hex;
pub mod ids;
pub mod limits;
