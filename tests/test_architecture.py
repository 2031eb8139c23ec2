"""The walls of the house, read from the source by ast: who imports whom, how long, how caught, what is read.

Each rule takes the root of a tree and returns its violations, one line each. It is applied to this repository here, and
in `test_architecture_planted.py` to a small right tree before and after a violation is planted in it.
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
    "base": "__init__ config config_data batch packing statistics watch topologies flops hlo",
    "host": "data drawing prompt image questions pretrained hf_files tokenizer reward workers curriculum benchmarks",
    "device": "model rollout update grpo sft lora optimizer sharding hosts sampling policy blueprints programs weights "
    "blueprint rollout_blueprints generation slots",
    "io": "checkpoint digests metrics progress files records interrupts",
    "program": "cli train loop rewarded groups supply samples evaluate evaluating compare suites sample answering "
    "subject exams grade grading score export hf_folder bench bench_case bench_figures bench_machine "
    "bench_ours bench_peer bench_plot bench_run bench_table peer_service peer_transformers peer_trl "
    "plan planning plan_memory plan_advice plan_table "
    "report report_chart report_page report_tables report_watch report_heat report_seeds report_compare",
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
    "host": {"numpy", "jaxtyping", "grain", "absl", "PIL", "cv2", "sentencepiece", "pebble"}
    | {"transformers", "huggingface_hub", "jinja2"}  # for real models
    | {"pyarrow", "math_verify", "sympy"},  # for public benchmarks
    "device": {"numpy", "jaxtyping", "jax", "flax", "optax", "safetensors"},
    "io": {"numpy", "jaxtyping", "jax", "orbax", "etils", "rich"},
}
KNOWS_ONLY = {"model": {"model"}, "grpo": set(), "sft": set(), "sampling": set()}  # rooms of its own layer
ENGINE_PROGRAMS = {  # rooms of engines/ that audit, show or write samples: (more packages they may import, of ours)
    "check": {"rich"},
    "bench": {"rich"},
    "gallery": set(),
    "progress": {"rich"},
    "export": {"etils", "pyarrow", "tensorflow_datasets", "array_record", "google_crc32c", "apache_beam"},
    "oracles": {"shapely", "sympy", "ortools"},
}
EXTRAS = {package for packages in ENGINE_PROGRAMS.values() for package in packages} - {"rich", "etils"}
LAZY = {"transformers", "huggingface_hub", "math_verify"} | EXTRAS  # slow to import, or not there for everybody
LAZY |= {"torch", "trl", "datasets"}
DISTRIBUTIONS = {"PIL": "pillow", "cv2": "opencv-python-headless", "orbax": "orbax-checkpoint", "absl": "absl-py"}
DISTRIBUTIONS |= {
    name: name.replace("_", "-") for name in ("tensorflow_datasets", "apache_beam", "google_crc32c", "math_verify")
}

CATEGORY_ROOMS = ("scene.py", "draw.py", "questions.py")  # or packages of that name
NOT_CATEGORIES = {"compose", *ENGINE_PROGRAMS}  # folders of engines/ that hold no problems
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
        layer, own = room(".".join(here.with_suffix("").parts))
        more = ENGINE_PROGRAMS.get(own, set()) if layer == "engines" else set()
        if layer in PACKAGES and top not in PACKAGES[layer] | more:
            found.append(f"{here}:{line}: {layer} may not import {top}")
    return found


def engines_and_their_audit_stand_apart(root: Path) -> list[str]:
    """No engine knows the programs that judge it, and an oracle knows no engine: it is a second opinion."""
    categories = {path.name for path in (root / "engines").iterdir() if path.is_dir()} - NOT_CATEGORIES
    found = []
    for path in sources(root, "engines"):
        here, own = path.relative_to(root), room(".".join(path.relative_to(root).with_suffix("").parts))[1]
        unknown = categories if own == "oracles" else set() if own in ENGINE_PROGRAMS else {*ENGINE_PROGRAMS}
        names = [(line, name) for line, name in imports(path, root) if name.startswith("engines.")]
        found += [f"{here}:{line}: {own} may not know {name}" for line, name in names if room(name)[1] in unknown]
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
    """A field is read by code outside the config's files, or by a property of theirs that is."""
    config = [path for path in sources(root, "perc_jax") if path.stem in ("config", "config_data")]
    read = {name for path in sources(root, "perc_jax") if path not in config for name in attributes(nodes(path))}
    inside = [node for path in config for node in nodes(path)]
    methods = [node for node in inside if isinstance(node, ast.FunctionDef) and not node.name.startswith("__")]
    for method in methods * len(methods):  # properties that read properties
        if method.name in read:
            read |= attributes(ast.walk(method))
    found = []
    for section in (node for node in inside if isinstance(node, ast.ClassDef)):
        fields = [node.target.id for node in section.body if isinstance(node, ast.AnnAssign)]
        found += [f"perc_jax config: nobody reads {section.name}.{name}" for name in fields if name not in read]
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
    engines_and_their_audit_stand_apart,
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
