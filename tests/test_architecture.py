"""The walls of the house, read from the source by ast: who imports whom, how long, how caught, what is read.

Each rule takes the root of a tree and returns its violations, one line each. It is applied to this repository, and to a
small right tree before and after a violation is planted in it.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = ("perc_jax", "engines", "configs", "tests")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 80

ROOMS = {
    "base": "__init__ config batch statistics",
    "host": "data prompt image pretrained tokenizer reward workers curriculum benchmarks",
    "device": "model rollout update grpo sft optimizer sharding hosts sampling programs",
    "io": "checkpoint metrics progress files interrupts",
    "program": "cli train loop rewarded samples evaluate sample grade score plan export bench "
    "report report_chart report_page report_tables",
}
LAYER = {room: layer for layer, rooms in ROOMS.items() for room in rooms.split()}
MAY_IMPORT = {
    "engines": {"engines"},
    "configs": {"configs", "base"},
    "base": {"base"},
    "host": {"host", "base", "engines"},
    "device": {"device", "base"},
    "io": {"io", "base"},
    "program": {"program", "io", "device", "host", "base", "engines"},
}
PACKAGES = {  # third-party packages a layer may import; a layer that is not named may import all declared ones
    "engines": {"numpy", "PIL", "cv2", "matplotlib"},
    "configs": set(),  # plain data
    "base": {"numpy", "jaxtyping"},
    "host": {"numpy", "jaxtyping", "grain", "absl", "PIL", "cv2", "sentencepiece", "transformers", "huggingface_hub", "pebble"},
    "device": {"numpy", "jaxtyping", "jax", "flax", "optax", "safetensors"},
    "io": {"numpy", "jaxtyping", "jax", "orbax", "etils", "rich"},
}
KNOWS_ONLY = {"model": {"model"}, "grpo": set(), "sft": set(), "sampling": set()}  # rooms of its own layer
LAZY = {"transformers", "huggingface_hub"}  # slow to import and not needed by small models
DISTRIBUTIONS = {"PIL": "pillow", "cv2": "opencv-python-headless", "orbax": "orbax-checkpoint", "absl": "absl-py"}

CATEGORY_ROOMS = ("scene.py", "draw.py", "questions.py")  # or packages of that name
NOT_CATEGORIES = {"oracles"}  # folders of engines/ that hold no problems
TOP_LEVEL = {"pyproject.toml", "README.md", "LICENSE", "perc_jax", "engines", "configs", "tests", "tpu_scripts", ".ci"}
LEFTOVERS = ("*.egg-info", "__pycache__", "build", "runs", ".*")
DRAWERS = {"utils", "util", "common", "helpers", "helper", "misc"}  # names of places for what has no place


def sources(root: Path, *folders: str) -> Iterator[Path]:
    for folder in folders or CODE:
        yield from sorted((root / folder).rglob("*.py"))


@cache
def syntax(path: Path, _changed_ns: int) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(syntax(path, path.stat().st_mtime_ns))


def imports(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything a file imports, anywhere in it, `from` names included."""
    package = path.relative_to(root).parts[:-1]
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "__import__"):
            name = node.args[0]
            yield node.lineno, name.value if isinstance(name, ast.Constant) else "<computed>"


def room(name: str) -> tuple[str, str]:
    """(layer, room) of a dotted name of ours; the layer is `?` for a module that was given no room."""
    top, inside, *_ = [*name.split("."), ""]
    if top != "perc_jax":
        return top, inside
    return (LAYER.get(inside, "?"), inside) if inside else ("base", "__init__")


def third_party(root: Path, *folders: str) -> Iterator[tuple[Path, int, str]]:
    ours = {"perc_jax", "engines", "configs", "tests"} | {path.stem for path in sources(root, "tests")}
    for path in sources(root, *folders):
        for line, name in imports(path, root):
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and top not in ours:
                yield path, line, top


def dependencies(root: Path, extras: bool) -> set[str]:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *(project.get("optional-dependencies", {}).values() if extras else [])]
    return {re.match(r"[\w-]+", line)[0].lower() for lines in lists for line in lines}


# --- rules ---------------------------------------------------------------------------------------------------------


def layers_import_downwards(root: Path) -> list[str]:
    found = []
    for path in sources(root, "perc_jax", "engines", "configs"):
        here = path.relative_to(root)
        layer, own = room(".".join(here.with_suffix("").parts))
        if layer == "?":
            found.append(f"{here}: has no room, give it one in ROOMS")
            continue
        for line, name in imports(path, root):
            if name.split(".")[0] not in ("perc_jax", "engines", "configs"):
                continue
            target, inside = room(name)
            if target == "?" and not (root / "perc_jax" / inside).exists() and name.count(".") == 1:
                target, inside = "base", "__init__"  # `from perc_jax import a_name_of_the_package`
            if target not in MAY_IMPORT[layer]:
                found.append(f"{here}:{line}: {layer} may not import {name} ({target})")
            if target == layer and own in KNOWS_ONLY and inside not in KNOWS_ONLY[own] | {own}:
                found.append(f"{here}:{line}: {own} may not know {name}")
    return found


def layers_import_their_packages(root: Path) -> list[str]:
    found = []
    for path, line, top in third_party(root, "perc_jax", "engines", "configs"):
        here = path.relative_to(root)
        layer, _ = room(".".join(here.with_suffix("").parts))
        if layer in PACKAGES and top not in PACKAGES[layer]:
            found.append(f"{here}:{line}: {layer} may not import {top}")
    return found


