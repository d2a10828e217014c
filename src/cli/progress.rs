//! Progress on a terminal: bars on standard error, plain lines where there is no terminal, nothing for what ends at once.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that counts `total` things called `what`.
#[must_use]
pub fn bar(total: u64, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(8));
    let style = ProgressStyle::with_template("{msg:<10!} {wide_bar:.cyan} {human_pos}/{human_len} {per_sec} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// A spinner for something whose length nobody knows.
#[must_use]
pub fn spinner(what: impl Into<String>) -> ProgressBar {
    let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
    spinner.set_message(what.into());
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}
