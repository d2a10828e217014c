"""The targets of issue 3, held against a record. Only what was measured, at the size the target is for, passes or falls short."""

PASS, SHORT, NOT = "pass", "falls short", "not measured"
MILLION = 1_000_000


def judge(record):
    """One row a target: what, wanted, found, verdict."""
    rows = []
    for work, wanted, figure in TARGETS:
        found, verdict = figure(record)
        rows.append({"work": work, "wanted": wanted, "found": found, "verdict": verdict})
    return rows


def as_text(record):
    """The table for a terminal."""
    rows = judge(record)
    wide = max(len(row["work"]) for row in rows)
    wanted = max(len(row["wanted"]) for row in rows)
    lines = []
    for row in rows:
        # The reason of a verdict stands last, or it would push the table apart.
        short, _, why = row["verdict"].partition(" (")
        why = f"  ({why}" if why else ""
        lines.append(f"{short:<12}  {row['work']:<{wide}}  {row['wanted']:<{wanted}}  {row['found']}{why}".rstrip())
    head = "TRIAL: sizes or conditions are not those of the targets\n" if record["trial"] else ""
    return f"\n{head}All templates are synthetic.\n" + "\n".join(lines)


def question(record, identity):
    return next((one for one in record["questions"] if one["id"] == identity), None)


def report(record, identity):
    """A run of ours alone, or why there is none."""
    found = next((one for one in record["measurements"] if one["id"] == identity), None)
    if found is None:
        return None, "not asked in this run"
    return found.get("report"), found.get("not_measured", "")


def times(number):
    return f"{number:.1f} x" if number >= 1 else f"{number:.2f} x"


def spread(ratio):
    return f"{times(ratio['median'])} ({times(ratio['least'])} to {times(ratio['most'])}, {ratio['rounds']} rounds)"


def verdict(good, fits, why):
    """Passes or falls short only where the figure is of what the target is about."""
    return (PASS if good else SHORT) if fits else f"{NOT} ({why})"


def sized(record, asked, rows):
    """Whether the record has the size and threads that a target names, and what to say if not."""
    if record["dimension"] != 512 or record["threads"] != 2:
        return False, f"{record['dimension']} numbers and {record['threads']} threads; the target is for 512 and 2"
    if asked < rows:
        return False, f"{asked:,} templates; the target is for {rows:,}"
    return (False, "a trial") if record["trial"] else (True, "")


def least_ratio(part, rivals):
    """The ratio to the fastest of `rivals`: the smallest median."""
    results = part["settings"][0]["results"]
    found = [(name, results[name]["ratio"]) for name in rivals if results.get(name) and results[name]["ratio"]]
    return min(found, key=lambda one: one[1]["median"], default=None)


def ratio(identity, rivals, wanted):
    def figure(record):
        part = question(record, identity)
        found = part and least_ratio(part, rivals)
        if not found:
            return "", NOT
        name, ratio_found = found
        fits, why = sized(record, part["rows"], MILLION)
        return f"{spread(ratio_found)} against {name}", verdict(ratio_found["median"] >= wanted, fits, why)

    return figure


def share_of_reading(record):
    part = question(record, "exact-1")
    found = part and least_ratio(part, ["reading"])
    if not found:
        return "", NOT
    share = found[1]["median"]
    fits, why = sized(record, part["rows"], MILLION)
    return f"{100 * share:.0f} % (median of {found[1]['rounds']} rounds)", verdict(share >= 0.8, fits, why)


def of_report(identity, rows, figure):
    """A target about a run of ours alone; `figure` gives the text and whether it is reached."""

    def judged(record):
        found, why = report(record, identity)
        if found is None:
            return why, NOT
        text, good = figure(found)
        fits, why = sized(record, found["gallery"]["rows"], rows)
        return text, NOT if good is None else verdict(good, fits, why)

    return judged


def retail(found):
    middle = found["search"]["percentiles_ms"][0]["value"]
    if middle is None:
        return "too few searches", None
    return f"{middle / 1000:.1f} s (median of {found['search']['samples']}), {found['back_end']}", middle < 40_000


def opening(found):
    open_ms = found["opening"]["open_ms"]
    return f"{open_ms:.0f} ms, pages in the system's cache", open_ms < 1_000


def first_answer(found):
    answer, read = found["opening"]["first_answer_ms"], found["opening"]["first_read_ms"]
    return f"{answer:.0f} ms, reading {read:.0f} ms", answer <= read


def memory(found):
    peak, allowed = found["memory"]["searching_peak"], 300e6 + 0.1 * found["gallery"]["code_bytes"]
    if peak is None:
        return "the system doesn't say", None
    return f"{peak / 1e6:.0f} MB of {allowed / 1e6:.0f} MB", peak < allowed


