//! Candidate lists that end, and what is counted of what was done.

use std::path::Path;

use bertillon::audit::{Caller, Event, Happening, Kind};
use bertillon::base::day::Day;
use bertillon::base::hex;
use bertillon::base::ids::TemplateId;
use bertillon::casework::disclosure::{self, What};
use bertillon::casework::review::ReviewRoom;
use bertillon::casework::subjects::SubjectRoom;
use bertillon::casework::transparency::{Published, publish};
use bertillon::gallery::{Erase, GalleryError};
use bertillon::policy::{Policy, Role, Roles};
use bertillon::records::disclosures::NewDisclosure;
use bertillon::records::{EventFilter, RecordsError};
use sha2::{Digest as _, Sha256};

use crate::disclosure::{SEARCHED, lead, made, request, una};
use crate::records_at::by_hand;
use crate::traces::windows;
use crate::{name, run, search, subject};

async fn opened_on(home: &Path, review: i64, day: Day) {
    let pool = by_hand(&home.join("data")).await;
    let query = sqlx::query("UPDATE review SET opened_at = $1 WHERE id = $2").bind(format!("{day}T00:00:00Z"));
    query.bind(review).execute(&pool).await.unwrap();
    pool.close().await;
}

#[test]
fn lists_end_with_their_period_and_what_became_a_lead_or_was_disclosed_with_that_of_leads() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = lead(home.path()).await;
        let ids = desk.vault.record_searches(&[1, 2, 3].map(|id| search(&[TemplateId(id)]))).await.unwrap();
        let (third, fourth, fifth) = (ids[0], ids[1], ids[2]);
        made(&desk, What::Search(third), &home.path().join("third.zip")).await;
        let ann = Caller::new("ann", "test", None);
        let reviews =
            ReviewRoom::under(Policy::builtin().unwrap(), &desk.vault, &ann, Some(Roles::of(&Role::ALL))).unwrap();
        // From the day that the records have, should it end meanwhile.
        let today: Day = desk.vault.disclosure_book().search(2).await.unwrap().unwrap().at[..10].parse().unwrap();
        // So late that the review outlives the list's period, and that of leads.
        opened_on(home.path(), reviews.open(fourth).await.unwrap(), today.plus_days(6 * 365)).await;
        let room = SubjectRoom::enter(&desk.vault, &una(), &name()).await.unwrap();
        let hold = room.place_hold(&subject(3), "an appeal").await.unwrap();
        let left = async || {
            let mut left = Vec::new();
            for id in 1..=fifth {
                if desk.vault.disclosure_book().emptied(id).await.unwrap().is_none() {
                    left.push(id);
                }
            }
            left
        };
        // Lists are kept for two years, leads for seven. Of the references none is due: nobody said anything of them.
        let run_on = async |day: Day| room.run_retention(&desk, day, 0).await.unwrap().lists;
        assert_eq!(run_on(today.plus_days(2 * 365 - 1)).await, 0, "not a day too early");
        assert_eq!(run_on(today.plus_days(2 * 365)).await, 1);
        assert_eq!(
            left().await,
            [1, third, fourth, fifth],
            "a lead, disclosed, under review, with somebody who is held"
        );
        let search = desk.vault.disclosure_book().search(2).await.unwrap().unwrap();
        assert!(search.candidates.iter().all(|one| (one.template, one.score) == (0, 0.0) && one.state == "erased"));
        assert_eq!(
            hex::encode(&search.searched.sha256()),
            search.sha256.unwrap(),
            "the log still binds what was there"
        );
        room.lift_hold(hold, "over").await.unwrap();
        assert_eq!(run_on(today.plus_days(7 * 365 - 1)).await, 1);
        assert_eq!(left().await, [1, third, fourth]);
        assert_eq!(run_on(today.plus_days(7 * 365)).await, 2);
        assert_eq!(left().await, [fourth]);
        let gone = desk.vault.disclosure_book().search(1).await.unwrap().unwrap();
        assert_eq!(hex::encode(&gone.searched.sha256()), gone.sha256.unwrap(), "nor who authorised it");
        let stated = gone.statement.unwrap().stated;
        assert_eq!(stated.authoriser, Some("x".repeat("Insp. Theodora Marsh".len())));
        assert_eq!((stated.case_ref, stated.reason), (Some("x".repeat(8)), Some("x".repeat(14))));
        let refused = disclosure::make(&desk, &una(), &request(What::Lead(1), home.path().join("late.zip"))).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("was emptied on"), "{refused}");
        let wanted = EventFilter { kind: Some(Kind::SearchEmptied), object: None };
        let told = desk.vault.audit_book().newest(&wanted, 10).await.unwrap();
        let objects: Vec<Vec<String>> =
            told.iter().map(|line| serde_json::from_str::<Event>(&line.body).unwrap().objects).collect();
        assert_eq!(
            objects,
            [
                vec!["search:1".to_owned(), format!("search:{third}")],
                vec![format!("search:{fifth}")],
                vec!["search:2".to_owned()]
            ]
        );
        desk.vault.close().await;
        nothing_that_was_said_is_left(&home.path().join("data"));
    });
}

