//! The story itself.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;
use serde_json::Value;

use crate::base::clock;
use crate::base::text::NOT_EVIDENCE;
use crate::casework::keys::PUBLIC_KEY;
use crate::cli::print;
use crate::cli::story::Cast;
use crate::cli::story::stage::{Stage, heading};

const GALLERY: &str = "custody";
const STILL: &str = "still.jpg";
const PACK: &str = "case.zip";
const RECEIPT: &str = "receipt.json";
/// What an examiner states.
const STATED: [&str; 10] = [
    "--purpose",
    "investigate_crime",
    "--lawful-basis",
    "law_enforcement_task",
    "--seriousness",
    "indictable",
    "--case-ref",
    "CR/17/26",
    "--reason",
    "robbery at a shop, only still",
];

/// Whom the search led to.
struct Led {
    template: String,
    subject: String,
}

pub(super) fn play(mut stage: Stage, cast: &Cast) -> Result<()> {
    house(&mut stage, cast)?;
    submission(&stage)?;
    let led = search(&stage)?;
    review(&stage, &led)?;
    pack(&stage)?;
    retention(&stage, &led)?;
    unsolved(&stage, cast, &led)?;
    sample(&stage)?;
    log(&stage)?;
    heading("The end")?;
    print::line(&format!(
        "Everything is in {}: remove it when you have seen enough. {NOT_EVIDENCE}",
        stage.folder.display()
    ))
}

fn house(stage: &mut Stage, cast: &Cast) -> Result<()> {
    heading("A custody gallery, and people with roles")?;
    for (person, picture) in &cast.people {
        let folder = stage.folder.join("people").join(person);
        fs::create_dir_all(&folder)?;
        let name = picture.file_name().context("a picture without a name")?;
        fs::copy(picture, folder.join(name))?;
    }
    fs::copy(&cast.still, stage.folder.join(STILL))?;
    stage.good("owner", &["gallery", "create", GALLERY, "--purpose", "custody images of a demonstration"])?;
    stage.good("owner", &["enrol", GALLERY, "people", "--keep-images"])?;
    stage.person("sam", &["submitter"])?;
    // She could be the second, too, of others' decisions.
    stage.person("elle", &["examiner", "verifier"])?;
    for (name, role) in
        [("xena", "examiner"), ("vic", "verifier"), ("una", "supervisor"), ("ulf", "supervisor"), ("ada", "auditor")]
    {
        stage.person(name, &[role])?;
    }
    print::line(
        "sam hands in for a shop, xena and elle are examiners, elle a verifier too, vic a verifier, una and ulf are supervisors, ada is the auditor",
    )
}

/// The shop's part: a receipt that counts elsewhere, and nothing else.
fn submission(stage: &Stage) -> Result<()> {
    heading("A shop hands in a still, and has a receipt to show for it")?;
    let words = ["--reference", "SHOP/8/26", "--place", "the shop at the corner", "--receipt", RECEIPT];
    stage.good("sam", &[&["submission", "hand-in", STILL][..], &words].concat())?;
    let place = stage.folder.join("shop");
    fs::create_dir(&place)?;
    for file in [RECEIPT, STILL] {
        fs::copy(stage.folder.join(file), place.join(file))?;
    }
    let key = public_key(stage)?;
    stage.elsewhere(&place, &["submission", "verify-receipt", RECEIPT, "--key", &key, "--image", STILL])?;
    // Whom it may show is not the shop's business.
    stage.refused(
        "sam",
        &[&["search", GALLERY, "--submission", "1"][..], &STATED].concat(),
        "does not allow searches",
    )?;
    stage.refused("sam", &["review", "list"], "refused")?;
    stage.refused("sam", &["submission", "picture", "1", "--to", "back.jpg"], "submission.work")
}

fn search(stage: &Stage) -> Result<Led> {
    heading("Who might this be?")?;
    stage.refused("xena", &["search", GALLERY, "--submission", "1"], "purpose")?;
    let arguments = [&["search", GALLERY, "--submission", "1"][..], &STATED, &["--json"]].concat();
    let answer = stage.json("xena", &arguments, |answer| {
        let probe = &answer["pictures"][0]["probes"][0];
        let candidates = probe["candidates"].as_array().map_or(0, Vec::len);
        format!("search {}: {candidates} candidates, leads to look into", probe["search"])
    })?;
    let shown =
        stage.json("sam", &["submission", "show", "1", "--json"], |shown| format!("it is {}", shown["state"]))?;
    ensure!(shown["state"] == "taken" && shown["work"].is_null(), "the shop is told that it is worked on, and no more");
    let first = &answer["pictures"][0]["probes"][0]["candidates"][0];
    let template = &first["template"];
    ensure!(template.is_u64(), "the still led to nobody: the story needs a still of somebody who is enrolled");
    Ok(Led { template: template.to_string(), subject: text(&first["subject"])? })
}

