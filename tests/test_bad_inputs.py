"""Bad files in every place of every program: one line, a code of the table, nothing else, and soon.

A place is where a program reads or writes a file; a damage is what may be wrong with it. Programs are called in this
process, where that needs no device; what belongs to a process (locale, pipes, disks) is in `test_ends_of_processes`.
"""

import contextlib
import copy
import importlib
import json
import os
import re
import shutil
import signal
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from perc_jax.processes import ends, interrupts
from perc_jax.prompt import tokenizer
from tests import ROOT
from tests.weights.published_folders import write_small_files

LIMIT_S = 10  # of a program that has only to say what is wrong; several times more where the machine is busy
HEAD = {"evaluation": {"suite": "mathvista", "mode": "official"}}
RECORD = {"id": "1", "unit": "1", "prompt": "", "responses": ["4"], "ended": [True], "correct": [True]}
RECORD |= {"parsed": ["4"], "reason": [""], "timed_out": 0}
METADATA = {"split": "testmini", "task": "counting", "category": "general-vqa", "context": "photo"}
METADATA |= {"grade": "daily life", "skills": ["arithmetic"], "language": "english", "source": "CLEVR-Math"}
PROBLEM = {
    **{"question": "How many?", "image": "images/1.jpg", "choices": None, "unit": None, "precision": None},
    **{"answer": "4", "question_type": "free_form", "answer_type": "integer", "pid": "1", "query": "How many?"},
    "metadata": METADATA,
}


class Place(NamedTuple):
    """A file that a program is given."""

    file: str  # below the test's folder; the line must name it
    argv: str  # command line; {} is the test's folder
    names: str = ""  # what the line may name in place of the file

    def __str__(self) -> str:
        return f"{self.argv.split()[0]} {self.file}"


def lines(*rows: dict) -> str:
    """JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


RUN = {
    "config.json": json.dumps({"name": "run", "stages": [{"name": "grpo", "kind": "grpo", "steps": 2}]}),
    "metrics.jsonl": lines({"step": 1, "stage": "grpo", "train/loss": 0.5, "time/step_s": 1.0}),
    "run.json": json.dumps({"device": "cpu", "devices": 1}),
    "eval/0_start_000000.json": json.dumps(
        {"test_a": {"n": 1, "accuracy": 1.0, "ci95": [0.2, 1.0], "by": {}, "correct": [1]}}
    ),
    "samples/000001_grpo.json": "[]",
    "curriculum/000000_grpo_0.json": json.dumps({"step": 0, "stage": "grpo", "phase": 0, "cells": {}}),
    "checkpoints/1/commit.json": json.dumps({"step": 1, "crc32": 1}),
}
FOLDER = ("config.json", "preprocessor_config.json", "generation_config.json")
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "chat_template.json")
MODEL = "--model {}/model"
SAMPLE = "perc_jax.sample --question What?"
PLACES = (
    Place("c.py", "perc_jax.train --workdir {}/w --config {}/c.py"),
    Place("c.py", "perc_jax.plan --topology cpu:8 --config {}/c.py"),
    Place("c.py", "perc_jax.bench step --config {}/c.py"),
    Place("c.py", "perc_jax.evaluate --suites test_a --model {}/model --config {}/c.py"),
    Place("c.py", "perc_jax.grade --out {}/g.jsonl --model {}/model --config {}/c.py"),
    Place("model/config.json", "perc_jax.train --workdir {}/w --model {}/model"),
    Place("model/config.json", "perc_jax.plan --topology cpu:8 --model {}/model"),
    *(Place(f"model/{name}", f"{SAMPLE} {MODEL}", "model/checkpoints") for name in FOLDER),
    *(Place(f"model/{name}", "perc_jax.train --workdir {}/w --model {}/model") for name in TOKENIZER),
    *(Place(f"model/{name}", f"{SAMPLE} {MODEL}") for name in TOKENIZER),
    Place("picture.png", f"{SAMPLE} {MODEL} --image {{}}/picture.png"),
    Place("before.jsonl", "perc_jax.compare {}/before.jsonl {}/after.jsonl"),
    Place("after.jsonl", "perc_jax.compare {}/before.jsonl {}/after.jsonl"),
    Place("score.json", "perc_jax.compare {}/score.json {}/score2.json"),
    Place(
        "testmini.json",
        "perc_jax.score mathvista --problems {}/testmini.json --responses {}/answers.jsonl",
        "responses",
    ),
    Place(
        "answers.jsonl",
        "perc_jax.score mathvista --problems {}/testmini.json --responses {}/answers.jsonl",
        "responses",
    ),
    Place(
        "answers.json", "perc_jax.score mathvista --problems {}/testmini.json --responses {}/answers.json", "responses"
    ),
    *(Place(f"run/{name}", "perc_jax.report --workdir {}/run") for name in RUN if "checkpoints" not in name),
    Place("run/config.json", "perc_jax.report {}/run {}/run --out {}/page.html"),
    Place("run/checkpoints/1/commit.json", "perc_jax.export --out {}/out --model {}/run", "checkpoints"),
    Place("run/checkpoints/1/commit.json", f"{SAMPLE} --model {{}}/run", "checkpoints"),
    Place("run/checkpoints/1/commit.json", "perc_jax.evaluate --suites test_a --model {}/run", "checkpoints"),
    Place("run/checkpoints/1/commit.json", "perc_jax.grade --out {}/g.jsonl --model {}/run", "checkpoints"),
    Place("data/.shards/plan.json", "engines.export --samples 1 --levels 0 --engines grid --out {}/data", "data"),
)
RESPONSES = lines({"id": "1", "response": "4"})
GOOD = {
    "c.py": "from configs.smoke_cpu import get_config\n",
    "before.jsonl": lines(HEAD, RECORD),
    "after.jsonl": lines(HEAD, RECORD),
    "answers.jsonl": RESPONSES,
    "answers.json": json.dumps({"1": "4"}),
    "testmini.json": json.dumps({"1": PROBLEM}),
    **{f"run/{name}": text for name, text in RUN.items()},
    **{
        name: json.dumps({"benchmark": "mathvista", "mode": "official", "items": [{"id": "1", "correct": True}]})
        for name in ("score.json", "score2.json")
    },
    "data/.shards/plan.json": "{}",
}
BINARY = bytes(range(256)) * 8


def folder_in_its_place(file: Path) -> None:
    """A folder of the file's name."""
    file.unlink()
    file.mkdir()


