"""Comparing formulas in a process with limits: what is equal, what is not, and what must not hang or grow."""

import time

import pytest

from perc_jax.benchmarks.symbolic import Comparer, tidy

pytest.importorskip("math_verify", reason="formulas are compared by math-verify")


def forever(gold: str, answer: str, rule: str) -> bool:
    while True:
        pass


def hungry(gold: str, answer: str, rule: str) -> bool:
    return len(bytearray(2**40)) > 0


def suicidal(gold: str, answer: str, rule: str) -> bool:
    import os

    os._exit(3)


def confused(gold: str, answer: str, rule: str) -> bool:
    raise TypeError(gold)


@pytest.fixture(scope="module")
def compare() -> Comparer:
    with Comparer(deadline_s=2.0) as comparer:
        yield comparer


@pytest.mark.parametrize(
    ("gold", "answer", "rule"),
    [
        (r"$\frac{1}{2}$", "0.5", "exact"),
        (r"2\sqrt{3}", r"\sqrt{12}", "exact"),
        ("35掳", r"35^{\circ}", "exact"),
        (r"Circumference $=50.27 \mathrm{~cm}$", "50.27", "exact"),
        ("(1, 2)", "(1,2)", "exact"),
        (r"[1, \infty)", r"[1,∞)", "exact"),
        (r"4 \pi", "12.566", "two_places"),
        (r"\frac{\sqrt{130}}{13}", "0.877", "two_places"),
        ("0.3333333", r"\frac{1}{3}", "millionth"),
        ("6", r"x = 3 \cdot 2", "two_places"),
        ("3x-y+13=0", "-y+3x+13=0", "exact"),
        (r"\pi(R^2-r^2)", r"\pi R^2-\pi r^2", "exact"),
        ("abcdefgh-ABCDEFGH", "-ABCDEFGH+abcdefgh", "exact"),
    ],
)
def test_equal_answers(compare: Comparer, gold: str, answer: str, rule: str) -> None:
    assert compare(gold, answer, rule) is True


@pytest.mark.parametrize(
    ("gold", "answer", "rule"),
    [
        (r"\frac{1}{2}", "0.51", "exact"),
        ("(1, 2)", "(2, 1)", "exact"),
        (r"4 \pi", "12.58", "two_places"),
        ("x", "x", "two_places"),
        ("0.33", r"\frac{1}{3}", "millionth"),
        ("6", r"3 \cdot 3 = 6", "two_places"),
        ("6", "2x+3y=6", "two_places"),
        ("13", "x^2+y^2=13", "millionth"),
        ("3x-y+13=0", "3x+4y+13=0", "exact"),
        ("x=5, y=2", "x=1, y=2", "exact"),
        ("R-r", "r-R", "exact"),
        ("R-r", "0", "exact"),
        ("5a", "5A", "exact"),
        ("1", "", "exact"),
        ("1", "1" * 1000, "exact"),
        ("1", r"\frac{", "exact"),
        ("1", "__import__('os').system('true')", "exact"),
    ],
)
def test_unequal_answers(compare: Comparer, gold: str, answer: str, rule: str) -> None:
    assert compare(gold, answer, rule) is False


@pytest.mark.slow
def test_bombs_end_at_a_limit() -> None:
    """At most a deadline and a new process each, which the first comparison shows the time of on this machine."""
    bombs = ("9^{9^{9^{9}}}", "(" * 150 + ")" * 150, r"\sqrt{" * 60 + "2" + "}" * 60, "{" * 200, "10^{10^{10}}!")
    start = time.monotonic()
    with Comparer(deadline_s=1.0) as compare:
        assert compare("1", r"\frac{1}{2}", "exact") is False
        to_begin = time.monotonic() - start
        for bomb in bombs:
            assert not compare("1", bomb, "two_places")
    assert time.monotonic() - start < 10 + len(bombs) * (1.0 + 3 * to_begin)


def test_a_bomb_ends_and_the_next_comparison_is_right(compare: Comparer) -> None:
    assert not compare("1", "9^{9^{9^{9}}}", "two_places")
    assert compare("0.25", r"\frac{1}{4}", "exact") is True


LATER = pytest.mark.slow  # a process each, of seconds


@pytest.mark.parametrize(
    ("call", "outcome"),
    [
        (forever, None),
        (hungry, None),
        pytest.param(suicidal, None, marks=LATER),
        pytest.param(confused, False, marks=LATER),
    ],
)
def test_a_comparison_that_hangs_grows_dies_or_raises_is_an_outcome(call: object, outcome: bool | None) -> None:
    with Comparer(deadline_s=0.5, call=call) as compare:
        assert compare("1", "2", "exact") is outcome
        assert compare("1", "2", "exact") is outcome  # known, and not tried again
        assert compare.timed_out == (outcome is None)


def test_arguments_are_checked(compare: Comparer) -> None:
    with pytest.raises(ValueError, match="rule must be one of two_places, millionth, exact, plain, got 'near'"):
        compare("1", "1", "near")
    with pytest.raises(ValueError, match=r"deadline_s must be positive, got 0\.0"):
        Comparer(deadline_s=0.0)


def test_tidy_writes_plain_latex() -> None:
    assert tidy("35掳") == "35"
    assert tidy(r"$50.27 \mathrm{~cm}$") == "50.27"
    assert tidy("√3 × 2") == r"\sqrt{3} \times  2"
    assert tidy("\x0crac{1}{2}.") == r"\frac{1}{2}"
