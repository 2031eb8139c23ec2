"""No text makes a scorer raise, hang or grow: random and adversarial strings through every mode of every benchmark."""

import itertools
import random
import resource
import time
from collections.abc import Iterator

import pytest

from perc_jax.benchmarks import BENCHMARKS, Benchmark, Problem, choices, numbers, reading
from perc_jax.benchmarks.base import MAX_CHARS
from tests.benchmarks.folders import WRITERS

pytest.importorskip("pyarrow", reason="pyarrow writes the small data sets")

PIECES = (
    *(
        "\\boxed{",
        "}",
        "{",
        "<answer>",
        "</answer>",
        "</think>",
        "the answer is ",
        "Answer: ",
        "(A)",
        "B.",
        "**",
        "\\frac",
    ),
    *(
        '{"short answer": "',
        '"}',
        "[1, 2]",
        "\\sqrt{",
        "π",
        "°",
        "\\text{(C)}",
        "1,200",
        "-",
        "−3",
        "1e999",
        "9" * 40,
        "%",
    ),
    *(
        "yes",
        "no",
        "not ",
        "\n",
        " ",
        "\x00",
        "\ud800",
        "\U0001f600",
        "答案:D",
        "選Ｂ",
        " or ",
        "3 1/2",
        "x=5, y=2",
        "Question: ",
        "(3, 4)",
        "{3}{4}",
        "nan",
        "inf",
        "::",
        "/0",
    ),
)
UNITS = (
    "\\boxed{",
    "<answer>",
    "</answer>",
    "{",
    "}",
    "(A",
    "answer ",
    "the answer is ",
    "1,",
    "9",
    "**",
    "oxed{",
    "A ",
    " ",
)
UNITS += ("A or ", "A, ", "not A", "Question:\n", "選", "答案", "x=1, ", "½", "Ａ", "（", "1:1 ", "and ", "x ", "1 1/")
UNITS += ("\n", "is ", "=", "option A", '{"a":', "[", "not ", "\\frac{", "a", "\\", ". ", "(1")
SLOWEST_S = 20.0  # for one whole response of the largest size in one mode; linear scorers take a tenth of a second


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Benchmark, list[Problem]]]:
    found = []
    for name, write in WRITERS.items():
        folder = tmp_path_factory.mktemp(name)
        write(folder)
        found.append((BENCHMARKS[name], BENCHMARKS[name].load(folder)))
    return found


def strings(count: int, seed: int) -> Iterator[str]:
    """Random characters, random pieces of answers, and repetitions, in turn."""
    rng = random.Random(seed)
    for i in range(count):
        if i % 3 == 0:
            yield "".join(
                chr(rng.choice((rng.randrange(128), rng.randrange(0x3000)))) for _ in range(rng.randrange(40))
            )
        elif i % 3 == 1:
            yield "".join(rng.choices(PIECES, k=rng.randrange(12)))
        else:
            yield rng.choice(PIECES) * rng.randrange(60) + rng.choice(PIECES)


def push(loaded: list[tuple[Benchmark, list[Problem]]], count: int, seed: int, every_mode: bool) -> int:
    """Send strings through every benchmark, its problems in turn, in every mode or in turn; returns how many scores."""
    scores = 0
    for i, text in enumerate(strings(count, seed)):
        for benchmark, problems in loaded:
            problem = problems[i % len(problems)]
            modes = tuple(benchmark.modes)
            for mode in modes if every_mode else modes[i // len(problems) % len(modes) :][:1]:
                scored = benchmark.score(problem, text, mode)
                assert isinstance(scored.correct, bool) and scored.reason
                scores += 1
        reading.sentences(text), reading.phrases(text), numbers.find(text), numbers.spelled(text)
        value = numbers.value(text)
        assert value is None or abs(value) < float("inf")
    return scores


def test_two_thousand_strings(loaded: list[tuple[Benchmark, list[Problem]]]) -> None:
    assert push(loaded, 2000, seed=0, every_mode=False) == 2000 * len(BENCHMARKS)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_strings_without_memory_growth(loaded: list[tuple[Benchmark, list[Problem]]]) -> None:
    push(loaded, 10_000, seed=1, every_mode=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    push(loaded, 90_000, seed=2, every_mode=True)
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib < 64


def longest(unit: str, chars: int) -> str:
    return (unit * (chars // len(unit) + 1))[:chars]


@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_long_repetitions_take_linear_time(loaded: list[tuple[Benchmark, list[Problem]]], unit: str) -> None:
    """At 2^14 characters a quadratic scorer takes seconds; all of them together have two."""
    text = longest(unit, 2**14)
    start = time.process_time()
    for benchmark, problems in loaded:
        for problem, mode in itertools.product(problems[:1], benchmark.modes):
            benchmark.score(problem, text, mode)
    choices.pick(text, "ABCD", ("red", "dark red", "", "3.5"))
    assert time.process_time() - start < 2.0


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_the_longest_responses_end(loaded: list[tuple[Benchmark, list[Problem]]], unit: str) -> None:
    text = longest(unit, MAX_CHARS)
    for benchmark, problems in loaded:
        for problem, mode in itertools.product(problems, benchmark.modes):
            start = time.process_time()
            benchmark.score(problem, text, mode)
            assert time.process_time() - start < SLOWEST_S, (benchmark.name, mode, problem.kind)