fn review(stage: &Stage, led: &Led) -> Result<()> {
    heading("Two people must agree, neither of whom saw score, rank or name")?;
    print::line(
        "xena was shown the list of her search, with scores: she hands over, and does not decide; elle, vic and una see no score, rank or \
         name until they have decided",
    )?;
    stage.good("xena", &["review", "open", "1"])?;
    look(stage, "elle")?;
    let named = ["review", "decide", "1", "--possible", &led.template, "--reason", "ears and chin"];
    stage.good("elle", &named)?;
    stage.refused("elle", &["review", "claim", "1"], "two different people")?;
    look(stage, "vic")?;
    stage.good("vic", &["review", "decide", "1", "--finding", "inconclusive", "--reason", "too dark"])?;
    look(stage, "una")?;
    stage.good("una", &named)?;
    let leads = stage.good("una", &["lead", "list"])?;
    ensure!(leads.contains("elle") && leads.contains("una") && !leads.contains("xena"), "the lead carries two names");
    Ok(())
}

/// Takes the review and looks at its candidates, of which nothing is shown that could sway whoever looks.
fn look(stage: &Stage, who: &str) -> Result<()> {
    stage.good(who, &["review", "claim", "1"])?;
    let shown = stage.json(who, &["review", "show", "1", "--json"], |shown| {
        let candidates = shown["candidates"].as_array().map_or(0, Vec::len);
        format!("{candidates} candidates, in an order of {who}'s own")
    })?;
    let hidden = |candidate: &Value| ["score", "rank", "subject"].iter().all(|name| candidate[*name].is_null());
    let candidates = shown["candidates"].as_array().context("candidates are a list")?;
    ensure!(!candidates.is_empty() && candidates.iter().all(hidden), "{who} saw what could sway them");
    print::line("    no score, no rank and no name stands at any of them")
}

/// The public key of the data folder, as somebody else has it by another way.
fn public_key(stage: &Stage) -> Result<String> {
    Ok(fs::read_to_string(stage.folder.join("data").join(PUBLIC_KEY))?.trim().to_owned())
}

fn pack(stage: &Stage) -> Result<()> {
    heading("What is known of it goes to the prosecution, who check it on a machine of theirs")?;
    let to = ["disclose", "make", "--lead", "1", "--to", "CPS unit 4", "--reason", "charging decision", "--out", PACK];
    stage.refused("xena", &to, "disclosure.make")?;
    stage.good("una", &to)?;
    let place = stage.folder.join("elsewhere");
    fs::create_dir(&place)?;
    fs::copy(stage.folder.join(PACK), place.join(PACK))?;
    let key = public_key(stage)?;
    stage.elsewhere(&place, &["disclose", "verify", PACK, "--key", &key])?;
    stage.good("una", &["disclose", "rerun", "--pack", PACK, "--image", STILL])?;
    Ok(())
}

fn retention(stage: &Stage, led: &Led) -> Result<()> {
    heading("Years later: nobody was convicted, and the picture's time is over")?;
    let who = led.subject.as_str();
    let shown = stage
        .json("una", &["subject", "show", GALLERY, who, "--json"], |shown| format!("{} image(s)", shown["images"]))?;
    let image = shown["image_records"][0]["id"].to_string();
    let known = ["captured_on=2012-05-01", "disposal_outcome=no_further_action", "disposed_on=2012-09-01"];
    stage.good("una", &[&["subject", "set", GALLERY, &image][..], &known].concat())?;
    let overdue = stage.good("una", &["retention", "overdue", GALLERY])?;
    ensure!(overdue.contains(who), "the image is overdue");
    stage.good("una", &["hold", "place", GALLERY, who, "--reason", "a complaint is being looked into"])?;
    let run = ["retention", "run", GALLERY, "--yes", "--json"];
    let held = stage.json("una", &run, |ran| format!("erased {}, held {}", ran["erased"], ran["held"]))?;
    ensure!(held["erased"] == Value::Array(Vec::new()), "what is held stays");
    stage.good("una", &["hold", "lift", GALLERY, "1", "--reason", "the complaint is over"])?;
    stage.good("una", &["retention", "review", GALLERY, &image, "--delete", "--reason", "no need any more"])?;
    let ran = stage.json("una", &run, |ran| format!("erased templates {}, a certificate was signed", ran["erased"]))?;
    let (number, salt) = (ran["certificates"][0]["certificate"].to_string(), text(&ran["certificates"][0]["salt"])?);
    let certificate = stage.owner(&["retention", "certificate", &number])?;
    let place = stage.folder.join("elsewhere");
    fs::write(place.join("certificate.json"), certificate)?;
    let key = public_key(stage)?;
    let verify =
        ["retention", "verify-certificate", "certificate.json", "--key", &key, "--subject", who, "--salt", &salt];
    stage.elsewhere(&place, &verify)?;
    let again = stage.good("una", &["disclose", "rerun", "--search", "1", "--image", STILL])?;
    ensure!(!again.contains(who), "nobody is found again who was erased");
    Ok(())
}

