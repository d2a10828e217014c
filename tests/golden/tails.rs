//! Generalised Pareto tails, and error-versus-discard curves.

use bertillon::evaluation::accuracy::discard::Discard;
use bertillon::evaluation::arithmetic::pareto::Pareto;

use crate::{agree, list, number, numbers, read};

#[test]
fn tails_are_scipys() {
    for case in list(&read("tail.json")["fits"]) {
        let excesses = numbers(&case["excesses"]);
        let found = Pareto::fit(&excesses).unwrap();
        agree("shape", found.shape, &case["shape"]);
        agree("scale", found.scale, &case["scale"]);
        agree("log likelihood", found.log_likelihood(&excesses), &case["log_likelihood"]);
        for (level, golden) in numbers(&case["levels"]).iter().zip(list(&case["survival"])) {
            agree("survival", found.survival(*level), golden);
        }
    }
}

#[test]
fn discard_curves_are_their_definition_integrated() {
    let golden = read("discard.json");
    let outcomes = numbers(&golden["quality"]).into_iter().map(Some).zip(numbers(&golden["failed"]));
    let discard = Discard::new(outcomes.map(|(quality, failed)| (quality, failed > 0.0))).unwrap();
    for case in list(&golden["areas"]) {
        agree("area", discard.area(number(&case["up_to"])).unwrap().area, &case["area"]);
    }
    for case in list(&golden["curve"]) {
        agree("rate", discard.rate(number(&case["discarded"])).unwrap(), &case["rate"]);
    }
}
