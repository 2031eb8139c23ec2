"""The walls of the house, read from the source by ast: who imports whom, how long, how caught, what is read.

Each rule takes the root of a tree and returns its violations, one line each. `test_architecture.py` applies them to
this repository, and to a small right tree before and after a violation is planted in it.
"""

import ast
import io
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

CODE = ("perc_jax", "engines", "configs", "tests")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 80
MAX_README_LINES = 200  # of the top level; the folders' own may have MAX_FILE_LINES
MAX_FOLDER_FILES = 16
CROWDED = {"benchmarks"}  # one file per public benchmark

LAYERS = {  # from the ground up: the folders of perc_jax/ whose files lie there; clip, codes, environments are to come
    "ground": "config",
    "network": "model clip codes",
    "device": "rollout update mesh programs",
    "io": "records processes",
    "host": "prompt benchmarks data rewards environments",
    "wing": "weights evaluation plan report bench run",
}
LAYER = {folder: layer for layer, folders in LAYERS.items() for folder in folders.split()}
MAY_IMPORT = {
    "engines": {"engines"},
    "configs": {"configs", "ground"},
    "ground": {"ground"},
    "network": {"network", "ground"},
    "device": {"device", "network", "ground"},
    "io": {"io", "ground"},
    "host": {"host", "io", "ground", "engines"},
    "wing": {"wing", "host", "io", "device", "network", "ground", "engines"},
    "command": {"wing", "host", "io", "device", "network", "ground", "engines"},
}
PACKAGES = {  # third-party packages a layer may import; a layer that is not named may import all declared ones
    "engines": {"numpy", "PIL", "cv2", "matplotlib", "contourpy"},
    "configs": set(),  # plain data
    "ground": {"numpy", "jaxtyping"},
    "network": {"numpy", "jaxtyping", "jax", "flax"},
    "device": {"numpy", "jaxtyping", "jax", "flax", "optax"},
    "io": {"numpy", "jaxtyping", "jax", "orbax", "etils", "rich"},
    "host": {"numpy", "jaxtyping", "grain", "absl", "PIL", "cv2", "sentencepiece", "pebble", "tyro"}
    | {"transformers", "huggingface_hub", "jinja2"}  # for real models
    | {"pyarrow", "math_verify", "sympy"}  # for public benchmarks
    | {"scipy"}  # for boxes
    | {"safetensors"},  # for codebooks
}
# Of ours they know the ground and each other, and nothing else.
PURE = {"update/grpo.py", "update/sft.py", "rollout/sampling.py", "rollout/maps.py"}
ENGINE_PROGRAMS = {  # rooms of engines/ that audit, show or write samples: (more packages they may import, of ours)
    "check": {"rich"},
    "bench": {"rich"},
    "gallery": set(),
    "tables": set(),
    "progress": {"rich"},
    "export": {"etils", "pyarrow", "tensorflow_datasets", "array_record", "google_crc32c", "apache_beam"},
    "oracles": {"shapely", "sympy", "ortools"},
}
EXTRAS = {package for packages in ENGINE_PROGRAMS.values() for package in packages} - {"rich", "etils"}
LAZY = {"transformers", "huggingface_hub", "math_verify"} | EXTRAS  # slow to import, or not there for everybody
LAZY |= {"torch", "trl", "datasets", "scipy"}
LAZY |= {"tensorboardX", "wandb", "trackio"}
DISTRIBUTIONS = {"PIL": "pillow", "cv2": "opencv-python-headless", "orbax": "orbax-checkpoint", "absl": "absl-py"}
DISTRIBUTIONS |= {
    name: name.replace("_", "-") for name in ("tensorflow_datasets", "apache_beam", "google_crc32c", "math_verify")
}

