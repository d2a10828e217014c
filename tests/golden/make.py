"""Golden vectors: the same figures by bob.measure, pyeer, scikit-learn, scipy, statsmodels and lir.

Each file holds inputs, outputs and the versions that made them. Scores are whole numbers over SCALE, so that they are the
same in single and double precision. Run by make.sh, `bob` in one environment and `others` in the other.
"""

import itertools
import json
import math
import random
import sys
from importlib.metadata import version
from pathlib import Path

SCALE = 4096
HERE = Path(__file__).parent


def write(name, packages, **content):
    versions = {package: version(package) for package in packages}
    text = json.dumps({"versions": versions, **content}, separators=(",", ":"))
    # A line for each thing, so that a change can be read.
    (HERE / name).write_text(text.replace('},{', '},\n{').replace('],"', '],\n"') + "\n")


def plain(value):
    """Numbers that JSON has; infinities as text."""
    value = float(value)
    return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def scores():
    """Forty templates of thirty subjects, ninety probes of forty-five subjects, some with two templates."""
    source = random.Random(20261122)
    templates = [index % 30 for index in range(40)]
    probes, rows = [], []
    for probe in range(90):
        subject = probe % 45
        row = source.sample(range(-400, 1600), len(templates))
        for at, owner in enumerate(templates):
            if owner == subject:
                row[at] = round(1400 + source.gauss(0, 600))
        # No ties within a row: others settle them differently.
        while len(set(row)) < len(row):
            row = [value + (source.random() < 0.5) for value in row]
        probes.append(subject)
        rows.append(row)
    return templates, probes, rows


def open_set():
    """Open-set identification by bob.measure: (negatives, positives or None) for each probe."""
    import numpy
    from bob import measure

    templates, probes, rows = scores()
    pairs = []
    for subject, row in zip(probes, rows):
        own = [value / SCALE for value, owner in zip(row, templates) if owner == subject]
        others = [value / SCALE for value, owner in zip(row, templates) if owner != subject]
        pairs.append((numpy.array(others), numpy.array(own) if own else None))
    found = []
    for threshold in [-400, 0, 700, 1100, 1400, 1500, 1580, 1598, 2000]:
        at = threshold / SCALE
        false_alarms = measure.false_alarm_rate(pairs, at)
        for rank in [1, 2, 3, 5, 10]:
            rate = measure.detection_identification_rate(pairs, at, rank)
            found.append({"threshold": threshold, "rank": rank, "tpir": rate, "fpir": false_alarms})
    closed = [pair for pair in pairs if pair[1] is not None]
    tops = numpy.array([others.max() for others, own in pairs if own is None])
    mates = numpy.array([own.max() for _, own in closed])
    verification = []
    for threshold in [900, 1300, 1500, 1590]:
        false_accepts, false_rejects = measure.farfrr(tops, mates, threshold / SCALE)
        verification.append({"threshold": threshold, "fpir": false_accepts, "fnir": false_rejects})
    write("open_set.json", ["bob.measure", "numpy"], scale=SCALE, templates=templates, probes=probes, scores=rows,
          found=found, cmc=list(measure.cmc(closed)), any_rank=verification)


def curves():
    """CMC by pyeer, DET by scikit-learn, on the same scores."""
    import numpy
    from pyeer.cmc_stats import get_cmc_curve
    from sklearn.metrics import det_curve

    templates, probes, rows = scores()
    searches, labels, best = {}, [], []
    for probe, (subject, row) in enumerate(zip(probes, rows)):
        listed = sorted(zip(row, templates), reverse=True)
        if subject in templates:
            # It would count a search once for each of the mate's templates: the first is enough.
            first = next(at for at, (_, owner) in enumerate(listed) if owner == subject)
            kept = [(owner, value) for at, (value, owner) in enumerate(listed) if at <= first or owner != subject]
            searches[probe] = ([subject], kept)
            labels.append(1)
            best.append(max(value for value, owner in listed if owner == subject))
        else:
            labels.append(0)
            best.append(listed[0][0])
    cmc = get_cmc_curve(searches, 10)
    false_positives, misses, thresholds = det_curve(labels, numpy.array(best) / SCALE)
    det = [{"threshold": plain(t * SCALE), "fpir": plain(f), "fnir": plain(m)}
           for f, m, t in zip(false_positives, misses, thresholds)]
    write("curves.json", ["pyeer", "scikit-learn"], cmc=[plain(rate) for rate in cmc], det=det)


