//! What the audit log must say after however many kills.

use std::collections::BTreeSet;

use bertillon::audit::Chain;
use bertillon::gallery::Vault;

/// The log is whole, and there is no deed without its event and no event without its deed: each template that is there was
/// told of once as it came, and each that was told of is there or was told of as it went.
pub(crate) async fn check(vault: &Vault, there: &BTreeSet<u64>) {
    let book = vault.audit_book();
    let mut chain = Chain::new(&book.folder().await.unwrap());
    let (mut came, mut went) = (BTreeSet::new(), BTreeSet::new());
    loop {
        let page = book.after(chain.seq()).await.unwrap();
        if page.is_empty() {
            break;
        }
        for stored in &page {
            let event = chain.take(stored).unwrap();
            let ids = event.objects.iter().flat_map(|object| ids_of(object));
            match event.kind.as_str() {
                "reference.enrolled" | "reference.imported" | "synthetic.imported" => {
                    ids.for_each(|id| assert!(came.insert(id), "template {id} came twice"));
                }
                "subject.erased" | "reference.erased" => {
                    ids.for_each(|id| assert!(went.insert(id), "template {id} went twice"));
                }
                _other => {}
            }
        }
    }
    assert_eq!(came.difference(&went).copied().collect::<BTreeSet<u64>>(), *there);
    assert!(went.is_subset(&came) && !went.is_empty());
}

fn ids_of(object: &str) -> std::ops::RangeInclusive<u64> {
    let (_, ids) = object.split_once(':').unwrap();
    let (first, last) = ids.split_once('-').unwrap_or((ids, ids));
    first.parse().unwrap()..=last.parse().unwrap()
}
