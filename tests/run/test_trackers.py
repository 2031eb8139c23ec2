"""What trackers keep, read back from their files: numbers, config, pictures; one run, however often started."""

import io
import json
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from perc_jax.run.trackers import Picture, Place, TensorBoard, Trackio
from tests import ROOT, whole_runs

CONFIG = {"name": "tiny", "stages": [{"name": "grpo", "steps": 4}]}
PIXELS = np.arange(28 * 28 * 3, dtype=np.uint32).reshape(28, 28, 3).astype(np.uint8)
WANDB = """
import json, sys
from pathlib import Path
import numpy as np
from perc_jax.run.trackers import Picture, Place, WandB
config = json.loads(sys.argv[2])
for last, steps in ((-1, (1, 2, 3)), (2, (3, 4))):
    tracker = WandB(Place(Path(sys.argv[1]), "tiny", "abcd1234", config, last))
    for step in steps:
        tracker.numbers(step, {"train/loss": 1 / step})
    tracker.pictures(steps[-1], "samples/grpo", [Picture(np.full((28, 28, 3), 7, np.uint8), "what? gold: 3")])
    tracker.close()
"""


def place(folder: Path, step: int) -> Place:
    return Place(folder, "tiny", "abcd1234", CONFIG, step)


def events(folder: Path) -> list:
    """All events of TensorBoard's files in their order: length, its checksum, bytes, theirs (TFRecord)."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for file in sorted((folder / "tensorboard").iterdir()):
        stream = io.BytesIO(file.read_bytes())
        while head := stream.read(12):
            found.append(Event.FromString(stream.read(struct.unpack("<Q", head[:8])[0])))
            stream.read(4)
    return found


def test_tensorboard_keeps_curves_pictures_and_the_config(tmp_path):
    pytest.importorskip("tensorboardX", reason="an extra: pip install 'perc_jax[tensorboard]'")
    for last, steps in ((-1, (1, 2, 3)), (2, (3, 4))):
        tracker = TensorBoard(place(tmp_path, last))
        for step in steps:
            tracker.numbers(step, {"train/loss": 1 / step})
        tracker.pictures(steps[-1], "samples/grpo", [Picture(PIXELS, "what?\ngold: 3")])
        tracker.close()
    found = events(tmp_path)
    values = [(event.step, value) for event in found for value in event.summary.value]
    losses = [(step, value.simple_value) for step, value in values if value.tag == "train/loss"]
    assert losses == [(step, pytest.approx(1 / step)) for step in (1, 2, 3, 3, 4)]
    assert [event.step for event in found if event.session_log.status] == [3]  # what it held from there on is dropped
    step, picture = next((step, value.image) for step, value in values if value.image.width)
    assert step == 3 and np.array_equal(np.asarray(Image.open(io.BytesIO(picture.encoded_image_string))), PIXELS)
    [config] = [value.tensor.string_val[0].decode() for _, value in values if value.tag.startswith("config")]
    assert json.loads(config.removeprefix("```json\n").removesuffix("\n```")) == CONFIG
    captions = [value.tensor.string_val[0] for _, value in values if value.tag == "samples/grpo/0/text_summary"]
    assert captions == [b"what?\ngold: 3"] * 2


def records(file: Path) -> list:
    """The records of a file of W&B's: blocks of 32 KiB with pieces of records, as LevelDB keeps its log."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, whole, found = file.read_bytes(), 7, b"", []
    while at + 7 <= len(data):
        if 2**15 - at % 2**15 < 7:
            at += 2**15 - at % 2**15
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole record, or its last piece
            found.append(Record.FromString(whole))
            whole = b""
    return found


def test_wandb_keeps_the_same_offline(tmp_path):
    """In a process of its own: it begins a service and leaves it running until its end."""
    pytest.importorskip("wandb", reason="an extra: pip install 'perc_jax[wandb]'")
    variables = whole_runs.environment(None, WANDB_MODE="offline", PYTHONPATH=str(ROOT))
    command = [sys.executable, "-c", WANDB, str(tmp_path), json.dumps(CONFIG)]
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    files = sorted((tmp_path / "wandb").glob("offline-run-*/run-abcd1234.wandb"))
    found = [record for file in files for record in records(file)]
    rows = [record.history.item for record in found if record.HasField("history")]
    logged = [{"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in row} for row in rows]
    losses = [(row["step"], row["train/loss"]) for row in logged if "train/loss" in row]
    assert losses == [(step, 1 / step) for step in (1, 2, 3, 3, 4)]
    pictures = [(row["step"], row["samples/grpo/captions"]) for row in logged if "samples/grpo/captions" in row]
    assert pictures == [(3, ["what? gold: 3"]), (4, ["what? gold: 3"])]
    assert len(list((tmp_path / "wandb").glob("offline-run-*/files/media/images/samples/*.png"))) == 2
    runs = [record.run for record in found if record.HasField("run")]
    assert {run.run_id for run in runs} == {"abcd1234"} and runs[0].display_name == "tiny"
    config = {item.key: json.loads(item.value_json) for item in runs[0].config.update}
    assert config["stages"] == CONFIG["stages"]


def test_trackio_keeps_the_same_locally(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    pytest.importorskip("trackio", reason="an extra: pip install 'perc_jax[trackio]'")
    for last, steps in ((-1, (1, 2)), (2, (3,))):
        tracker = Trackio(place(tmp_path, last))
        for step in steps:
            tracker.numbers(step, {"train/loss": 1 / step})
        tracker.pictures(steps[-1], "samples/grpo", [Picture(PIXELS, "what?")])
        tracker.close()
    assert capsys.readouterr() == ("", "")
    [file] = (tmp_path / "trackio").glob("*.db")
    rows = sqlite3.connect(file).execute("select run_name, step, metrics from metrics order by id").fetchall()
    losses = [(step, json.loads(values)["train/loss"]) for _, step, values in rows if b"train/loss" in values]
    assert losses == [(step, 1 / step) for step in (1, 2, 3)] and {name for name, *_ in rows} == {"tiny-abcd1234"}
