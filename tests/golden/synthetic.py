"""A second implementation of the generator of synthetic templates, from docs/SYNTHETIC.md alone; no package is needed.

Prints the fingerprints that `evaluation::synthetic::tests` holds the program to: python3 tests/golden/synthetic.py
"""

import math
import struct

M = (1 << 64) - 1
OUT = 1 << 40
PROBE = 1 << 32
# Written out: the nearest doubles.
LN2, LOG2E, SQRT2 = 0.693147180559945309417, 1.44269504088896340736, 1.41421356237309504880


def mix(c):
    b = (c + 0x9E3779B97F4A7C15) & M
    b = ((b ^ b >> 30) * 0xBF58476D1CE4E5B9) & M
    b = ((b ^ b >> 27) * 0x94D049BB133111EB) & M
    return b ^ b >> 31


def ln(x):
    if x == 0.0:
        return -1023 * LN2
    m, e = math.frexp(x)
    m, e = 2.0 * m, e - 1
    if m > SQRT2:
        m, e = m * 0.5, e + 1
    p = (m - 1.0) / (m + 1.0)
    q = p * p
    s = 0.0
    for k in range(12, -1, -1):
        s = s * q + 1.0 / (2 * k + 1)
    return e * LN2 + (2.0 * p) * s


def exp(x):
    x = min(max(x, -700.0), 700.0)
    w = math.floor(x * LOG2E + 0.5)
    r = x - w * LN2
    s = 1.0
    for k in range(14, 0, -1):
        s = 1.0 + (r * s) / k
    return math.ldexp(s, w)


class Stream:
    def __init__(self, seed, index):
        self.key, self.j = mix(mix(seed) ^ index), 0

    def bits(self):
        self.j += 1
        return mix(self.key ^ ((self.j - 1) * 0xD6E8FEB86659FD93 & M))

    def uniform(self):
        return (self.bits() >> 11) / 2.0**53

    def twelve(self):
        total = 0
        for _ in range(3):
            b = self.bits()
            total += sum(b >> 16 * part & 0xFFFF for part in range(4))
        return (total - 393210) / 65536

    def normal(self):
        for _ in range(128):
            x = 2.0 * self.uniform() - 1.0
            y = 2.0 * self.uniform() - 1.0
            s = x * x + y * y
            if 0.0 < s < 1.0:
                return x * math.sqrt(-2.0 * ln(s) / s)
        return 0.0

    def gamma(self, shape):
        d = shape - 1.0 / 3.0
        c = 1.0 / math.sqrt(9.0 * d)
        for _ in range(128):
            x = self.normal()
            r = 1.0 + c * x
            u = self.uniform()
            if r <= 0.0:
                continue
            v = r * r * r
            if ln(u) < 0.5 * x * x + d - d * v + d * ln(v):
                return d * v
        return d

    def beta(self, mean, concentration):
        g = self.gamma(mean * concentration)
        h = self.gamma((1.0 - mean) * concentration)
        return g / (g + h)


def dot(a, b):
    s = [0.0] * 8
    for i, (x, y) in enumerate(zip(a, b)):
        s[i % 8] += x * y
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))


def unit(a):
    length = math.sqrt(dot(a, a))
    return [x / length for x in a]


def lean(v, c, n):
    x = dot(v, n)
    n = unit([b - x * a for a, b in zip(v, n)])
    rest = math.sqrt(1.0 - c * c)
    return [c * a + rest * b for a, b in zip(v, n)]


def spectrum(d, wanted, strongest):
    def variances(logs, alpha):
        v = [exp(-alpha * x) for x in logs]
        total = 0.0
        for x in v:
            total += x
        return [x / total for x in v]

    def effective(v):
        q = 0.0
        for x in v:
            q += x * x
        total = 0.0
        for x in v:
            m = x * ((1.0 - 2.0 * x) + 2.0 * q)
            total += m * m
        return 1.0 / total

    def for_shift(shift):
        logs = [ln(k + shift) for k in range(1, d + 1)]
        low, high = 0.0, 8.0
        for _ in range(40):
            middle = (low + high) / 2
            if effective(variances(logs, middle)) > wanted:
                low = middle
            else:
                high = middle
        return variances(logs, low)

    low, high = -0.99, 100.0
    for _ in range(40):
        middle = (low + high) / 2
        if for_shift(middle)[0] > strongest:
            low = middle
        else:
            high = middle
    return [math.sqrt(v) for v in for_shift(low)]


