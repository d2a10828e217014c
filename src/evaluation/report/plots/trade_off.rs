//! The detection error trade-off and the cumulative match characteristic, one curve a gallery.

use super::axis::{Axis, Labels};
use super::frame::{Curve, Plot, all_xs, all_ys};
use super::points::{left_out_note, limited, spread, thinning_note};
use super::style::{STYLES_COUNT, Style, style};
use super::{Figure, finest, headline, no_searches, zero_note};
use crate::base::text::thousands;
use crate::evaluation::EvaluationError;
use crate::evaluation::report::words;
use crate::evaluation::results::{DetBandPoint, Evaluation, GalleryResult, OperatingRow};

/// FNIR against FPIR.
pub(super) fn det(evaluation: &Evaluation) -> Result<Figure, EvaluationError> {
    let (id, title) = ("det", "Detection error trade-off (DET) by gallery size");
    let galleries: Vec<&GalleryResult> =
        evaluation.galleries.iter().filter(|gallery| !gallery.det.is_empty()).collect();
    if galleries.is_empty() {
        return Ok(Figure::missing(id, title, no_searches(&evaluation.counts)));
    }
    let chosen = spread(galleries.len(), STYLES_COUNT);
    let (mut curves, mut every) = (Vec::new(), 1);
    for (place, gallery) in chosen.iter().map(|index| galleries[*index]).enumerate() {
        let (points, step) = limited(&gallery.det);
        every = every.max(step);
        let line = points.iter().map(|point| (point.fpir, point.fnir)).collect();
        let name = format!("N = {}", words::size(gallery.people as f64));
        let mut curve = Curve::line(&name, style_of(place, chosen.len()), line);
        curve.marks = gallery.operating.iter().filter_map(rates_at).collect();
        if place + 1 == chosen.len() {
            error_bars(&mut curve, gallery);
            curves.extend(bands(&mut curve, gallery));
        }
        curves.push(curve);
    }
    let counts = &evaluation.counts;
    let x = Axis::rates("FPIR(N, T)", all_xs(&curves), finest(counts.non_mated_searches));
    let y = Axis::rates("FNIR(N, L, T)", all_ys(&curves), finest(counts.mated_searches));
    let plot = Plot { x, y, curves, rules: vec![], height: 300, synthetic: evaluation.identity.synthetic };
    let caption = format!(
        "Lower and further left is better. Marks are the operating points of table 3; the strokes through the largest \
         gallery's marks are 95 % intervals (Wilson).{} Two curves differ only where they lie further apart than strokes and \
         shade reach.{}{}{}{}",
        galleries.last().map_or_else(String::new, |gallery| band_note(gallery)),
        zero_note(plot.x.zero_band, "FPIR", counts.non_mated_searches),
        zero_note(plot.y.zero_band, "FNIR", counts.mated_searches),
        thinning_note(every),
        left_out_note(chosen.len(), galleries.len(), "galleries"),
    );
    let said = galleries.iter().map(|gallery| described(gallery)).collect::<Vec<_>>().join(" ");
    Ok(Figure::drawn(id, title, plot.draw()?, format!("FNIR falls as FPIR rises. {said}"), caption))
}

/// The largest gallery, which stands last and matters most, has the first and strongest style.
fn style_of(place: usize, curves: usize) -> Style {
    style(curves - 1 - place)
}

/// FPIR and FNIR at the longest list of an operating point.
fn rates_at(row: &OperatingRow) -> Option<(f64, f64)> {
    Some((row.fpir.as_ref()?.value?, row.fnir.last()?.fnir.value?))
}

fn error_bars(curve: &mut Curve, gallery: &GalleryResult) {
    for row in &gallery.operating {
        let Some((fpir, fnir)) = rates_at(row) else { continue };
        let sideways = row.fpir.and_then(|rate| rate.wilson);
        curve.side_bars.extend(sideways.map(|(low, high)| (fnir, low, high)));
        let upwards = row.fnir.last().and_then(|row| row.fnir.wilson);
        curve.bars.extend(upwards.map(|(low, high)| (fpir, low, high)));
    }
}