def intervals():
    """Proportions: scipy and statsmodels; quantiles of the beta distribution for real parameters."""
    from scipy import special, stats
    from statsmodels.stats.proportion import proportion_confint

    rows = []
    counts = [(0, 1), (1, 1), (0, 30), (1, 3), (3, 1_000_000), (8, 48_000), (10, 60_000), (0, 17_973), (149, 302),
              (356, 400), (89, 100), (5_000, 100_000), (300, 1_000_000), (500_000, 1_000_000), (999, 1_000), (60_000, 60_000)]
    for events, trials in counts:
        for coverage in [0.90, 0.95, 0.99]:
            test = stats.binomtest(events, trials)
            wilson = test.proportion_ci(coverage, method="wilson")
            exact = test.proportion_ci(coverage, method="exact")
            upper = stats.binomtest(events, trials, alternative="less").proportion_ci(coverage, method="exact").high
            other = proportion_confint(events, trials, 1 - coverage, method="beta")
            assert abs(other[1] - exact.high) < 1e-8
            rows.append({"events": events, "trials": trials, "coverage": coverage, "wilson": list(map(plain, wilson)),
                         "exact": list(map(plain, exact)), "upper": plain(upper)})
    beta = [{"a": a, "b": b, "share": share, "x": plain(special.betaincinv(a, b, share))}
            for a, b in [(0.4, 7.5), (3.2, 18_999.6), (55.5, 0.7), (800.25, 1_200.75)] for share in [0.025, 0.5, 0.975]]
    normal = [{"share": share, "z": plain(special.ndtri(share))} for share in [1e-9, 0.001, 0.3, 0.5, 0.975, 0.999999]]
    write("intervals.json", ["scipy", "statsmodels"], proportions=rows, beta=beta, normal=normal)


def score(a, n, b, m, difference):
    """Miettinen and Nurminen's score statistic. statsmodels 0.15 has a slip in it for differences other than 0 (its cubic takes
    the events of a group for its trials), so the likeliest rates are sought here as the root of the likelihood's slope."""
    from scipy import optimize

    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)

    def slope(r):
        p = r + difference
        return ((a / p if a else 0) - ((n - a) / (1 - p) if n > a else 0)
                + (b / r if b else 0) - ((m - b) / (1 - r) if m > b else 0))

    edge = 1e-12
    ends = [low + (high - low) * edge, high - (high - low) * edge]
    if slope(ends[0]) <= 0:
        r = low
    elif slope(ends[1]) >= 0:
        r = high
    else:
        r = optimize.brentq(slope, *ends, xtol=1e-300, rtol=1e-15, maxiter=10_000)
    p = r + difference
    variance = (p * (1 - p) / n + r * (1 - r) / m) * (n + m) / (n + m - 1)
    return (a / n - b / m - difference) / math.sqrt(variance)


def freeman_halton(table):
    """Probability, given all margins, of tables no likelier than this one, in whole numbers."""
    def ways(events):
        return math.prod(math.comb(n, k) for k, (_, n) in zip(events, table))

    total = sum(k for k, _ in table)
    everything = itertools.product(*(range(n + 1) for _, n in table[1:]))
    all_ways = [ways((total - sum(rest), *rest)) for rest in everything if 0 <= total - sum(rest) <= table[0][1]]
    observed = ways([k for k, _ in table])
    return sum(one for one in all_ways if one <= observed) / sum(all_ways)


