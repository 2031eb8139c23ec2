r"""Whether two answers are equal as mathematics: LaTeX, units, degrees, intervals. In a process that can be killed.

math-verify parses LaTeX by a grammar (nothing is evaluated as a program) and SymPy compares. Both can run for ever and
fill the memory on adversarial text, so every comparison has a deadline and the process a limit of address space; what
runs past either is unequal and counted as timed out. The deadline is one of processor time, which a busy machine does
not change, so that a score does not depend on the machine. Training rewards have a pool of their own, `rewards/`.

| rule | equal means |
|---|---|
| `two_places` | both are numbers, equal after rounding to two decimals (MathVision's official rule) |
| `millionth` | both are numbers, within 1e-6 (VLMEvalKit's MathVision) |
| `exact` | math-verify: equal expressions, sets, tuples, intervals, equations, numbers to six decimals; see below |
| `plain` | the same of texts that are not taken for LaTeX unless they say so (lmms-eval), see `plain` |

By `exact`, answers that name two variables, `x = a` and `y = a`, or two units are unequal, and `R` is another variable
than `r`.
"""

import importlib.util
import logging
import math
import multiprocessing
import re
import resource
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as DeadlineError
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pebble

from perc_jax.benchmarks import names, numbers, plain, units
from perc_jax.processes import workers

DEADLINE_S = 5.0  # of processor time
PATIENCE = 60  # times the deadline, by the clock on the wall: for a process that waits and does not work
MEMORY_BYTES = 2 * 2**30  # of address space; the libraries alone take a quarter
START_S = 600.0  # for the libraries' import on a busy machine
MAX_CHARS = 400  # of an answer; a longer one is no formula
TASKS = 5000  # of one process, after which a fresh one takes over: the libraries' caches only grow
# What the libraries raise on text that they cannot take.
FAULTS = (ValueError, TypeError, ArithmeticError, AttributeError, RuntimeError, LookupError, AssertionError)
RULES = ("two_places", "millionth", "exact", "plain")
_UNITS = re.compile(
    r"\\?(?:text|mathrm|mbox)\s*\{\s*~?\s*(?:square)?\s*(?:c|k|m|d)?(?:m|g|s|h|l|units?|inches|feet|degrees?)"
    r"(?:\^?\{?[23]\}?)?\s*\}(?:\^\{?[23]\}?)?",
    re.IGNORECASE,
)
_NO_VARIABLE = re.compile(  # words, sets, commands, powers of ten
    r"\\(?:text|mbox)\s?\{[^{}]{2,}\}|\\math(?:bb|cal|frak|scr)\s?\{[^{}]*\}|\\[A-Za-z]+|\d[eE][-+]?\d|[A-Z][a-z]{2,}"
    r"|\b(?:No|NO|YES)\b"
)
_CAPITAL = re.compile(rf"{_NO_VARIABLE.pattern}|[A-Z]")
_SPARE = "zyxwvutsqpnmlkjbac"  # letters that name variables and nothing else
_DEGREE = re.compile(r"\^\s*\{?\s*\\circ\s*\}?|[°º]|掳|潞|\\degree|\s*\bdegrees?\b|\{degrees?\}", re.IGNORECASE)


def tidy(text: str) -> str:
    r"""Write an answer as plain LaTeX: no dollar signs, box, units, degrees (also as mojibake `35掳`), form feeds."""
    text = text.replace("\x0crac", "\\frac").replace("$", "").replace("\\boxed", "").strip().rstrip(".")
    text = numbers.unnamed(_UNITS.sub("", _DEGREE.sub("", text)))
    for old, new in (("π", "\\pi "), ("−", "-"), ("×", "\\times "), ("\\%", ""), ("％", ""), ("∞", "\\infty ")):
        text = text.replace(old, new)
    return re.sub(r"√\s*\{?(\w+)\}?", r"\\sqrt{\1}", text).strip()


def prepare(memory_bytes: int) -> None:
    """Set the worker up: bound its address space, import the libraries, so that no deadline pays for it."""
    _, hard_bytes = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, hard_bytes))
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)  # it warns of every time-out that we set ourselves
    compare("\\frac{1}{2}", "0.5", "exact")


def _bounded(call: Callable[[str, str, str], bool], key: tuple[str, str, str], deadline_s: float) -> bool:
    """Call in the worker; the system ends the process when it has worked for longer than the deadline."""
    used_s = time.process_time()
    _, hard_s = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used_s + deadline_s), hard_s))
    return call(*key)


def compare(gold: str, answer: str, rule: str) -> bool:
    """Compare two answers in this process, without any limit; see `Comparer`."""
    if rule == "exact" and _are_apart(gold, answer):
        return False
    if rule == "plain":
        first, second = plain.parse(gold), plain.parse(answer)
    else:
        texts = tidy(gold), tidy(answer)
        first, second = map(_parse, _by_case(*texts) if rule == "exact" else texts)
    if not first or not second:
        return False
    if rule in ("exact", "plain"):
        from math_verify import verify

        return bool(verify(first, second, timeout_seconds=None))
    a, b = _number(first), _number(second)
    if a is None or b is None:
        return False
    return round(a, 2) == round(b, 2) if rule == "two_places" else abs(a - b) < 1e-6


