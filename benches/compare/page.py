"""Makes docs/PERFORMANCE.md from the newest record. `page.py` writes it, `page.py --check` says whether it is up to date."""

import json
import os
import sys

import targets

HERE = os.path.dirname(os.path.abspath(__file__))
RECORDS = os.path.join(HERE, "..", "record")
PAGE = os.path.join(HERE, "..", "..", "docs", "PERFORMANCE.md")
SCHEMA = 1

HEAD = """# Performance

Made by `benches/compare/page.py` from `benches/record/{name}`{cards}: change neither by hand. `make bench` measures again.
Every template here is synthetic; what was not measured says so.
"""
HOW = """## How it was measured

* One gallery, one set of probes, the same bits for everybody and on every machine (seed {seed}; `src/evaluation/latency/recipe.rs`).
  Originals are kept in half precision; the others get the same numbers as f32.
* Every contender is a process that stays up and times its searches inside; start-up and pipes are on nobody's clock. All of
  them use {threads} threads, approximate searches one. They take turns, each round begun by another; a ratio is theirs to ours
  in one round, shown as median, least and largest.
* FAISS runs with `faiss.cvar.distance_compute_blas_threshold = 20`: its wheel comes with 128000, and is then many times slower in
  batches. Of FAISS's 8-bit quantisers, and of usearch's types, the targets count the faster.
* Recall is the share of the right rows that a list has, against brute force in f32 by numpy; of exact search it must be 1.
  Our lists are compared with the naive oracle's to the bit besides.
* Beyond mapped files means `RssAnon` and `RssShmem` of `/proc/self/status`: the pages of mapped files belong to the system.
* Opening, first answer and reading find the files' pages in the system's cache{rounds}. Reading is a plain loop
  over the codes; it asks for nothing ahead, as our kernels do, so they can be faster than it.
"""


def of_cards(record):
    return [part for part in record["questions"] if part["kind"] == "gpu"]


def newest():
    """Names and content of the newest record that this script understands; trials count while there is nothing better. What
    was asked of graphics cards comes from the newest record that has it, which may be of another machine and say nothing else.
    """
    found = everything()
    if not found:
        raise SystemExit("no record: `make bench ARGS=--record` writes one")
    others = [one for one in found if one[3]["measurements"] or len(of_cards(one[3])) < len(one[3]["questions"])] or found
    _, _, name, record = max(others, key=lambda one: one[:3])
    with_cards = max((one for one in found if of_cards(one[3])), key=lambda one: one[:3], default=None)
    if with_cards is None or with_cards[2] == name:
        return name, record, None
    _, _, cards, theirs = with_cards
    told = {key: theirs[key] for key in ("machine", "trial", "threads", "date", "program", "commit", "command", "seconds")}
    kept = [part for part in record["questions"] if part["kind"] != "gpu"]
    return name, {**record, "questions": kept + [{**part, **told} for part in of_cards(theirs)]}, cards


def everything():
    """All records, as (no trial, date, name, content)."""
    found = []
    for name in sorted(os.listdir(RECORDS)):
        if name.startswith("comparison-") and name.endswith(".json"):
            with open(os.path.join(RECORDS, name), encoding="utf-8") as file:
                record = json.load(file)
            if record["schema"] != SCHEMA:
                raise SystemExit(f"{name} has schema {record['schema']}, this script understands {SCHEMA}")
            found.append((not record["trial"], record["date"], name, record))
    return found


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell).replace("|", "/") for cell in row) + " |" for row in rows]) + "\n"


def number(value, unit="", digits=2):
    return "not measured" if value is None else f"{value:,.{digits}f}{unit}"


def size(count):
    return "not measured" if count is None else f"{count / 1e6:,.0f} MB"


def the_machine(record):
    machine = record["machine"]
    cards = ", ".join(machine["gpus"]) or "none"
    memory = f"{machine['memory_bytes'] / 2**30:.0f} GiB" if machine["memory_bytes"] else "unknown"
    loads = f"{machine['load_average'][0]:.1f} before, {machine['load_average_after'][0]:.1f} after"
    return (
        f"{record['date']}: {machine['cpu']}, {machine['cores']} cores ({', '.join(machine['instructions'])}), {memory}, "
        f"{machine['kernel']}; graphics cards: {cards}. Load average {loads}. {record['program']}"
        f"{', commit ' + record['commit'] if record['commit'] else ''}. `{record['command']}`, {record['seconds']} s.\n"
    )


def the_targets(record):
    rows = [(row["work"], row["wanted"], row["found"], f"**{row['verdict']}**") for row in targets.judge(record)]
    return "## Targets\n\n" + table(["work", "target", "found", ""], rows)


