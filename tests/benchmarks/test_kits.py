r"""Other systems' rules where they differ from ours: VLMEvalKit, MMMU, MMMU-Pro, lmms-eval; and the strict box."""

import pytest

from engines.answer import Answer
from engines.verify import verify
from perc_jax.benchmarks import BENCHMARKS, Benchmark, Problem, choices, lmms, plain
from perc_jax.benchmarks.base import Compare
from perc_jax.benchmarks.symbolic import Comparer

OPTIONS = ("teal", "pink", "blue", "grey")


@pytest.fixture(scope="module")
def symbols() -> Compare:
    pytest.importorskip("math_verify", reason="formulas are compared by math-verify")
    with Comparer(deadline_s=2.0) as comparer:
        yield comparer


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The answer is C because it is the only one of the four colours that fits.", "C"),
        ("The correct answer  is **B**, as A and D are both too dark for the scene shown here.", "B"),
        ("answer is d, which I have found by looking at it for a very long time indeed", "D"),
        ("I see that the answer is Below, and there is no more to be said of all this", "B"),  # no word boundary
        ("The answer is (C) because it is the only one of the four colours that fits.", None),  # no bracket allowed
        ("The answer is E because it is the only one of the four colours that fits.", None),
        ("It is C, for it is the only one of the four colours that fits.", None),  # not among the last five words
        ("So it is C", "C"),
        ("Sorry, I can't help with images of people yet. The answer is A", "Z"),
        ("Failed to obtain answer via API. The answer is A", None),
    ],
)
def test_vlmevalkit_reads_answer_is(text: str, letter: str | None) -> None:
    assert choices.token_rule(text, "ABCD", OPTIONS) == letter


@pytest.mark.parametrize(
    ("text", "own", "pro"),
    [
        ("I take (B), not (C)", "C", "C"),  # the last one
        ("B.", "B", "B"),  # the full stop is stripped
        ("B. pink", None, "B"),
        ("It needs vitamin:A in any case, I should think", None, "A"),  # no blank needed before the letter
        ("the answer is B and no other", "B", "B"),
        ("It is B or C : Answer:D", "C", "D"),  # in the former, the last between two blanks
        ("Answer: C. pink", None, "C"),
        ("to my mind it is surely blue", "C", "C"),
        ("blue", None, None),  # five words or fewer are no text
    ],
)
def test_mmmu_and_mmmu_pro_are_two_rules(text: str, own: str | None, pro: str | None) -> None:
    for mode, letter in (("official", own), ("mmmu_pro", pro)):
        problem = Problem("1", "?", (), letter or "A", "choice", OPTIONS)
        scored = BENCHMARKS["mmmu"].score(problem, text, mode)
        assert (scored.parsed, scored.correct) == (letter, letter is not None), mode


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        (r"2\sqrt{3}", r"\sqrt{12}", False),  # 2 and nothing: no LaTeX without its marks
        (r"$2\sqrt{3}$", r"$\sqrt{12}$", True),
        (r"$2\sqrt{3}$", r"\sqrt{12}", False),
        ("1/2", r"\frac{1}{2}", True),
        ("0.5", "1/2", True),
        ("12 cm", "12", True),
        ("3 1/2", "1", True),  # the last number that stands alone
        ("3 1/2", "3.5", False),
        ("2^10", "1024", True),
        ("(1+2)*3", "9", True),
        ("2(3)", "6", False),  # a call
        ("x=5, y=2", "x=1, y=2", True),  # the last number
        ("left", "felt", False),
        ("ACBD", "ABCD", False),
        ("9:15", "9:45", True),  # the first number
    ],
)
def test_lmms_reads_plain_text_as_math_verify_does(symbols: Compare, gold: str, answer: str, right: bool) -> None:
    pytest.importorskip("math_verify")
    from math_verify import parse, verify

    kit = verify(parse(gold, parsing_timeout=None), parse(answer, parsing_timeout=None), timeout_seconds=None)
    assert symbols(gold, answer, "plain") == kit == right
    assert lmms.score(gold, rf"\boxed{{{answer}}}", symbols).correct == right


def test_arithmetic_is_read_and_never_run() -> None:
    pytest.importorskip("math_verify")
    assert plain.arithmetic("3*4+2^3").doit() == 20
    assert plain.arithmetic("-(7//2)").doit() == -3
    for text in ("().__class__", "f(1)", "2(3)", "[1]", "1 if 1 else 2", "'a'*9", "(" * 300, "007+1", "3×4", ""):
        assert plain.arithmetic(text) is None, text
    assert plain.arithmetic("9**9**9").is_Pow  # and no number of 370 million digits


# --- the strict box ---------------------------------------------------------------------------------------------------

LETTERED = ("ai2d", "blink", "cv_bench", "mathverse", "mathvision", "mathvista", "mmmu", "mmstar", "visulogic", "vstar")
LETTERED += ("wemath", "dynamath", "logicvista")
WRAPPED = ("{}", r"\text{{{}}}", r"\mathrm{{{}}}", "{}.", r"\text{{{}}}.", r"\text{{{}.}}", r" \text{{ {} }} ")


@pytest.mark.parametrize("form", WRAPPED)
def test_strict_takes_off_what_the_training_verifier_takes_off(form: str) -> None:
    text = rf"So. <answer>\boxed{{{form.format('B')}}}</answer>"
    assert verify(text, Answer.choice("B", "ABCD"))
    for name in LETTERED:
        benchmark: Benchmark = BENCHMARKS[name]
        problem = Problem(
            "1", "?", (), "two" if name == "mathvista" else "B", "choice", ("one", "two", "three", "four")
        )
        assert benchmark.score(problem, text, "strict").correct, (name, form)
        assert not benchmark.score(problem, text.replace("B", "C"), "strict").correct
    for name, kind, gold in (
        ("hallusionbench", "yes_no", "yes"),
        ("chartqa", "relaxed", "Yes"),
        ("mmmu", "open", "['yes', 'true']"),
        ("dynamath", "text", "yes"),
        ("blindtest", "yes_no", "yes"),
        ("mathverse", "free", "yes"),
        ("mathvision", "free", "yes"),
    ):
        yes = rf"<answer>\boxed{{{form.format('yes')}}}</answer>"
        assert BENCHMARKS[name].score(Problem("1", "?", (), gold, kind, meta={}), yes, "strict").correct, (name, form)


def test_a_gold_answer_that_ends_with_a_full_stop_is_right_as_it_stands() -> None:
    for name, kind in (("chartqa", "relaxed"), ("dynamath", "text"), ("mmmu", "open")):
        problem = Problem("1", "?", (), "6 a.m.", kind, meta={})
        assert BENCHMARKS[name].score(problem, r"<answer>\boxed{6 a.m.}</answer>", "strict").correct