def tables():
    """Exact tests, corrections, intervals of differences and ratios, equivalence."""
    import numpy
    from scipy import optimize, stats
    from statsmodels.stats import contingency_tables, multitest
    from statsmodels.stats.proportion import (confint_proportions_2indep, test_proportions_2indep,
                                              tost_proportions_2indep)

    fisher, pairs = [], []
    for a, n, b, m in [(1, 9, 5, 7), (0, 20, 4, 25), (6, 16_000, 1, 16_000), (3, 10, 3, 10), (120, 900, 90, 1_000),
                       (5_000, 100_000, 5_200, 100_000), (12, 40, 60, 70), (40, 2_000, 38, 2_100)]:
        fisher.append({"counts": [a, n, b, m], "p": plain(stats.fisher_exact([[a, n - a], [b, m - b]])[1])})
        margin = 0.05
        equal = test_proportions_2indep(a, n, b, m, value=0, method="score", compare="diff", correction=True)
        ends = [optimize.brentq(lambda d: score(a, n, b, m, d) - z, -0.99, 0.99, xtol=1e-14, rtol=1e-14)
                for z in [1.959963984540054, -1.959963984540054]]
        within = max(stats.norm.sf(score(a, n, b, m, -margin)), stats.norm.cdf(score(a, n, b, m, margin)))
        share = stats.binomtest(a, a + b).proportion_ci(0.95, method="exact")
        ratio = [0.0 if s == 0 else plain(s / (1 - s) * m / n) if s < 1 else "inf" for s in share]
        # Conditional on a + b, a is binomial with r n / (r n + m).
        at = [r * n / (r * n + m) for r in [0.5, 1, 2]]
        least = stats.binomtest(a, a + b, at[0], alternative="greater").pvalue
        most = stats.binomtest(a, a + b, at[2], alternative="less").pvalue
        same = min(1, 2 * min(stats.binomtest(a, a + b, at[1], alternative=side).pvalue for side in ["greater", "less"]))
        pairs.append({"counts": [a, n, b, m], "margin": margin, "difference": list(map(plain, ends)),
                      "equal_p": plain(equal.pvalue), "equivalent_p": plain(within), "ratio": ratio,
                      "ratio_p": plain(same), "factor_two_p": plain(max(least, most))})
    scores = []
    for *counts, effect in [(30, 40, 18, 40, 1), (21, 26, 11, 25, 1), (0, 20, 15, 20, 1), (40, 200, 38, 210, 1),
                            (400, 900, 390, 1_000, 1), (12, 40, 60, 70, 1), (60, 400, 61, 390, 1), (90, 240, 61, 200, 2.5)]:
        a, n, b, m = [count / effect for count in counts]
        ratio = {"method": "score", "compare": "ratio", "correction": True}
        equal = test_proportions_2indep(a, n, b, m, value=1, **ratio)
        within = tost_proportions_2indep(a, n, b, m, 0.5, 2, **ratio)
        # statsmodels' interval is found to 1e-5 or so: it is where to look for the ends of its own test.
        near = confint_proportions_2indep(a, n, b, m, **ratio)
        off = lambda r, z: test_proportions_2indep(a, n, b, m, value=r, **ratio).statistic - z
        ends = [0.0 if a == 0 and z > 0 else optimize.brentq(off, end * 0.9, end * 1.1, args=(z,), xtol=1e-14, rtol=1e-14)
                for end, z in zip(near, [1.959963984540054, -1.959963984540054])]
        scores.append({"counts": counts, "effect": effect, "interval": list(map(plain, ends)), "equal_p": plain(equal.pvalue),
                       "factor_two_p": plain(within.pvalue)})
    mcnemar = [{"counts": [b, c], "p": plain(contingency_tables.mcnemar([[50, b], [c, 9]], exact=True).pvalue)}
               for b, c in [(0, 0), (3, 0), (5, 9), (40, 61), (1, 1), (400, 330)]]
    p_values = [0.001, 0.04, 0.03, 0.005, 0.5, 0.04, 1.0]
    holm = multitest.multipletests(p_values, method="holm")[1]
    several = []
    for table in [[(1, 16), (1, 16), (6, 16)], [(3, 20), (9, 25), (2, 30), (5, 18)], [(4, 10), (5, 11), (4, 12)]]:
        # scipy's is a simulation for such tables: every table is gone through here, and scipy's must come near.
        exact = freeman_halton(table)
        drawn = stats.fisher_exact(numpy.array([[k, n - k] for k, n in table]),
                                   method=stats.MonteCarloMethod(n_resamples=9_999, rng=numpy.random.default_rng(1)))
        assert abs(drawn.pvalue - exact) < 0.02
        several.append({"counts": table, "p": exact})
    write("tables.json", ["scipy", "statsmodels"], fisher=fisher, pairs=pairs, scores=scores, mcnemar=mcnemar,
          holm={"p": p_values, "corrected": list(map(plain, holm))}, several=several)


