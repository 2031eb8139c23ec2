"""A user's reward function, `file.py:function`, called in processes of its own.

    def score(text, row): ...        # one completion at a time
    def score(texts, rows): ...      # the G completions of one prompt at a time, and its row G times

The names of the parameters say which. Further ones are given if they are asked for: `answer` / `answers` (what the
answer form reads, None if a completion does not have the form), `gold` / `golds` (the right answer as a text) and
`tokens` (its number; of several, the numbers). A row holds the table's columns, and `id`, `question` and `gold` where
it has none of that name.

It returns a number, or a dict with the parts that the term's `parts` names; then the sum of the parts is the value, or
the one named `overall`. Of several completions, a list of such.

Whatever it does instead, the run goes on and one line says it: see `Fault`. A call has a deadline, a process a limit of
memory it may write to (RLIMIT_DATA, which Linux holds it to; elsewhere there is none); standard output, error and input
are closed to it. The file is imported once per process, outside the deadline, with its folder on the path.
"""

import contextlib
import functools
import importlib.util
import inspect
import io
import math
import numbers
import os
import re
import resource
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, NamedTuple

from perc_jax.config.reward import FUNCTION

REASONS = ("raised", "late", "memory", "died", "value")
LARGEST = 1e9  # of a value, whose square float32 must hold
MAX_WORDS = 200  # characters of what a user's code says, in our line about it
LOAD_S = 120.0  # for the import of a user's file
ONE = ("text", "row", "answer", "gold", "tokens")
MANY = ("texts", "rows", "answers", "golds", "tokens")


class Fault(NamedTuple):
    """Something that a user's function did instead of returning what it should.

    `reason`: raised (also `sys.exit`), late (past the deadline), memory (past the limit), died (its process ended),
    value (not a finite number, not the parts that are named, not as many as there are texts).
    """

    reason: str
    where: str  # the user's file, with the line if there is one
    what: str

    @property
    def words(self) -> str:
        """The line about it, without the term's name."""
        return f"{self.where}: {self.what}"

    @property
    def kind(self) -> tuple[str, str, str]:
        """What it has in common with others that differ in a value only."""
        return self.reason, self.where, re.split(r":|, got", self.what)[0]


SPENT = Fault("memory", "", "")  # of a call that was not made: its process has no memory left


class Told(NamedTuple):
    """What came of one call."""

    values: tuple[tuple[float, ...], ...]  # for each text its value, then its parts; empty after a fault
    fault: Fault | None = None
    printed: str = ""  # the first line that it printed


class Call(NamedTuple):
    """The completions of one call."""

    texts: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    answers: tuple[str | None, ...]
    golds: tuple[str, ...]
    tokens: tuple[int, ...]


class Function(NamedTuple):
    """A function that was found, and how it is called."""

    call: Callable[..., Any]
    is_batched: bool
    asked: tuple[str, ...]  # the parameters that it has


def split(term: str) -> tuple[Path, str]:
    """The file and the function of a term's name. Raises `ValueError` for another kind of name."""
    found = FUNCTION.fullmatch(term)
    if found is None:
        raise ValueError(f"reward.terms must name a function as file.py:function, got {term!r}")
    return Path(found["file"]).expanduser(), found["function"]


def load(term: str) -> Function:
    """Import a function. Whatever its file raises passes; `ValueError` if it has no such function."""
    path, name = split(term)
    call = getattr(_module(path), name, None)
    if not callable(call):
        raise ValueError(f"must name a function of {path.name}, which has no {name}")
    if inspect.iscoroutinefunction(call):
        raise ValueError("must name a function that is not async")
    parameters = inspect.signature(call).parameters
    is_batched = "texts" in parameters
    known = MANY if is_batched else ONE
    asked = tuple(name for name in known if name in parameters)
    needed = [name for name, one in parameters.items() if _is_needed(one) and name not in known]
    if needed or known[0] not in asked:
        has = ", ".join(parameters) or "none"
        raise ValueError(f"must name a function of text and row, or of texts and rows, and not of {has}")
    return Function(call, is_batched, asked)


