"""The walls hold: every rule finds nothing here, nothing in a small right tree, and whatever is planted in that."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import ROOT
from tests.walls import (
    CATEGORY_ROOMS,
    RULES,
    categories_have_the_same_rooms,
    config_fields_are_read,
    dependencies_are_what_is_imported,
    engines_and_their_audit_stand_apart,
    files_are_short,
    folders_are_small,
    folders_form_no_circle,
    functions_are_short,
    layers_import_downwards,
    layers_import_their_packages,
    modules_have_a_purpose,
    nothing_is_caught_broadly,
    nothing_is_left_for_later,
    ruff_has_no_complaint,
    slow_packages_are_imported_lazily,
    top_level_is_as_designed,
)

PYPROJECT = '[project]\nname = "perc_jax"\ndependencies = ["numpy>=2"]\n\n'
WINGS = ("config", "model", "rollout", "update", "mesh", "records", "prompt", "data", "evaluation", "plan", "run")
CONFIG = '"""Config."""\n\n\nclass Config:\n    """A run."""\n\n    seed: int\n'
COMMAND = (
    '"""Train."""\n\nimport numpy as np\n\nimport engines\nfrom perc_jax import __version__\n'
    "from perc_jax.run import loop\n\n"
    'if __name__ == "__main__":\n    print(np, engines, __version__, loop)\n'
)
TREE = {
    "README.md": "# Title\n",
    "LICENSE": "text\n",
    ".ci/run": "true\n",
    "tpu_scripts/create.sh": "true\n",
    "findings/README.md": "text\n",
    "configs/__init__.py": '"""Configs."""\n',
    "tests/test_a.py": "def test_a() -> None:\n    pass\n",
    "engines/__init__.py": '"""Engines."""\n',
    "engines/grid/__init__.py": '"""A category."""\n',
    **{f"engines/grid/{name}": '"""A room."""\n' for name in CATEGORY_ROOMS},
    "perc_jax/__init__.py": '"""The package."""\n\n__version__ = "1"\n',
    "perc_jax/batch.py": '"""On its own."""\n',
    "perc_jax/cli.py": '"""Above the prompts."""\n\nfrom perc_jax.prompt import prompt\n\nprint(prompt)\n',
    "perc_jax/train.py": COMMAND,
    **{f"perc_jax/{wing}/__init__.py": '"""A wing."""\n' for wing in WINGS},
    "perc_jax/config/run.py": CONFIG,
    "perc_jax/model/text.py": '"""A network."""\n\nfrom perc_jax import batch\n\nprint(batch)\n',
    "perc_jax/rollout/decode.py": '"""Sampling."""\n',
    "perc_jax/update/grpo.py": '"""Losses."""\n',
    "perc_jax/mesh/sharding.py": '"""Places."""\n',
    "perc_jax/records/metrics.py": '"""Numbers."""\n',
    "perc_jax/prompt/prompt.py": '"""Prompts."""\n',
    "perc_jax/data/batches.py": '"""Batches."""\n\nfrom perc_jax.prompt import prompt\n\nprint(prompt)\n',
    "perc_jax/evaluation/exams.py": '"""Exams."""\n',
    "perc_jax/plan/__main__.py": '"""Plan."""\n\nfrom perc_jax.plan import forecast\n\nprint(forecast)\n',
    "perc_jax/plan/forecast.py": '"""Forecast."""\n',
    "perc_jax/run/loop.py": (
        '"""The run."""\n\nfrom perc_jax import cli\nfrom perc_jax.config.run import Config\n\n'
        "print(cli, Config.seed)\n"
    ),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_repository_obeys(rule: Callable[[Path], list[str]]) -> None:
    violations = rule(ROOT)
    assert not violations, "\n".join(["", *violations])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree in which nothing is wrong, with this repository's ruff settings."""
    ruff = re.search(r"(?ms)^\[tool\.ruff\].*?(?=^\[tool\.(?!ruff))", (ROOT / "pyproject.toml").read_text())[0]
    for name, text in {**TREE, "pyproject.toml": PYPROJECT + ruff}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_right_tree_passes(tree: Path, rule: Callable[[Path], list[str]]) -> None:
    assert rule(tree) == []


LAZY_IMPORT = "def load():\n    import {0}\n    return {0}\n"
BROAD = "try:\n    f()\nexcept {0}:\n    pass\n"


