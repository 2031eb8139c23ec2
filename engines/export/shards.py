"""The work of an export: one shard at a time, whole or never, and the manifest when all are there.

Beside the data, `.shards/` keeps the plan and a note per finished shard. A shard is written under another name first
and then renamed, and its note after it: whatever is stopped in between is done again, to the same bytes.
"""

import hashlib
import importlib.metadata
import json
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from etils import epath

from engines.export import parquet, tfds_folder
from engines.export.plan import NAME, Plan
from engines.export.record import record

NOTES = ".shards"
LIBRARIES = ("numpy", "pillow", "opencv-python-headless", "matplotlib")  # whose versions may change a pixel
WRITERS = {"parquet": parquet.write, "array_record": tfds_folder.write, "tfds": tfds_folder.write}


def prepare(folder: str, plan: Plan) -> None:
    """Make the folder, or see that what it holds is the same export. Raises `ValueError` if it is another one."""
    notes = epath.Path(folder) / NOTES
    notes.mkdir(parents=True, exist_ok=True)
    text = json.dumps(plan.to_json(), indent=1)
    path = notes / "plan.json"
    if not path.exists():
        _put(path, text.encode())
    try:
        found = json.loads(path.read_text())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} must be the plan of an export as JSON, it is damaged: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} must be the plan of an export as JSON, it is damaged: no object")
    other = [name for name, value in plan.to_json().items() if found.get(name) != value]
    if other:
        name = other[0]
        held = f"{folder} holds an export with {name} {found.get(name)}"
        raise ValueError(
            f"--{name.replace('_', '-')} must be that of the export to go on with: {held}, got {plan.to_json()[name]}"
        )


def is_done(folder: str, plan: Plan, shard: int) -> bool:
    """Whether a shard is finished."""
    return _note(folder, shard).exists() and all((epath.Path(folder) / file).exists() for file in plan.files(shard))


def write_shard(folder: str, plan: Plan, shard: int, advance: Callable[[], None] = lambda: None) -> int:
    """Write a shard unless it is finished; gives its number of samples."""
    root, span = epath.Path(folder), plan.span(shard)
    if not is_done(folder, plan, shard):
        files = []
        with tempfile.TemporaryDirectory(prefix=f"{NAME}-") as local:
            paths = [Path(local) / suffix for suffix in plan.suffixes()]
            WRITERS[plan.format](paths, _records(plan, span, advance))
            for file, path in zip(plan.files(shard), paths, strict=True):
                data = path.read_bytes()
                (root / file).parent.mkdir(parents=True, exist_ok=True)
                _put(root / file, data, temporary=root / NOTES)
                files.append({"file": file, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        note = {"first": span.start, "samples": len(span), "files": files}
        _put(_note(folder, shard), json.dumps(note).encode())
    return len(span)


def finish(folder: str, plan: Plan) -> bool:
    """Write the manifest and what readers need, if every shard is there; says whether it is."""
    if not all(is_done(folder, plan, shard) for shard in range(plan.shards())):
        return False
    root = epath.Path(folder)
    notes = [json.loads(_note(folder, shard).read_text()) for shard in range(plan.shards())]
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    manifest = {"plan": plan.to_json(), "made_with": versions, "shards": notes}
    if plan.format != "parquet":
        size_bytes = sum(note["files"][-1]["bytes"] for note in notes)
        tfds_folder.write_metadata(str((root / plan.files(0)[0]).parent), plan, size_bytes)
    _put(root / "README.md", _card(plan).encode())
    _put(root / "manifest.json", (json.dumps(manifest, indent=1) + "\n").encode())
    for leftover in root.joinpath(NOTES).glob("*.part"):
        leftover.unlink()
    return True


def _records(plan: Plan, span: range, advance: Callable[[], None]) -> Iterator[dict[str, Any]]:
    for index in span:
        yield record(plan.sample(index))
        advance()


def _note(folder: str, shard: int) -> epath.Path:
    return epath.Path(folder) / NOTES / f"{shard:05d}.json"


def _put(path: epath.Path, data: bytes, temporary: epath.Path | None = None) -> None:
    """Write a file whole or never, also when several machines write it at once."""
    part = (temporary or path.parent) / f"{path.name}-{uuid.uuid4().hex}.part"
    part.write_bytes(data)
    part.replace(path)


def _card(plan: Plan) -> str:
    """A README in the form of a Hugging Face data set card, which also says where the data lie."""
    opening = ""
    if plan.format == "parquet":
        files = (
            f"configs:\n- config_name: default\n  data_files:\n  - split: {plan.split}\n    path: data/{plan.split}-*\n"
        )
        opening = f"---\ntask_categories:\n- visual-question-answering\n{files}---\n\n"
        reading = "import datasets\n\ndata = datasets.load_dataset(FOLDER)"
    else:
        reading = f'import tensorflow_datasets as tfds\n\ndata = tfds.data_source("{NAME}", data_dir=FOLDER)'
        reading += f'\ndata = tfds.load("{NAME}", data_dir=FOLDER)' if plan.format == "tfds" else ""
    versions = ", ".join(f"{name} {version}" for name, version in plan.to_json()["engines"].items())
    return (
        f"{opening}# {NAME}\n\n{plan.samples} pictures of {plan.size_px} px with questions whose answers are right by "
        f"construction, {plan.photographed:.0%} of them photographed. Split {plan.split}, levels "
        f"{', '.join(map(str, plan.levels))}. Engines and their versions: {versions}.\n\n```python\n{reading}\n```\n\n"
        "`engines.answer.Answer.from_json(json.loads(row['answer_json']))` gives the typed answer, which accepts or "
        "refuses a model's. `manifest.json` has the plan and the SHA-256 of every shard.\n"
    )
