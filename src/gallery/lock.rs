//! Locks between processes: one writes a data folder, many read it, and an erasure waits for those that do.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs_err as fs;
use fs_err::os::unix::fs::FileExt;

use crate::gallery::GalleryError;
use crate::store::StoreError;

const LOCK: &str = "LOCK";
const READERS: &str = "READERS";
const LOCK_BYTES_MAX: usize = 1024;
const POLL: Duration = Duration::from_millis(5);

/// Held by the process that may change the data folder, for as long as it lives.
#[derive(Debug)]
pub(super) struct WriterLock {
    file: fs::File,
}

impl WriterLock {
    /// Takes the lock, or says who has it.
    pub(super) fn take(data: &Path) -> Result<Self, GalleryError> {
        let path = data.join(LOCK);
        let options = |options: &mut fs::OpenOptions| options.read(true).write(true).create(true).open(&path);
        let file = options(fs::OpenOptions::new().truncate(false)).map_err(StoreError::from)?;
        match file.try_lock() {
            Ok(()) => {
                let lock = Self { file };
                lock.write(None)?;
                Ok(lock)
            }
            Err(std::fs::TryLockError::WouldBlock) => Err(held_by(data, &file)),
            Err(std::fs::TryLockError::Error(error)) => Err(StoreError::from(error).into()),
        }
    }

    /// Lets others know where this process serves.
    pub(super) fn set_address(&self, address: &str) -> Result<(), GalleryError> {
        self.write(Some(address))
    }

    fn write(&self, address: Option<&str>) -> Result<(), GalleryError> {
        let mut text = format!("pid {}\n", std::process::id());
        if let Some(namespace) = namespace() {
            text.extend(["namespace ", namespace.as_str(), "\n"]);
        }
        if let Some(address) = address {
            text.push_str("address ");
            text.extend(address.chars().filter(|c| !c.is_control()).take(LOCK_BYTES_MAX / 8));
            text.push('\n');
        }
        let write = || {
            self.file.set_len(0)?;
            self.file.write_all_at(text.as_bytes(), 0)
        };
        Ok(write().map_err(StoreError::from)?)
    }
}

/// In which processes are numbered as they are for us: a container numbers its own.
fn namespace() -> Option<String> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(link.to_string_lossy().chars().filter(|c| !c.is_control()).take(64).collect())
}

fn held_by(data: &Path, file: &fs::File) -> GalleryError {
    let Holder { pid, address, .. } = holder(file);
    GalleryError::InUse { path: data.to_owned(), holder: pid, address }
}

/// What the lock's file says of who holds it.
struct Holder {
    pid: Option<u32>,
    namespace: Option<String>,
    address: Option<String>,
}

fn holder(file: &fs::File) -> Holder {
    let mut bytes = [0; LOCK_BYTES_MAX];
    let length = file.read_at(&mut bytes, 0).unwrap_or(0);
    let text = String::from_utf8_lossy(bytes.get(..length).unwrap_or_default()).into_owned();
    let line = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
    Holder {
        pid: line("pid ").and_then(|pid| pid.parse().ok()),
        namespace: line("namespace ").map(str::to_owned),
        address: line("address ").map(str::to_owned),
    }
}

/// Whether the last holder's process lives. The lock itself is not tried: whoever tries it has it for a moment, in which a
/// server could not start. Where the system doesn't tell, as from one container about another, it is taken to live.
pub(super) fn holder_is_there(data: &Path) -> bool {
    let Ok(file) = fs::File::open(data.join(LOCK)) else { return false };
    let holder = holder(&file);
    let can_tell = holder.namespace.is_some() && holder.namespace == namespace();
    holder.pid.is_none_or(|pid| !can_tell || Path::new(&format!("/proc/{pid}")).exists())
}

/// Makes the file on which readers of a gallery hold a shared lock.
pub(super) fn create_readers(gallery: &Path) -> Result<(), GalleryError> {
    let path = gallery.join(READERS);
    let made = fs::OpenOptions::new().write(true).create(true).truncate(false).open(path);
    Ok(made.map(drop).map_err(StoreError::from)?)
}

/// A reader's lock: no erased bytes are overwritten while it lives.
pub(super) async fn share(gallery: &Path, wait: Duration) -> Result<Option<fs::File>, GalleryError> {
    let file = open_readers(gallery)?;
    Ok(poll(wait, || file.try_lock_shared()).await?.then_some(file))
}

/// The lock that shuts readers out while erased bytes are overwritten; `None` when they did not go in time.
pub(super) async fn exclude(gallery: &Path, wait: Duration) -> Result<Option<fs::File>, GalleryError> {
    let file = open_readers(gallery)?;
    Ok(poll(wait, || file.try_lock()).await?.then_some(file))
}

fn open_readers(gallery: &Path) -> Result<fs::File, GalleryError> {
    let path: PathBuf = gallery.join(READERS);
    Ok(fs::File::open(path).map_err(StoreError::from)?)
}

async fn poll(wait: Duration, lock: impl Fn() -> Result<(), std::fs::TryLockError>) -> Result<bool, GalleryError> {
    let deadline = Instant::now() + wait;
    loop {
        match lock() {
            Ok(()) => return Ok(true),
            Err(std::fs::TryLockError::WouldBlock) if Instant::now() < deadline => tokio::time::sleep(POLL).await,
            Err(std::fs::TryLockError::WouldBlock) => return Ok(false),
            Err(std::fs::TryLockError::Error(error)) => return Err(StoreError::from(error).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_of_another_namespace_is_taken_to_live() {
        let folder = tempfile::tempdir().unwrap();
        // No process has a number as high.
        let says = |text: &str| {
            fs::write(folder.path().join(LOCK), text).unwrap();
            holder_is_there(folder.path())
        };
        let ours = namespace().unwrap();
        assert!(!says(&format!("pid 4294967290\nnamespace {ours}\n")), "it has ended");
        assert!(says("pid 4294967290\nnamespace pid:[1]\n"), "a container's, say");
        assert!(says("pid 4294967290\n"));
        assert!(says(&format!("pid {}\nnamespace {ours}\n", std::process::id())));
    }
}