fn nothing_that_was_said_is_left(data: &Path) {
    let bytes = windows(data, 12);
    let said =
        [&b"the only still"[..], b"Insp. Theodora Marsh", b"scar at the chin", b"charge of the man with the van"];
    for written in said {
        assert!(!bytes.contains(&written[..12]), "{}", String::from_utf8_lossy(written));
    }
}

/// The erasure looked at the lists that there were, and does not come back for one that is recorded after it.
#[test]
fn a_search_whose_candidate_was_erased_before_it_is_recorded_does_not_count() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = lead(home.path()).await;
        let searched = search(&SEARCHED.map(TemplateId));
        desk.vault.erase(&name(), Erase::Subject(subject(2)), |_| ()).await.unwrap();
        let before = desk.vault.audit_book().head().await.unwrap();
        let refused = desk.vault.record_searches(&[search(&[TemplateId(1)]), searched]).await.unwrap_err();
        assert!(matches!(refused, GalleryError::Records(RecordsError::ErasedMeanwhile)), "{refused}");
        assert_eq!(desk.vault.audit_book().head().await.unwrap(), before, "none of the request was recorded");
        assert_eq!(desk.vault.record_searches(&[search(&[TemplateId(1)])]).await.unwrap(), [3]);
        desk.vault.close().await;
    });
}

#[test]
fn of_a_list_that_is_gone_nothing_is_opened_drawn_or_disclosed() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = lead(home.path()).await;
        let room = SubjectRoom::enter(&desk.vault, &una(), &name()).await.unwrap();
        assert_eq!(room.run_retention(&desk, Day::today().plus_days(3 * 365), 0).await.unwrap().lists, 1);
        let ann = Caller::new("ann", "test", None);
        let reviews =
            ReviewRoom::under(Policy::builtin().unwrap(), &desk.vault, &ann, Some(Roles::of(&Role::ALL))).unwrap();
        let refused = reviews.open(2).await.unwrap_err().to_string();
        assert!(refused.contains("was emptied"), "{refused}");
        let new = NewDisclosure {
            search: 2,
            lead: None,
            gallery: name(),
            person: "una".to_owned(),
            recipient: "somebody".to_owned(),
            reason: "because".to_owned(),
            contents: "0".repeat(64),
        };
        let refused = desk
            .vault
            .disclosure_book()
            .add(&new, (&[], None), Happening::new(Kind::DisclosureMade))
            .await
            .unwrap_err();
        assert!(matches!(refused, RecordsError::ListEmptied(2)), "read before, and emptied since: {refused}");
        desk.vault.close().await;
    });
}

#[test]
fn the_hash_of_a_view_says_nothing_of_who_was_erased() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let desk = lead(home.path()).await;
        let id = desk.vault.record_searches(&[search(&[TemplateId(4)])]).await.unwrap()[0];
        let ann = Caller::new("ann", "test", None);
        let reviews =
            ReviewRoom::under(Policy::builtin().unwrap(), &desk.vault, &ann, Some(Roles::of(&Role::ALL))).unwrap();
        let review = reviews.open(id).await.unwrap();
        reviews.claim(review).await.unwrap();
        let seen = hex::encode(&reviews.see(review).await.unwrap().sha256);
        // As somebody tries it who has the data base, and knows all but the one candidate.
        for template in 1..=6 {
            let guess = format!("bertillon view 1\n{review} ann\n{template} - - -\n");
            assert_ne!(hex::encode(&Sha256::digest(guess)), seen, "{template}");
        }
        desk.vault.close().await;
    });
}

#[test]
fn what_was_done_is_counted_by_gallery_and_names_nobody() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        // Should the day end meanwhile, the next is counted too.
        let today = Day::today();
        let desk = lead(home.path()).await;
        made(&desk, What::Lead(1), &home.path().join("pack.zip")).await;
        desk.vault.erase(&name(), Erase::Subject(subject(5)), |_| ()).await.unwrap();
        let Published { galleries, counts } = publish(&desk, &una(), today, today.plus_days(2)).await.unwrap();
        let counted: Vec<_> = counts.iter().map(|one| (one.what, one.kind.as_str(), one.count)).collect();
        let wanted = [
            ("disclosures", "", 1),
            ("leads", "", 1),
            ("references erased", "", 1),
            ("reviews", "lead", 1),
            ("searches", "", 1),
            ("searches", "investigate_crime", 1),
        ];
        assert_eq!(counted, wanted);
        assert_eq!((galleries.len(), galleries[0].references, galleries[0].purpose.is_empty()), (1, 5, false));
        let before = publish(&desk, &una(), today.minus_days(9), today).await.unwrap();
        assert!(before.counts.is_empty(), "the last day is left out: {:?}", before.counts);
        let newest = desk.vault.audit_book().newest(&EventFilter::default(), 1).await.unwrap();
        assert!(newest[0].body.contains("counts.read"));
        desk.vault.close().await;
    });
}
