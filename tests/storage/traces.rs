//! What was erased is in no file of the data folder.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use bertillon::gallery::Erase;
use bertillon::segment::Precision;
use bertillon::vector::codec::{Code, put_f16, put_f32};

use crate::{enrol, name, new_vault, reference, run, search, subject};

/// Every window of `width` bytes of every file; where records are on PostgreSQL, of every row that it shows too.
pub(crate) fn windows(data: &Path, width: usize) -> HashSet<Vec<u8>> {
    let mut found = HashSet::new();
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                if path.ends_with("records.postgres") {
                    found.extend(crate::records_at::rows(path.parent().unwrap()).windows(width).map(<[u8]>::to_vec));
                }
                found.extend(fs_err::read(path).unwrap().windows(width).map(<[u8]>::to_vec));
            }
        }
    }
    found
}

/// What of a reference must be nowhere after its erasure: 12 bytes each of text, original and codes.
pub(crate) fn traces(key: u64, whose: u64, originals: Precision) -> Vec<(&'static str, Vec<u8>)> {
    let new = reference(key, whose);
    let values = originals.round(new.template.values());
    let mut bytes = Vec::new();
    match originals {
        Precision::F32 => put_f32(&values, &mut bytes),
        Precision::F16 => put_f16(&values, &mut bytes),
    }
    let codes: Vec<u8> = Code::of(&values).codes.iter().map(|&code| code as u8).collect();
    let text = bertillon::base::hex::encode(&new.image_sha256);
    let place = new.attributes[0].value();
    let texts =
        [("subject", new.subject.as_str()), ("source", &new.source), ("image hash", &text), ("attribute", place)];
    let mut traces: Vec<_> = texts.into_iter().map(|(what, text)| (what, text.as_bytes()[..12].to_vec())).collect();
    traces.extend([("original", bytes[..12].to_vec()), ("codes", codes[..12].to_vec())]);
    traces
}

#[test]
fn nothing_of_an_erased_reference_is_in_any_file() {
    for originals in [Precision::F32, Precision::F16] {
        run(async {
            let home = tempfile::tempdir().unwrap();
            let vault = new_vault(home.path(), originals).await;
            // Enough rows to split many pages of the data base, in an order that is not theirs.
            let keys: Vec<u64> = (0..700_u64).map(|i| 1 + i * 271 % 701).collect();
            let mut ids = BTreeMap::new();
            for batch in keys.chunks(90) {
                let enrolled = enrol(&vault, batch.iter().map(|&key| reference(key, 1000 + key)).collect()).await;
                ids.extend(batch.iter().copied().zip(enrolled));
            }
            // Some stay in the tail.
            enrol(&vault, (900..920).map(|key| reference(key, 1000 + key)).collect()).await;
            let before = windows(home.path(), 12);
            for key in [5, 910] {
                let seen =
                    traces(key, 1000 + key, originals).iter().filter(|(_, trace)| before.contains(trace)).count();
                // In a segment codes lie in another order.
                assert!(seen >= 4, "the search for traces finds what is there");
            }
            let gone: Vec<u64> = keys.iter().copied().filter(|key| key % 3 == 1).chain([903, 919]).collect();
            for (i, &key) in gone.iter().enumerate() {
                let what = match ids.get(&key).filter(|_| i % 2 == 0) {
                    Some(&id) => Erase::Template(id),
                    None => Erase::Subject(subject(1000 + key)),
                };
                vault.erase(&name(), what, |_| ()).await.unwrap();
                if i % 25 == 0 {
                    // Later changes move rows about.
                    let more = 2000 + i as u64;
                    enrol(&vault, vec![reference(more, 1000 + more)]).await;
                    vault.record_searches(&[search(&[ids[&6]])]).await.unwrap();
                }
            }
            let after = windows(home.path(), 12);
            for &key in &gone {
                for (what, trace) in traces(key, 1000 + key, originals) {
                    assert!(!after.contains(&trace), "the {what} of image {key} is still in a file");
                }
            }
            let kept = traces(900, 1900, originals);
            assert!(kept.iter().all(|(_, trace)| after.contains(trace)), "the others are untouched");
            vault.close().await;
        });
    }
}
