"""Data sets on disk: equal plans give equal bytes, however often they are stopped, and each reader opens its own."""

import collections
import dataclasses
import hashlib
import importlib.util
import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import engines
from engines.answer import Answer
from engines.export.__main__ import main
from engines.export.plan import Plan
from engines.export.record import record

pytest.importorskip("pyarrow", reason="the extra `export` is not installed")
pytestmark = pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning")  # TFDS under protobuf 6
PLAN = Plan("parquet", "train", 12, 5, ("grid", "chart"), (0, 1), 112, 0.5)


def needs(name):
    """Skip where an extra's package is absent."""
    if name == "tfds":
        pytest.importorskip("google_crc32c", reason="the extra `export` is not installed")
    if name != "parquet":
        pytest.importorskip("tensorflow_datasets", reason="the extra `export` is not installed")
        pytest.importorskip("array_record", reason="the extra `export` is not installed")


def arguments(out, plan=PLAN, *more):
    fields = dataclasses.asdict(plan)
    fields |= {"engines": ",".join(plan.engines), "levels": ",".join(map(str, plan.levels))}
    given = [text for name, value in fields.items() for text in (f"--{name.replace('_', '-')}", str(value))]
    return ["--out", str(out), *given, *more]


def data(folder: Path) -> dict[str, str]:
    """Digests of everything a reader sees."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and ".shards" not in path.parts]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module", params=["parquet", "array_record", "tfds"])
def whole(request, tmp_path_factory):
    """A finished export of each format, made in one go."""
    needs(request.param)
    folder, plan = tmp_path_factory.mktemp(request.param), dataclasses.replace(PLAN, format=request.param)
    assert main(arguments(folder, plan)) == 0
    return folder, plan


def rows_of(folder, plan):
    """What a reader gets: (columns, decoded picture) in order."""
    if plan.format == "parquet":
        from pyarrow import parquet

        files = sorted((folder / "data").glob("*.parquet"))
        rows = [row for file in files for row in parquet.read_table(file).to_pylist()]
        return [(row, np.asarray(Image.open(io.BytesIO(row["image"]["bytes"])))) for row in rows]
    import tensorflow_datasets as tfds

    source = tfds.data_source("perception_engines", data_dir=folder)["train"]
    decoded = ({name: v.decode() if isinstance(v, bytes) else v for name, v in row.items()} for row in source)
    return [(row, row["image"]) for row in decoded]


def test_records_hold_their_samples(whole):
    rows = rows_of(*whole)
    assert len(rows) == PLAN.samples and {row["engine"] for row, _ in rows} == {"grid", "chart"}
    for index, (row, image) in enumerate(rows):
        sample = PLAN.sample(index)
        assert row["question"] == sample.question and json.loads(row["scene_json"]) == json.loads(
            json.dumps(sample.scene)
        )
        assert Answer.from_json(json.loads(row["answer_json"])) == sample.answer
        facts = [(f["question"], Answer.from_json(f["answer"])) for f in json.loads(row["facts_json"])]
        assert facts == [tuple(fact) for fact in sample.facts]
        difference = abs(image.astype(int) - sample.image).max()
        assert difference == 0 if not sample.photographed else difference < 40
        assert row["photographed"] == sample.photographed and row["index"] == index
        assert row["guess_rate"] == sample.guess_rate
    assert 0 < sum(row["photographed"] for row, _ in rows) < len(rows)


@pytest.mark.parametrize("format", ["parquet", "array_record", "tfds"])
def test_numbers_keep_their_64_bits(format, tmp_path, monkeypatch):
    needs(format)

    def ninth(sample):
        return {**record(sample), "guess_rate": 1 / 9}  # which 32 bits cannot hold

    monkeypatch.setattr("engines.export.shards.record", ninth)
    plan = dataclasses.replace(PLAN, format=format, samples=2)
    assert main(arguments(tmp_path, plan)) == 0
    assert [row["guess_rate"] for row, _ in rows_of(tmp_path, plan)] == [1 / 9, 1 / 9]


def test_the_manifest_tells_what_is_there(whole):
    folder, plan = whole
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["plan"]["engines"] == {name: engines.ENGINES[name].version for name in plan.engines}
    assert [shard["samples"] for shard in manifest["shards"]] == [4, 4, 4]
    digests = data(folder)
    files = [file for shard in manifest["shards"] for file in shard["files"]]
    assert len(files) == 3 * len(plan.suffixes())
    for file in files:
        assert digests[file["file"]] == file["sha256"]
        assert (folder / file["file"]).stat().st_size == file["bytes"]


def test_machines_and_processes_write_the_same_bytes(whole, tmp_path, capsys):
    folder, plan = whole
    assert main(arguments(tmp_path, plan, "--shard", "1/2")) == 0
    assert "others are missing" in capsys.readouterr().out and not (tmp_path / "manifest.json").exists()
    more = ("--processes", "2") if plan.format == "parquet" else ()
    assert main(arguments(tmp_path, plan, "--shard", "0/2", *more)) == 0
    assert "complete" in capsys.readouterr().out and data(tmp_path) == data(folder)


def test_a_killed_export_goes_on_to_the_same_bytes(tmp_path):
    plan = dataclasses.replace(PLAN, samples=400, shard_samples=40, engines=("grid",), levels=(0,))
    plan = dataclasses.replace(plan, photographed=0.0)
    killed = tmp_path / "killed"
    child = subprocess.Popen(
        [sys.executable, "-m", "engines.export", *arguments(killed, plan)], stderr=subprocess.DEVNULL
    )
    while child.poll() is None and not (killed / ".shards" / "00001.json").exists():
        time.sleep(0.005)
    child.send_signal(signal.SIGKILL)
    child.wait()
    finished = {path: path.stat().st_mtime_ns for path in killed.glob("data/*.parquet")}
    assert 2 <= len(finished) < 10 and not (killed / "manifest.json").exists()
    (killed / ".shards" / "00001.json").unlink()  # as if killed between the file and its note
    assert main(arguments(killed, plan)) == 0
    kept = [path for path, changed in finished.items() if path.stat().st_mtime_ns == changed]
    assert len(kept) == len(finished) - 1 and not list(killed.rglob("*.part"))
    assert main(arguments(tmp_path / "whole", plan)) == 0 and data(killed) == data(tmp_path / "whole")


def test_a_finished_export_is_left_alone_and_another_is_not_mixed_in(whole, capsys):
    folder, plan = whole
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*-of-*")}
    assert main(arguments(folder, plan)) == 0
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*-of-*")}
    digests = data(folder)
    with pytest.raises(SystemExit) as stop:
        main(arguments(folder, dataclasses.replace(plan, levels=(0,))))
    assert stop.value.code == 2
    assert "error: --levels must be that of the export to go on with" in capsys.readouterr().err
    assert data(folder) == digests


def test_hugging_face_datasets_opens_the_folder_with_pictures(whole, tmp_path):
    datasets = pytest.importorskip("datasets", reason="Hugging Face's datasets is not installed")
    folder, plan = whole
    if plan.format != "parquet":
        pytest.skip("for Parquet")
    found = datasets.load_dataset(str(folder), cache_dir=str(tmp_path))["train"]
    assert len(found) == plan.samples and isinstance(found.features["image"], datasets.Image)
    for index in (0, 7):
        sample, image = plan.sample(index), np.asarray(found[index]["image"])
        assert image.shape == (112, 112, 3) and (sample.photographed or (image == sample.image).all())


def test_the_schema_declares_pictures_as_hugging_face_does(whole):
    from pyarrow import parquet

    folder, plan = whole
    if plan.format != "parquet":
        pytest.skip("for Parquet")
    schema = parquet.read_schema(folder / plan.files(0)[0])
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert features.keys() == set(schema.names) and features["image"] == {"_type": "Image"}


def test_tfds_loads_the_folder(whole):
    folder, plan = whole
    if plan.format != "tfds":
        pytest.skip("for TFRecord")
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    import tensorflow_datasets as tfds

    found = tfds.load("perception_engines", data_dir=folder, split="train")
    assert sorted(int(row["index"]) for row in found.as_numpy_iterator()) == list(range(plan.samples))


def test_beam_writes_the_same_shards(whole, tmp_path):
    pytest.importorskip("apache_beam", reason="Apache Beam is not installed")
    folder, plan = whole
    assert main(arguments(tmp_path, plan, "--beam", "--runner=DirectRunner")) == 0
    assert data(tmp_path) == data(folder)


def test_what_is_missing_is_named(tmp_path, monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "pyarrow" else find(name))
    with pytest.raises(SystemExit) as stop:
        main(arguments(tmp_path))
    assert stop.value.code == 2
    assert "pyarrow must be installed: pip install 'perc_jax[export]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change, words",
    [
        ({"engines": ("maze",)}, "--engines must be some of grid"),
        ({"levels": (0, 9)}, "--size-px must be large enough for"),
        ({"levels": (12,)}, "--levels must be within 0..9, got (12,)"),
        ({"photographed": 1.5}, "--photographed must be within 0..1, got 1.5"),
        ({"samples": 0}, "--samples must be at least 1, got 0"),
        ({"shard_samples": 0}, "--shard-samples must be at least 1, got 0"),
    ],
)
def test_a_plan_that_cannot_be_gives_one_clear_line(change, words, tmp_path, capsys):
    fields = {**dataclasses.asdict(PLAN), **change}
    plan = object.__new__(Plan)
    plan.__dict__.update(fields)
    with pytest.raises(SystemExit) as stop:
        main(arguments(tmp_path, plan))
    assert stop.value.code == 2
    assert words in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as stop:
        main(arguments(tmp_path / "file"))
    assert stop.value.code == 2
    assert "error: --out must be a folder that can be written" in capsys.readouterr().err


@pytest.mark.parametrize("more, words", [(("--shard", "2/2"), "must be I/N"), (("--runner=X",), "need --beam")])
def test_a_wrong_argument_gives_one_clear_line(more, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments(tmp_path, PLAN, *more))
    assert stop.value.code == 2 and words in capsys.readouterr().err


@pytest.mark.parametrize("count", [6, 5])
def test_each_category_has_held_out_types_and_looks_in_test_d(count, monkeypatch):
    monkeypatch.setattr(engines, "sample", lambda name, *, index, **_: (name, index % 2))
    plan = dataclasses.replace(PLAN, split="test_d", engines=engines.MAIN[:count], size_px=448)
    asked = collections.Counter(plan.sample(index) for index in range(20 * count))
    assert asked == {(name, parity): 10 for name in plan.engines for parity in (0, 1)}
    monkeypatch.undo()
    kinds = {(name, kind.name): kind.held_out for name in plan.engines for kind in engines.ENGINES[name].types}
    found = [plan.sample(index) for index in range(2 * count)]
    met = {(sample.engine, kinds[sample.engine, sample.question_type]) for sample in found}
    assert met == {(name, held_out) for name in plan.engines for held_out in (False, True)}


def test_shards_cover_all_samples_once():
    for samples, size in ((1, 5), (10, 3), (100, 7), (1000, 1000), (5, 1)):
        plan = dataclasses.replace(PLAN, samples=samples, shard_samples=size)
        spans = [plan.span(shard) for shard in range(plan.shards())]
        assert [index for span in spans for index in span] == list(range(samples))
        assert max(map(len, spans)) <= size