def unreadable(file: Path) -> None:
    """A file whose reading fails, whoever reads: an input/output error."""
    file.unlink()
    file.symlink_to("/proc/self/mem")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": lambda file: file.unlink(),
    "a link to nothing": lambda file: (file.unlink(), file.symlink_to("nowhere")),
    "empty": lambda file: file.write_bytes(b""),
    "cut": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "bytes": lambda file: file.write_bytes(BINARY),
    "Latin-1": lambda file: file.write_bytes('{"é": "ü"}\n'.encode("latin-1")),
    "a list": lambda file: file.write_text("[1, 2]\n"),
    "an empty object": lambda file: file.write_text("{}\n"),
    "null": lambda file: file.write_text("null\n"),
    "deeply nested": lambda file: file.write_text("[" * 100_000),
    "a folder": folder_in_its_place,
    "unreadable": unreadable,
}
# What is no mistake: a report leaves out what is missing, and a shorter or emptier file of these kinds is a whole one.
FINE = {
    ("report", "missing"),
    ("report", "a link to nothing"),
    ("run.json", "an empty object"),
    ("report config.json", "an empty object"),
    ("generation_config.json", "a folder"),
    ("engines.export", "missing"),
    ("engines.export", "a link to nothing"),
    ("before.jsonl", "cut"),  # a torn last line is left out, and here no question is left
    ("after.jsonl", "cut"),
    ("metrics.jsonl", "*"),  # a torn line ends what is read
    ("chat_template.json", "an empty object"),  # the template may stand elsewhere, or be the published one
    ("chat_template.json", "a folder"),
    ("generation_config.json", "missing"),  # config.json says it too
    ("generation_config.json", "a link to nothing"),
}