CATEGORY_ROOMS = ("scene.py", "draw.py", "questions.py")  # or packages of that name
NOT_CATEGORIES = {"compose", *ENGINE_PROGRAMS}  # folders of engines/ that hold no problems
TOP_LEVEL = {"pyproject.toml", "README.md", "LICENSE", "perc_jax", "engines", "configs", "tests", "tpu_scripts"}
TOP_LEVEL |= {"findings", ".ci"}
LATER = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
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
    yield from _imports(path, path.stat().st_mtime_ns, root)


@cache
def _imports(path: Path, _changed_ns: int, root: Path) -> list[tuple[int, str]]:
    package, found = path.relative_to(root).parts[:-1], []
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [(node.lineno, f"{module}.{alias.name}") for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "__import__"):
            name = node.args[0]
            found.append((node.lineno, name.value if isinstance(name, ast.Constant) else "<computed>"))
    return found


def of_ours(root: Path, name: str) -> Path | None:
    """The file of a dotted name of ours, which may end in a name within it; None for what is not ours."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        for path in (root.joinpath(*parts[:end]).with_suffix(".py"), root.joinpath(*parts[:end], "__init__.py")):
            if path.is_file():
                return path
    return None


def is_entry(path: Path) -> bool:
    """Whether a file is a command: nothing imports it, people run it."""
    if path.name == "__main__.py":
        return True
    if "__main__" not in path.read_text():  # most are not: no syntax tree is made, nor kept, for these
        return False
    return any(
        isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
        for node in syntax(path, path.stat().st_mtime_ns).body
    )


def layer_of(root: Path, path: Path) -> str:
    """The layer of a file by where it lies; `?` for a folder of perc_jax/ that has none.

    Beside the folders of perc_jax/ lie its commands, and files that stand just above the highest of what they import.
    """
    top, *inside = path.relative_to(root).parts
    if top != "perc_jax":
        return top
    if len(inside) > 1:
        return "command" if path.name == "__main__.py" else LAYER.get(inside[0], "?")
    if is_entry(path):
        return "command"
    files = {of_ours(root, name) for _, name in imports(path, root) if name.startswith("perc_jax.")}
    below = {layer_of(root, file) for file in files - {None, path, root / "perc_jax" / "__init__.py"}}
    return max(below & LAYERS.keys(), key=list(LAYERS).index, default="ground")


def third_party(root: Path, *folders: str) -> Iterator[tuple[Path, int, str]]:
    ours = {*CODE}
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
        here, layer = path.relative_to(root), layer_of(root, path)
        if layer == "?":
            found.append(f"{here}: {here.parts[1]}/ has no layer, give it one in LAYERS")
            continue
        for line, name in imports(path, root):
            if name.split(".")[0] not in ("perc_jax", "engines", "configs"):
                continue
            file = of_ours(root, name)
            target = layer_of(root, file) if file else "?"
            own = file and file.parent == path.parent and path.name == "__main__.py"  # a wing's command and its wing
            if file and file.parent == root / "perc_jax" and file.name == "__init__.py":
                continue  # a name of the package, such as its version
            if target not in MAY_IMPORT[layer] and not own:
                found.append(f"{here}:{line}: {layer} may not import {name} ({target})")
            is_pure = file and file.relative_to(root).as_posix().removeprefix("perc_jax/") in PURE
            if "/".join(here.parts[1:]) in PURE and target != "ground" and not is_pure:
                found.append(f"{here}:{line}: it may not know {name}")
    return found


def folders_form_no_circle(root: Path) -> list[str]:
    """Folders of perc_jax/ that know each other, directly or in a round; commands know them and are known by none."""
    knows: dict[str, set[str]] = {}
    for path in sources(root, "perc_jax"):
        inside = path.relative_to(root / "perc_jax").parts
        if len(inside) > 1 and path.name != "__main__.py":
            files = (of_ours(root, name) for _, name in imports(path, root) if name.startswith("perc_jax."))
            others = {file.relative_to(root / "perc_jax").parts[0] for file in files if file}
            knows.setdefault(inside[0], set()).update(other for other in others - {inside[0]} if "." not in other)
    while ends := {folder for folder, others in knows.items() if not others & knows.keys()}:
        knows = {folder: others for folder, others in knows.items() if folder not in ends}
    return [f"perc_jax/{folder}: knows {', '.join(sorted(knows[folder] & knows.keys()))}" for folder in sorted(knows)]


def layers_import_their_packages(root: Path) -> list[str]:
    found = []
    for path, line, top in third_party(root, "perc_jax", "engines", "configs"):
        here, layer = path.relative_to(root), layer_of(root, path)
        more = ENGINE_PROGRAMS.get(here.with_suffix("").parts[1], set()) if layer == "engines" else set()
        if layer in PACKAGES and top not in PACKAGES[layer] | more:
            found.append(f"{here}:{line}: {layer} may not import {top}")
    return found


def engines_and_their_audit_stand_apart(root: Path) -> list[str]:
    """No engine knows the programs that judge it, and an oracle knows no engine: it is a second opinion."""
    categories = {path.name for path in (root / "engines").iterdir() if path.is_dir()} - NOT_CATEGORIES
    found = []
    for path in sources(root, "engines"):
        here = path.relative_to(root)
        own = here.with_suffix("").parts[1]
        unknown = categories if own == "oracles" else set() if own in ENGINE_PROGRAMS else {*ENGINE_PROGRAMS}
        names = [(line, name) for line, name in imports(path, root) if name.startswith("engines.")]
        found += [f"{here}:{line}: {own} may not know {name}" for line, name in names if name.split(".")[1] in unknown]
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
    folders = [root / name for name in TOP_LEVEL]
    texts = [path for folder in folders for kind in ("*.sh", "*.md") for path in sorted(folder.rglob(kind))]
    files = [*sources(root), *texts, *root.glob("*.md")]
    lengths = {path.relative_to(root): len(path.read_text().splitlines()) for path in files}
    limits = {path: MAX_README_LINES if path == Path("README.md") else MAX_FILE_LINES for path in lengths}
    return [f"{path}: {n} lines, at most {limits[path]}" for path, n in lengths.items() if n > limits[path]]


def folders_are_small(root: Path) -> list[str]:
    folders = {path.parent for path in sources(root, "perc_jax")}
    counts = {folder.relative_to(root): len([*folder.glob("*.py")]) for folder in folders if folder.name not in CROWDED}
    return [f"{folder}: {n} files, at most {MAX_FOLDER_FILES}" for folder, n in counts.items() if n > MAX_FOLDER_FILES]


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
        text = path.read_text()
        for token in tokenize.generate_tokens(io.StringIO(text).readline) if LATER.search(text) else ():
            if token.type == tokenize.COMMENT and LATER.search(token.string):
                found.append(f"{path.relative_to(root)}:{token.start[0]}: {token.string}")
        missing = (node for node in nodes(path) if isinstance(node, ast.Raise) and node.exc is not None)
        lines = [node.lineno for node in missing if ast.unparse(node.exc).startswith("NotImplementedError")]
        found += [f"{path.relative_to(root)}:{line}: NotImplementedError" for line in lines]
    return found


def config_fields_are_read(root: Path) -> list[str]:
    """A field is read by code outside the config's files, or by a property of theirs that is."""
    config = [*sources(root, "perc_jax/config")]
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
    folders_form_no_circle,
    layers_import_their_packages,
    engines_and_their_audit_stand_apart,
    slow_packages_are_imported_lazily,
    dependencies_are_what_is_imported,
    files_are_short,
    folders_are_small,
    functions_are_short,
    modules_have_a_purpose,
    nothing_is_caught_broadly,
    nothing_is_left_for_later,
    config_fields_are_read,
    categories_have_the_same_rooms,
    top_level_is_as_designed,
    ruff_has_no_complaint,
]
