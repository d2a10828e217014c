//! The `bertillon` program.

fn main() {}
