//! The `bertillon` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    match bertillon::cli::run() {
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
