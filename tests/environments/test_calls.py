"""The grammar of calls reads what Python would read, refuses the rest, and is linear in whatever it is given."""

import ast
import re
import time

import numpy as np
import pytest

from perc_jax.environments import calls
from perc_jax.environments.calls import Call, Refused, Signature, read
from perc_jax.environments.views import CROP, ZOOM

SWAP = Signature((("a", "whole"), ("b", "whole")))
ALLOWED = {"Swap": SWAP, "Observe": Signature(()), "Crop": CROP, "Zoom": ZOOM}


def of_python(block: str) -> list[Call]:
    """What Python's own parser sees in a block: calls with plain values, `ValueError` for anything else."""
    values, found = {}, []

    def value(node: ast.expr):
        if isinstance(node, ast.Name):
            if node.id in values:
                return values[node.id]
            raise ValueError(node.id)
        if isinstance(node, ast.List | ast.Tuple):
            return tuple(map(value, node.elts))
        return ast.literal_eval(node)

    for statement in ast.parse(block).body:
        node, targets = statement.value, getattr(statement, "targets", [])
        if isinstance(node, ast.Call):
            assert not node.keywords
            found.append(Call(node.func.id, tuple(map(value, node.args))))
            for target in targets:
                values.pop(target.id, None)
        else:
            known = value(node)
            values |= {target.id: known for target in targets}
    return found


def number(rng: np.random.Generator) -> str:
    kinds = [str(int(rng.integers(-999, 999))), f"{rng.random():.3f}", f"+{int(rng.integers(1, 9))}", ".5", "7."]
    return str(rng.choice(kinds))


def program(rng: np.random.Generator) -> str:
    """A block that is right, in one of its many spellings."""
    names, lines = [], []
    for _ in range(int(rng.integers(1, 8))):
        kind, gap = int(rng.integers(6)), str(rng.choice(["", " ", "\t", "  "]))
        whole = [str(int(rng.integers(1, 99))) for _ in range(2)]
        if kind == 0:
            name = str(rng.choice(["a", "b_2", "Box", "True_"]))
            items = [
                str(int(rng.integers(9))),
                f"[1, {number(rng)}]",
                "'x y'",
                '"(z)"',
                "(3)",
                "(3,)",
                "()",
                "[\n1,\n]",
            ]
            lines.append(f"{name}{gap}={gap}{rng.choice(items)}")
            if lines[-1][-1].isdigit() or lines[-1].endswith("(3)"):
                names.append(name)
            elif name in names:
                names.remove(name)
            continue
        if kind == 1 and names:
            whole[0] = str(rng.choice(names))
        target = f"shown{gap}={gap}" if rng.random() < 0.3 else ""
        calls_of = {
            2: "Observe()",
            3: f"Crop({gap}1.5,{gap}{number(rng)},{gap}30, 40)",
            4: f"Zoom(\n1, 2,{gap}3,{gap}4,{gap}{number(rng)}\n)",
            5: f"Swap({gap}({whole[0]}),{gap}{whole[1]},{gap})",
        }
        lines.append(target + calls_of.get(kind, f"Swap({gap}{whole[0]},{gap}{whole[1]}{gap})"))
        if rng.random() < 0.2:
            lines[-1] += f"{gap}# Swap(9, 9) ' \" ("
    lines.append("Observe()")
    joined = ""
    for line in lines:
        joined += line + ("\n" if "#" in line else str(rng.choice(["\n", ";", "\n\n", " ; "])))
    return joined


def test_what_is_right_is_read_as_python_reads_it():
    rng, seen = np.random.default_rng(0), set()
    for _ in range(2000):
        block = program(rng)
        if block.rstrip().endswith(";") and ";;" in block.replace(" ", ""):
            continue
        found = read(block, ALLOWED)
        assert found == of_python(block), block
        seen |= {call.name for call in found}
    assert seen == set(ALLOWED)


PIECES = [
    "Swap",
    "Observe",
    "Crop",
    "a",
    "(",
    ")",
    "[",
    "]",
    ",",
    "=",
    ";",
    "\n",
    "1",
    "2.5",
    "'t'",
    " ",
    "#",
    "-",
    "x.",
]


def test_nothing_is_read_otherwise_than_python_reads_it():
    """Programs with a few slips: many are refused, and what is not means the same to Python."""
    rng, accepted, refused = np.random.default_rng(1), 0, 0
    for _ in range(5000):
        block = program(rng)
        for _ in range(int(rng.integers(1, 3))):
            place, cut = int(rng.integers(len(block) + 1)), int(rng.integers(3))
            block = block[:place] + str(rng.choice(PIECES)) * int(rng.integers(2)) + block[place + cut :]
        try:
            found = read(block, ALLOWED)
        except Refused:
            refused += 1
            continue
        accepted += 1
        lines = "\n".join(line.strip("; \t") for line in block.split("\n"))  # Python wants no empty statements
        assert found == of_python(re.sub(r";[\s;]*;", ";", lines)), block
    assert accepted > 500 and refused > 500


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ("", "no_call"),
        ("a = 1", "no_call"),
        ("# Swap(1, 2)", "no_call"),
        ("Swap(1)", "arguments"),
        ("Swap(1, 2.0)", "arguments"),
        ("Swap(1, '2')", "arguments"),
        ("Swap([1, 2])", "arguments"),
        ("Swap(a, 1)", "syntax"),
        ("a = Swap(1, 2)\nSwap(a, 1)", "syntax"),
        ("swap(1, 2)", "unknown"),
        ("print(1)", "unknown"),
        ("Swap(1, 2).save('x')", "syntax"),
        ("Swap(1, 2) Swap(2, 3)", "syntax"),
        ("Swap(1 + 1, 2)", "syntax"),
        ("Swap(1, 2) if 1 else 0", "syntax"),
        ("Swap(*[1, 2])", "syntax"),
        ("Swap(a=1, b=2)", "syntax"),
        ("Swap(1, 2", "syntax"),
        ("Swap(1, 9999999)", "syntax"),
        ("Swap(1, 0x2)", "syntax"),
        ("Swap(1, 1e9)", "syntax"),
        ("Sw\u0430p(1, 2)", "syntax"),  # a Cyrillic letter
        ("Swap(\uff11, 2)", "syntax"),  # a wide digit
        ("a = [[[1]]]\nObserve()", "too_long"),
        ("Observe()\n" * (calls.MAX_STATEMENTS + 1), "too_long"),
        (f"a = [{'1,' * (calls.MAX_ITEMS + 1)}]\nObserve()", "too_long"),
        ("#" * (calls.MAX_CHARS + 1), "too_long"),
    ],
)
def test_what_is_wrong_is_refused_by_its_reason(block, reason):
    with pytest.raises(Refused) as refused:
        read(block, ALLOWED)
    assert refused.value.reason == reason
    assert len(refused.value.words) < 80 and not set("<>|") & set(refused.value.words)


@pytest.mark.parametrize(
    "piece", ["(", "[", "a=", "a,", "1", "'", '"', "\n", ";", "#", "Swap(", "a =(", "x" * 39 + " "]
)
def test_reading_is_quick_whatever_is_repeated(piece):
    block = (piece * calls.MAX_CHARS)[: calls.MAX_CHARS]
    began = time.perf_counter()
    for _ in range(20):
        with pytest.raises(Refused):
            read(block, ALLOWED)
    assert time.perf_counter() - began < 1.0  # some ten milliseconds
