"""Checks a disclosure pack with nothing but Python's own library: the second opinion of docs/DISCLOSURE.md.

    python3 pack.py PACK PUBLIC_KEY

Prints "search N: F files, C candidates", or the first thing that is wrong, and ends with 1 then. Written from the document alone;
audit.py beside it has the signatures.
"""

import hashlib
import json
import struct
import sys
import zipfile

from audit import fail, signed


def sha256(data):
    return hashlib.sha256(data if isinstance(data, bytes) else data.encode()).hexdigest()


def bits(number):
    return struct.pack(">f", number).hex()


def text_of(searched, candidates):
    def or_none(name):
        return searched[name] if searched[name] is not None else "-"

    def candidate(one):
        salted = one.get("named", "plainly")
        if salted == "plainly":
            return f"candidate {one['rank']} {one['template']} {one['score_bits']}"
        if "erased" in salted:
            return f"candidate {one['rank']} {salted['erased']}"
        text = f"{salted['salted']} {searched['search']} {one['rank']} {one['template']} {one['score_bits']}"
        return f"candidate {one['rank']} {sha256(f'bertillon candidate 1{chr(10)}{text}{chr(10)}')}"

    lines = [f"bertillon search {searched.get('form', 1)}"]
    names = ["search", "gallery", "model", "snapshot", ("last", "last_template"), "live", "people", "back_end", "restriction"]
    names += ["threshold", ("point", "operating_point"), "probe"]
    for name in names:
        shown, key = (name, name) if isinstance(name, str) else name
        lines.append(f"{shown} {or_none(key)}")
    lines.append("face " + " ".join(searched["face"]))
    lines += [f"{name} {or_none(name)}" for name in ("purpose", "lawful_basis", "seriousness")]
    if "authorised" in searched:
        by = searched["authorised"]["by"]
        text = f"{by['salt']} {searched['search']} {by['name']}"
        lines.append(f"authoriser {sha256(f'bertillon authoriser 1{chr(10)}{text}{chr(10)}')}")
    lines += [candidate(one) for one in candidates]
    return "\n".join(lines) + "\n"


def main(path, public):
    public = bytes.fromhex(public)
    with zipfile.ZipFile(path) as pack:
        if pack.testzip() is not None:
            fail("a file is damaged")
        files = {name: pack.read(name) for name in pack.namelist()}
    manifest = json.loads(files["manifest.json"])
    signature = bytes.fromhex(files["manifest.sig"].decode().strip())
    if not signed(public, b"bertillon pack 1\n" + files["manifest.json"], signature):
        fail("manifest.json: not signed by this key")
    listed = [entry["path"] for entry in manifest["entries"]]
    if listed != [name for name in files if name not in ("manifest.json", "manifest.sig")]:
        fail("manifest.json: other files")
    for entry in manifest["entries"]:
        if (len(files[entry["path"]]), sha256(files[entry["path"]])) != (entry["bytes"], entry["sha256"]):
            fail(f"{entry['path']}: it was changed")
    beside = ("key.pub", "VERIFY.txt", "audit.jsonl", "checkpoints.jsonl")
    told = "".join(f"{entry['path']} {entry['sha256']}\n" for entry in manifest["entries"] if entry["path"] not in beside)
    contents = sha256("bertillon contents 1\n" + told)
    events = [json.loads(line) for line in files["audit.jsonl"].splitlines()]
    for line in events:
        if line["hash"] != sha256("bertillon audit 1\n" + line["body"]):
            fail("audit.jsonl: an event was changed")
    events = [json.loads(line["body"]) | {"hash": line["hash"]} for line in events]
    search, candidates = json.loads(files["search.json"]), json.loads(files["list.json"])["candidates"]
    (made,) = [one for one in events if one["kind"] == "disclosure.made" and f"disclosure:{manifest['disclosure']}" in one["objects"]]
    if not contents == manifest["contents"] == made["detail"]["contents"]:
        fail("audit.jsonl: other contents")
    (line,) = files["checkpoints.jsonl"].splitlines()
    checkpoint = json.loads(line)
    if not signed(public, b"bertillon checkpoint 1\n" + checkpoint["body"].encode(), bytes.fromhex(checkpoint["signature"])):
        fail("checkpoints.jsonl: not signed by this key")
    sealed = json.loads(checkpoint["body"])
    if (sealed["seq"], sealed["hash"], sealed["folder"]) != (made["seq"], made["hash"], manifest["folder"]):
        fail("checkpoints.jsonl: of another event")
    number = search["searched"]["search"]
    (ran,) = [one for one in events if one["kind"] == "search.run" and f"search:{number}" in one["objects"]]
    own = {one["search"]: one["sha256"] for one in search["bound"]}
    if own[number] != sha256(text_of(search["searched"], candidates)):
        fail("list.json: another list than the log binds")
    if ran["detail"]["searches"] != sha256("".join(f"{one['search']} {one['sha256']}\n" for one in search["bound"])):
        fail("search.json: another search than the log binds")
    if "probe.json" in files:
        probe = json.loads(files["probe.json"])
        if probe["original"] != search["searched"]["probe"]:
            fail("probe.json: of another picture than was searched with")
        if [edit["number"] for edit in probe["edits"]] != list(range(1, len(probe["edits"]) + 1)):
            fail("probe.json: edits are not numbered one after another")
    if any(bits(one["score"]) != one["score_bits"] for one in candidates):
        fail("list.json: a score is not that of its bits")
    print(f"search {number}: {len(listed)} files, {len(candidates)} candidates")


if __name__ == "__main__":
    main(*sys.argv[1:])
