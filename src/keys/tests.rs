//! Real files, a real environment, real programs.

use std::os::unix::fs::PermissionsExt as _;

use fs_err as fs;

use super::*;
use crate::base::hex;
use crate::crypto::SecretKey;

fn ring(data: &Path) -> KeyRing {
    KeyRing::new(data, None)
}

fn under(data: &Path, master: &str) -> KeyRing {
    KeyRing::new(data, Some(master.parse().unwrap()))
}

fn digits(seed: u8) -> String {
    hex::encode(&[seed; 32])
}

#[test]
fn keys_are_made_once_and_read_back_by_other_processes() {
    let data = tempfile::tempdir().unwrap();
    let first = ring(data.path());
    assert!(!first.lock_and_key_lie_together(), "nothing is made before it is needed");
    let id = first.make().unwrap();
    assert!(first.lock_and_key_lie_together());
    let (key, again) = (first.get(id).unwrap(), ring(data.path()).get(id).unwrap());
    assert_eq!(key.key.reveal(), again.key.reveal());
    for entry in fs::read_dir(data.path().join("keys")).unwrap() {
        let path = entry.unwrap().path();
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        assert!(mode == 0o600 || path.ends_with("LOCK"), "{}", path.display());
        let text = fs::read(&path).unwrap();
        assert!(!text.windows(8).any(|window| key.key.reveal().starts_with(window)), "{}", path.display());
    }
    first.destroy(id).unwrap();
    for ring in [first, ring(data.path())] {
        let error = ring.get(id).unwrap_err().to_string();
        assert!(error.contains("was destroyed"), "{error}");
    }
    let unknown = KeyId::random().unwrap();
    assert!(matches!(ring(data.path()).get(unknown), Err(KeyError::File { .. })));
}

#[test]
fn several_who_need_the_first_key_get_keys_under_one_master() {
    for _ in 0..50 {
        let data = tempfile::tempdir().unwrap();
        let start = std::sync::Barrier::new(4);
        let made: Vec<_> = std::thread::scope(|scope| {
            let make = || {
                start.wait();
                ring(data.path()).make()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap().unwrap()).collect()
        });
        let later = ring(data.path());
        assert!(made.iter().all(|id| later.get(*id).is_ok()));
    }
}

#[test]
fn a_lost_master_key_is_not_replaced_by_another() {
    let data = tempfile::tempdir().unwrap();
    let id = ring(data.path()).make().unwrap();
    fs::remove_file(data.path().join(MASTER_FILE)).unwrap();
    for error in [ring(data.path()).get(id).map(drop), ring(data.path()).make().map(drop)] {
        assert!(error.unwrap_err().to_string().contains("it is missing"));
    }
    assert!(!data.path().join(MASTER_FILE).exists());
    let other = under(data.path(), &format!("command:echo {}", digits(1)));
    assert!(other.get(id).unwrap_err().to_string().contains("not the one that it lies under"));
}

#[test]
fn the_master_key_comes_from_a_file_a_variable_or_a_program() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("elsewhere");
    fs::write(&file, format!("{}\n", digits(5))).unwrap();
    let from_file = under(data.path(), &format!("file:{}", file.display()));
    let id = from_file.make().unwrap();
    let from_command = under(data.path(), &format!("command:cat {}", file.display()));
    assert_eq!(from_command.get(id).unwrap().key.reveal(), from_file.get(id).unwrap().key.reveal());
    assert!(!data.path().join(MASTER_FILE).exists() && !from_file.lock_and_key_lie_together());
    let refused = [
        ("env:BERTILLON_NO_SUCH_VARIABLE", "not found"),
        ("env:PATH", "64 hexadecimal digits"),
        ("file:/no/such/file", "No such file"),
        ("file:/dev/zero", "64 hexadecimal digits"),
        ("command:no-such-program-1", "can't be run"),
        ("command:false", "it failed"),
        ("command:cat /dev/zero", "more than 4096 bytes"),
        ("command:echo 12", "64 hexadecimal digits"),
    ];
    for (place, reason) in refused {
        let error = under(data.path(), place).get(id).unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains(place), "{error}");
    }
}

