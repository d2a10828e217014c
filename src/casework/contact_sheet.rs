//! The contact sheet of the demonstration: one page of HTML, each probe beside its candidates. Pictures are referred to, not
//! copied; a synthetic candidate has none and says so.

use std::fmt::Write;

use crate::base::clock::now_rfc3339;
use crate::base::text::thousands;
use crate::casework::demo::{CrowdCheck, Outcome, Probe};
use crate::casework::search::{Answer, ProbeAnswer};
use crate::identify::Candidate;

const STYLE: &str = "
 body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1b1f24;background:#fff}
 h1{font-size:1.5rem} h2{font-size:1.1rem;margin:0 0 .25rem} .notice{border-left:4px solid #9a6700;background:#fff8e5;padding:.5rem 1rem}
 .row{display:flex;gap:1rem;border-top:1px solid #d0d7de;padding:1rem 0;flex-wrap:wrap}
 .probe{flex:0 0 15rem} .list{flex:1;display:flex;gap:.75rem;flex-wrap:wrap;align-items:flex-start}
 figure{margin:0;width:8.5rem} figcaption{font-size:.85rem} .probe figure{width:15rem}
 .frame{position:relative;overflow:hidden;background:#eaeef2;border-radius:4px} .frame img{display:block;width:100%}
 .box{position:absolute;border:2px solid #0969da;border-radius:2px}
 .pic{height:8.5rem;width:100%;object-fit:cover;object-position:50% 15%;border-radius:4px;display:block}
 .none{height:8.5rem;border-radius:4px;display:flex;align-items:center;justify-content:center;text-align:center;font-size:.85rem;color:#57606a;
  background:repeating-linear-gradient(45deg,#f0f2f4,#f0f2f4 8px,#e3e7eb 8px,#e3e7eb 16px)}
 .right .pic{outline:3px solid #1a7f37} .score{font-variant-numeric:tabular-nums} .small{font-size:.85rem;color:#57606a}
 .bad{color:#a40e26;font-weight:600}";

/// The page. `pictures` is the path from the page to the folder of pictures.
#[must_use]
pub fn contact_sheet(outcome: &Outcome, pictures: &str) -> String {
    let mut page = String::from("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width\"><title>Bertillon: contact sheet of the demonstration</title>");
    // Writing into a String can't fail.
    let _ = writeln!(page, "<style>{STYLE}</style>\n<h1>Contact sheet of the demonstration</h1>");
    let _ = writeln!(
        page,
        "<p class=notice>Candidates are leads for a trained examiner, not evidence of identity. Scores are comparison scores (cosine).</p>"
    );
    let _ = writeln!(page, "<p>Made {}. {}</p>", now_rfc3339(), crowd_words(outcome.synthetic, outcome.crowd.as_ref()));
    for probe in &outcome.probes {
        row(&mut page, probe, pictures);
    }
    let _ =
        writeln!(page, "<p class=small>Sources of the pictures and their terms: CREDITS.txt beside them.</p></html>");
    page
}

fn crowd_words(synthetic: u64, check: Option<&CrowdCheck>) -> String {
    let Some(check) = check else {
        return "There is no synthetic crowd.".to_owned();
    };
    let synthetic = thousands(synthetic);
    format!(
        "The gallery holds {synthetic} <b>synthetic</b> templates: drawn by a generator with the model's own statistics, \
         nobody's face. {}",
        escape(&check.words())
    )
}

fn row(page: &mut String, probe: &Probe, pictures: &str) {
    let _ = writeln!(page, "<div class=row><div class=probe><h2>{}</h2>", escape(probe.name));
    let found = probe.answer.as_ref().ok().and_then(|answer| first_probe(answer).map(|found| (answer, found)));
    let size =
        found.as_ref().and_then(|(answer, _)| answer.pictures.first()).map(|picture| (picture.width, picture.height));
    let _ = write!(
        page,
        "<figure><div class=frame><img src=\"{}/{}\" alt=\"probe\">",
        escape(pictures),
        escape(probe.name)
    );
    if let (Some((_, found)), Some((width, height))) = (&found, size) {
        let (bounds, width, height) = (&found.face.bounds, width as f32 / 100.0, height as f32 / 100.0);
        let (left, top) = (bounds.x / width, bounds.y / height);
        let (wide, high) = (bounds.width / width, bounds.height / height);
        let _ = write!(
            page,
            "<div class=box style=\"left:{left:.2}%;top:{top:.2}%;width:{wide:.2}%;height:{high:.2}%\"></div>"
        );
    }
    let _ =
        writeln!(page, "</div><figcaption>{}<br>{}</figcaption></figure></div>", escape(probe.note), verdict(probe));
    match (&probe.answer, found) {
        (Err(reason), _) => {
            let _ = writeln!(page, "<div class=list><p class=bad>No search: {}</p></div></div>", escape(reason));
        }
        (Ok(answer), found) => {
            page.push_str("<div class=list>");
            for candidate in found.map(|(_, found)| found.candidates.as_slice()).unwrap_or_default() {
                figure(page, candidate, probe.shows, pictures);
            }
            let _ = writeln!(page, "</div></div><p class=small>{}</p>", cost(answer));
        }
    }
}

fn first_probe(answer: &Answer) -> Option<&ProbeAnswer> {
    answer.pictures.first().and_then(|picture| picture.probes.first())
}

fn verdict(probe: &Probe) -> String {
    match (probe.shows, probe.right_person) {
        (None, _) => "shows nobody who is enrolled".to_owned(),
        (Some(shows), Some((1, score))) => format!("shows {}: rank 1, score {score:.4}", escape(shows)),
        (Some(shows), Some((rank, score))) => {
            format!("shows {}: <span class=bad>rank {rank}</span>, score {score:.4}", escape(shows))
        }
        (Some(shows), None) => format!("shows {}, <span class=bad>not found</span>", escape(shows)),
    }
}

fn figure(page: &mut String, candidate: &Candidate, shows: Option<&str>, pictures: &str) {
    let reference = &candidate.reference;
    let right = if shows == Some(reference.subject.as_str()) { " class=right" } else { "" };
    let _ = write!(page, "<figure{right}>");
    match &reference.image {
        None => page.push_str("<div class=none>synthetic<br>nobody's face</div>"),
        Some(image) => {
            let _ = write!(
                page,
                "<img class=pic src=\"{}/{}\" alt=\"reference\">",
                escape(pictures),
                escape(&image.source)
            );
        }
    }
    let _ = writeln!(
        page,
        "<figcaption><span class=score>{}. {:.4}</span><br>{}</figcaption></figure>",
        candidate.rank,
        candidate.score,
        escape(reference.subject.as_str())
    );
}

fn cost(answer: &Answer) -> String {
    let stages = answer.pictures.first().map(|picture| picture.stages).unwrap_or_default();
    format!(
        "decode {:.0} ms, detect {:.0} ms, align {:.0} ms, embed {:.0} ms, scoring {} templates {:.1} ms on {}, people {:.1} ms; on record",
        stages.decode_ms,
        stages.detect_ms,
        stages.align_ms,
        stages.embed_ms,
        thousands(answer.work.rows),
        answer.scoring_ms,
        escape(&answer.work.back_end),
        answer.people_ms
    )
}

/// Makes text safe inside HTML and its attributes.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(escape("<b a=\"x\">O'Hara & Co"), "&lt;b a=&quot;x&quot;&gt;O&#39;Hara &amp; Co");
    }

    #[test]
    fn a_probe_without_a_search_says_why() {
        let probe =
            Probe { name: "a.jpg", shows: Some("A"), note: "n", answer: Err("no <face>".into()), right_person: None };
        let outcome = Outcome { enrolled: vec![], synthetic: 0, crowd: None, probes: vec![probe], sheet: "x".into() };
        let page = contact_sheet(&outcome, "pictures");
        assert!(page.contains("no &lt;face&gt;") && page.contains("There is no synthetic crowd."));
    }
}
