//! Who comes into the next pass.
//!
//! A pass is over one view, the one of the request that leads it. Leaders alternate between the lanes while both wait.
//! Of the places, a quarter is kept for the batch lane and the rest for the urgent lane where both wait for the view; what
//! one lane leaves free the other takes. Within a lane, first come first served. So:
//! * an urgent request of up to three quarters of the places, at the head of its lane, is scored after at most two other
//!   passes: the one that runs, and one that the batch lane leads;
//! * a batch of p probes at the head of its lane is scored after at most `2 * ceil(p / quarter)` passes, whatever the
//!   urgent lane does.

/// What a waiting request looks like to the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Which view it wants; equal numbers may share a pass.
    pub(super) view: usize,
    /// Probes that are not scored yet; at least one.
    pub(super) left: usize,
    /// Length of its lists.
    pub(super) k: usize,
}

/// Some probes of one waiting request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Take {
    /// Position in its lane.
    pub(super) place: usize,
    /// How many probes.
    pub(super) probes: usize,
}

/// What a pass takes from each lane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) urgent: Vec<Take>,
    pub(super) batch: Vec<Take>,
}

/// Lists of very different lengths are not made together: the longest sets the work for all.
const K_RATIO_MAX: usize = 4;

/// Who leads a pass: the first of one of the lanes. `batch_leads` says whose turn it is where both wait.
pub(super) fn lead<'a, T>(urgent: Option<&'a T>, batch: Option<&'a T>, batch_leads: bool) -> Option<&'a T> {
    if batch_leads { batch.or(urgent) } else { urgent.or(batch) }
}

/// Plans a pass of at most `places` probes. `batch_leads` says whose turn it is where both lanes wait.
pub(super) fn plan(urgent: &[Shape], batch: &[Shape], places: usize, batch_leads: bool) -> Plan {
    let places = places.max(4);
    let Some(&lead) = lead(urgent.first(), batch.first(), batch_leads) else { return Plan::default() };
    let kept = wanted(batch, lead).min(places / 4);
    let mut plan = Plan { urgent: fill(urgent, lead, places - kept), batch: Vec::new() };
    plan.batch = fill(batch, lead, places - taken(&plan.urgent));
    plan
}

fn fits(shape: &Shape, lead: Shape) -> bool {
    let (least, most) = (shape.k.min(lead.k), shape.k.max(lead.k));
    shape.view == lead.view && most <= least.saturating_mul(K_RATIO_MAX)
}

fn wanted(lane: &[Shape], lead: Shape) -> usize {
    lane.iter().filter(|shape| fits(shape, lead)).map(|shape| shape.left).sum()
}

fn fill(lane: &[Shape], lead: Shape, mut places: usize) -> Vec<Take> {
    let mut takes = Vec::new();
    for (place, shape) in lane.iter().enumerate().filter(|(_, shape)| fits(shape, lead)) {
        let probes = shape.left.min(places);
        if probes == 0 {
            break;
        }
        takes.push(Take { place, probes });
        places -= probes;
    }
    takes
}

fn taken(takes: &[Take]) -> usize {
    takes.iter().map(|take| take.probes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shapes() -> impl Strategy<Value = Vec<Shape>> {
        let shape = (0_usize..3, 1_usize..200, prop_oneof![Just(10_usize), Just(38), Just(1000)])
            .prop_map(|(view, left, k)| Shape { view, left, k });
        proptest::collection::vec(shape, 0..8)
    }

    fn score(lane: &mut Vec<Shape>, takes: &[Take]) {
        for take in takes {
            lane[take.place].left -= take.probes;
        }
        lane.retain(|shape| shape.left > 0);
    }

    proptest! {
        #[test]
        fn a_pass_is_one_view_within_its_places(urgent in shapes(), batch in shapes(), places in 4_usize..100, leads in any::<bool>()) {
            let plan = plan(&urgent, &batch, places, leads);
            let all: Vec<(Shape, usize)> = plan.urgent.iter().map(|take| (urgent[take.place], take.probes))
                .chain(plan.batch.iter().map(|take| (batch[take.place], take.probes))).collect();
            prop_assert_eq!(all.is_empty(), urgent.is_empty() && batch.is_empty());
            prop_assert!(all.iter().map(|(_, probes)| probes).sum::<usize>() <= places);
            prop_assert!(all.iter().all(|(shape, probes)| (1..=shape.left).contains(probes)));
            prop_assert!(all.windows(2).all(|pair| pair[0].0.view == pair[1].0.view));
        }

        /// The module's bounds, with lanes that are filled again after each pass.
        #[test]
        fn neither_lane_starves(
            mut batch in shapes(), probes in 1_usize..400, small in 1_usize..=48, same in any::<bool>(), mut turn in any::<bool>()
        ) {
            const PLACES: usize = 64;
            let flood = |view| vec![Shape { view, left: 500, k: 10 }; 3];
            // A batch under a flood of urgent requests.
            let mut mine = vec![Shape { view: 7, left: probes, k: 10 }];
            let mut passes = 0;
            while !mine.is_empty() {
                let plan = plan(&flood(if same { 7 } else { 8 }), &mine, PLACES, turn);
                score(&mut mine, &plan.batch);
                turn = !turn;
                passes += 1;
            }
            prop_assert!(passes <= 2 * probes.div_ceil(PLACES / 4), "{} passes", passes);
            // An urgent request before a full batch lane.
            batch.extend(flood(if same { 7 } else { 8 }));
            let mut mine = vec![Shape { view: 7, left: small, k: 10 }];
            let mut passes = 0;
            while !mine.is_empty() {
                let plan = plan(&mine, &batch, PLACES, turn);
                score(&mut mine, &plan.urgent);
                turn = !turn;
                passes += 1;
            }
            prop_assert!(passes <= 2, "{} passes", passes);
        }
    }

    #[test]
    fn what_one_lane_leaves_the_other_takes() {
        let shape = |left| Shape { view: 1, left, k: 10 };
        let plan = plan(&[shape(2)], &[shape(360)], 64, false);
        assert_eq!(
            plan,
            Plan { urgent: vec![Take { place: 0, probes: 2 }], batch: vec![Take { place: 0, probes: 62 }] }
        );
    }
}
