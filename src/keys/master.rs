//! The master key, from where it is: a file, the environment, a program, or for want of these the data folder.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use fs_err as fs;

use crate::base::hex;
use crate::base::limits::{MASTER_KEY_BYTES_MAX, MASTER_KEY_COMMAND_S_MAX};
use crate::crypto::SecretKey;
use crate::crypto::secret::wipe;
use crate::keys::{KeyError, MASTER_FILE, files};
use crate::settings::master_key::{MasterKey, NoMasterKey};
use crate::store::private;

const POLL: Duration = Duration::from_millis(10);

/// The master key. One is made in the data folder where none is named and none is there.
pub(super) fn read(data: &Path, master: Option<&MasterKey>) -> Result<SecretKey, KeyError> {
    let Some(master) = master else { return in_data_folder(data) };
    let text = match master {
        MasterKey::File(path) => from_file(path),
        MasterKey::Environment(name) => {
            let value = std::env::var(name).map_err(|error| error.to_string());
            value.map(String::into_bytes)
        }
        MasterKey::Command(program, arguments) => from_command(program, arguments),
        MasterKey::Nowhere => Err(NoMasterKey.to_string()),
    };
    text.and_then(parse).map_err(|reason| KeyError::Master { place: master.to_string(), reason })
}

fn in_data_folder(data: &Path) -> Result<SecretKey, KeyError> {
    let path = data.join(MASTER_FILE);
    let wrong = |reason: String| KeyError::Master { place: path.display().to_string(), reason };
    // In this order: whoever has made a gallery's key made this one before, so that what another process makes meanwhile is
    // not taken for what is left of a lost one.
    let used = !files::all(data)?.is_empty();
    if !path.exists() {
        if used {
            let lost = "it is missing, and there are keys under it: put it back from a copy of the data folder, or say \
                        where it is now (`encryption.master_key` in the settings)";
            return Err(wrong(lost.to_owned()));
        }
        make(&path)?;
    }
    from_file(&path).and_then(parse).map_err(wrong)
}

/// Makes a master key at `path`, unless there is one.
pub(super) fn make(path: &Path) -> Result<(), KeyError> {
    let text = text_of(&SecretKey::random()?);
    private::make_once(path, text.as_bytes()).map(drop).map_err(|error| files::wrong(path, error))
}

/// As it stands in a file.
pub(super) fn text_of(key: &SecretKey) -> String {
    format!("{}\n", hex::encode(key.reveal()))
}

fn parse(mut text: Vec<u8>) -> Result<SecretKey, String> {
    let key = SecretKey::parse(&text);
    wipe(&mut text);
    key.ok_or_else(|| "64 hexadecimal digits are expected, and nothing else".to_owned())
}

pub(super) fn from_file(path: &Path) -> Result<Vec<u8>, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    limited(file).map_err(|error| error.to_string())
}

/// One byte more than allowed, so that what is too long is seen to be no key.
fn limited(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(MASTER_KEY_BYTES_MAX + 1);
    from.take(MASTER_KEY_BYTES_MAX as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}

fn from_command(program: &str, arguments: &[String]) -> Result<Vec<u8>, String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().map_err(|error| format!("it can't be run: {error}"))?;
    let text = heard(&mut child);
    if text.is_err() {
        // Whatever it still does, nobody waits for it.
        let _ = child.kill();
        let _ = child.wait();
    }
    text
}

/// What a program prints until its end.
fn heard(child: &mut Child) -> Result<Vec<u8>, String> {
    let late = || format!("not done after {MASTER_KEY_COMMAND_S_MAX} s");
    let deadline = Instant::now() + Duration::from_secs(MASTER_KEY_COMMAND_S_MAX);
    let pipe = child.stdout.take().ok_or("it has no output")?;
    let (told, said) = sync_channel(1);
    std::thread::spawn(move || told.send(limited(pipe)));
    let text = match said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(text) => text.map_err(|error| error.to_string())?,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Err(late()),
    };
    if text.len() > MASTER_KEY_BYTES_MAX {
        return Err(format!("it printed more than {MASTER_KEY_BYTES_MAX} bytes"));
    }
    loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) if status.success() => return Ok(text),
            Some(status) => return Err(format!("it failed: {status}")),
            None if Instant::now() > deadline => return Err(late()),
            None => std::thread::sleep(POLL),
        }
    }
}