#[test]
fn a_program_that_hangs_is_given_up() {
    let data = tempfile::tempdir().unwrap();
    let begun = std::time::Instant::now();
    let error = under(data.path(), "command:sleep 60").make().unwrap_err().to_string();
    assert!(error.contains("not done after 10 s"), "{error}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(30));
}

#[test]
fn another_master_key_leaves_the_keys_as_they_are() {
    let data = tempfile::tempdir().unwrap();
    let first = ring(data.path());
    let ids = [first.make().unwrap(), first.make().unwrap(), first.make().unwrap()];
    first.destroy(ids[2]).unwrap();
    let keys = |ring: &KeyRing| ids.map(|id| ring.get(id).map(|key| *key.key.reveal()).ok());
    let (before, old) = (keys(&first), fs::read(data.path().join(MASTER_FILE)).unwrap());
    assert_eq!(ring(data.path()).rotate_master(None).unwrap(), Rotated { keys: 2 });
    assert_ne!(fs::read(data.path().join(MASTER_FILE)).unwrap(), old);
    assert_eq!(keys(&ring(data.path())), before);
    let outside = data.path().join("outside");
    fs::write(&outside, digits(7)).unwrap();
    let place = format!("file:{}", outside.display());
    assert_eq!(ring(data.path()).rotate_master(Some(&place.parse().unwrap())).unwrap(), Rotated { keys: 2 });
    assert_eq!(keys(&under(data.path(), &place)), before);
    assert!(!data.path().join(MASTER_FILE).exists(), "the old one is gone");
    assert!(ring(data.path()).get(ids[0]).is_err());
    let same = under(data.path(), &place).rotate_master(Some(&place.parse().unwrap()));
    assert!(same.unwrap_err().to_string().contains("the present one"));
    assert!(under(data.path(), &place).rotate_master(None).unwrap_err().to_string().contains("--to"));
}

/// Cut short after each key file, and after the last of them before the master key's own file was replaced.
#[test]
fn a_change_of_the_master_key_that_was_cut_short_is_finished_by_the_next() {
    for done in 0..=3 {
        let data = tempfile::tempdir().unwrap();
        let first = ring(data.path());
        let mut ids = [first.make().unwrap(), first.make().unwrap(), first.make().unwrap()];
        ids.sort_unstable();
        let keys = |ring: &KeyRing| ids.map(|id| *ring.get(id).unwrap().key.reveal());
        let before = keys(&first);
        let next = SecretKey::new([9; 32]);
        fs::write(data.path().join("keys/master.next"), master::text_of(&next)).unwrap();
        for id in &ids[..done] {
            let bytes = key_file::write(&first.get(*id).unwrap(), &next).unwrap();
            fs::write(files::path_of(data.path(), *id), bytes).unwrap();
        }
        assert_eq!(ring(data.path()).rotate_master(None).unwrap(), Rotated { keys: 3 });
        assert_eq!(keys(&ring(data.path())), before);
        assert_eq!(fs::read_to_string(data.path().join(MASTER_FILE)).unwrap(), master::text_of(&next));
        assert!(!data.path().join("keys/master.next").exists());
    }
}

#[test]
fn a_damaged_key_file_stops_a_change_before_it_begins() {
    let data = tempfile::tempdir().unwrap();
    let first = ring(data.path());
    let (one, other) = (first.make().unwrap(), first.make().unwrap());
    let path = files::path_of(data.path(), one.max(other));
    let mut bytes = fs::read(&path).unwrap();
    bytes[50] ^= 1;
    fs::write(&path, bytes).unwrap();
    let whole = files::path_of(data.path(), one.min(other));
    let before = fs::read(&whole).unwrap();
    assert!(ring(data.path()).rotate_master(None).unwrap_err().to_string().contains("damaged"));
    assert_eq!(fs::read(&whole).unwrap(), before);
}

#[test]
fn users_secrets_lie_under_one_key_that_goes_with_the_master() {
    for _ in 0..20 {
        let data = tempfile::tempdir().unwrap();
        let missing = ring(data.path()).of_people().unwrap_err().to_string();
        assert!(missing.contains("people.key") && missing.contains("missing"), "{missing}");
        let start = std::sync::Barrier::new(4);
        let made: Vec<_> = std::thread::scope(|scope| {
            let make = || {
                start.wait();
                ring(data.path()).of_people_or_new().unwrap().id
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let first = ring(data.path()).of_people().unwrap();
        assert!(made.iter().all(|id| *id == first.id));
        assert_eq!(ring(data.path()).rotate_master(None).unwrap(), Rotated { keys: 1 });
        assert_eq!(ring(data.path()).of_people().unwrap().key.reveal(), first.key.reveal());
        // The master key is not made anew while something lies under it.
        fs::remove_file(data.path().join(MASTER_FILE)).unwrap();
        assert!(matches!(ring(data.path()).of_people(), Err(KeyError::Master { .. })));
    }
}