def _is_needed(parameter: inspect.Parameter) -> bool:
    """Whether a call must give a parameter."""
    is_open = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.kind == parameter.POSITIONAL_ONLY or (parameter.default is parameter.empty and not is_open)


def _module(path: Path) -> ModuleType:
    """A user's file as a module that pickle finds again, with its folder on the path."""
    spec = importlib.util.spec_from_file_location(f"perc_jax_reward_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ValueError(f"must name a file that exists, and {path} does not")
    if (folder := str(path.resolve().parent)) not in sys.path:
        sys.path.append(folder)  # behind all else: a file of theirs must not stand in for a library
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


# --- in the worker -------------------------------------------------------------------------------------------------


class _Heard(io.TextIOBase):
    """Standard output of a process in which a user's code runs: its beginning is kept, the rest is lost."""

    def __init__(self) -> None:
        self._text = ""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Keep what there is room for."""
        self._text += text[: MAX_WORDS - len(self._text)]
        return len(text)

    def take(self) -> str:
        """The first line since the last time."""
        text, self._text = self._text, ""
        return text.strip().partition("\n")[0]


class _Caught(contextlib.AbstractContextManager):
    """Keeps whatever a user's code raises, `SystemExit` and all, instead of raising it: that is its only purpose."""

    error: BaseException | None = None

    def __exit__(self, _: object, error: BaseException | None, __: TracebackType | None) -> bool:
        """Keep it."""
        self.error = error
        return True


class _State:
    """What a worker process has found."""

    function: Function | None = None
    fault: Fault | None = None  # of every call: the file could not be imported here
    is_spent = False  # its memory is used up: another process takes over
    heard = _Heard()


def open_worker(term: str, memory_bytes: int) -> None:
    """Set a worker process up: nothing of it reaches the screen, its memory is bound, the function is loaded."""
    sys.stdout = sys.stderr = _State.heard
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    _, hard_bytes = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, hard_bytes))
    timer = threading.Timer(LOAD_S, os._exit, (1,))  # what was imported before may hang now
    timer.daemon = True
    timer.start()
    with _Caught() as caught:
        _State.function = load(term)
    timer.cancel()
    if caught.error is not None:
        _State.fault = _fault(caught.error, split(term)[0], memory_bytes)
    _State.heard.take()


def call(given: Call, term: str, parts: tuple[str, ...], memory_bytes: int) -> Told:
    """Call the function that this process has loaded, with one completion or with several."""
    if _State.is_spent:
        return Told((), SPENT)
    if _State.fault or _State.function is None:
        return Told((), _State.fault)
    function, path = _State.function, split(term)[0]
    fields = dict(zip(MANY, given, strict=True)) if function.is_batched else dict(zip(ONE, _first(given), strict=True))
    with _Caught() as caught:
        returned = function.call(**{name: _own(fields[name]) for name in function.asked})
        values = _values(returned, len(given.texts), parts, function.is_batched)
        return Told(values, None, _State.heard.take())
    fault = _fault(caught.error, path, memory_bytes)
    _State.is_spent = fault.reason == "memory"  # what has leaked stays
    return Told((), fault, _State.heard.take())


def _first(given: Call) -> Iterator[Any]:
    """The only completion of a call."""
    return (field[0] for field in given)


def _own(value: Any) -> Any:
    """A list or a dict that the function may change."""
    if isinstance(value, tuple):
        return [_own(one) for one in value]
    return dict(value) if isinstance(value, dict) else value


class _WrongValue(Exception):
    """What a function returned, in words."""


