"""Opens a sealed blob with nothing but Python's own library: the second opinion of docs/SEALED_FORMAT.md.

    python3 sealed.py MASTER KEY_FILE BLOB [NAME]

MASTER is 64 hexadecimal digits, NAME the name of the file that the blob is bound to, if it is of kind 3 or more. Prints "kind K bytes N sha256 H" of what is in the blob, or the first thing that is wrong, and
ends with 1 then. Written from the document alone; AES and GCM are those of FIPS 197 and SP 800-38D, slow and plain.
"""

import hashlib
import hmac
import sys
import zlib
from pathlib import Path


def boxes():
    box, p, q = [0] * 256, 1, 1
    while True:
        p ^= (p << 1 ^ (0x1B if p & 0x80 else 0)) & 0xFF
        for shift in (1, 2, 4):
            q ^= q << shift & 0xFF
        if q & 0x80:
            q ^= 0x09
        rotated = [(q << n | q >> 8 - n) & 0xFF for n in range(5)]
        box[p] = rotated[0] ^ rotated[1] ^ rotated[2] ^ rotated[3] ^ rotated[4] ^ 0x63
        if p == 1:
            box[0] = 0x63
            return box


BOX = boxes()
TWICE = [(x << 1 ^ (0x1B if x & 0x80 else 0)) & 0xFF for x in range(256)]


class Gcm:
    def __init__(self, key):
        words = [list(key[i : i + 4]) for i in range(0, 32, 4)]
        round_constant = 1
        for i in range(8, 60):
            word = list(words[i - 1])
            if i % 8 == 0:
                word = [BOX[b] for b in word[1:] + word[:1]]
                word[0] ^= round_constant
                round_constant = TWICE[round_constant]
            elif i % 8 == 4:
                word = [BOX[b] for b in word]
            words.append([a ^ b for a, b in zip(word, words[i - 8])])
        self.rounds = [sum(words[i : i + 4], []) for i in range(0, 60, 4)]
        hash_key = int.from_bytes(self.block(bytes(16)), "big")
        # Products with every bit, so that a block takes 128 look-ups.
        self.powers = [hash_key]
        for _ in range(127):
            last = self.powers[-1]
            self.powers.append(last >> 1 ^ (0xE1 << 120 if last & 1 else 0))

    def block(self, text):
        state = [a ^ b for a, b in zip(text, self.rounds[0])]
        for number, key in enumerate(self.rounds[1:], 1):
            state = [BOX[state[(5 * i) % 16]] for i in range(16)]
            if number < 14:
                mixed = []
                for c in range(0, 16, 4):
                    a = state[c : c + 4]
                    total = a[0] ^ a[1] ^ a[2] ^ a[3]
                    mixed += [a[i] ^ total ^ TWICE[a[i] ^ a[(i + 1) % 4]] for i in range(4)]
                state = mixed
            state = [a ^ b for a, b in zip(state, key)]
        return bytes(state)

    def hash(self, about, text):
        total = 0
        pad = lambda part: part + bytes(-len(part) % 16)
        lengths = (8 * len(about)).to_bytes(8, "big") + (8 * len(text)).to_bytes(8, "big")
        data = pad(about) + pad(text) + lengths
        for i in range(0, len(data), 16):
            total ^= int.from_bytes(data[i : i + 16], "big")
            product, bit = 0, 127
            for power in self.powers:
                if total >> bit & 1:
                    product ^= power
                bit -= 1
            total = product
        return total.to_bytes(16, "big")

    def open(self, nonce, about, sealed):
        text, tag = sealed[:-16], sealed[-16:]
        counter = lambda n: self.block(nonce + n.to_bytes(4, "big"))
        wanted = bytes(a ^ b for a, b in zip(self.hash(about, text), counter(1)))
        if not hmac.compare_digest(wanted, tag):
            return None
        stream = b"".join(counter(2 + i) for i in range(-(-len(text) // 16)))
        return bytes(a ^ b for a, b in zip(text, stream))


def number(data, at, bytes_):
    return int.from_bytes(data[at : at + bytes_], "little")


def key_of(master, file):
    if len(file) != 128 or file[:8] != b"BERTKEY\n" or number(file, 8, 4) != 1:
        sys.exit(print("the key file is none") or 1)
    if zlib.crc32(file[:124]) != number(file, 124, 4):
        sys.exit(print("the key file is damaged") or 1)
    key = Gcm(master).open(file[32:44], file[:32], file[44:92])
    if key is None:
        sys.exit(print("the key file is of another master key") or 1)
    return file[16:32], key


def main():
    master, key_file, blob = bytes.fromhex(sys.argv[1]), Path(sys.argv[2]).read_bytes(), Path(sys.argv[3]).read_bytes()
    name, key = key_of(master, key_file)
    if blob[:8] != b"BERTENC\n" or number(blob, 8, 4) != 1 or number(blob, 16, 4) != 65536 or number(blob, 20, 4) != 0:
        sys.exit(print("this is no sealed blob of version 1") or 1)
    if zlib.crc32(blob[:124]) != number(blob, 124, 4):
        sys.exit(print("the header is damaged") or 1)
    if blob[48:64] != name:
        sys.exit(print("the blob is of another key") or 1)
    kind = number(blob, 12, 4)
    bound = sys.argv[4].encode() if kind >= 3 else b""
    data_key = Gcm(key).open(blob[64:76], blob[:64] + bound, blob[76:124])
    if data_key is None:
        sys.exit(print("the header was changed") or 1)
    cipher, length, file_id = Gcm(data_key), number(blob, 24, 8), blob[32:48]
    chunks = -(-length // 65536)
    head = 12 if kind >= 3 else 4
    step = 65552 + head
    if len(blob) != 128 + length + (16 + head) * chunks:
        sys.exit(print("the blob has not its length") or 1)
    plain = hashlib.sha256()
    for i in range(chunks):
        chunk = blob[128 + step * i : 128 + step * (i + 1)]
        begin, place = chunk[:head], i.to_bytes(8, "little")
        about = file_id + place + bytes(4) + length.to_bytes(8, "little")
        nonce = begin if kind >= 3 else place + bytes(4)
        opened = cipher.open(nonce, about, chunk[head:]) if kind >= 3 or begin == bytes(4) else None
        if opened is None:
            sys.exit(print(f"chunk {i} was changed") or 1)
        plain.update(opened)
    print(f"kind {kind} bytes {length} sha256 {plain.hexdigest()}")


main()
