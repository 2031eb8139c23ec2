"""The walk-through of engines/README.md is true: its code is run, audited, and must be right."""

import re
import sys
import types
from pathlib import Path

import pytest

import engines
from engines.check import cell as cells
from engines.check import run, whole

README = (Path(engines.__file__).parent / "README.md").read_text()
MODULES = {path: code for path, code in re.findall(r"```python\n# (engines/\S+)\.py\n(.*?)```", README, re.DOTALL)}


@pytest.fixture
def dice(monkeypatch):
    """The category of the walk-through, built from its text; gives its oracles."""
    for path, code in {"engines/dice": "", **MODULES}.items():
        module = types.ModuleType(path.replace("/", "."))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(code, f"{path}.py", "exec", dont_inherit=True), module.__dict__)
    monkeypatch.setitem(engines.ENGINES, "dice", sys.modules["engines.dice.questions"].ENGINE)
    monkeypatch.setattr(whole, "irreproducible", lambda names: [])
    return sys.modules["engines.oracles.dice"].ORACLES


def audited(levels, samples):
    found = run.report(list(run.cells(run.tasks([("dice", "total")], levels, samples, 3, 448), 1)), 0)
    return found.types[0]


def test_the_example_passes_the_audit(dice, monkeypatch):
    monkeypatch.setattr(cells, "oracles_of", lambda name: dice)
    monkeypatch.setattr(run, "LIMITS_MS", dict.fromkeys(run.LIMITS_MS, 1e3))
    found = audited((0, 4, 9), 200)
    assert not found.failed, found.failures
    assert found.samples == 600 and abs(found.guess - 1 / 11) < 0.04


def test_the_audit_says_what_the_example_would_lack(dice, monkeypatch):
    monkeypatch.delitem(sys.modules, "engines.oracles.dice")
    found = audited((0,), 4)
    (missing,) = found.failures["oracle"]
    assert missing in README


def test_the_number_of_types_is_no_boast():
    (stated,) = re.findall(r"over (\d+) question types", README)
    assert sum(len(engine.types) for engine in engines.ENGINES.values()) > int(stated)


def test_every_check_is_explained_and_every_picture_is_there():
    table = README.split("| check | asks |")[1].split("\n\n")[0]
    named = set(re.findall(r"\w+", " ".join(line.split("|")[1] for line in table.splitlines()[2:])))
    assert named | {"pose"} == set(run.CHECKS)
    pictures = re.findall(r"\]\((pictures/\w+\.png)\)", README)
    assert [Path(picture).stem for picture in pictures] == list(engines.ENGINES)
    files = [Path(engines.__file__).parent / picture for picture in pictures]
    assert sum(file.stat().st_size for file in files) < 200_000