def resampling():
    """Subjects with several searches: scipy's bootstrap, and the design effect by statsmodels' cluster-robust variance."""
    import numpy
    import statsmodels.api as sm
    from scipy import stats

    source = random.Random(7)
    subjects = []
    for _ in range(120):
        rate, searches = source.betavariate(0.4, 3.0), source.randint(1, 6)
        subjects.append([sum(source.random() < rate for _ in range(searches)), searches])
    events, trials = numpy.array(subjects).T
    found = stats.bootstrap((events, trials), lambda k, n, axis: k.sum(axis) / n.sum(axis), paired=True, vectorized=True,
                            method="percentile", n_resamples=200_000, random_state=1, batch=2_000)
    outcomes = numpy.concatenate([[1] * k + [0] * (n - k) for k, n in subjects])
    owners = numpy.repeat(numpy.arange(len(subjects)), trials)
    fit = sm.OLS(outcomes, numpy.ones(len(outcomes))).fit(cov_type="cluster", cov_kwds={"groups": owners})
    rate = outcomes.mean()
    effect = fit.bse[0] ** 2 / (rate * (1 - rate) / len(outcomes))
    write("resampling.json", ["scipy", "statsmodels"], subjects=[[int(k), int(n)] for k, n in subjects],
          interval=[plain(found.confidence_interval.low), plain(found.confidence_interval.high)],
          standard_error=plain(found.standard_error), design_effect=plain(effect))


def likelihood():
    """Likelihood ratios by lir, and by scikit-learn below it."""
    import numpy
    from lir.algorithms.bayeserror import elub
    from lir.algorithms.isotonic_regression import IsotonicCalibrator
    from lir.algorithms.logistic_regression import LogitCalibrator
    from lir.data.models import LLRData
    from lir.metrics import cllr, cllr_cal, cllr_min
    from sklearn.linear_model import LogisticRegression

    cases = []
    for seed, (mated, non_mated, shift) in enumerate([(80, 300, 900), (200, 60, 500), (12, 15, 6_000)]):
        source = random.Random(seed)
        same = [round(source.gauss(shift, 500)) for _ in range(mated)]
        other = [round(source.gauss(0, 400)) for _ in range(non_mated)]
        x = numpy.array(same + other) / SCALE
        y = numpy.array([1] * mated + [0] * non_mated)
        lines = []
        for penalty in [1.0, 0.01]:
            logit = LogitCalibrator(C=1 / penalty, solver="newton-cholesky", tol=1e-13, max_iter=1_000).fit(x, y)
            lines.append({"penalty": penalty, "slope": plain(logit._logit.coef_[0, 0]),
                          "offset": plain(logit._logit.intercept_[0])})
        # Without a penalty, where there is such a line at all: a threshold separates the last case.
        plain_line = None
        if min(same) <= max(other):
            logit = LogisticRegression(C=math.inf, class_weight="balanced", solver="newton-cholesky", tol=1e-13,
                                       max_iter=1_000).fit(x.reshape(-1, 1), y)
            plain_line = {"slope": plain(logit.coef_[0, 0]), "offset": plain(logit.intercept_[0])}
        # lir's are in powers of ten.
        llrs = (lines[0]["slope"] * x + lines[0]["offset"]) / math.log(10)
        data = LLRData(features=llrs.reshape(-1, 1), labels=y)
        low, high = elub(llrs.copy(), y, add_misleading=1)
        probes = numpy.linspace(x.min() - 0.1, x.max() + 0.1, 23)
        isotonic = IsotonicCalibrator()
        isotonic.fit(x, y)
        cases.append({"mated": same, "non_mated": other, "lines": lines, "plain": plain_line, "cllr": plain(cllr(data)),
                      "cllr_min": plain(cllr_min(data)), "cllr_cal": plain(cllr_cal(data)), "elub": [plain(low), plain(high)],
                      "elub_step": 0.01, "probes": list(map(plain, probes)),
                      "isotonic": list(map(plain, numpy.ravel(isotonic.transform(probes))))})
    write("likelihood.json", ["lir", "scikit-learn"], scale=SCALE, cases=cases)


