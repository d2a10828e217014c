//! The document around the report: style, fonts, and the word that stands on every page where data are synthetic.

use super::font;
use super::markup::Markup;
use super::words;
use crate::evaluation::results::Evaluation;

/// How the page looks.
const STYLE: &str = include_str!("style.css");
/// What stands on top of every printed page of synthetic results.
const SYNTHETIC_PAGE: &str = "@page{@top-center{content:\"SYNTHETIC: nothing here is about any person or model\";\
font:700 9pt \"Noto Sans\",sans-serif;color:#8a2b00}}\n";
/// Nothing may be fetched or run, even if something slipped through.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; font-src data:";

/// The whole document; `body` writes what is in it.
pub(super) fn document(evaluation: &Evaluation, body: impl FnOnce(&mut Markup)) -> String {
    let synthetic = evaluation.identity.synthetic;
    let mut page = Markup::default();
    page.trusted("<!DOCTYPE html>\n");
    page.element("html", &[("lang", "en")], |page| {
        page.element("head", &[], |page| {
            page.void("meta", &[("charset", "utf-8")]);
            page.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)]);
            page.void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
            let mark = if synthetic { "SYNTHETIC: " } else { "" };
            page.leaf("title", &[], &format!("{mark}{}", words::shown(&evaluation.identity.title)));
            page.element("style", &[], |page| {
                page.trusted(&font::faces());
                page.trusted(STYLE);
                if synthetic {
                    page.trusted(SYNTHETIC_PAGE);
                }
            });
        });
        page.element("body", &[], |page| {
            if synthetic {
                page.leaf("div", &[("class", "watermark"), ("aria-hidden", "true")], "SYNTHETIC");
                page.leaf("div", &[("class", "banner")], "SYNTHETIC: nothing here is about any person or model");
            }
            page.element("main", &[], body);
        });
    });
    page.finish()
}