/// What led to nobody is searched anew when somebody came.
fn unsolved(stage: &Stage, cast: &Cast, led: &Led) -> Result<()> {
    heading("The still leads to nobody now, and waits on the list of the unsolved, apart from every gallery")?;
    let arguments = [&["search", GALLERY, STILL][..], &STATED, &["--json"]].concat();
    let answer =
        stage.json("xena", &arguments, |answer| format!("search {}", answer["pictures"][0]["probes"][0]["search"]))?;
    let number = answer["pictures"][0]["probes"][0]["search"].to_string();
    let add = ["unsolved", "add", &number, "--reason", "the only still of the robbery"];
    stage.refused("xena", &add, "a supervisor may")?;
    stage.good("una", &add)?;
    let rescan = ["unsolved", "rescan", "1", "--json"];
    let new = |answer: &Value| format!("templates that are new on its list: {}", answer["new_templates"]);
    let before = stage.json("xena", &rescan, new)?;
    ensure!(before["new_templates"] == Value::Array(Vec::new()), "nobody came yet");
    let folder = stage.folder.join("later").join("Somebody-who-came-later");
    fs::create_dir_all(&folder)?;
    let picture = cast.people.iter().find(|(person, _)| *person == led.subject).map(|(_, picture)| picture);
    fs::copy(picture.context("whom the still led to is nobody of the cast")?, folder.join("later.jpg"))?;
    stage.good("owner", &["enrol", GALLERY, "later"])?;
    let after = stage.json("xena", &rescan, new)?;
    ensure!(after["new_templates"].as_array().is_some_and(|new| new.len() == 1), "somebody came who is on its list");
    stage.good("xena", &["unsolved", "remove", "1"]).map(drop)
}

fn sample(stage: &Stage) -> Result<()> {
    heading("A supervisor who had no part in it looks at decisions again, drawn by chance")?;
    // Before that second, so that decisions of this one are among them; and it has to be over.
    let to = clock::rfc3339_in(Duration::from_secs(1));
    let open = ["sample", "open", "--of", "decisions", "--from", "2026-01-01", "--to", &to, "--n", "2"];
    stage.good("ulf", &open)?;
    stage.refused("ulf", &open, "is not sampled again")?;
    std::thread::sleep(Duration::from_secs(2));
    stage.owner(&["audit", "checkpoint"])?;
    stage.good("ulf", &["sample", "draw", "1"])?;
    stage.good("ulf", &["sample", "record", "1", "1", "--outcome", "right", "--reason", "I would say so too"])?;
    stage.good("ulf", &["sample", "show", "1"])?;
    Ok(())
}

fn log(stage: &Stage) -> Result<()> {
    heading("Who did what, and that nobody changed it")?;
    stage.owner(&["audit", "checkpoint"])?;
    stage.good("owner", &["audit", "verify"])?;
    if !stage.folder.join("data/records.sqlite").is_file() {
        return print::line(
            "the records are on PostgreSQL, where no byte of a file can be changed: what would find it has been shown",
        );
    }
    let copy = stage.folder.join("copy-with-a-flipped-byte");
    copied(&stage.folder.join("data"), &copy)?;
    let events = flip(&copy.join("records.sqlite"))?;
    print::line(&format!("one letter of an event is changed in a copy of the data folder: {events}"))?;
    let output = stage.on_copy(&copy, &["audit", "verify"])?;
    ensure!(!output.status.success(), "a changed byte must be found");
    fs::remove_dir_all(&copy)?;
    Ok(())
}

/// Copies a folder with everything in it.
fn copied(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copied(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Changes a letter of who decided something; says which.
fn flip(records: &Path) -> Result<&'static str> {
    let mut bytes = fs::read(records)?;
    let (sought, changed) = (br#""actor":"xena""#, br#""actor":"xeno""#);
    let Some(place) = bytes.windows(sought.len()).position(|window| window == sought) else {
        bail!("no event of xena stands in {}", records.display());
    };
    bytes.splice(place..place + sought.len(), changed.iter().copied());
    fs::write(records, bytes)?;
    Ok("xena becomes xeno")
}

fn text(value: &Value) -> Result<String> {
    Ok(value.as_str().with_context(|| format!("{value} is no text"))?.to_owned())
}
