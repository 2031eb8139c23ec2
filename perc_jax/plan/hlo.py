"""What a compiled program does between devices, and what it copies, counted from its optimised HLO text.

The text is a list of computations. A loop over layers runs its body as often as the constant in its condition says;
fusions, calls and conditionals run theirs once. Counts are per device and per call of the program. A loop with another
condition (decoding ends when all rows are done) is counted once, and what stands inside it is marked: that is the cost
of one token. It knows XLA's text and nothing of models.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

COLLECTIVES = ("all-gather", "all-reduce", "reduce-scatter", "all-to-all", "collective-permute", "collective-broadcast")
BETWEEN_SLICES = "between slices"  # of TPUs: what a device hands to its host for the data centre's network
ITEM_BYTES = {"pred": 1, "s4": 0.5, "u4": 0.5, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "f16": 2, "bf16": 2}
ITEM_BYTES |= {"s32": 4, "u32": 4, "f32": 4, "s64": 8, "u64": 8, "f64": 8, "c64": 8, "c128": 16}

_INSTRUCTION = re.compile(r"\s*(?:ROOT )?%?(\S+) = (\(.*?\)|\S+) ([a-z][\w-]*)\(")
_COMPUTATION = re.compile(r"(?:ENTRY )?%?([\w.-]+) .*\{$")
_SHAPE = re.compile(r"\b([a-z]+\d*)\[([\d,]*)\]((?:\{[^}]*\})?)")
_NO_WRITES = ("while", "tuple", "get-tuple-element", "parameter", "bitcast", "constant", "conditional", "call")
_CALLED = re.compile(
    r"\b(?:calls|to_apply|body|condition|branch_computations|called_computations)=\{?([^}\s]*?[\w.-])(?=\}|,\s|\s|$)"
)
_CONDITION = re.compile(r"\bcondition=%?([\w.-]+)")
_CONSTANT = re.compile(r"= [su](?:32|64)\[\]\S* constant\((\d+)\)")


class Instruction(NamedTuple):
    """One instruction and how often it runs per call of the program."""

    kind: str
    shape: str
    output_bytes: float  # of one run
    runs: int
    in_open_loop: bool  # within a loop whose number of rounds is not known
    is_fused: bool  # part of a fusion: its output is never written to memory
    in_place: bool  # writes a part of its operand's memory


class Exchange(NamedTuple):
    """All collectives of one kind in one place."""

    kind: str
    in_decode_loop: bool
    runs: int  # per call of the program; per token where in the decode loop
    total_bytes: float  # of their outputs, on one device


def instructions(text: str) -> Iterator[Instruction]:
    """Every instruction that runs, with the number of its runs; those of fused computations too."""
    computations, entry = _parse(text)
    waiting = [(entry, 1, False, False)]
    while waiting:
        name, runs, is_open, is_fused = waiting.pop()
        for line in computations.get(name, ()):
            found = _INSTRUCTION.match(line)
            if not found:
                continue
            shape, kind = found[2], found[3]
            if kind == "all-reduce" and name.startswith("all-reduce-scatter"):
                kind = "reduce-scatter"  # how TPUs fuse it: reduce, then keep one's own part
            called = _called(line)
            in_place = any("dynamic-update-slice(" in part for one in called for part in computations.get(one, ()))
            in_place = kind == "dynamic-update-slice" or (in_place and kind == "fusion")
            yield Instruction(kind, shape, _bytes(shape), runs, is_open, is_fused, in_place)
            inner, inner_open = runs, is_open
            if kind == "while":
                rounds = _rounds(line, computations)
                inner, inner_open = (runs * rounds, is_open) if rounds else (runs, True)
            waiting += [(one, inner, inner_open, is_fused or kind == "fusion") for one in called]


def collectives(text: str) -> list[Exchange]:
    """Collectives by kind and place. An asynchronous one is counted once, at its start, by what it delivers.

    One over several TPU slices is compiled into collectives within each of them, and sends between them, which stand
    here as a kind of their own, by what is sent.
    """
    sums: dict[tuple[str, bool], tuple[int, float]] = {}
    for instruction in instructions(text):
        kind = BETWEEN_SLICES if instruction.kind == "send" else instruction.kind.removesuffix("-start")
        if kind in (*COLLECTIVES, BETWEEN_SLICES):
            is_begun = instruction.kind == "send" or instruction.kind.endswith("-start")
            delivered = _delivered(instruction) if is_begun else instruction.output_bytes
            runs, size = sums.get((kind, instruction.in_open_loop), (0, 0.0))
            sums[kind, instruction.in_open_loop] = runs + instruction.runs, size + delivered * instruction.runs
    return [Exchange(*key, *value) for key, value in sorted(sums.items())]


def loop_copies(text: str, least_bytes: int | float, dims: tuple[int, ...]) -> list[Instruction]:
    """What loops of unknown length write to memory at every round, of arrays at least that large with these last
    dimensions in any order: copies of a cache of which every round should write one column in place."""
    found = []
    for one in instructions(text):
        if one.in_open_loop and not (one.is_fused or one.in_place or one.kind in _NO_WRITES):
            sizes = [
                ITEM_BYTES[kind] * math.prod(shape)
                for kind, shape, layout in _arrays(one.shape)
                if "S(" not in layout and sorted(shape[-len(dims) :]) == sorted(dims)
            ]
            if sum(sizes) >= least_bytes:
                found.append(one._replace(output_bytes=float(sum(sizes))))
    return found


def largest(text: str, wanted: Callable[[tuple[int, ...], float], bool]) -> float:
    """Bytes of the largest array that exists (one within a fusion does not) and is wanted, by dimensions and bytes."""
    sizes = [0.0]
    for one in instructions(text):
        for kind, dims, _ in () if one.is_fused else _arrays(one.shape):
            size = float(ITEM_BYTES[kind] * math.prod(dims))
            if wanted(dims, size):
                sizes.append(size)
    return max(sizes)


def _parse(text: str) -> tuple[dict[str, list[str]], str]:
    """The lines of each computation by name, and the name of the entry."""
    computations: dict[str, list[str]] = {}
    entry, lines = "", []
    for line in text.splitlines():
        if line and not line[0].isspace() and line.rstrip().endswith("{"):
            found = _COMPUTATION.match(line)
            if found:
                lines = computations.setdefault(found[1], [])
                entry = found[1] if line.startswith("ENTRY") else entry
        elif line.startswith(" "):
            lines.append(line)
    return computations, entry


def _rounds(line: str, computations: dict[str, list[str]]) -> int:
    """How often a loop runs whose condition is `counter < constant`, the counter starting at 0; else 0."""
    lines = list(computations[_CONDITION.search(line)[1]])
    for call in [name for inner in lines for name in _called(inner)]:
        lines += computations.get(call, [])
    kinds = [found[3] for found in map(_INSTRUCTION.match, lines) if found]
    constants = [int(found[1]) for found in map(_CONSTANT.search, lines) if found]
    simple = kinds.count("compare") == 1 and not {"and", "or", "reduce"} & set(kinds)
    return constants[0] if simple and len(constants) == 1 else 0


def _called(line: str) -> list[str]:
    """Names of the computations that an instruction calls; reducers of collectives and reductions among them."""
    return [name.strip().lstrip("%") for names in _CALLED.findall(line) for name in names.split(",")]


def _arrays(shape: str) -> list[tuple[str, tuple[int, ...], str]]:
    """Type, dimensions and layout of an array or of a tuple's arrays; `S(n)` in a layout is not the main memory."""
    found = [(kind, dims, layout) for kind, dims, layout in _SHAPE.findall(shape) if kind in ITEM_BYTES]
    return [(kind, tuple(int(dim) for dim in dims.split(",") if dim), layout) for kind, dims, layout in found]


def _bytes(shape: str) -> float:
    """Size of an array or of a tuple of arrays, without padding."""
    return float(sum(ITEM_BYTES[kind] * math.prod(dims) for kind, dims, _ in _arrays(shape)))


def _delivered(start: Instruction) -> float:
    """What a `…-start` delivers: its output is (operands, results), for a permutation (operand, result, counters); that
    of all-reduce-start is the results alone. That of a `send` is (operand, counter, token)."""
    if not start.shape.startswith("(") or start.kind == "all-reduce-start":
        return start.output_bytes
    sizes = [ITEM_BYTES[kind] * math.prod(dims) for kind, dims, _ in _arrays(start.shape)]
    if start.kind in ("send", "collective-permute-start"):
        return float(sizes[start.kind != "send"])
    return float(sum(sizes[len(sizes) // 2 :]))
