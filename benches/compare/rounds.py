"""The comparison itself: everybody in turn, round after round, in the same minutes."""

import statistics
import time

import maths
from contender import Lost

# Between two contenders: idle threads of the one before have gone to sleep.
PAUSE_S = 0.05


def one_turn(contender, op, question, round_number, ef):
    """A contender's figure for a round: the median of its searches, in seconds."""
    times = []
    for turn in range(question["turns"]):
        count = question["probes"]
        # Nobody is asked the same twice; everybody is asked the same.
        first = ((round_number + 1) * question["turns"] + turn) * count % question["probes_written"]
        request = {} if op == "read" else {"first": first, "count": count, "k": question["k"]}
        if ef is not None:
            request["ef"] = ef
        reply = contender.ask(op=op, **request)
        contender.answered |= {reply["back_end"]} if reply.get("back_end") else set()
        times.append(reply["seconds"])
    return statistics.median(times)


def interleave(contenders, question, ef=None, say=print):
    """Times of everybody, a list of rounds each, `None` where somebody was lost. `contenders` maps names to (contender, op)."""
    times = {name: [] for name in contenders}
    lost = {}
    for number in range(question["rounds"]):
        names = list(contenders)
        # Each round begins with another, so that nobody always follows the same.
        names = names[number % len(names) :] + names[: number % len(names)]
        for name in names:
            contender, op = contenders[name]
            try:
                if name in lost:
                    raise Lost(lost[name])
                times[name].append(one_turn(contender, op, question, number, ef))
            except Lost as error:
                lost.setdefault(name, str(error))
                times[name].append(None)
            time.sleep(PAUSE_S)
        say(f"  round {number + 1} of {question['rounds']}" + (f", ef {ef}" if ef else ""))
    return times, lost


def lists_of(contender, question, count, ef=None, op="search"):
    """Lists for the first `count` probes, in requests of the question's size."""
    rows, bits = [], []
    for first in range(0, count, question["probes"]):
        asked = min(question["probes"], count - first)
        more = {} if ef is None else {"ef": ef}
        reply = contender.ask(op=op, first=first, count=asked, k=question["k"], lists=True, **more)
        rows += reply["rows"]
        bits += reply.get("score_bits", [])
    return {"rows": rows, "score_bits": bits}


class Truth:
    """The right lists by brute force in f32, the best scored again in f64, independent of everybody."""

    # Candidates that f32 keeps for f64.
    SPARE = 50

    def __init__(self, gallery, probes, k):
        import numpy

        self.numpy, self.gallery, self.probes = numpy, gallery, probes
        self.lists = self.search(k) if len(probes) else []

    def search(self, k):
        numpy = self.numpy
        scores, rows = None, None
        for start in range(0, len(self.gallery), 1 << 17):
            block = self.probes @ self.gallery[start : start + (1 << 17)].T
            kept = min(k + self.SPARE, block.shape[1])
            best = numpy.argpartition(-block, kept - 1, axis=1)[:, :kept]
            found, best = numpy.take_along_axis(block, best, axis=1), best + start
            scores = found if scores is None else numpy.hstack([scores, found])
            rows = best if rows is None else numpy.hstack([rows, best])
        lists = []
        for probe in range(len(self.probes)):
            near = rows[probe][numpy.argsort(-scores[probe])[: k + self.SPARE]]
            exact = [(self.score(probe, int(row)), int(row)) for row in near]
            lists.append(sorted(exact, key=lambda one: (-one[0], one[1]))[:k])
        return lists

    def score(self, probe, row):
        numpy = self.numpy
        if not 0 <= row < len(self.gallery):
            return float("-inf")
        return float(numpy.dot(self.probes[probe].astype(numpy.float64), self.gallery[row].astype(numpy.float64)))

    def recall(self, rows):
        return maths.recall(rows, self.lists[: len(rows)], self.score)
