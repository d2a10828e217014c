"""The harness's own arithmetic. `python3 -m unittest discover benches/compare`; needs no rival and not even numpy."""

import random
import sys
import unittest

import maths
import targets
from contender import Contender, Lost


class Ratios(unittest.TestCase):
    def test_a_ratio_is_taken_within_a_round(self):
        # The second round was disturbed for both: by rounds nothing is odd, by means it would be.
        found = maths.paired_ratios([1.0, 10.0, 1.0], [2.0, 20.0, 2.0])
        self.assertEqual((found["median"], found["least"], found["most"], found["rounds"]), (2.0, 2.0, 2.0, 3))

    def test_a_lost_round_counts_for_neither(self):
        found = maths.paired_ratios([1.0, None, 2.0], [3.0, 3.0, None])
        self.assertEqual((found["median"], found["rounds"]), (3.0, 1))
        self.assertIsNone(maths.paired_ratios([None], [1.0]))

    def test_quartiles_lie_between_the_extremes(self):
        source = random.Random(1)
        for _ in range(200):
            values = [source.random() for _ in range(source.randint(1, 30))]
            found = maths.quartiles(values)
            ordered = [found[name] for name in ("least", "q1", "median", "q3", "most")]
            self.assertEqual(ordered, sorted(ordered))
            self.assertEqual((found["least"], found["most"]), (min(values), max(values)))
            below = sum(value <= found["median"] for value in values)
            self.assertGreaterEqual(2 * below, len(values))


class Recall(unittest.TestCase):
    TRUTH = [[(0.9, 1), (0.8, 2)], [(0.7, 5), (0.6, 6)]]
    SCORES = {(0, 3): 0.8 - 1e-7, (0, 4): 0.79}

    def score(self, probe, row):
        return self.SCORES.get((probe, row), 0.0)

    def of(self, *found):
        return maths.recall(found, self.TRUTH, self.score)

    def test_counts_rows_and_forgives_ties_only(self):
        self.assertEqual(self.of([1, 2], [6, 5]), 1.0)
        self.assertEqual(self.of([1, 3], [5, 6]), 1.0)
        self.assertEqual(self.of([1, 4], [5, 6]), 0.75)
        self.assertEqual(self.of([], [5]), 0.25)

    def test_a_row_named_twice_and_a_list_too_long_gain_nothing(self):
        self.assertEqual(self.of([1, 1], [5, 5]), 0.5)
        self.assertEqual(self.of([7, 8, 1, 2], [5, 6]), 0.5)

    def test_lists_agree_to_the_bit_or_not(self):
        one = {"rows": [[1, 2]], "score_bits": [[7, 6]]}
        self.assertTrue(maths.same_lists(one, dict(one)))
        self.assertFalse(maths.same_lists(one, {"rows": [[2, 1]], "score_bits": [[7, 6]]}))
        self.assertFalse(maths.same_lists(one, {"rows": [[1, 2]], "score_bits": [[7, 5]]}))
        self.assertFalse(maths.same_lists({"rows": [], "score_bits": []}, {"rows": [], "score_bits": []}))


def record(ratio, rows=1_000_000, trial=False, same=True, recall=1.0):
    spread = {"median": ratio, "least": ratio, "q1": ratio, "q3": ratio, "most": ratio, "rounds": 5}
    results = {"bertillon": {"ratio": None, "recall": recall, "median_ms": 1.0}, "faiss-flat": {"ratio": spread, "recall": 1.0}}
    part = {"id": "exact-64", "kind": "exact", "rows": rows, "oracle": 8, "settings": [{"ef": None, "results": results}],
            "contenders": {"bertillon": {"identical": same}}}
    return {"questions": [part], "measurements": [], "dimension": 512, "threads": 2, "trial": trial, "machine": {"gpus": []}}


class Targets(unittest.TestCase):
    def verdicts(self, *arguments, **named):
        return {row["work"]: row["verdict"] for row in targets.judge(record(*arguments, **named))}

    def test_only_the_right_size_passes_or_falls_short(self):
        flat = targets.TARGETS[0][0]
        self.assertEqual(self.verdicts(2.0)[flat], targets.PASS)
        self.assertEqual(self.verdicts(1.99)[flat], targets.SHORT)
        for named in ({"rows": 100_000}, {"trial": True}):
            self.assertTrue(self.verdicts(9.0, **named)[flat].startswith(targets.NOT), named)

    def test_what_nobody_measured_is_not_measured(self):
        verdicts = self.verdicts(2.0)
        measured = {targets.TARGETS[0][0], targets.TARGETS[-1][0]}
        self.assertEqual({verdict for work, verdict in verdicts.items() if work not in measured}, {targets.NOT})

    def test_a_list_that_differs_is_a_failure_at_any_size(self):
        lists = targets.TARGETS[-1][0]
        self.assertEqual(self.verdicts(2.0, rows=1_000, trial=True)[lists], targets.PASS)
        self.assertEqual(self.verdicts(2.0, rows=1_000, trial=True, same=False)[lists], targets.SHORT)
        self.assertEqual(self.verdicts(2.0, recall=0.9999)[lists], targets.SHORT)


