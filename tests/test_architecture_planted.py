"""The walls' own test: every rule passes a small right tree and finds a violation planted in it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from test_architecture import (
    CATEGORY_ROOMS,
    ROOT,
    RULES,
    categories_have_the_same_rooms,
    config_fields_are_read,
    dependencies_are_what_is_imported,
    engines_and_their_audit_stand_apart,
    files_are_short,
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
TREE = {
    "README.md": "# Title\n",
    "LICENSE": "text\n",
    ".ci/run": "true\n",
    "tpu_scripts/create.sh": "true\n",
    "configs/__init__.py": '"""Configs."""\n',
    "tests/test_a.py": "def test_a() -> None:\n    pass\n",
    "engines/__init__.py": '"""Engines."""\n',
    "engines/grid/__init__.py": '"""A category."""\n',
    **{f"engines/grid/{name}": '"""A room."""\n' for name in CATEGORY_ROOMS},
    "perc_jax/__init__.py": '"""The package."""\n\n__version__ = "1"\n',
    "perc_jax/config.py": '"""Config."""\n\n\nclass Config:\n    """A run."""\n\n    seed: int\n',
    "perc_jax/train.py": (
        '"""Train."""\n\nimport numpy as np\n\nimport engines\nfrom perc_jax import __version__, config\n\n'
        "print(np, engines, __version__, config.Config.seed)\n"
    ),
}


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
        (layers_import_downwards, "perc_jax/data.py", "from perc_jax import rollout", "data.py:1: host may not"),
        (layers_import_downwards, "perc_jax/data.py", LAZY_IMPORT.format("perc_jax.model.text"), "data.py:2: host"),
        (layers_import_downwards, "perc_jax/update.py", "from perc_jax.prompt import x", "device may not"),
        (layers_import_downwards, "perc_jax/update.py", "from .prompt import x", "not import perc_jax.prompt"),
        (layers_import_downwards, "perc_jax/rollout.py", "import perc_jax.tokenizer", "device may not"),
        (layers_import_downwards, "perc_jax/sharding.py", "from engines import x", "not import engines"),
        (layers_import_downwards, "perc_jax/grpo.py", "from perc_jax.model import x", "grpo may not know"),
        (layers_import_downwards, "perc_jax/model/text.py", "from perc_jax import grpo", "model may not know"),
        (layers_import_downwards, "perc_jax/batch.py", "from perc_jax.train import x", "base may not"),
        (layers_import_downwards, "perc_jax/metrics.py", "import perc_jax.data", "io may not"),
        (layers_import_downwards, "engines/grid/draw.py", "import perc_jax.config", "engines may not"),
        (layers_import_downwards, "configs/x.py", "import perc_jax.train", "configs may not"),
        (layers_import_downwards, "perc_jax/surprise.py", "", "surprise.py: has no room"),
        (layers_import_their_packages, "engines/grid/draw.py", "import jax.numpy", "not import jax"),
        (layers_import_their_packages, "engines/base.py", LAZY_IMPORT.format("transformers"), "base.py:2: engines"),
        (layers_import_their_packages, "perc_jax/data.py", "__import__('jax')", "data.py:1: host may not import jax"),
        (layers_import_their_packages, "perc_jax/reward.py", "from flax import nnx", "host may not"),
        (layers_import_their_packages, "perc_jax/rollout.py", "import transformers", "device may not"),
        (layers_import_their_packages, "perc_jax/batch.py", "import jax", "base may not"),
        (layers_import_their_packages, "engines/grid/draw.py", LAZY_IMPORT.format("shapely"), "not import shapely"),
        (engines_and_their_audit_stand_apart, "engines/oracles/grid.py", "from engines.grid import x", "not know"),
        (engines_and_their_audit_stand_apart, "engines/base.py", "import engines.check.cell", "not know"),
        (slow_packages_are_imported_lazily, "engines/oracles/grid.py", "import sympy", "grid.py:1"),
        (slow_packages_are_imported_lazily, "perc_jax/data.py", "import transformers", "data.py:1"),
        (dependencies_are_what_is_imported, "perc_jax/train.py", "", "nothing imports numpy"),
        (dependencies_are_what_is_imported, "perc_jax/report.py", "import cv2", "opencv-python-headless is imported"),
        (files_are_short, "perc_jax/data.py", "x = 1\n" * 401, "401 lines"),
        (functions_are_short, "perc_jax/data.py", "def f():\n" + "    x = 1\n" * 80, "data.py:1: f has 81 lines"),
        (modules_have_a_purpose, "perc_jax/utils.py", "", "utils.py"),
        (modules_have_a_purpose, "engines/common/lines.py", "", "common/lines.py"),
        (nothing_is_caught_broadly, "perc_jax/data.py", BROAD.format(""), "data.py:3"),
        (nothing_is_caught_broadly, "tests/test_b.py", BROAD.format("(OSError, Exception)"), "test_b.py:3"),
        (nothing_is_left_for_later, "perc_jax/data.py", "x = 1  # TODO: more", "data.py:1"),
        (nothing_is_left_for_later, "perc_jax/data.py", "raise NotImplementedError('x')", "data.py:1"),
        (config_fields_are_read, "perc_jax/train.py", "config.seed = 3", "nobody reads Config.seed"),
        (categories_have_the_same_rooms, "engines/cube/__init__.py", "", "engines/cube: has no scene.py"),
        (top_level_is_as_designed, "scripts/x.py", "", "scripts: does not belong"),
        (ruff_has_no_complaint, "perc_jax/data.py", '"""Data."""\n\n\ndef load():\n    pass\n', "D103"),
        (ruff_has_no_complaint, "perc_jax/data.py", '"""Data."""\n\nx  =  1\n', "perc_jax/data.py"),
    ],
)
def test_a_planted_violation_is_found(tree: Path, rule: Callable, path: str, text: str, words: str) -> None:
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text(text)
    found = rule(tree)
    assert any(words in line for line in found), found


def test_a_missing_top_level_entry_is_found(tree: Path) -> None:
    (tree / "LICENSE").unlink()
    assert top_level_is_as_designed(tree) == ["LICENSE: missing"]