def slow_packages_are_imported_lazily(root: Path) -> list[str]:
    found = []
    for path in sources(root, "perc_jax", "engines"):
        functions = [node for node in nodes(path) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        inside = {line for node in functions for line in range(node.lineno, node.end_lineno + 1)}
        names = [(line, name) for line, name in imports(path, root) if name.split(".")[0] in LAZY]
        found += [
            f"{path.relative_to(root)}:{line}: import {name} lazily" for line, name in names if line not in inside
        ]
    return found


def dependencies_are_what_is_imported(root: Path) -> list[str]:
    used = {DISTRIBUTIONS.get(top, top).lower() for _, _, top in third_party(root, "perc_jax", "engines", "configs")}
    unused = [f"pyproject.toml: nothing imports {name}" for name in sorted(dependencies(root, extras=False) - used)]
    return unused + [
        f"pyproject.toml: {name} is imported, not named" for name in sorted(used - dependencies(root, True))
    ]


def files_are_short(root: Path) -> list[str]:
    files = [*sources(root), *sorted((root / "tpu_scripts").glob("*.sh")), *root.glob("*.md")]
    lengths = {path.relative_to(root): len(path.read_text().splitlines()) for path in files}
    return [f"{path}: {n} lines, at most {MAX_FILE_LINES}" for path, n in lengths.items() if n > MAX_FILE_LINES]


def functions_are_short(root: Path) -> list[str]:
    found = []
    for path in sources(root):
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = node.end_lineno - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    found.append(f"{path.relative_to(root)}:{node.lineno}: {node.name} has {lines} lines")
    return found


def modules_have_a_purpose(root: Path) -> list[str]:
    parts = {path.relative_to(root): {*path.relative_to(root).with_suffix("").parts} for path in sources(root)}
    return [f"{path}: name it after what it does" for path, names in parts.items() if names & DRAWERS]


def nothing_is_caught_broadly(root: Path) -> list[str]:
    found = []
    for path in sources(root):
        for node in nodes(path):
            if not isinstance(node, ast.ExceptHandler):
                continue
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(kind is None or ast.unparse(kind) in ("Exception", "BaseException") for kind in kinds):
                found.append(f"{path.relative_to(root)}:{node.lineno}: catches everything")
    return found


def nothing_is_left_for_later(root: Path) -> list[str]:
    found = []
    for path in sources(root):
        for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
            if token.type == tokenize.COMMENT and re.search(r"\b(TODO|FIXME|XXX|HACK)\b", token.string):
                found.append(f"{path.relative_to(root)}:{token.start[0]}: {token.string}")
        missing = (node for node in nodes(path) if isinstance(node, ast.Raise) and node.exc is not None)
        lines = [node.lineno for node in missing if ast.unparse(node.exc).startswith("NotImplementedError")]
        found += [f"{path.relative_to(root)}:{line}: NotImplementedError" for line in lines]
    return found


def config_fields_are_read(root: Path) -> list[str]:
    """A field is read by code outside config.py, or by a property of config.py that is."""
    config = root / "perc_jax" / "config.py"
    read = {name for path in sources(root, "perc_jax") if path != config for name in attributes(nodes(path))}
    methods = [node for node in nodes(config) if isinstance(node, ast.FunctionDef) and not node.name.startswith("__")]
    for method in methods * len(methods):  # properties that read properties
        if method.name in read:
            read |= attributes(ast.walk(method))
    found = []
    for section in (node for node in nodes(config) if isinstance(node, ast.ClassDef)):
        fields = [node.target.id for node in section.body if isinstance(node, ast.AnnAssign)]
        found += [f"perc_jax/config.py: nobody reads {section.name}.{name}" for name in fields if name not in read]
    return found


def attributes(tree: Iterator[ast.AST]) -> set[str]:
    return {node.attr for node in tree if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}


def categories_have_the_same_rooms(root: Path) -> list[str]:
    folders = [path for path in sorted((root / "engines").iterdir()) if (path / "__init__.py").exists()]
    return [
        f"{folder.relative_to(root)}: has no {name}"
        for folder in folders
        for name in CATEGORY_ROOMS
        if folder.name not in NOT_CATEGORIES
        and not (folder / name).exists()
        and not (folder / Path(name).stem / "__init__.py").exists()
    ]


def top_level_is_as_designed(root: Path) -> list[str]:
    there = {path.name for path in root.iterdir()}
    extra = {path.name for path in root.iterdir() if not any(map(path.match, LEFTOVERS))} - TOP_LEVEL
    missing = [f"{name}: missing" for name in sorted(TOP_LEVEL - there)]
    return missing + [f"{name}: does not belong to the top level" for name in sorted(extra)]


def ruff_has_no_complaint(root: Path) -> list[str]:
    """Lints, docstrings on everything public, and the format, by the settings of pyproject.toml."""
    found = []
    for command in (["check", "--output-format=concise", "--quiet"], ["format", "--check"]):
        run = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "."],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode:
            lines = (run.stdout + run.stderr).splitlines()
            found += [line for line in lines if command[0] == "check" or ".py" in line] or lines
    return found


RULES = [
    layers_import_downwards,
    layers_import_their_packages,
    slow_packages_are_imported_lazily,
    dependencies_are_what_is_imported,
    files_are_short,
    functions_are_short,
    modules_have_a_purpose,
    nothing_is_caught_broadly,
    nothing_is_left_for_later,
    config_fields_are_read,
    categories_have_the_same_rooms,
    top_level_is_as_designed,
    ruff_has_no_complaint,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_repository_obeys(rule: Callable[[Path], list[str]]) -> None:
    violations = rule(ROOT)
    assert not violations, "\n".join(["", *violations])


# --- the rules themselves ------------------------------------------------------------------------------------------

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
