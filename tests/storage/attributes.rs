//! Attributes of references: what a filter finds is what is live, and nothing of an erased one is found.

use bertillon::base::ids::TemplateId;
use bertillon::gallery::{Erase, GalleryError, NewReference, Vault};
use bertillon::records::{Attribute, AttributeName};
use bertillon::segment::Precision;

use crate::{enrol, name, new_vault, open, reference, run, subject};

fn year(key: u64) -> i64 {
    2000 + (key * 7 % 25) as i64
}

fn disposal(key: u64) -> &'static str {
    ["charged", "no further action", "cautioned"][(key % 3) as usize]
}

fn described(key: u64) -> NewReference {
    let attributes = vec![
        Attribute::new("capture_year", &year(key).to_string()).unwrap(),
        Attribute::new("disposal", disposal(key)).unwrap(),
    ];
    NewReference { attributes, ..reference(key, key / 2) }
}

async fn found(vault: &Vault, attribute: &str, values: &[&str]) -> Vec<TemplateId> {
    let attribute: AttributeName = attribute.parse().unwrap();
    vault.templates_with(&name(), &attribute, values).await.unwrap()
}

fn ids(live: &[u64], fits: impl Fn(u64) -> bool) -> Vec<TemplateId> {
    live.iter().copied().filter(|&key| fits(key)).map(TemplateId).collect()
}

#[test]
fn filters_find_what_is_live_and_fits() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        // Template ids are the keys: enrolled in order, from 1.
        enrol(&vault, (1..=200).map(described).collect()).await;
        vault.erase(&name(), Erase::Template(TemplateId(9)), |_| ()).await.unwrap();
        vault.erase(&name(), Erase::Subject(subject(30)), |_| ()).await.unwrap();
        vault.close().await;
        let vault = open(home.path()).await;
        let live: Vec<u64> = (1..=200).filter(|key| ![9, 60, 61].contains(key)).collect();
        let capture_year: AttributeName = "capture_year".parse().unwrap();
        for range in [2003..=2010, 2024..=2024, 0..=1999, i64::MIN..=i64::MAX] {
            let between = vault.templates_between(&name(), &capture_year, range.clone()).await.unwrap();
            assert_eq!(between, ids(&live, |key| range.contains(&year(key))), "{range:?}");
        }
        assert_eq!(found(&vault, "disposal", &["charged"]).await, ids(&live, |key| key % 3 == 0));
        let two = found(&vault, "disposal", &["cautioned", "charged", "charged"]).await;
        assert_eq!(two, ids(&live, |key| key % 3 != 1));
        assert_eq!(found(&vault, "capture_year", &["2007"]).await, ids(&live, |key| year(key) == 2007));
        for (attribute, value) in [("disposal", "Charged"), ("disposal", ""), ("capture_year", "02007"), ("x", "1")] {
            assert!(found(&vault, attribute, &[value]).await.is_empty(), "{attribute} {value}");
        }
        let subjects = [subject(3), subject(30), subject(77), subject(3), subject(5000)];
        let of = vault.templates_of_subjects(&name(), &subjects).await.unwrap();
        assert_eq!(of, [6, 7, 154, 155].map(TemplateId));
        let shown = vault.attributes(&name(), &[TemplateId(9), TemplateId(10)]).await.unwrap();
        assert_eq!(shown.keys().collect::<Vec<_>>(), [&TemplateId(10)]);
        assert_eq!(shown[&TemplateId(10)], described(10).attributes);
        vault.close().await;
    });
}

#[test]
fn too_many_attributes_and_two_of_one_name_are_refused() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        let one = |name: String| Attribute::new(&name, "1").unwrap();
        for attributes in [(0..17).map(|i| one(format!("a{i}"))).collect(), vec![one("a".into()), one("a".into())]] {
            let new = NewReference { attributes, ..reference(1, 1) };
            let refused = vault.enrol(&name(), vec![new]).await;
            assert!(matches!(refused, Err(GalleryError::Attribute(_))), "{refused:?}");
        }
        let many = vec!["v"; 1001];
        let refused = vault.templates_with(&name(), &"a".parse().unwrap(), &many).await;
        assert!(refused.is_err(), "{refused:?}");
        vault.close().await;
    });
}
