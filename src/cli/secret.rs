//! Secrets in and out: read from a file or the terminal, never from an argument, which others on the machine can see; shown
//! once, or written to a file that nobody else may read.

use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::base::limits::PASSWORD_BYTES_MAX;
use crate::cli::print;
use crate::crypto::tokens::Secret;
use crate::store::disk;

/// A new password: the first line of the file `from` (`-` for standard input), else what is typed at the terminal, twice.
///
/// # Errors
/// When there is nothing to read from, or what is typed differs.
pub fn new_password(from: Option<&Path>) -> Result<Secret> {
    match from {
        Some(path) if path == Path::new("-") => first_line(std::io::stdin().lock()),
        Some(path) => first_line(fs_err::File::open(path)?),
        None => {
            let one = typed("New password: ")?;
            if one != typed("The same again: ")? {
                bail!("these two differ: nothing was changed");
            }
            Ok(one)
        }
    }
}

fn first_line(from: impl Read) -> Result<Secret> {
    let mut line = String::new();
    // A line that is longer than any password comes out too long, and is refused as such.
    std::io::BufReader::new(from.take(PASSWORD_BYTES_MAX as u64 + 3)).read_line(&mut line)?;
    Ok(Secret::new(line.trim_end_matches(['\n', '\r']).to_owned()))
}

fn typed(prompt: &str) -> Result<Secret> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        bail!(
            "there is no terminal to type a password at: give a file that it stands in, or - for standard input, with --from"
        );
    }
    let mut shown = std::io::stderr();
    write!(shown, "{prompt}")?;
    shown.flush()?;
    let echo = Echo::off()?;
    let line = first_line(input.lock());
    drop(echo);
    writeln!(shown)?;
    line
}

/// The terminal without its echo, until this is dropped.
struct Echo(Termios);

impl Echo {
    fn off() -> Result<Self> {
        let before = tcgetattr(std::io::stdin()).context("the terminal can't be asked about its echo")?;
        let mut after = before.clone();
        after.local_modes.remove(LocalModes::ECHO);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &after).context("the terminal's echo can't be put off")?;
        Ok(Self(before))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        if tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0).is_err() {
            eprintln!("the terminal's echo is still off: `stty echo` puts it on");
        }
    }
}

/// Shows a secret, or writes it to a new file.
///
/// # Errors
/// When there is something at `to`, or nothing can be written.
pub fn hand_over(secret: &Secret, to: Option<&Path>) -> Result<()> {
    let Some(path) = to else { return print::line(secret.reveal()) };
    let mut file = new_file(path)?;
    writeln!(file, "{}", secret.reveal())?;
    Ok(file.sync_all()?)
}

/// Makes sure that a secret will have a place, before it is made.
///
/// # Errors
/// When there is something at `to`, or nothing can be made there.
pub fn make_room(to: Option<&Path>) -> Result<()> {
    let Some(path) = to else { return Ok(()) };
    if path.exists() {
        bail!("{}: there is something already", path.display());
    }
    Ok(disk::touch_private(path)?)
}

fn new_file(path: &Path) -> Result<fs_err::File> {
    Ok(fs_err::OpenOptions::new().write(true).truncate(true).open(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line() {
        assert_eq!(first_line(&b"one two\r\nthree"[..]).unwrap().reveal(), "one two");
        assert_eq!(first_line(&b""[..]).unwrap().reveal(), "");
        assert!(first_line(&[b'x'; 9_999][..]).unwrap().reveal().len() > PASSWORD_BYTES_MAX);
        assert!(new_password(Some(Path::new("/nowhere/to/be/found"))).is_err());
    }
}