def contents(folder: Path) -> dict[Path, bytes]:
    """All files below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """All files, sound, for all tests: none of them may write to one."""
    here = tmp_path_factory.mktemp("sound")
    for name, text in GOOD.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(text)
    write_small_files(here / "model")
    Image.fromarray(np.full((60, 80, 3), 100, np.uint8)).save(here / "picture.png")
    before = contents(here)
    yield here
    assert contents(here) == before


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    """A folder of links to all files; what a test damages it makes its own before."""
    return shutil.copytree(sound, tmp_path / "files", copy_function=os.link)


def own(file: Path) -> Path:
    """The file, a copy in place of the link."""
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content)
    return file


@pytest.fixture(autouse=True)
def no_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process goes on."""
    monkeypatch.setattr(interrupts, "leave_with", lambda *_: None)
    monkeypatch.syspath_prepend(str(ROOT))


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Fail where a program takes too long."""

    def late(*_: object) -> None:
        raise AssertionError(f"it took more than {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT_S * max(1, round(os.getloadavg()[0] / (os.cpu_count() or 1))))
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def program(name: str) -> types.ModuleType:
    """The module of a command."""
    module = importlib.import_module(name)
    return importlib.import_module(f"{name}.__main__") if hasattr(module, "__path__") else module


def complaint(capsys: pytest.CaptureFixture[str], argv: str, folder: Path) -> tuple[int, str]:
    """Exit code and the one line of a program; a traceback fails the test, and so do further lines."""
    name, *words = argv.replace("{}", str(folder)).split()
    capsys.readouterr()
    with limited(), pytest.raises(SystemExit) as end:
        program(name).main(words)
    err = capsys.readouterr().err
    said = [line for line in err.splitlines() if not line.startswith("warning: ")]
    assert len(said) == 1 and said[0].startswith("error: ") and "Traceback" not in err, err
    return int(end.value.code or 0), said[0]


def cases() -> Iterator[tuple[Place, str]]:
    """Every damage in every place."""
    for place in PLACES:
        program = place.argv.split()[0].removeprefix("perc_jax.")
        for damage in DAMAGES:
            kinds = {program, Path(place.file).name, f"{program} {Path(place.file).name}"}
            if not any(kind in kinds and what in ("*", damage) for kind, what in FINE):
                yield place, damage


@pytest.mark.parametrize(("place", "damage"), [*cases()], ids=str)
def test_a_bad_file_earns_one_line_that_names_it(capsys, folder, place, damage):
    DAMAGES[damage](own(folder / place.file))
    code, line = complaint(capsys, place.argv, folder)
    assert code in (ends.FAILED, ends.BAD_INPUT)
    named = [Path(place.file).name, place.names or "\0"]
    if damage in ("missing", "a link to nothing"):
        named.append(str((folder / place.file).parent))  # which lacks it
    assert any(name in line for name in named), line


WRONG = (None, "", "zebra", -1, 7.5, [], [None], {}, {"a": 1})
DEEP = (  # places within tokenizer.json, by their keys and numbers
    *(("added_tokens",), ("added_tokens", 0), ("added_tokens", 0, "id"), ("added_tokens", 1, "content")),
    *(("version",), ("normalizer",), ("normalizer", "pattern"), ("decoder", "decoders", 0), ("pre_tokenizer",)),
    *(("model",), ("model", "type"), ("model", "vocab"), ("model", "vocab", "<unk>"), ("model", "merges", 0)),
    *(("model", "merges", 0, 0), ("model", "unk_token"), ("model", "continuing_subword_prefix")),
)


def put(values: Any, place: tuple[str | int, ...], value: object) -> object:
    """JSON data with another value at a place."""
    if not place:
        return value
    values = copy.copy(values)
    values[place[0]] = put(values[place[0]], place[1:], value)
    return values


@pytest.mark.parametrize("place", DEEP, ids=lambda place: ".".join(map(str, place)))
def test_a_tokenizer_damaged_in_depth_is_named(capfd, folder, place):
    """The library that reads it raises `Exception` itself, and panics."""
    file, refused = own(folder / "model" / "tokenizer.json"), 0
    sound = json.loads(file.read_text())
    for value in WRONG:
        file.write_text(json.dumps(put(sound, place, value)))
        try:
            tokenizer.HuggingFaceTokenizer(file.parent)
        except ValueError as error:
            refused += 1
            assert "tokenizer.json" in str(error) and "\n" not in str(error)
    assert refused


GOOD_OUT = (  # a command that would succeed, but for the place of its result
    "perc_jax.compare {}/before.jsonl {}/after.jsonl --json",
    "perc_jax.compare {}/score.json {}/score2.json --json",
    "perc_jax.report {}/run {}/run --out",
    "engines.check --types grid.grid_size --levels 0 --samples 1 --draw 0 --json",
    "engines.check --types grid.grid_size --levels 0 --samples 1 --draw 0 --distribution",
    "engines.bench --engines grid --samples 1 --json",
    "engines.gallery --engines grid --levels 0 --out",
    "engines.export --engines grid --levels 0 --samples 1 --out",
    "perc_jax.plan --topology cpu:1 --config {}/c.py --json",
)
OUTS = {  # where nothing can be written, and the code that says whose fault it is
    "below a file": ("/c.py/out.jsonl", ends.BAD_INPUT),
    "below a file of the system": ("/proc/version/out.jsonl", ends.BAD_INPUT),
    "a folder that may not be made": ("/proc/none/out.jsonl", ends.BAD_INPUT),
}


@pytest.mark.parametrize("out", OUTS)
@pytest.mark.parametrize("argv", GOOD_OUT, ids=lambda argv: " ".join(argv.split()[:1] + argv.split()[-1:]))
def test_a_place_where_nothing_can_be_written_is_named(capsys, folder, argv, out):
    place, code = OUTS[out]
    place = str(folder) + place if place.startswith("/c.py") else place
    found, line = complaint(capsys, f"{argv} {place}", folder)
    assert found == code
    assert str(Path(place).parent) in line, line


WORDS = {  # an argument that no program can use, by option
    "--levels": "10",
    "--samples": "-1",
    "--size-px": "x",
    "--types": "grid.none",
    "--engines": "maze",
    "--seed": "-1",
    "--temperature": "-1",
    "--limit": "-1",
    "--max-tokens": "-1",
    "--suites": "none",
    "--source": "none",
    "--mode": "none",
    "--topology": "none",
    "--size": "none",
    "--minutes": "-1",
    "--only": "none",
    "--sweep": "none",
    "--shard": "3/2",
    "--format": "none",
    "--photographed": "2",
    "--dtype": "none",
    "--rollouts": "0",
    "--questions": "0",
}
USES = {
    "perc_jax.sample --model {}/model --question What?": ("--temperature", "--seed", "--max-tokens", "--dtype"),
    "perc_jax.evaluate --model {}/model --suites test_a": ("--suites", "--limit", "--seed", "--temperature"),
    "perc_jax.grade --model {}/model --out {}/g.jsonl": ("--source", "--rollouts", "--questions", "--limit"),
    "perc_jax.score mathvista --problems {}/testmini.json --responses {}/answers.jsonl": ("--mode",),
    "perc_jax.plan --topology cpu:1": ("--topology",),
    "perc_jax.bench step": ("--sweep", "--max-tokens"),
    "perc_jax.bench device": ("--size", "--minutes", "--only"),
    "perc_jax.export --model {}/run --out {}/o": ("--dtype",),
    "engines.check": ("--levels", "--samples", "--size-px", "--types", "--engines"),
    "engines.bench": ("--samples", "--size-px", "--engines"),
    "engines.gallery --out {}/o": ("--levels", "--samples", "--size-px", "--engines"),
    "engines.export --out {}/o": ("--levels", "--samples", "--size-px", "--engines", "--shard", "--format"),
}


@pytest.mark.parametrize(
    ("argv", "option"), [(argv, option) for argv, options in USES.items() for option in (*options, "--none")]
)
def test_a_bad_argument_is_named_and_exits_with_2(capsys, folder, argv, option):
    code, line = complaint(capsys, f"{argv} {option} {WORDS.get(option, '1')}", folder)
    assert code == ends.BAD_INPUT and option.lstrip("-") in line, line


@pytest.mark.parametrize(
    "argv",
    [
        *("perc_jax.train --workdir gs://b/run", "perc_jax.train --workdir {}/new --from gs://b/run"),
        *("perc_jax.evaluate --model gs://b/run --suites test_a", "perc_jax.grade --model gs://b/run --out {}/g.jsonl"),
        *("perc_jax.sample --model gs://b/run --question What?", "perc_jax.export --model gs://b/run --out {}/o"),
        *("perc_jax.report gs://b/run", "perc_jax.inspect gs://b/t.jsonl"),
    ],
)
def test_the_cloud_without_its_package_is_one_line(capsys, folder, monkeypatch, argv):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    _, line = complaint(capsys, argv, folder)
    assert re.search(r"gs://b/\S+ needs gcsfs: pip install 'perc_jax\[gcs\]'$", line), line


@pytest.mark.parametrize("name", sorted({argv.split()[0] for argv in (*USES, *(place.argv for place in PLACES))}))
def test_help_exits_with_0(capsys, name):
    with pytest.raises(SystemExit) as end:
        program(name).main(["--help"])
    assert not end.value.code and capsys.readouterr().err == ""
