"""Draws the samples of an exported audit log again, with nothing but Python's own library: the second opinion of docs/SAMPLES.md.

    python3 sample.py FOLDER

FOLDER is what `bertillon audit export` wrote. Prints a line for each sample that was drawn, "sample N: drawn A B C", or the first
thing that is wrong, and ends with 1 then. That the log itself is whole is for audit.py. Written from the document alone.
"""

import hashlib
import json
import sys
from datetime import datetime
from pathlib import Path

KINDS = {
    "searches": ["search.run"],
    "enrolments": ["reference.enrolled", "reference.imported"],
    "decisions": ["review.decided"],
}


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def seconds(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def fail(what):
    print(what)
    sys.exit(1)


def things(opening, event):
    """What an event puts into the draw of a sample."""
    detail = opening["detail"]
    inside = detail["from"] <= seconds(event["at"]) < detail["to"] and opening["gallery"] in ("", event["gallery"])
    if not inside or event["outcome"] != "ok" or event["kind"] not in KINDS[detail["of"]]:
        return []
    if detail["of"] == "decisions":
        return [f"event:{event['seq']}"]
    if detail["of"] == "searches":
        return [name for name in event["objects"] if name.startswith("search:")]
    found = []
    for name in event["objects"]:
        word, ids = name.split(":")
        if word == "template":
            found.append(name)
        elif word == "templates":
            first, last = ids.split("-")
            found.extend(f"template:{number}" for number in range(int(first), int(last) + 1))
    return found


def same_things(one, other):
    a, b = one["detail"], other["detail"]
    galleries = one["gallery"] == other["gallery"] or "" in (one["gallery"], other["gallery"])
    return a["of"] == b["of"] and galleries and a["from"] < b["to"] and b["from"] < a["to"]


def main(folder):
    folder = Path(folder)
    lines = [json.loads(line) for line in (folder / "events.jsonl").open()]
    events = [json.loads(line["body"]) for line in lines]
    checkpoints = [json.loads(json.loads(line)["body"]) for line in (folder / "checkpoints.jsonl").open()]
    told = [event for event in events if event["outcome"] == "ok"]
    openings = [event for event in told if event["kind"] == "sample.opened"]
    for place, opening in enumerate(openings):
        if any(same_things(opening, before) for before in openings[:place]):
            fail(f"{opening['objects'][0]}: of the same things and time as one before")
    for opening in openings:
        name = opening["objects"][0]
        draws = [event for event in told if event["kind"] == "sample.drawn" and event["objects"][0] == name]
        if not draws:
            continue
        if len(draws) > 1:
            fail(f"{name}: drawn twice")
        (drawn,) = draws
        detail = drawn["detail"]
        if hashlib.sha256(bytes.fromhex(detail["seed"])).hexdigest() != opening["detail"]["commitment"]:
            fail(f"{name}: another seed")
        since = [c for c in checkpoints if c["seq"] >= opening["seq"] and seconds(c["at"]) >= opening["detail"]["to"]]
        first = min(since, key=lambda c: c["seq"], default=None)
        if first is None or (first["seq"], first["hash"]) != (detail["checkpoint_seq"], detail["checkpoint"]):
            fail(f"{name}: another checkpoint")
        round_ = sha256(f"bertillon sample 1\n{detail['seed']} {detail['checkpoint']}")
        everything = [thing for event in events[: first["seq"]] for thing in things(opening, event)]
        everything.sort(key=lambda thing: sha256(f"bertillon ticket 1\n{round_} {thing}"))
        wanted = everything[: opening["detail"]["wanted"]]
        if len(everything) != detail["population"] or wanted != drawn["objects"][1:]:
            fail(f"{name}: something else was drawn")
        print(f"{name.replace(':', ' ')}: drawn {' '.join(wanted)}".rstrip())


if __name__ == "__main__":
    main(*sys.argv[1:])
