"""Checks an exported audit log with nothing but Python's own library: the second opinion of docs/AUDIT_FORMAT.md.

    python3 audit.py FOLDER [PUBLIC_KEY]

FOLDER is what `bertillon audit export` wrote. PUBLIC_KEY is 64 hexadecimal digits; without it the one in the folder counts.
Prints "events N checkpoints M", or the first thing that is wrong, and ends with 1 then. Written from the document alone.
"""

import hashlib
import json
import sys
from pathlib import Path

# Ed25519 (RFC 8032, 5.1), verifying only. Slow and plain.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def decompress(text):
    y = int.from_bytes(text, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    square = u * pow(v, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT % P
    if x * x % P != square or (x == 0 and sign):
        return None
    return (P - x if x & 1 != sign else x, y)


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + t, P - 2, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - t, P - 2, P) % P
    return (x, y)


def times(count, point):
    result = (0, 1)
    while count:
        if count & 1:
            result = add(result, point)
        point, count = add(point, point), count >> 1
    return result


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(public, message, signature):
    a, r = decompress(public), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    return times(s, BASE) == add(r, times(h, a))


def fail(what):
    print(what)
    sys.exit(1)


def main(folder, public=None):
    folder = Path(folder)
    name = (folder / "FOLDER").read_text().strip()
    public = bytes.fromhex(public or (folder / "signing.pub").read_text().strip())
    hashes = [hashlib.sha256(b"bertillon folder 1\n" + name.encode()).hexdigest()]
    for number, line in enumerate((folder / "events.jsonl").open(), 1):
        kept = json.loads(line)
        found = hashlib.sha256(b"bertillon audit 1\n" + kept["body"].encode()).hexdigest()
        event = json.loads(kept["body"])
        if kept["hash"] != found:
            fail(f"event {number}: its hash is another")
        if (event["v"], event["seq"], event["prev"]) != (1, number, hashes[-1]):
            fail(f"event {number}: it does not follow")
        canonical = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if canonical != kept["body"]:
            fail(f"event {number}: its text is not canonical")
        hashes.append(found)
    count = 0
    for count, line in enumerate((folder / "checkpoints.jsonl").open(), 1):
        kept = json.loads(line)
        if not signed(public, b"bertillon checkpoint 1\n" + kept["body"].encode(), bytes.fromhex(kept["signature"])):
            fail(f"checkpoint {count}: not signed by this key")
        checkpoint = json.loads(kept["body"])
        if checkpoint["folder"] != name or checkpoint["seq"] >= len(hashes) or checkpoint["hash"] != hashes[checkpoint["seq"]]:
            fail(f"checkpoint {count}: of another log")
    if count == 0 or checkpoint["seq"] != len(hashes) - 1:
        fail("the last event is not sealed")
    print(f"events {len(hashes) - 1} checkpoints {count}")


if __name__ == "__main__":
    main(*sys.argv[1:])