/// Shades the curve where it is known how far it is, and returns what lies below: the wider band of both sides.
fn bands(curve: &mut Curve, gallery: &GalleryResult) -> Option<Curve> {
    let points = &gallery.band.as_ref()?.points;
    let of = |ends: fn(&DetBandPoint) -> Option<(f64, f64)>| {
        points.iter().filter_map(move |point| ends(point).map(|(low, high)| (point.fpir, low, high))).collect()
    };
    curve.band = of(|point| point.fnir_interval);
    let mut wider = Curve::line("", curve.style, Vec::new());
    wider.band = of(|point| point.fnir_two_way);
    Some(wider)
}

fn band_note(gallery: &GalleryResult) -> String {
    let Some(band) = &gallery.band else { return String::new() };
    let few = band.events_min;
    if band.points.iter().all(|point| point.fnir_interval.is_none()) {
        return format!(" No band is drawn: nowhere are there {few} errors of both kinds.");
    }
    format!(
        " Shade: its FNIR at each FPIR, pointwise at 95 %, by {} draws of people, the threshold chosen anew in each; dark: of people \
         searched for, light: of people enrolled too (two-way, rather too wide), none where there are fewer than {few} errors, counted for what they \
         are worth.",
        thousands(u64::from(band.replicates))
    )
}

fn described(gallery: &GalleryResult) -> String {
    let people = thousands(gallery.people);
    let at = headline(gallery).and_then(rates_at);
    at.map_or_else(
        || format!("N = {people}: no operating point."),
        |(fpir, fnir)| format!("N = {people}: FNIR {} at FPIR {}.", words::figure(fnir), words::figure(fpir)),
    )
}

/// TPIR by rank.
pub(super) fn cmc(evaluation: &Evaluation) -> Result<Figure, EvaluationError> {
    let (id, title) = ("cmc", "Mates found within rank R (CMC), without a threshold");
    let galleries: Vec<&GalleryResult> =
        evaluation.galleries.iter().filter(|gallery| !gallery.cmc.is_empty()).collect();
    if galleries.is_empty() {
        return Ok(Figure::missing(id, title, "there were no mated searches."));
    }
    let chosen = spread(galleries.len(), STYLES_COUNT);
    let (mut curves, mut every) = (Vec::new(), 1);
    for (place, gallery) in chosen.iter().map(|index| galleries[*index]).enumerate() {
        let (points, step) = limited(&gallery.cmc);
        every = every.max(step);
        let line: Vec<(f64, f64)> = points.iter().map(|(rank, tpir)| (f64::from(*rank), *tpir)).collect();
        let name = format!("N = {}", words::size(gallery.people as f64));
        let mut curve = Curve::line(&name, style_of(place, chosen.len()), line.clone());
        let asked = gallery.by_rank.iter().map(|row| f64::from(row.rank));
        curve.marks = asked.filter_map(|rank| line.iter().find(|point| point.0 == rank).copied()).collect();
        curves.push(curve);
    }
    let x = Axis::logarithmic("rank R", Labels::Sizes, all_xs(&curves), None);
    let y = Axis::share("TPIR(N, R, 0)", all_ys(&curves));
    let plot = Plot { x, y, curves, rules: vec![], height: 290, synthetic: evaluation.identity.synthetic };
    let ends = galleries.iter().filter_map(|gallery| {
        let ((first, tpir), (last, most)) = (gallery.cmc.first()?, gallery.cmc.last()?);
        let people = thousands(gallery.people);
        Some(format!(
            "N = {people}: TPIR {} at rank {first}, {} at rank {last}.",
            words::figure(*tpir),
            words::figure(*most)
        ))
    });
    let caption = format!(
        "What an examiner who looks at R candidates could find at most: a candidate list shows nothing beyond its end. The \
         axis upwards does not begin at zero unless it says so. Marks are the ranks of table 2, which has the intervals.{}{}",
        thinning_note(every),
        left_out_note(chosen.len(), galleries.len(), "galleries"),
    );
    Ok(Figure::drawn(id, title, plot.draw()?, ends.collect::<Vec<_>>().join(" "), caption))
}