def a_setting(part, setting):
    rows = []
    for name in ["bertillon", *part["rivals"]]:
        told, found = part["contenders"].get(name, {}), setting["results"].get(name)
        if found is None or found["median_ms"] is None:
            rows.append((name, told.get("not_measured") or (found or {}).get("lost") or "not measured", "", "", "", ""))
            continue
        ratio = targets.spread(found["ratio"]) if found["ratio"] else ""
        recall = "" if found["recall"] is None else f"{found['recall']:.4f}"
        beyond = told.get("memory", {}).get("beyond_mapped")
        title = f"{name} {told['version']}" if "version" in told else name
        about = told.get("settings") or (told.get("name", "") if name == "bertillon" else "a plain loop over our codes")
        rows.append((title, about, number(found["median_ms"], " ms"), recall, ratio, "" if beyond is None else size(beyond)))
    head = ["contender", "how", "median", "recall", "its time over ours", "memory beyond mapped files"]
    return (f"ef {setting['ef']}:\n\n" if setting["ef"] else "") + table(head, rows)


def a_question(part, record):
    asked = f"{part['rows']:,} templates of {record['dimension']} numbers, lists of {part['k']}, probes a search: {part['probes']}"
    asked += f"; {part['rounds']} rounds, searches a round: {part['turns']}"
    tables = "\n".join(a_setting(part, setting) for setting in part["settings"])
    built = [f"{name} {told['build_s']:,.0f} s" for name, told in part["contenders"].items() if told.get("build_s", 0) >= 1]
    threads = part.get("threads", record["threads"])
    after = f"\nBuilt on {threads} threads, not interleaved: {', '.join(built)}.\n" if built else ""
    where = f"{the_machine(part)}\n" if "machine" in part else ""
    where += "**A trial: no figure here says how fast anything is.**\n\n" if part.get("trial") else ""
    return f"## {part['title'][0].upper()}{part['title'][1:]}\n\n{where}{asked}.\n\n{tables}{after}"


def alone(record):
    rows = []
    for part in record["measurements"]:
        found = part.get("report")
        if found is None:
            rows.append((part["id"], part["not_measured"], *[""] * 6))
            continue
        search, at = found["search"], {one["permille"]: one["value"] for one in found["search"]["percentiles_ms"]}
        rows.append((
            f"{part['probes']} of {part['rows']:,}",
            f"{search['samples']} on {found['back_end']}",
            " / ".join(number(at[permille], "", 1) for permille in (500, 950, 990, 999)),
            number(search["probes_a_second"], "", 1),
            number(search["comparisons_a_second"] / 1e6, " M", 0),
            f"{search['code_bytes_a_second'] / 1e9:.1f} of {search['read_bytes_a_second'] / 1e9:.1f} GB/s",
            f"{number(found['opening']['open_ms'], ' ms', 0)}, {number(found['opening']['first_answer_ms'], ' ms', 0)}"
            f" ({number(found['opening']['first_read_ms'], ' ms', 0)})",
            size(found["memory"]["searching_peak"]),
        ))
    head = ["probes at once", "searches", "p50 / p95 / p99 / p99.9, ms", "probes/s", "comparisons/s", "codes read, of a plain loop",
            "opening, first answer (reading)", "memory beyond mapped files"]
    note = "A percentile that the sample can't support is not measured. Codes count once a search, however often they are read.\n\n"
    return "## Alone (`bertillon bench latency`)\n\n" + note + table(head, rows)


def opening_rounds(record):
    """How often opening, first answer and reading were timed: once in records that don't say."""
    reports = [part["report"] for part in record["measurements"] if part.get("report")]
    rounds = max((report["opening"].get("rounds", 1) for report in reports), default=1)
    return " and are timed once" if rounds == 1 else f", take turns, and are medians of {rounds} rounds"


def page():
    name, record, cards = newest()
    parts = [HEAD.format(name=name, cards=f" and, for graphics cards, `benches/record/{cards}`" if cards else "")]
    if record["trial"]:
        parts.append("**A trial of the harness on a busy machine at small sizes: no figure below says how fast anything is.**\n")
    parts += [the_machine(record), the_targets(record), alone(record)]
    parts += [a_question(part, record) for part in record["questions"]]
    if not any(part["kind"] == "gpu" for part in record["questions"]):
        parts.append("## Graphics cards\n\nNot measured: there was none.\n")
    parts.append(HOW.format(seed=record["seed"], threads=record["threads"], rounds=opening_rounds(record)))
    return "\n".join(parts)


def main():
    text = page()
    if "--check" not in sys.argv:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(text)
        return
    with open(PAGE, encoding="utf-8") as file:
        if file.read() != text:
            raise SystemExit("docs/PERFORMANCE.md is not what the newest record says: run python3 benches/compare/page.py")


if __name__ == "__main__":
    main()
