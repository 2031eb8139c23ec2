"""Free answers by type: what is equal, what is not, and what is never handed to a symbolic comparison."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perc_jax.benchmarks import BENCHMARKS, Problem, choices, free, numbers
from perc_jax.benchmarks.base import Compare
from perc_jax.benchmarks.symbolic import Comparer

EQUAL = (
    *(("3 1/2", "3.5"), ("3.5", "3 1/2"), ("3½", r"3\frac{1}{2}"), ("-2 3/4", "-2.75"), ("9:15", "09:15")),
    *(("3:05 pm", "3:05"), ("3-4", "3 – 4"), ("3 to 4", "3-4"), ("ACBD", "acbd"), ("left", r"\text{Left}")),
    *(("35掳", r"35^{\circ}"), (r"$2\sqrt{3}$", "3.4641"), (r"Circumference $=50.27 \mathrm{~cm}$", "about 50.27 cm")),
    *(("x=5, y=2", "y = 2, x = 5"), ("x=5, y=2", "x=5 and y=2"), ("x=2 or x=3", "3 or 2"), ("7 8", "7  8")),
    *(("S 23.5 ^\\circ W", "S23.5°W"), ("x = 4", "4"), ("AB = 2√3", r"2\sqrt{3} \approx 3.464"), ("1,200", "1200")),
    *(
        ("AB = 5 cm", "BA = 5 centimetres"),
        (r"\angle ABC = 35^{\circ}", "∠B = 35"),
        ("5 m/s", r"5\,\mathrm{m\cdot s^{-1}}"),
    ),
)
UNEQUAL = (
    *(("3 1/2", "2"), ("7 8", "15"), ("7 8", "78"), ("9:15", "3:05"), ("9:15", "0.6"), ("3:05 am", "3:05 pm")),
    *(("ACBD", "ABCD"), ("left", "felt"), ("3-4", "4-5"), ("3-4", "-1"), ("x=5, y=2", "x=1, y=2"), ("x=5, y=2", "2")),
    *(("2", "x=5, y=2"), ("0", "3x-y+13=0"), ("6", "2x+3y=6"), ("x=2 or x=3", "2"), ("x=2 or x=3", "2 or 4")),
    *(("1 2 3", "12 3"), ("5", "2+3=6"), ("4", "1=2=3=4"), ("3.5", "3.51"), ("x=5, y=2", "x=5"), ("5", "5 or 6")),
    *(("x = 4", "y = 4"), ("2 cm", "2 m"), ("3", "3 million"), ("x=2 or x=3", "y=2 or y=3"), ("y=3x", "z=3x")),
    *(("AB = 5", "CD = 5"), (r"\angle ABC = 35^{\circ}", "∠C = 35"), ("5 m", "5 apples"), ("5 m/s", "5 m s")),
)


def never(gold: str, answer: str, rule: str) -> bool:
    raise AssertionError(f"{gold} and {answer} need no symbolic comparison")


@pytest.fixture(scope="module")
def symbols() -> Compare:
    pytest.importorskip("math_verify", reason="formulas are compared by math-verify")
    with Comparer(deadline_s=2.0) as comparer:
        yield comparer


@pytest.mark.parametrize(("gold", "answer"), EQUAL)
def test_equal_by_type(gold: str, answer: str) -> None:
    assert free.same(gold, answer, never) is True


@pytest.mark.parametrize(("gold", "answer"), UNEQUAL)
def test_unequal_by_type(gold: str, answer: str) -> None:
    compare = never if free.read(gold).kind != "number" or "=" not in answer else (lambda *_: False)
    assert free.same(gold, answer, compare) is False


@pytest.mark.parametrize("mode", ["official", "strict"])
@pytest.mark.parametrize(("gold", "answer"), [pair for pair in UNEQUAL if "or 6" not in pair[1]])
def test_mathverse_compares_by_type_in_every_mode(symbols: Compare, mode: str, gold: str, answer: str) -> None:
    problem = Problem("1", "?", (), gold, "free")
    response = rf"<answer>\boxed{{{answer}}}</answer>" if mode == "strict" else f"The answer is {answer}"
    assert not BENCHMARKS["mathverse"].score(problem, response, mode, symbols).correct
    right = rf"<answer>\boxed{{{gold}}}</answer>"
    assert BENCHMARKS["mathverse"].score(problem, right, mode, symbols).correct


def test_formulas_are_compared_as_mathematics(symbols: Compare) -> None:
    for gold, answer, equal in (
        ("3x-y+13=0", "-y+3x+13=0", True),
        ("3x-y+13=0", "3x+4y+13=0", False),
        ("3x-y=6", "2x+3y=6", False),
        ("y=2x+1", "1+2x", True),
        (r"2\sqrt{3}+1", "4.464102", True),
        ("-1, 3", "3, -1", True),
        ("(1, 2)", "(2, 1)", False),
        (r"[1, \infty)", "[1,∞)", True),
        ("y=3x", "y=3", False),
        ("y=3x", "3", False),
        ("6a", "6", False),
        ("6a", "6b", False),
        ("3x^2", "3y^5", False),
        (r"2x\text{ cm}", r"2x\text{ m}", False),
    ):
        assert free.same(gold, answer, symbols) is equal, (gold, answer)


def test_a_comparison_past_its_deadline_is_told() -> None:
    assert free.same("x^2+1", "x^2+2", lambda *_: None) is None
    assert free.same("x=2, y=a+1", "x=2, y=a+2", lambda *_: None) is None
    assert free.same("x=2, y=a+1", "x=3, y=a+2", lambda *_: None) is False


@pytest.mark.parametrize(
    "text", ["3x-y+13=0", "x=5, y=2", "2x=6", "x or y = 5", "x = 5 or 6", "x^2 = 4", "a/b = 3", "5, 6"]
)
def test_equations_and_lists_are_no_number(text: str) -> None:
    assert numbers.value(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(
            ("x = 4", 4),
            ("f(2) = 3", 3),
            (r"\angle ABC = 35^\circ", 35),
            (r"S_{\triangle ABC} = 12 cm²", 12),
            ("= 5", 5),
        ),
        *(("the area = 1,200", 1200), ("x = 1/2 = 0.5", 0.5), ("面积=5", 5), (r"AB = 2\sqrt{3} ≈ 3.46", 3.46)),
    ],
)
def test_a_name_before_its_value_is_dropped(text: str, value: float) -> None:
    assert numbers.value(text) == pytest.approx(value)


def test_an_equation_is_nowhere_its_right_side() -> None:
    options = ("3x-y=6", "x=6", "2", "7")
    assert choices.pick(r"\boxed{2x+3y=6}", "ABCD", options) is None
    assert choices.pick(r"\boxed{3x-y=6}", "ABCD", options) == "A"
    for name, kind, meta in (
        ("mathvista", "integer", {"precision": None}),
        ("dynamath", "float", {}),
        ("mmmu", "open", {}),
        ("blindtest", "number", {}),
        ("mathvision", "free", {}),
    ):
        for content, right in (("x=5, y=2", False), ("3x-y=2", False), ("2", True), (r"\text{2}.", True)):
            problem = Problem("1", "?", (), "2", kind, meta=meta)
            scored = BENCHMARKS[name].score(problem, rf"<answer>\boxed{{{content}}}</answer>", "strict")
            assert scored.correct == right, (name, content)
    number = Problem("1", "?", (), "2", "integer", meta={"precision": None})
    assert not BENCHMARKS["mathvista"].score(number, r"So \boxed{x=5, y=2}").correct
    assert BENCHMARKS["mathvista"].score(number, "The answer is 5 - 3 = 2.").correct
    assert BENCHMARKS["mathvista"].score(number, "The answer is 2 or 3.").parsed is None
    number = Problem("1", "?", (), "2", "float", meta={})
    for text in ("The answer is 3 or 2", r"So \boxed{x=5, y=2}", r"So \boxed{3, 2}", "The answer is not 2"):
        assert not BENCHMARKS["dynamath"].score(number, text, "vlmevalkit").correct, text
    free_answer = Problem("1", "?", (), "2", "free")
    assert not BENCHMARKS["mathvision"].score(free_answer, "x=5, y=2", "vlmevalkit").correct
    assert BENCHMARKS["mathvision"].score(free_answer, r"So \boxed{2 \cdot 1 = 2}", "vlmevalkit").correct


@pytest.mark.parametrize("content", ["9:15", "3 1/2", "7 8", "3-4", "left"])
def test_mathvision_strict_reads_the_gold_answers_type(content: str) -> None:
    box = rf"<answer>\boxed{{{content}}}</answer>"
    assert BENCHMARKS["mathvision"].score(Problem("1", "?", (), content, "free"), box, "strict").correct
    for other in ("3:05", "2", "15", "4-5", "felt"):
        assert not BENCHMARKS["mathvision"].score(Problem("1", "?", (), other, "free"), box, "strict").correct


@pytest.mark.parametrize(
    ("gold", "answer"), [("y=3x", "3"), ("6a", "6"), ("3a", "3b"), ("2 cm", "2 m"), ("3", "3 million")]
)
@pytest.mark.parametrize("name", ["mathverse", "mathvision", "mmmu"])
def test_strict_modes_take_no_letter_for_a_unit(symbols: Compare, name: str, gold: str, answer: str) -> None:
    problem = Problem("1", "?", (), gold, "open" if name == "mmmu" else "free")
    for content, right in ((gold, True), (answer, False)):
        scored = BENCHMARKS[name].score(problem, rf"<answer>\boxed{{{content}}}</answer>", "strict", symbols)
        assert scored.correct == right, content


def test_an_option_is_found_by_a_number_of_its_own_unit() -> None:
    options = ("5 m", "5 km", "7 m")
    assert choices.pick(r"\boxed{5 kilometres}", "ABC", options) == "B"
    assert choices.pick(r"\boxed{5}", "ABC", options) is None and choices.pick(r"\boxed{7}", "ABC", options) == "C"


@given(st.integers(-50, 50), st.integers(1, 9), st.integers(2, 10))
def test_mixed_numbers(whole: int, above: int, below: int) -> None:
    expected = whole + (above / below if whole >= 0 else -above / below)
    found = numbers.value(f"{whole} {above}/{below}")
    assert found is None if above >= below else found == pytest.approx(expected)


@given(st.text("0123456789:-/ ,.=xyorand()\\{}", max_size=40))
def test_reading_never_raises_and_is_reflexive(text: str) -> None:
    read = free.read(text)
    assert read == free.read(text)
    if read.kind not in ("formula", "solutions", "assignments"):
        assert free.same(text, text, never) is True