def _values(returned: Any, count: int, parts: tuple[str, ...], is_batched: bool) -> tuple[tuple[float, ...], ...]:
    """For each completion its value and its parts, of what a function returned. Raises `_WrongValue`."""
    if not is_batched:
        return (_value(returned, parts),)
    if hasattr(returned, "tolist"):  # an array
        returned = returned.tolist()
    if not isinstance(returned, list | tuple):
        raise _WrongValue(f"must return a list for texts, got {_type(returned)}")
    if len(returned) != count:
        raise _WrongValue(f"must return {count} entries for {count} texts, got {len(returned)}")
    return tuple(_value(one, parts) for one in returned)


def _value(returned: Any, parts: tuple[str, ...]) -> tuple[float, ...]:
    """A value and its parts."""
    if not parts and not isinstance(returned, dict):
        return (_number(returned),)
    if not isinstance(returned, dict):
        raise _WrongValue(f"must return a dict of {', '.join(parts)} (`parts` names them), got {_type(returned)}")
    if set(returned) != set(parts):
        has = ", ".join(sorted(map(str, returned))) or "nothing"
        named = ", ".join(parts) or "none"
        raise _WrongValue(f"must return the parts that the term's `parts` names ({named}), got {has}")
    found = tuple(_number(returned[name]) for name in parts)
    return (found[parts.index("overall")] if "overall" in parts else sum(found), *found)


def _number(value: Any) -> float:
    if hasattr(value, "item") and getattr(value, "size", 1) == 1:  # numpy's and others' scalars
        value = value.item()
    if not isinstance(value, numbers.Real):
        raise _WrongValue(f"must return a number, got {_type(value)}")
    try:
        found = float(value)
    except OverflowError:  # a whole number or a fraction that no float holds
        found = math.inf if value > 0 else -math.inf
    if not math.isfinite(found) or abs(found) > LARGEST:
        raise _WrongValue(f"must return a finite number within {LARGEST:g}, got {found:g}")
    return found


def _type(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def _fault(error: BaseException | None, path: Path, memory_bytes: int) -> Fault:
    """What an error means, and where in the user's file it arose."""
    if isinstance(error, _WrongValue):
        return Fault("value", path.name, str(error))
    frames = traceback.extract_tb(error.__traceback__ if error else None)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == path.resolve()]
    where = f"{path.name}:{lines[-1]}" if lines else path.name
    if isinstance(error, MemoryError):
        return Fault("memory", where, f"ran past its memory limit of {memory_bytes / 2**30:g} GiB")
    with _Caught():  # its own `__str__` may raise as well
        words = " ".join(str(error).split())
        return Fault("raised", where, f"{type(error).__name__}: {words[:MAX_WORDS]}".rstrip(": "))
    return Fault("raised", where, type(error).__name__)


def describe(_: object) -> "bool | Fault":
    """Whether the function that this process has loaded takes several completions, or why there is none."""
    return _State.function.is_batched if _State.function else _State.fault or Fault("raised", "", "it was not loaded")


def complaint(term: str) -> str:
    """What is wrong with a term's file or function, imported in this process; empty if nothing is."""
    with contextlib.redirect_stdout(_State.heard), contextlib.redirect_stderr(_State.heard), _Caught() as caught:
        load(term)
    if caught.error is None:
        return ""
    is_ours = isinstance(caught.error, ValueError) and str(caught.error).startswith("must name")
    return str(caught.error) if is_ours else f"must be importable ({_fault(caught.error, split(term)[0], 0).words})"


def caller(term: str, parts: tuple[str, ...], memory_bytes: int) -> Callable[[Call], Told]:
    """`call` as a pool calls it."""
    return functools.partial(call, term=term, parts=parts, memory_bytes=memory_bytes)


def calls(given: Call, size: int, is_batched: bool) -> Sequence[Call]:
    """Completions, group by group of `size`, as one call each or as one call a group."""
    step = size if is_batched else 1
    count = len(given.texts)
    return [Call(*(field[place : place + step] for field in given)) for place in range(0, count, step)]
