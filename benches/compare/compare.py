"""Bertillon beside others: the same gallery, the same probes, in the same minutes. `make bench` runs this.

Writes a record (JSON, see README.md) and prints the table of targets with pass or fall short. Everything is synthetic.
"""

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys

import machine
import plan
import rounds
import targets
from contender import Contender, Lost, environment
from maths import paired_ratios, same_lists

SCHEMA = 1
HERE = os.path.dirname(os.path.abspath(__file__))
# Probes whose recall is looked at, of each contender.
RECALL_PROBES = 64


def say(text):
    print(text, file=sys.stderr, flush=True)


class Comparison:
    """One run: where things lie, and what has been found so far."""

    def __init__(self, options):
        self.options = options
        self.data = {}
        self.logs = os.path.join(options.work, "logs")
        os.makedirs(self.logs, exist_ok=True)

    def ours(self, *command):
        threads = ["--threads", str(self.options.threads)]
        return [self.options.program, *threads, *(["--back-end", self.options.back_end] if self.options.back_end else []), *command]

    def gallery(self, rows):
        o = self.options
        return ["--gallery-size", str(rows), "--dimension", str(o.dimension), "--seed", str(o.seed), "--scratch", o.work, "--keep"]

    def exported(self, rows, probes):
        """Paths of the raw gallery and probes; written by Bertillon where they are not there."""
        folder = os.path.join(self.options.work, f"raw-v1-{rows}x{self.options.dimension}-seed{self.options.seed}")
        paths = tuple(os.path.join(folder, name) for name in ("gallery.f32", "probes.f32"))
        row = 4 * self.options.dimension
        sizes = [os.path.getsize(path) if os.path.exists(path) else 0 for path in paths]
        if sizes[0] != rows * row or sizes[1] < probes * row:
            say(f"writing {rows:,} synthetic templates as raw numbers")
            asked = self.ours("bench", "export", *self.gallery(rows), "--probes", str(probes), "--out", folder)
            subprocess.run(asked, check=True, stdout=subprocess.DEVNULL)
        return paths

    def command(self, name, question, paths):
        if name == "bertillon":
            graph = ["--graph"] if question["kind"] == "graph" else []
            return self.ours("bench", "worker", *self.gallery(question["rows"]), *graph)
        settings = plan.settings(name, question, self.options.dimension, self.options.threads)
        if name == "hnsw_rs":
            if not self.options.rust_rivals:
                raise Lost("crates/bench-compare was not built")
            return [self.options.rust_rivals, *paths, str(self.options.dimension), str(settings["m"]),
                    str(settings["ef_construction"]), str(self.options.threads)]
        return [sys.executable, os.path.join(HERE, "rival.py"), name, *paths, json.dumps(settings)]

    def start(self, name, question, paths):
        log = os.path.join(self.logs, f"{question['id']}-{name}.log")
        return Contender(name, self.command(name, question, paths), self.options.threads, log)

    def ask(self, question):
        """One question to everybody; the finished part of the record."""
        import numpy

        written = max(1024, question["probes"] * (1 + question["turns"]))
        question = {**question, "probes_written": written // question["probes"] * question["probes"]}
        paths = self.exported(question["rows"], written)
        gallery, probes = (numpy.memmap(path, "<f4", "r").reshape(-1, self.options.dimension) for path in paths)
        told, running = {}, {}
        try:
            for name in ["bertillon", *(name for name in question["rivals"] if name != "reading")]:
                say(f"{question['id']}: {name}")
                try:
                    running[name] = self.start(name, question, paths)
                    told[name] = about(running[name])
                except Lost as error:
                    told[name] = {"not_measured": str(error)}
                    say(f"  not measured: {error}")
            looked_at = min(RECALL_PROBES, question["probes_written"])
            truth = rounds.Truth(gallery, numpy.array(probes[:looked_at]), question["k"])
            return self.measured(question, running, told, truth)
        finally:
            for contender in running.values():
                contender.close()

    def measured(self, question, running, told, truth):
        """Lists first, which also warms everybody up; then the clock."""
        op_of = lambda name: "graph" if question["kind"] == "graph" and name == "bertillon" else "search"
        settings = [{"ef": ef} for ef in question.get("efs", [None])]
        for setting in settings:
            ef = setting["ef"]
            recall = {}
            for name in list(running):
                try:
                    found = rounds.lists_of(running[name], question, len(truth.probes), ef, op_of(name))
                    recall[name] = truth.recall(found["rows"])
                    if name == "bertillon" and question["oracle"]:
                        told[name]["identical"] = self.identical(running[name], question)
                except Lost as error:
                    told[name]["not_measured"] = str(error)
                    running.pop(name).close()
            entrants = {name: (running[name], op_of(name)) for name in running}
            if "reading" in question["rivals"] and "bertillon" in running:
                entrants["reading"] = (running["bertillon"], "read")
            times, lost = rounds.interleave(entrants, question, ef, say)
            ours = times.get("bertillon", [])
            setting["results"] = {
                name: {
                    "ms": [second and 1000 * second for second in seconds],
                    "median_ms": 1000 * statistics.median(found) if (found := [s for s in seconds if s]) else None,
                    "recall": recall.get(name),
                    "ratio": paired_ratios(ours, seconds) if name != "bertillon" else None,
                    "lost": lost.get(name),
                }
                for name, seconds in times.items()
            }
        for name, contender in running.items():
            if contender.answered:
                told[name]["answered_by"] = sorted(contender.answered)
        return {**question, "contenders": told, "settings": settings}

    def identical(self, contender, question):
        """Whether our lists are the oracle's to the bit."""
        count = min(question["oracle"], question["probes_written"])
        return same_lists(rounds.lists_of(contender, question, count), rounds.lists_of(contender, question, count, op="oracle"))

    def measure(self, asked):
        """A run of ours alone."""
        say(f"bertillon bench latency: {asked['probes']} probes, {asked['rows']:,} templates")
        figures = ["--probes", str(asked["probes"]), "--repeat", str(asked["repeat"]), "--seconds", str(asked["seconds"]), "--json"]
        command = self.ours("bench", "latency", *self.gallery(asked["rows"]), *figures)
        done = subprocess.run(command, capture_output=True, text=True, env=environment(self.options.threads), check=False)
        if done.returncode:
            said = done.stderr.strip().splitlines()
            return {**asked, "not_measured": said[-1] if said else "ended without a word"}
        return {**asked, "report": json.loads(done.stdout)}


def about(contender):
    kept = ("name", "version", "settings", "threads", "build_s", "remark")
    told = {name: contender.ready[name] for name in kept if contender.ready.get(name) is not None}
    # A database's memory is in its server's processes, not in the one that asks it.
    return told if contender.identity.startswith("pgvector") else {**told, "memory": contender.resident_bytes()}


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, help="the built bertillon")
    parser.add_argument("--work", required=True, help="folder for galleries; kept between runs")
    parser.add_argument("--rust-rivals", help="the built crates/bench-compare")
    parser.add_argument("--full", action="store_true", help="everything, ten million templates too: hours and 40 GB of disk")
    parser.add_argument("--rows", type=int, default=1_000_000, help="templates of the exact comparison")
    parser.add_argument("--graph-rows", type=int, help="templates of the approximate comparison")
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--back-end", help="as for bertillon itself; its own choice when not given")
    parser.add_argument("--only", help="questions and measurements to ask, by id, with commas between")
    parser.add_argument("--gpu", action="store_true", help="ask the questions about graphics cards though there is none")
    parser.add_argument("--trial", action="store_true", help="mark the record as a trial: a busy machine, a small size")
    parser.add_argument("--out", help="record to write; printed only when not given")
    return parser.parse_args()