def are_equal(gold: str, answer: str) -> bool:
    """Compare as `exact` does in this process, which must be one that can be killed: it may run for ever.

    What the libraries cannot read, or what is longer than `MAX_CHARS`, is not equal.
    """
    if max(len(gold), len(answer)) > MAX_CHARS:
        return False
    try:
        return compare(gold, answer, "exact")
    except FAULTS:
        return False


def _are_apart(gold: str, answer: str) -> bool:
    r"""Whether answers are of two variables, `x = a` and `y = a`, or of two units, `a\text{ cm}` and `a\text{ m}`."""
    first, second = (units.written(text) for text in (gold, answer))
    return not units.are_same(first, second) or not names.are_same(numbers.name_of(gold), numbers.name_of(answer))


def _by_case(first: str, second: str) -> tuple[str, str]:
    """Two texts with another letter for each capital that stands in them as a small letter too, the same in both: the
    libraries read all letters as small ones."""
    letters = set(_NO_VARIABLE.sub("", first + " " + second))
    spare = (letter for letter in _SPARE if not letters & {letter, letter.upper()})
    other = dict(
        zip((one for one in sorted(letters) if "A" <= one <= "Z" and one.lower() in letters), spare, strict=False)
    )
    first, second = (_CAPITAL.sub(lambda found: other.get(found[0], found[0]), text) for text in (first, second))
    return first, second


def _parse(text: str) -> list[Any]:
    """SymPy's reading of an answer, or nothing. Only the LaTeX grammar is used: the other one evaluates Python."""
    from math_verify import LatexExtractionConfig, parse

    return parse(f"${text}$", [LatexExtractionConfig()], fallback_mode="no_fallback", parsing_timeout=None)


def _number(parsed: list[Any]) -> float | None:
    """The value of a parsed answer that has one and is finite."""
    import sympy

    found = parsed[0]
    if isinstance(found, sympy.Eq) and isinstance(found.lhs, sympy.Symbol):  # `x = 6`, and no other equation
        found = found.rhs
    if not isinstance(found, sympy.Expr) or found.free_symbols:
        return None
    value = sympy.N(found, 20)
    return float(value) if value.is_real and value.is_finite else None


class Comparer:
    """A process that compares answers. A context manager; leaving it ends the process.

    Calling it gives True or False, or None where the comparison ran past its deadline, its memory, or its process.
    The process starts at the first call, so that a scorer that never needs it pays nothing. Answers that were
    compared before are not compared again.
    """

    def __init__(
        self,
        deadline_s: float = DEADLINE_S,
        memory_bytes: int = MEMORY_BYTES,
        call: Callable[[str, str, str], bool] = compare,
    ):
        if deadline_s <= 0:
            raise ValueError(f"deadline_s must be positive, got {deadline_s}")
        self._deadline_s, self._memory_bytes, self._call = deadline_s, memory_bytes, call
        self._pool: pebble.ProcessPool | None = None
        self._known: dict[tuple[str, str, str], bool | None] = {}
        self.timed_out = 0  # comparisons that ran past a limit

    def __call__(self, gold: str, answer: str, rule: str) -> bool | None:
        """Compare by one of `RULES`. Raises `ValueError` for another."""
        if rule not in RULES:
            raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}")
        if not gold.strip() or not answer.strip() or max(len(gold), len(answer)) > MAX_CHARS:
            return False
        key = gold, answer, rule
        if key not in self._known:
            self._known[key] = self._ask(key)
            self.timed_out += self._known[key] is None
        return self._known[key]

    def _ask(self, key: tuple[str, str, str]) -> bool | None:
        pool = self._pool or self._start()
        wall_s = PATIENCE * self._deadline_s
        future = pool.schedule(_bounded, (self._call, key, self._deadline_s), timeout=wall_s)
        try:
            return future.result(timeout=wall_s + START_S)
        except (DeadlineError, MemoryError):
            return None
        except (pebble.ProcessExpired, BrokenProcessPool, CancelledError):
            self.close()  # the next call starts a new one
            return None
        except FAULTS:
            return False

    def _start(self) -> pebble.ProcessPool:
        if importlib.util.find_spec("math_verify") is None:
            raise ValueError("comparing formulas needs math-verify: pip install 'perc_jax[eval]'")
        workers.prepare_spawn()
        context = multiprocessing.get_context("spawn")
        self._pool = pebble.ProcessPool(
            1, max_tasks=TASKS, initializer=prepare, initargs=[self._memory_bytes], context=context
        )
        return self._pool

    def close(self) -> None:
        """End the process."""
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()
            self._pool = None

    def __enter__(self) -> "Comparer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
