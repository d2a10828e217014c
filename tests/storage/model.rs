//! Any sequence of changes, against a map in memory.

use std::collections::BTreeMap;
use std::path::Path;

use bertillon::base::ids::TemplateId;
use bertillon::gallery::{Erase, GalleryError, Vault};
use bertillon::segment::Precision;
use proptest::prelude::*;

use crate::{bits, enrol, live, name, new_vault, open, raw, reference, run, subject};

#[derive(Debug, Clone)]
enum Step {
    Enrol { count: u64, whose: u64 },
    EraseTemplate(u64),
    EraseSubject(u64),
    Import(u64),
    Seal,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_u64..30, 0_u64..12).prop_map(|(count, whose)| Step::Enrol { count, whose }),
        4 => any::<u64>().prop_map(Step::EraseTemplate),
        2 => (0_u64..12).prop_map(Step::EraseSubject),
        1 => (1_u64..250).prop_map(Step::Import),
        1 => Just(Step::Seal),
        2 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..14)
}

/// What must be there: id to (bits of the original, whose).
type Oracle = BTreeMap<u64, (Vec<u32>, u64)>;
const NOBODY: u64 = u64::MAX;

async fn apply(
    vault: Vault,
    data: &Path,
    step: &Step,
    next_key: &mut u64,
    oracle: &mut Oracle,
    how: Precision,
) -> Vault {
    match step {
        Step::Enrol { count, whose } => {
            let keys: Vec<u64> = (*next_key..*next_key + count).collect();
            *next_key += count;
            let ids = enrol(&vault, keys.iter().map(|&key| reference(key, *whose)).collect()).await;
            for (id, key) in ids.into_iter().zip(keys) {
                assert!(oracle.insert(id.0, (bits(key, how), *whose)).is_none(), "an id is never given twice");
            }
        }
        Step::EraseTemplate(pick) => {
            let Some(&id) = oracle.keys().nth(*pick as usize % oracle.len().max(1)) else { return vault };
            oracle.remove(&id);
            let erased = vault.erase(&name(), Erase::Template(TemplateId(id)), |_| ()).await.unwrap();
            assert_eq!(erased.templates, [TemplateId(id)]);
        }
        Step::EraseSubject(whose) => {
            let gone: Vec<u64> = oracle.iter().filter(|(_, (_, of))| of == whose).map(|(id, _)| *id).collect();
            oracle.retain(|_, (_, of)| of != whose);
            match vault.erase(&name(), Erase::Subject(subject(*whose)), |_| ()).await {
                Ok(erased) => assert_eq!(erased.templates.iter().map(|id| id.0).collect::<Vec<_>>(), gone),
                Err(error) => {
                    assert!(gone.is_empty() && matches!(error, GalleryError::NothingToErase { .. }), "{error}");
                }
            }
        }
        Step::Import(count) => {
            let base = *next_key;
            *next_key += count;
            let fill = move |row: u64, out: &mut [f32]| out.copy_from_slice(&raw(base + row));
            let imported = vault.import_synthetic(&name(), *count, fill, |_| ()).await.unwrap();
            for (row, id) in (imported.first.0..=imported.last.0).enumerate() {
                oracle.insert(id, (bits(base + row as u64, how), NOBODY));
            }
        }
        Step::Seal => vault.seal(&name()).await.unwrap(),
        Step::Reopen => {
            vault.close().await;
            return open(data).await;
        }
    }
    vault
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_sequence_of_changes_leaves_what_the_oracle_says(steps in steps(), half in any::<bool>()) {
        let how = if half { Precision::F16 } else { Precision::F32 };
        run(async {
            let home = tempfile::tempdir().unwrap();
            let mut vault = new_vault(home.path(), how).await;
            let (mut oracle, mut next_key) = (Oracle::new(), 1);
            for step in steps.iter().chain([&Step::Reopen]) {
                vault = apply(vault, home.path(), step, &mut next_key, &mut oracle, how).await;
                let wanted: BTreeMap<u64, Vec<u32>> = oracle.iter().map(|(id, (bits, _))| (*id, bits.clone())).collect();
                let snapshot = vault.snapshot(&name()).await.unwrap();
                assert_eq!(live(&snapshot), wanted, "after {step:?}");
                let ids: Vec<TemplateId> = (0..=next_key).map(TemplateId).collect();
                let references = vault.references(&name(), &ids).await.unwrap();
                assert_eq!(references.len(), oracle.len());
                for (id, (_, whose)) in &oracle {
                    let found = &references[&TemplateId(*id)];
                    if *whose == NOBODY {
                        assert_eq!(found.subject.as_str(), format!("synthetic #{id}"));
                        assert!(snapshot.is_synthetic(TemplateId(*id)) && found.image.is_none());
                    } else {
                        assert_eq!(found.subject, subject(*whose));
                        assert!(!snapshot.is_synthetic(TemplateId(*id)));
                    }
                }
                drop(snapshot);
                vault.verify(&name(), |_, _| ()).await.unwrap();
            }
            let summary = vault.galleries().await.unwrap().remove(0);
            assert_eq!(summary.live as usize, oracle.len());
            assert_eq!(summary.erased + summary.live, next_key - 1);
            vault.close().await;
        });
    }
}
