# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Verdicts on recorded figures: nothing is timed here."""

from __future__ import annotations

import unittest

from compare import measure_alternately
from judge import Reach, compare, format_comparisons, format_seconds


class Compare(unittest.TestCase):
    def test_ratio_is_the_median_of_turns(self) -> None:
        # The machine halved its speed in the second turn, for both.
        result = compare("forward", base=[1.0, 2.0, 1.0], new=[1.1, 2.2, 1.3])
        self.assertAlmostEqual(result.ratio, 1.1)
        self.assertAlmostEqual(result.lowest, 1.1)
        self.assertAlmostEqual(result.highest, 1.3)
        self.assertEqual((result.base, result.new), (1.0, 1.3))
        self.assertFalse(result.is_worse())

    def test_more_than_a_fifth_is_worse(self) -> None:
        self.assertFalse(compare("x", [1.0], [1.2]).is_worse())
        self.assertTrue(compare("x", [1.0], [1.21]).is_worse())
        self.assertFalse(compare("x", [1.0], [0.5]).is_worse())
        self.assertTrue(compare("x", [1.0], [1.1]).is_worse(threshold=1.05))

    def test_one_slow_turn_is_no_regression(self) -> None:
        self.assertFalse(compare("x", [1.0, 1.0, 1.0], [1.0, 9.0, 1.0]).is_worse())

    def test_turns_must_match(self) -> None:
        with self.assertRaisesRegex(ValueError, "as many turns"):
            compare("x", [1.0, 1.0], [1.0])
        with self.assertRaisesRegex(ValueError, "at least one"):
            compare("x", [], [])
        with self.assertRaisesRegex(ValueError, "above 0 of 'x'"):
            compare("x", [0.0], [1.0])


class Alternate(unittest.TestCase):
    def test_builds_take_turns_and_both_go_first(self) -> None:
        order = []

        def measure(build: str) -> dict[str, float]:
            order.append(build)
            return {"a": 1.0 if build == "base" else 2.0, "b": 3.0}

        times = measure_alternately(measure, "base", "new", turns=3)
        # Fresh pages, a cold cache: the first run of each does not count.
        self.assertEqual(order, ["base", "new"] + ["base", "new", "new", "base", "base", "new"])
        self.assertEqual(times, {"a": ([1.0] * 3, [2.0] * 3), "b": ([3.0] * 3, [3.0] * 3)})

    def test_builds_must_have_the_same_figures(self) -> None:
        with self.assertRaisesRegex(ValueError, "expected the same figures"):
            measure_alternately(lambda build: {build: 1.0}, "base", "new", turns=1)


class Text(unittest.TestCase):
    def test_table(self) -> None:
        table = format_comparisons([compare("lower", [0.5], [0.4]), compare("forward", [0.002], [0.003])])
        self.assertEqual(
            table.splitlines(),
            [
                "figure     base     new  new / base           turns",
                "lower    500 ms  400 ms       0.800  0.800 to 0.800",
                "forward    2 ms    3 ms       1.500  1.500 to 1.500  WORSE",
            ],
        )

    def test_units(self) -> None:
        self.assertEqual(format_seconds(2.5), "2.5 s")
        self.assertEqual(format_seconds(0.01234), "12.34 ms")
        self.assertEqual(format_seconds(3e-7), "0.3 us")

    def test_reach(self) -> None:
        self.assertEqual(str(Reach(2)), "<= 2")
        self.assertEqual(str(Reach(1 / 3)), "<= 0.333 (3x faster)")


if __name__ == "__main__":
    unittest.main()