def main():
    options = parse()
    graph_rows = options.graph_rows or (100_000 if options.full else 20_000)
    card = options.gpu or bool(machine.gpus())
    wanted = options.only.split(",") if options.only else None
    chosen = lambda parts: [part for part in parts if wanted is None or part["id"] in wanted]
    begun = datetime.datetime.now(datetime.timezone.utc)
    run = Comparison(options)
    version = subprocess.run([options.program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    record = {
        "schema": SCHEMA,
        "kind": "comparison",
        "synthetic": True,
        "trial": options.trial,
        "date": begun.isoformat(timespec="seconds"),
        "command": "make bench ARGS=" + json.dumps(" ".join(os.environ.get("BENCH_ARGS", "").split())),
        "program": version,
        "commit": os.environ.get("BENCH_COMMIT"),
        "machine": machine.describe(),
        "seed": options.seed,
        "dimension": options.dimension,
        "threads": options.threads,
        "measurements": [run.measure(asked) for asked in chosen(plan.measurements(options.full, options.rows))],
        "questions": [run.ask(asked) for asked in chosen(plan.questions(options.full, options.rows, graph_rows, card))],
    }
    record["seconds"] = round((datetime.datetime.now(datetime.timezone.utc) - begun).total_seconds())
    record["machine"]["load_average_after"] = list(os.getloadavg())
    if options.out:
        with open(options.out, "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1)
            file.write("\n")
        say(f"written to {options.out}")
    print(targets.as_text(record))


if __name__ == "__main__":
    main()
