"""Which files a table's path means: a file, a glob, a folder, a hub id, several of them; here or on gs://.

A folder may be what `datasets` saved, with the names of its Arrow files, or hold files of one form, told apart by split
as the hub does: `train.jsonl`, `data/train-00000-of-00004.parquet`, `train/part.json`.
"""

import glob
import hashlib
import json
import os
import re
from collections.abc import Iterator
from typing import Any

from perc_jax.benchmarks.files import download
from perc_jax.data.tables.errors import LONGEST_PATH, clipped, short
from perc_jax.records.files import absolute

FORMS = {".parquet": "parquet", ".arrow": "arrow", ".jsonl": "json", ".ndjson": "json", ".json": "json"}
SPLITS = ("train", "test", "validation", "valid", "val", "dev", "eval", "evaluation", "training", "testing", "testmini")
_ABOUT = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"}  # of a folder, no rows
_HUB = re.compile(r"(?:hf://(?:datasets/)?)?([\w.-]+/[\w.-]+)")
_PIECE = 64 * 2**10  # bytes of a large file that its digest reads at a time
_PIECES = 64


def find(path: str, split: str) -> list[Any]:
    """The files that a table's path means, in order, as paths of etils.

    Raises `ValueError`, or `FileNotFoundError` for a data set that cannot be downloaded, with what is wrong.
    """
    parts = [part.strip() for part in path.split(",") if part.strip()]
    files = [file for part in parts for file in _of_part(part, split)]
    if not files:
        raise ValueError(f"table {path!r} must name a file, glob, folder or hub id (owner/name), got none")
    places = [os.path.normpath(str(file)) for file in files]
    if twice := next((place for place in places if places.count(place) > 1), ""):
        raise ValueError(f"table {clipped(path)} must name each file once, got {clipped(twice, LONGEST_PATH)} twice")
    forms = {FORMS[file.suffix] for file in files}
    if len(forms) > 1:
        raise ValueError(f"table {path} must be files of one form, got {', '.join(sorted(forms))}")
    return files


def _of_part(part: str, split: str) -> list[Any]:
    try:
        if not part.startswith("hf://"):
            found = absolute(part)
            if re.search(r"[*?\[]", part):
                return _globbed(part)
            if found.is_dir():
                return _of_folder(found, split)
            if found.exists():
                return [_known(found)]
    except OSError as error:
        raise ValueError(f"table {part} must be readable, got {error.strerror or error}") from error
    is_file = not part.startswith("hf://") and part.endswith(tuple(FORMS))  # what is not there is not the hub's
    if not is_file and (hub := _HUB.fullmatch(part)):
        return _of_folder(absolute(str(download(hub[1]))), split)
    raise ValueError(f"table {part} must be a file, glob, folder or hub id (owner/name), found none")


def _known(file: Any) -> Any:
    if file.suffix not in FORMS:
        raise ValueError(f"table {file} must end with one of {', '.join(FORMS)}, got {file.suffix!r}")
    return file


def _globbed(pattern: str) -> list[Any]:
    """The files of a glob, sorted; `**` goes through folders, on a local disk."""
    if "://" in pattern:
        if "**" in pattern:
            raise ValueError(f"table {pattern} must not have ** on gs://, where it would list the whole bucket")
        fixed = pattern[: re.search(r"[*?\[]", pattern).start()].rpartition("/")[0]
        found = sorted((_known(file) for file in absolute(fixed).glob(pattern[len(fixed) + 1 :])), key=str)
    else:
        names = sorted(glob.glob(os.path.expanduser(pattern), recursive=True))
        found = [_known(absolute(name)) for name in names if os.path.isfile(name)]
    if not found:
        raise ValueError(f"table {pattern} must match a file, found none")
    return found


def _of_folder(folder: Any, split: str) -> list[Any]:
    """The files of a split of a folder."""
    if (folder / "dataset_dict.json").exists():
        if not (folder / split).is_dir():
            names = _json(folder / "dataset_dict.json").get("splits")
            raise ValueError(f"table {folder} must have the split {split!r}, got {short(names)}")
        folder = folder / split
    if (folder / "state.json").exists():
        listed = _json(folder / "state.json").get("_data_files")
        names = [one.get("filename") for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        if not names or not all(isinstance(name, str) for name in names):
            raise ValueError(f"table {folder}/state.json must name its Arrow files, got {short(listed)}")
        return [folder / name for name in names]
    there = [file for file in _walk(folder) if file.suffix in FORMS and file.name not in _ABOUT]
    if not there:
        raise ValueError(f"table {folder} must hold files {', '.join('*' + end for end in FORMS)}, found none")
    form = next(form for form in dict.fromkeys(FORMS.values()) if any(FORMS[file.suffix] == form for file in there))
    there = [file for file in there if FORMS[file.suffix] == form]
    named = {file: _splits(str(file)[len(str(folder)) :]) for file in there}
    if any(named.values()):
        chosen = [file for file, splits in named.items() if split in splits]
    else:
        chosen = there if split == "train" else []
    if not chosen:
        splits = sorted(set().union(*named.values())) or ["train"]
        raise ValueError(f"table {folder} must have the split {split!r}, got {', '.join(splits)}")
    return chosen


def _walk(folder: Any) -> Iterator[Any]:
    """The files below a folder, in order; hidden ones are left out. (etils has no `rglob` for gs://.)"""
    for path in sorted(folder.iterdir(), key=str):
        if not path.name.startswith("."):
            yield from _walk(path) if path.is_dir() else (path,)


def _splits(name: str) -> set[str]:
    """The splits that a path's words name; the last word decides, a file goes before its folder."""
    words = [word for word in re.split(r"[^a-zA-Z]+", name) if word in SPLITS]
    return set(words[-1:])


def _json(file: Any) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} must be JSON: {error}") from error
    return found if isinstance(found, dict) else {}


def sampled_digest(file: Any) -> str:
    """Digest of a file's size, its end, where Parquet and Arrow keep what is where, and pieces spread evenly over it.

    Of a file of up to 4 MB that is all. A larger one of the same size and the same end whose change lies between the
    pieces is taken for the same.
    """
    with file.open("rb") as opened:
        return digest_of(opened)


def digest_of(opened: Any) -> str:
    """The same of a file that is open for reading; its place is then anywhere."""
    found = hashlib.sha256()
    size = opened.seek(0, os.SEEK_END)
    found.update(size.to_bytes(8, "little"))
    last = max(0, size - _PIECE)
    places = {last * number // (_PIECES - 1) for number in range(_PIECES)} if size > _PIECE * _PIECES else None
    for place in sorted(places or {0}):
        opened.seek(place)
        found.update(opened.read(_PIECE if places else size))
    return found.hexdigest()


def check_same(opened: Any, file: str, digest: str) -> None:
    """Raise `ValueError` if an open file is another than the one that had this digest a while ago."""
    if digest_of(opened) != digest:
        raise ValueError(f"table {file} must stay as it is while it is read, it has changed")
