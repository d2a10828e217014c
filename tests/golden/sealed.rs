//! Sealed blobs and key files, both ways with other programs: `sealed.py`, which was written from docs/SEALED_FORMAT.md alone,
//! opens ours; the fixture was written by Python's `cryptography` 48.0.0 from the same document (master key: bytes 0 to 31;
//! byte i of the 500 in it: 7 i + i / 13), and we open that.

use std::path::{Path, PathBuf};
use std::process::Command;

use bertillon::base::hex;
use bertillon::crypto::sealed::{BlobOpener, BlobSealer, CHUNK_BYTES};
use bertillon::crypto::{BlobKind, KeyId, NamedKey, SecretKey, key_file};
use sha2::{Digest as _, Sha256};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

fn numbers(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| (7 * i + i / 13) as u8).collect()
}

#[test]
fn what_another_program_sealed_opens() {
    let master = SecretKey::new(std::array::from_fn(|i| i as u8));
    let key = key_file::read(&fixture("sealed-v1.key"), &master).unwrap();
    assert_eq!(key.id, KeyId(std::array::from_fn(|i| 96 + i as u8)));
    let blob = fixture("sealed-v1.blob");
    let opener = BlobOpener::new(blob.first_chunk().unwrap(), blob.len() as u64, BlobKind::Picture, &key).unwrap();
    let (at, bytes) = opener.place(0).unwrap();
    let mut chunk = blob[at as usize..at as usize + bytes].to_vec();
    assert_eq!(opener.chunk(0, &mut chunk).unwrap(), numbers(500));
    assert_eq!(opener.place(1), None);
}

#[test]
fn another_program_opens_what_was_sealed_and_sees_what_was_changed() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| -> PathBuf { folder.path().join(name) };
    let master = SecretKey::random().unwrap();
    let key = NamedKey { id: KeyId::random().unwrap(), key: SecretKey::random().unwrap() };
    std::fs::write(file("key"), key_file::write(&key, &master).unwrap()).unwrap();
    let plain = numbers(2 * CHUNK_BYTES + 1000);
    let sealed = |sealer: BlobSealer| {
        let mut blob = sealer.header().to_vec();
        for (index, chunk) in plain.chunks(CHUNK_BYTES).enumerate() {
            blob.extend(sealer.chunk(index as u64, chunk).unwrap().1);
        }
        blob
    };
    let blob = sealed(BlobSealer::new(BlobKind::Probe, &key, plain.len() as u64).unwrap());
    let name = "segment-4.seg";
    let segment = sealed(BlobSealer::of_file(BlobKind::Segment, &key, plain.len() as u64, name).unwrap());
    let oracle = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sealed.py");
    let check = |blob: &[u8]| {
        std::fs::write(file("blob"), blob).unwrap();
        let mut command = Command::new("python3");
        command.arg(&oracle).arg(hex::encode(master.reveal())).args([file("key"), file("blob")]).arg(name);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let hash = hex::encode(&Sha256::digest(&plain));
    assert_eq!(check(&blob), format!("kind 2 bytes {} sha256 {hash}\n", plain.len()));
    assert_eq!(check(&segment), format!("kind 3 bytes {} sha256 {hash}\n", plain.len()));
    let mut bent = segment.clone();
    bent[128 + 2 * 65_564 + 3] ^= 1;
    assert_eq!(check(&bent), "chunk 2 was changed\n");
    for (at, said) in [(30, "the header is damaged"), (128 + 65_556 + 9, "chunk 1 was changed")] {
        let mut bent = blob.clone();
        bent[at] ^= 1;
        assert_eq!(check(&bent), format!("{said}\n"));
    }
    assert_eq!(check(&blob[..blob.len() - 1]), "the blob has not its length\n");
}