def on_card(engines, rows=10_000_000, card="NVIDIA H100 80GB HBM3, 81559 MiB, 580", ms=12.0, identity="gpu-360"):
    spread = {"median": 1.5, "least": 1.5, "q1": 1.5, "q3": 1.5, "most": 1.5, "rounds": 5}
    results = {"bertillon": {"ratio": None, "recall": 1.0, "median_ms": ms}, "torch-bf16": {"ratio": spread, "recall": 0.9}}
    return {"id": identity, "title": "t", "kind": "gpu", "rows": rows, "oracle": 2, "k": 100, "probes": 360, "rounds": 5,
            "turns": 3, "rivals": ["torch-bf16"], "settings": [{"ef": None, "results": results}], "trial": False,
            "machine": {"gpus": [card]}, "contenders": {"bertillon": {"name": "?", "answered_by": engines}}}


class Cards(unittest.TestCase):
    CARD = "wgpu vulkan: NVIDIA H100 80GB HBM3 (discrete)"

    def verdicts(self, *arguments, **named):
        asked = {**record(2.0), "questions": [on_card(*arguments, **named)]}
        rows = {row["work"]: row for row in targets.judge(asked)}
        return [rows[work] for work in ("H100, 360 probes, 10M", "H100, 360 probes, 10M, against torch bf16")]

    def test_a_card_that_answered_passes_or_falls_short(self):
        self.assertEqual([row["verdict"] for row in self.verdicts([self.CARD])], [targets.PASS, targets.PASS])
        self.assertEqual(self.verdicts([self.CARD], ms=15.0)[0]["verdict"], targets.SHORT)

    def test_anything_else_is_not_measured_and_told(self):
        software = "wgpu vulkan: llvmpipe (software)"
        for engines in (["cpu amx x 16 threads"], [self.CARD, "cpu amx x 16 threads (lost)"], [software]):
            row = self.verdicts(engines)[0]
            self.assertEqual(row["verdict"], targets.NOT)
            self.assertIn(engines[-1], row["found"])
        self.assertEqual(self.verdicts([self.CARD], card="NVIDIA L4")[0]["verdict"], targets.NOT)
        self.assertEqual(self.verdicts([self.CARD], rows=1_000_000)[0]["verdict"], targets.NOT)

    def test_the_page_takes_cards_from_a_record_of_their_own(self):
        import unittest.mock

        import page

        def dated(date, questions, name):
            told = {"date": date, "program": "p", "commit": "c", "command": "m", "seconds": 1}
            return (True, date, name, {**record(2.0), **told, "questions": questions})

        older = dated("2026-01-01", record(2.0)["questions"], "older.json")
        newer = dated("2026-02-02", [on_card([self.CARD])], "newer.json")
        with unittest.mock.patch.object(page, "everything", return_value=[older, newer]):
            name, merged, cards = page.newest()
        self.assertEqual((name, cards, [part["id"] for part in merged["questions"]]), ("older.json", "newer.json", ["exact-64", "gpu-360"]))
        with unittest.mock.patch.object(page, "everything", return_value=[older]):
            self.assertEqual(page.newest()[::2], ("older.json", None))


class Processes(unittest.TestCase):
    def start(self, program):
        import tempfile

        log = tempfile.NamedTemporaryFile(suffix=".log", delete=False)
        log.close()
        return Contender("test", [sys.executable, "-c", program], 1, log.name, ready_within_s=20)

    def test_answers_come_line_by_line(self):
        contender = self.start(
            "import sys, json\nprint(json.dumps({'ready': True}), flush=True)\n"
            "for line in sys.stdin: print(json.dumps({'seconds': json.loads(line)['count']}), flush=True)"
        )
        self.assertEqual([contender.ask(op="search", count=n)["seconds"] for n in (1, 2)], [1, 2])
        contender.close()

    def test_why_one_is_lost_is_told(self):
        with self.assertRaisesRegex(Lost, "no such library"):
            self.start("import sys; sys.exit('no such library')")
        with self.assertRaisesRegex(Lost, "no card"):
            self.start("import json; print(json.dumps({'ready': False, 'error': 'no card'}), flush=True)")


if __name__ == "__main__":
    unittest.main()