def graph(rival, wanted):
    """The smallest ratio over all ef at which our recall is no lower than the rival's, but for one in a hundred."""

    def figure(record):
        part = question(record, "graph")
        if not part:
            return "", NOT
        ours_missing = part["contenders"].get("bertillon", {}).get("not_measured")
        if ours_missing:
            return ours_missing, NOT
        found, behind = [], []
        for setting in part["settings"]:
            ours, theirs = setting["results"].get("bertillon"), setting["results"].get(rival)
            if not ours or not theirs or not theirs["ratio"]:
                continue
            if ours["recall"] < theirs["recall"] - 0.01:
                behind.append(f"ef {setting['ef']}: recall {ours['recall']:.3f}, {rival}'s {theirs['recall']:.3f}")
            found.append((theirs["ratio"]["median"], setting["ef"], theirs["ratio"]))
        if not found:
            return part["contenders"].get(rival, {}).get("not_measured", ""), NOT
        least, ef, ratio_found = min(found, key=lambda one: one[0])
        text = f"{spread(ratio_found)} at ef {ef}, the least of all" + ("; lower " + "; ".join(behind) if behind else "")
        return text, verdict(least >= wanted and not behind, not record["trial"], "a trial")

    return figure


def on_card(identity, limit_ms):
    def figure(record):
        part = question(record, identity)
        if not part:
            return "", NOT
        # A question about cards may stand in a record of its own, from a machine of its own (page.py).
        cards, trial = part.get("machine", record["machine"])["gpus"], part.get("trial", record["trial"])
        if not any("H100" in card for card in cards):
            return f"measured on {', '.join(cards) or 'no card'}", NOT
        if part["rows"] < 10 * MILLION:
            return f"{part['rows']:,} templates; the target is for {10 * MILLION:,}", NOT
        found = part["settings"][0]["results"].get("bertillon")
        if not found or found["median_ms"] is None:
            return part["contenders"]["bertillon"].get("not_measured", ""), NOT
        told = part["contenders"]["bertillon"]
        engines = told.get("answered_by") or [told["name"]]
        others = [engine for engine in engines if not engine.startswith("wgpu ") or engine.endswith("(software)")]
        if others:
            return f"{', '.join(others)} answered", NOT
        return f"{found['median_ms']:.2f} ms, {engines[0]}", verdict(found["median_ms"] < limit_ms, not trial, "a trial")

    return figure


def beside_torch(record):
    part = question(record, "gpu-360")
    found = part and least_ratio(part, ["torch-bf16"])
    if not found:
        return "", NOT
    fits = not part.get("trial", record["trial"]) and part["rows"] >= 10 * MILLION
    return spread(found[1]), verdict(found[1]["median"] > 1, fits, "a trial, or fewer templates")


def identical(record):
    """Lists of every exact question; one that differs is a failure at any size."""
    checked = [(part["id"], part["contenders"]["bertillon"]["identical"], part["oracle"]) for part in record["questions"]
               if "identical" in part["contenders"].get("bertillon", {})]
    if not checked:
        return "", NOT
    wrong = [identity for identity, same, _ in checked if not same]
    recalls = [part["settings"][0]["results"]["bertillon"]["recall"] for part in record["questions"]
               if part["kind"] != "graph" and "bertillon" in part["settings"][0]["results"]]
    text = f"{sum(probes for _, _, probes in checked)} probes of {len(checked)} comparisons, to the bit"
    text += f"; recall {min(recalls):.4f} against brute force by numpy" if recalls else ""
    if wrong:
        text += "; DIFFERENT in " + ", ".join(wrong)
    return text, PASS if not wrong and min(recalls, default=1.0) == 1.0 else SHORT


SQ8 = ["faiss-sq8", "faiss-sq8-direct"]
USEARCH = ["usearch-exact-i8", "usearch-exact-f32"]
TARGETS = [
    ("64 probes, 1M, exact, against FAISS FlatIP with BLAS", "at least 2 x", ratio("exact-64", ["faiss-flat"], 2)),
    ("64 probes, 1M, exact, against FAISS SQ8 (the faster)", "at least 5.5 x", ratio("exact-64", SQ8, 5.5)),
    ("64 probes, 1M, exact, against usearch exact (the faster)", "at least 8 x", ratio("exact-64", USEARCH, 8)),
    ("one probe, 1M, exact, of the machine's reading speed", "at least 80 %", share_of_reading),
    ("one probe, 1M, exact, against FAISS SQ8 (the faster)", "at least 2 x", ratio("exact-1", SQ8, 2)),
    ("one probe, 1M, exact, against FAISS FlatIP", "at least 7 x", ratio("exact-1", ["faiss-flat"], 7)),
    ("retail batch: 360 probes, 10M, exact, mapped files", "under 40 s", of_report("retail", 10 * MILLION, retail)),
    ("opening 10M", "under 1 s", of_report("ten-million", 10 * MILLION, opening)),
    ("first answer of 10M", "no slower than reading", of_report("ten-million", 10 * MILLION, first_answer)),
    ("memory beyond mapped files, 10M, 360 probes", "300 MB + 10 % of codes", of_report("retail", 10 * MILLION, memory)),
    ("HNSW at equal ef and recall, against hnsw_rs", "at least 5 x", graph("hnsw_rs", 5)),
    ("HNSW at equal ef and recall, against hnswlib", "at least 2 x", graph("hnswlib", 2)),
    ("H100, 360 probes, 10M", "under 15 ms", on_card("gpu-360", 15)),
    ("H100, 360 probes, 10M, against torch bf16", "more than 1 x", beside_torch),
    ("H100, one probe, 10M", "under 2.5 ms", on_card("gpu-1", 2.5)),
    ("lists of the back end compared (tests hold the others)", "identical to the f32 oracle", identical),
]
