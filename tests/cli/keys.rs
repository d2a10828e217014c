//! Keys at the command line: what their users may, and no more than the key was made for.

use serde_json::Value;

use crate::{Desk, json, program};

/// The folder's owner reads it without a key and is bound by nothing; a user by their rights.
#[test]
fn an_auditor_reads_the_log_by_their_key_and_nobody_else_does() {
    let desk = Desk::new();
    let (ada, adam, xena) =
        (desk.key("ada", "auditor"), desk.key("adam", "administrator"), desk.key("xena", "examiner"));
    let whole: [&[&str]; 4] = [&["show", "--json"], &["verify"], &["checkpoint"], &["export", "log"]];
    for command in whole.map(|rest| [&["audit"][..], rest].concat()) {
        for key in [&adam, &xena] {
            let refused = program::bad(desk.by(key, &command));
            assert!(refused.contains("audit.read"), "{command:?}: {refused}");
        }
        assert!(program::bad(desk.by("bert_nobody", &command)).contains("nobody has the key"));
        assert!(!desk.folder.path().join("log").exists());
        program::good(desk.by(&ada, &command));
    }
    assert!(desk.folder.path().join("log").join("events.jsonl").is_file());
    let newest = json(&desk.good(&["audit", "show", "--last", "1", "--json"]));
    assert_eq!((&newest[0]["kind"], &newest[0]["actor"]), (&"audit.exported".into(), &"ada".into()));
    let before = newest[0]["seq"].to_string();
    let older = json(&program::good(desk.by(&ada, &["audit", "show", "--before", &before, "--last", "1", "--json"])));
    assert_eq!(older[0]["seq"].as_u64().unwrap() + 1, newest[0]["seq"].as_u64().unwrap());
}

/// What a key leaves out of its owner's rights is held wherever it is used: as over HTTP, so here.
#[test]
fn a_key_that_leaves_out_thresholds_gives_none_at_the_command_line() {
    let desk = Desk::new();
    desk.good(&["gallery", "create", "eval-1", "--purpose", "tests"]);
    desk.good(&["user", "add", "elle", "--role", "evaluator:eval-1"]);
    fs_err::write(desk.folder.path().join("probe.jpg"), b"no picture at all").unwrap();
    let bad = |more: &[&str], limits: &[&str]| {
        let key = json(&desk.good(&[&["key", "create", "elle", "--json"], limits].concat()));
        let mut command = desk.command(&[&["search", "eval-1", "probe.jpg", "--purpose", "evaluation"], more].concat());
        program::bad({
            command.env("BERTILLON_KEY", key["key"].as_str().unwrap());
            command
        })
    };
    let (number, limits) = (["--threshold", "0.4"], ["--may", "search.run"]);
    let said = bad(&number, &limits);
    assert!(said.contains("search.threshold"), "{said}");
    let told = json(&desk.good(&["audit", "show", "--json"]));
    let refused = |event: &&Value| event["detail"]["refusal"] == "not-allowed";
    let event = told.as_array().unwrap().iter().find(refused).unwrap_or_else(|| panic!("{told}"));
    assert_eq!((&event["kind"], &event["actor"]), (&"search.run".into(), &"elle".into()), "told of who it was");
    for (more, limits) in [(&number[..], &[][..]), (&[], &limits)] {
        let said = bad(more, limits);
        assert!(!said.contains("search.threshold"), "then it is the picture: {said}");
    }
}
