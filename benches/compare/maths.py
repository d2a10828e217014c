"""The arithmetic of a comparison: paired ratios, recall, agreement of lists. Needs nothing but Python."""

import statistics

# Two scores closer than this may change places by the rounding of f32 sums alone.
TIE = 2e-6


def quartiles(values):
    """Least, first quartile, median, third quartile and largest; None without values. Quartiles are linear between ranks."""
    if not values:
        return None
    ordered = sorted(values)

    def at(share):
        place = share * (len(ordered) - 1)
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (place - low) * (ordered[high] - ordered[low])

    return {"least": ordered[0], "q1": at(0.25), "median": statistics.median(ordered), "q3": at(0.75), "most": ordered[-1]}


def paired_ratios(ours, theirs):
    """Their time over ours, round by round, so that what disturbs the machine in a minute disturbs both. A round that one of
    them lacks counts for neither."""
    ratios = [their / our for our, their in zip(ours, theirs) if our and their]
    found = quartiles(ratios)
    return None if found is None else {**found, "rounds": len(ratios)}


def recall(found, truth, score_of):
    """Share of the right rows found, over all probes. `truth` holds one list of (score, row) a probe, best first; a row that is
    not in it counts as right when it scores as the last of it does, but for rounding. A row named twice counts once."""
    right = wanted = 0
    for probe, (rows, best) in enumerate(zip(found, truth, strict=True)):
        wanted += len(best)
        known = {row for _, row in best}
        last = best[-1][0] if best else 0.0
        distinct = list(dict.fromkeys(rows))[: len(best)]
        right += sum(row in known or score_of(probe, row) >= last - TIE for row in distinct)
    return right / wanted if wanted else None


def same_lists(ours, oracle):
    """Whether rows and score bits agree, place by place, for every probe."""
    return all(ours[part] == oracle[part] for part in ("rows", "score_bits")) and bool(ours["rows"])