@pytest.mark.parametrize(
    ("rule", "path", "text", "words"),
    [
        (layers_import_downwards, "perc_jax/data/x.py", "from perc_jax.rollout import decode", "x.py:1: host may not"),
        (layers_import_downwards, "perc_jax/data/x.py", LAZY_IMPORT.format("perc_jax.model.text"), "x.py:2: host"),
        (layers_import_downwards, "perc_jax/update/x.py", "from perc_jax.prompt.prompt import x", "device may not"),
        (layers_import_downwards, "perc_jax/update/x.py", "from ..prompt import prompt", "not import perc_jax.prompt"),
        (layers_import_downwards, "perc_jax/update/x.py", "from perc_jax import cli", "import perc_jax.cli (host)"),
        (layers_import_downwards, "perc_jax/mesh/x.py", "from engines import x", "not import engines"),
        (
            layers_import_downwards,
            "perc_jax/update/grpo.py",
            "from perc_jax.model import text",
            "grpo.py:1: it may not",
        ),
        (layers_import_downwards, "perc_jax/model/x.py", "from perc_jax.update import grpo", "network may not"),
        (layers_import_downwards, "perc_jax/config/x.py", "from perc_jax.train import x", "ground may not"),
        (layers_import_downwards, "perc_jax/records/x.py", "import perc_jax.data.batches", "io may not"),
        (
            layers_import_downwards,
            "perc_jax/run/x.py",
            "from perc_jax import train",
            "wing may not import perc_jax.train",
        ),
        (
            layers_import_downwards,
            "perc_jax/run/x.py",
            "from perc_jax.plan import __main__",
            "may not import perc_jax.plan",
        ),
        (layers_import_downwards, "perc_jax/prompt/loop.py", "from perc_jax.run import loop", "host may not"),
        (layers_import_downwards, "perc_jax/batch.py", "from perc_jax.run import loop", "text.py:3: network may not"),
        (layers_import_downwards, "engines/grid/draw.py", "import perc_jax.config.run", "engines may not"),
        (layers_import_downwards, "configs/x.py", "import perc_jax.train", "configs may not"),
        (layers_import_downwards, "perc_jax/surprise/x.py", "", "surprise/ has no layer"),
        (
            folders_form_no_circle,
            "perc_jax/prompt/x.py",
            "from perc_jax.data import batches",
            "perc_jax/data: knows prompt",
        ),
        (layers_import_their_packages, "engines/grid/draw.py", "import jax.numpy", "not import jax"),
        (layers_import_their_packages, "engines/base.py", LAZY_IMPORT.format("transformers"), "base.py:2: engines"),
        (layers_import_their_packages, "perc_jax/data/x.py", "__import__('jax')", "x.py:1: host may not import jax"),
        (
            layers_import_their_packages,
            "perc_jax/prompt/decode.py",
            "import jax",
            "decode.py:1: host may not import jax",
        ),
        (layers_import_their_packages, "perc_jax/data/x.py", "from flax import nnx", "host may not"),
        (layers_import_their_packages, "perc_jax/rollout/x.py", "import transformers", "device may not"),
        (layers_import_their_packages, "perc_jax/model/x.py", "import optax", "network may not"),
        (layers_import_their_packages, "perc_jax/batch.py", "import jax", "ground may not"),
        (layers_import_their_packages, "engines/grid/draw.py", LAZY_IMPORT.format("shapely"), "not import shapely"),
        (engines_and_their_audit_stand_apart, "engines/oracles/grid.py", "from engines.grid import x", "not know"),
        (engines_and_their_audit_stand_apart, "engines/base.py", "import engines.check.cell", "not know"),
        (slow_packages_are_imported_lazily, "engines/oracles/grid.py", "import sympy", "grid.py:1"),
        (slow_packages_are_imported_lazily, "perc_jax/data/x.py", "import transformers", "x.py:1"),
        (dependencies_are_what_is_imported, "perc_jax/train.py", "", "nothing imports numpy"),
        (dependencies_are_what_is_imported, "perc_jax/data/x.py", "import cv2", "opencv-python-headless is imported"),
        (files_are_short, "perc_jax/data/x.py", "x = 1\n" * 401, "401 lines"),
        (files_are_short, "README.md", "text\n" * 201, "201 lines, at most 200"),
        (files_are_short, "tests/README.md", "text\n" * 401, "401 lines, at most 400"),
        (functions_are_short, "perc_jax/data/x.py", "def f():\n" + "    x = 1\n" * 80, "x.py:1: f has 81 lines"),
        (modules_have_a_purpose, "perc_jax/utils.py", "", "utils.py"),
        (modules_have_a_purpose, "engines/common/lines.py", "", "common/lines.py"),
        (nothing_is_caught_broadly, "perc_jax/data/x.py", BROAD.format(""), "x.py:3"),
        (nothing_is_caught_broadly, "tests/test_b.py", BROAD.format("(OSError, Exception)"), "test_b.py:3"),
        (nothing_is_left_for_later, "perc_jax/data/x.py", "x = 1  # TODO: more", "x.py:1"),
        (nothing_is_left_for_later, "perc_jax/data/x.py", "raise NotImplementedError('x')", "x.py:1"),
        (config_fields_are_read, "perc_jax/run/loop.py", "config.seed = 3", "nobody reads Config.seed"),
        (categories_have_the_same_rooms, "engines/cube/__init__.py", "", "engines/cube: has no scene.py"),
        (top_level_is_as_designed, "scripts/x.py", "", "scripts: does not belong"),
        (ruff_has_no_complaint, "perc_jax/data/x.py", '"""Data."""\n\n\ndef load():\n    pass\n', "D103"),
        (ruff_has_no_complaint, "perc_jax/data/x.py", '"""Data."""\n\nx  =  1\n', "perc_jax/data/x.py"),
    ],
)
def test_a_planted_violation_is_found(tree: Path, rule: Callable, path: str, text: str, words: str) -> None:
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text(text)
    found = rule(tree)
    assert any(words in line for line in found), found


def test_a_crowded_folder_is_found(tree: Path) -> None:
    for i in range(15):  # beside __init__.py and batches.py
        (tree / f"perc_jax/data/x{i}.py").write_text("")
    assert folders_are_small(tree) == ["perc_jax/data: 17 files, at most 16"]


def test_a_missing_top_level_entry_is_found(tree: Path) -> None:
    (tree / "LICENSE").unlink()
    assert top_level_is_as_designed(tree) == ["LICENSE: missing"]