def tail():
    """Generalised Pareto tails: scipy's fit, brought to the root of its own likelihood's slope."""
    import numpy
    from scipy import optimize, stats

    fits = []
    for seed, shape in enumerate([-0.25, 0.0, 0.3]):
        x = stats.genpareto.rvs(shape, scale=0.04, size=250, random_state=seed).round(6)
        # scipy's own tolerance leaves four digits.
        start = stats.genpareto.fit(x, floc=0, optimizer=lambda f, x0, args, disp: optimize.fmin(
            f, x0, args, xtol=1e-9, ftol=1e-12, maxiter=10_000, maxfun=10_000, disp=disp))

        def slope(parameters, x=x):
            c, log_scale = parameters
            z = x / math.exp(log_scale)
            u = 1 + c * z
            return [(numpy.log(u) / c**2 - (1 + 1 / c) * z / u).sum(), ((1 + c) * z / u - 1).sum()]

        # Asked for the last digit it calls progress poor, so the slope itself is looked at.
        root = optimize.root(slope, [start[0], math.log(start[2])], tol=1e-14)
        assert max(map(abs, slope(root.x))) < 1e-9 and abs(root.x[0] - start[0]) < 1e-6
        c, scale = root.x[0], math.exp(root.x[1])
        likelihood = stats.genpareto.logpdf(x, c, scale=scale).sum()
        assert likelihood >= stats.genpareto.logpdf(x, start[0], scale=start[2]).sum()
        levels = [0.01, 0.1, 0.3]
        fits.append({"excesses": list(map(plain, x)), "shape": plain(c), "scale": plain(scale), "levels": levels,
                     "survival": [plain(stats.genpareto.sf(level, c, scale=scale)) for level in levels],
                     "log_likelihood": plain(likelihood)})
    write("tail.json", ["scipy"], fits=fits)


def discard():
    """Areas under error-versus-discard curves by scipy's quadrature over a curve written down from its definition."""
    import numpy
    from scipy import integrate

    source = random.Random(3)
    quality = [source.randint(0, 30) for _ in range(80)]
    failed = [int(source.random() < 0.5 * math.exp(-value / 10)) for value in quality]
    levels = sorted(set(quality))
    counts = [quality.count(level) for level in levels]
    errors = [sum(f for q, f in zip(quality, failed) if q == level) for level in levels]
    ends = numpy.cumsum([0, *counts]) / len(quality)

    def rate(share):
        gone = numpy.interp(share, ends, numpy.cumsum([0, *errors]))
        return (sum(failed) - gone) / (len(quality) * (1 - share))

    areas = []
    for up_to in [0.05, 0.1, 0.2, 0.5]:
        points = [end for end in ends if 0 < end < up_to]
        area, _ = integrate.quad(rate, 0, up_to, points=points or None, limit=500, epsabs=1e-13, epsrel=1e-13)
        areas.append({"up_to": up_to, "area": plain(area)})
    curve = [{"discarded": share, "rate": plain(rate(share))} for share in [0.0, 0.07, 0.25, 0.6, 0.95]]
    write("discard.json", ["scipy"], quality=quality, failed=failed, areas=areas, curve=curve)


if __name__ == "__main__":
    parts = {"bob": [open_set], "others": [curves, intervals, tables, resampling, likelihood, tail, discard]}
    for part in parts[sys.argv[1]]:
        part()
