//! The `bertillon` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Set by tools/env.sh. Read here and handed on: whatever else read it would be compiled anew with every commit.
    match bertillon::cli::run(option_env!("BERTILLON_COMMIT")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line a cause, outermost first: what was wanted, then why it could not be.
            eprintln!("error: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("  because: {cause}");
            }
            ExitCode::FAILURE
        }
    }
}