class Generator:
    def __init__(self, p, d, seed, enrolled):
        self.p, self.d, self.seed, self.enrolled = p, d, seed, enrolled
        self.spread = spectrum(d, p["effective_dimension"], p["strongest"])
        self.groups = []
        for g in (*range(len(p["groups"])), 1 << 32):
            stream = self.stream("GDIR", g)
            self.groups.append(unit([-s if stream.bits() & 1 else s for s in self.spread]))
        self.everybody = self.groups.pop()
        stream = self.stream("LDIR", 0)
        self.poor = unit([stream.twelve() for _ in range(d)])

    def stream(self, purpose, index):
        return Stream(mix(self.seed ^ int.from_bytes(purpose.encode(), "big")), index)

    def pick(self, shares, uniform):
        total = 0.0
        for place, share in enumerate(shares):
            total += share
            if uniform < total:
                return place
        return len(shares) - 1

    def group(self, uniform):
        return self.pick([share for share, _ in self.p["groups"]], uniform)

    def cluster(self, i):
        """Whether i is in a cluster, and the cluster's group."""
        stream = self.stream("CLUS", i // 64)
        there = stream.uniform() < self.p["look_alikes"] * 64 / 27.5
        size = 5 + stream.bits() % 46
        start = stream.bits() % 64
        return there and (i % 64 + 64 - start) % 64 < size, self.group(stream.uniform())

    def relation(self, i):
        t, s, l, u = (self.p[name] for name in ("twins", "siblings", "look_alikes", "duplicates"))
        if i >= OUT:
            stream = self.stream("OUTS", i)
            x = stream.uniform()
            for limit, least, span in ((t, 0.75, 0.15), (t + s, 0.2, 0.15), ((t + s) + l, 0.3, 0.19)):
                if x < limit:
                    of = stream.bits() % self.enrolled
                    return "relative", of, least + span * stream.uniform()
            return "none", None, None
        if self.cluster(i)[0]:
            return "cluster", i // 64, 0.55 + 0.15 * self.stream("PAIR", i ^ OUT).uniform()
        if i % 2 == 0 or self.cluster(i - 1)[0]:
            return "none", None, None
        stream = self.stream("PAIR", i - 1)
        x = stream.uniform()
        if x < t:
            return "relative", i - 1, 0.75 + 0.15 * stream.uniform()
        if x < t + s:
            return "relative", i - 1, 0.2 + 0.15 * stream.uniform()
        if x < (t + s) + u:
            return "duplicate", i - 1, None
        return "none", None, None

    def person(self, i):
        """Group and goat."""
        kind, other, _ = self.relation(i)
        if kind == "duplicate":
            return self.person(other)
        stream = self.stream("PERS", i)
        group = self.group(stream.uniform())
        goat = stream.normal()
        if kind == "relative":
            group = self.person(other)[0]
        if kind == "cluster":
            group = self.cluster(i)[1]
        return group, goat

    def direction(self, stream):
        return unit([stream.twelve() * s for s in self.spread])

    def of_group(self, group, stream):
        own = self.direction(stream)
        c, r = self.p["common"], self.p["groups"][group][1]
        if c + r == 0.0:
            return own
        x, y, z = math.sqrt(c), math.sqrt(r), math.sqrt(1.0 - (c + r))
        return unit([(x * e + y * g) + z * o for e, g, o in zip(self.everybody, self.groups[group], own)])

    def centroid(self, i):
        kind, other, cosine = self.relation(i)
        stream = self.stream("PDIR", i)
        if kind == "duplicate":
            return self.centroid(other)
        if cosine is not None:
            anyway = self.p["common"] + self.p["groups"][self.person(i)[0]][1]
            cosine = anyway + (1.0 - anyway) * cosine
        if kind == "relative":
            return lean(self.centroid(other), cosine, self.direction(stream))
        if kind == "cluster":
            centre = self.of_group(self.cluster(i)[1], self.stream("CDIR", other))
            return lean(centre, cosine, self.direction(stream))
        return self.of_group(self.person(i)[0], stream)

    def sample(self, i, image):
        """Fidelity, quality, whether it failed."""
        p = self.p
        stream = self.stream("SAMP", mix(i) ^ image)
        y, z, f = stream.uniform(), stream.uniform(), stream.uniform()
        e = stream.normal()
        (mean, concentration), years = p["gallery"], 0.0
        if image >= PROBE:
            kind = self.pick([share for share, _ in p["probes"]], y)
            (mean, concentration), years = p["probes"][kind][1], z * p["years_max"]
        if p["goats"] > 0.0:
            mean = mean * (1.0 + p["goats"] * self.person(i)[1])
        mean = min(max(mean * (1.0 - p["ageing_per_year"] * years), 0.02), 0.999)
        a = stream.beta(mean, max(concentration, 1.0 / min(mean, 1.0 - mean)))
        quality = min(max(a + p["quality_noise"] * e, 0.0), 1.0)
        return a, quality, f < p["failures"] * (1.0 - a) * (1.0 - a)

    def template(self, i, image):
        a = self.sample(i, image)[0]
        n = self.direction(self.stream("SDIR", mix(i) ^ image))
        b = self.p["drift"] * max(0.0, (0.6 - a) / 0.6)
        if b > 0.0:
            n = [x + b * y for x, y in zip(n, self.poor)]
        return self.components(lean(self.centroid(i), a, n))

    def components(self, v):
        d = len(v)
        side = d & -d
        sides = d // side
        dealt = [v[c % side * sides + c // side] for c in range(d)]
        scale = 1.0 / math.sqrt(side)
        for start in range(0, d, side):
            half = 1
            while half < side:
                for low in range(start, start + side, 2 * half):
                    for at in range(low, low + half):
                        a, b = dealt[at], dealt[at + half]
                        dealt[at], dealt[at + half] = a + b, a - b
                half *= 2
        return b"".join(struct.pack("<f", x * scale) for x in dealt)


def fingerprint(parameters, d):
    generator = Generator(parameters, d, 1, 1_000_000)
    identities = [*range(40), *(step * 49_999 for step in range(20)), *range(OUT, OUT + 20)]
    h = 0xCBF29CE484222325
    for i in identities:
        for image in (0, PROBE + i % 7):
            _, quality, failed = generator.sample(i, image)
            for byte in struct.pack("<d", quality) + bytes([failed]) + generator.template(i, image):
                h = ((h ^ byte) * 0x100000001B3) & M
    return h


PLAIN = {"effective_dimension": 150.0, "strongest": 0.035, "common": 0.0, "gallery": (0.9, 120.0), "groups": [(1.0, 0.0)], "twins": 0.0,
         "siblings": 0.0, "look_alikes": 0.0, "duplicates": 0.0, "goats": 0.0, "drift": 0.0, "ageing_per_year": 0.0,
         "years_max": 0.0, "quality_noise": 0.0, "failures": 0.0, "probes": [(1.0, (0.76737, 90.0))]}
CROWDED = {**PLAIN, "effective_dimension": 24.0, "strongest": 0.1, "common": 0.3, "probes": [(1.0, (0.41214, 6.0))],
           "groups": [(1.0 / 3, 0.05 * g / 2) for g in range(3)], "twins": 0.2, "siblings": 0.2, "look_alikes": 0.2,
           "duplicates": 0.2, "goats": 0.03, "drift": 0.5, "ageing_per_year": 0.004, "years_max": 15.0,
           "quality_noise": 0.05, "failures": 0.2}

if __name__ == "__main__":
    print(fingerprint(PLAIN, 256), fingerprint(CROWDED, 48))
