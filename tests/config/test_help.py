"""Every field says what it is, in a comment of its own: `--help` shows it, or else the comment of the field above."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT

SILENT = '''
@dataclass(frozen=True)
class Sizes:
    """Of a thing."""

    # How wide.
    width: int = 1
    height: int = 2
    depth: int = 3  # how deep
'''


def silent(source: str) -> Iterator[str]:
    """Fields of the dataclasses in a file that have no comment beside them or just above."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(one) for one in node.decorator_list):
            for field in node.body:
                if isinstance(field, ast.AnnAssign):
                    beside = any("  # " in line for line in lines[field.lineno - 1 : field.end_lineno])
                    if not beside and not lines[field.lineno - 2].strip().startswith("#"):
                        yield f"{node.name}.{field.target.id}"


@pytest.mark.parametrize("path", sorted((ROOT / "perc_jax" / "config").glob("*.py")), ids=lambda path: path.stem)
def test_every_field_says_what_it_is(path: Path):
    assert list(silent(path.read_text())) == []


def test_a_field_without_a_comment_of_its_own_is_found():
    assert list(silent(SILENT)) == ["Sizes.height"]
