"""The parts of a measurement: each in its time, each kept at once; what fails or hangs is a line, not the end."""

import json
import sys
from pathlib import Path

import pytest

from perc_jax.bench import __main__ as bench
from perc_jax.bench.device import command
from perc_jax.bench.device.folder import Folder
from perc_jax.bench.device.parts import PARTS, Settings

# Stands in for the process of a part: what each does is said by the file FOLDER/script.json.
CHILD = """
import json, pathlib, sys, time
name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
does = json.loads((folder / "script.json").read_text()).get(name, {"found": 1})
with (folder / "began.txt").open("a") as file:
    file.write(name + "\\n")
if "sleep" in does:
    time.sleep(does["sleep"])
if "say" in does:
    sys.exit(does["say"])
(folder / "parts").mkdir(exist_ok=True)
(folder / "parts" / f"{name}.json").write_text(json.dumps(does))
sys.exit(1 if "error" in does else 0)
"""
DEVICE = {"kind": "cpu", "platform": "cpu", "count": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    found = Folder(tmp_path / "out")
    found.begin(Settings("tiny", 1, 0))
    return found


def measured(folder: Folder, does: dict, *wanted: str, seconds: float = 60.0) -> dict:
    """What the folder holds after the parts were asked for."""
    (folder.path / "script.json").write_text(json.dumps({"device": DEVICE} | does))
    command.measure(folder, wanted, seconds, child=(sys.executable, "-S", "-c", CHILD))
    return folder.whole()["parts"]


def began(folder: Folder) -> list[str]:
    return (folder.path / "began.txt").read_text().split()


def test_every_part_is_measured_and_one_that_fails_is_a_line(folder, capsys):
    does = {"peak": {"error": "RESOURCE_EXHAUSTED: too little"}, "parity": {"say": "Traceback\nMemoryError: all gone"}}
    parts = measured(folder, does, "device", "peak", "parity", "clip")
    assert parts["peak"] == {"error": "RESOURCE_EXHAUSTED: too little"} and parts["clip"] == {"found": 1}
    assert parts["parity"] == {"error": "its process ended with code 1: MemoryError: all gone"}
    assert "peak and bandwidth: RESOURCE_EXHAUSTED: too little after" in capsys.readouterr().err
    assert json.loads((folder.path / "device.json").read_text())["parts"] == parts


def test_a_part_that_hangs_is_ended_and_the_next_one_goes_on(folder, monkeypatch):
    monkeypatch.setitem(PARTS, "peak", PARTS["peak"]._replace(limit_s=0.5))
    monkeypatch.setattr(command, "LEAST_S", 0.1)
    parts = measured(folder, {"peak": {"sleep": 60}}, "device", "peak", "parity")
    assert parts["peak"] == {"error": "ended after the 0 s that it may take"} and parts["parity"] == {"found": 1}


def test_what_was_measured_is_kept_and_not_measured_again(folder):
    measured(folder, {"parity": {"error": "no"}}, "device", "peak", "parity")
    parts = measured(folder, {"peak": {"found": 2}, "parity": {"found": 2}}, "device", "peak", "parity", "clip")
    assert parts["peak"] == {"found": 1} and parts["parity"] == {"found": 2} and parts["clip"] == {"found": 1}
    # The device is looked at each time, what failed is tried again.
    assert began(folder) == ["device", "peak", "parity", "device", "parity", "clip"]


def test_without_time_left_a_part_says_so(folder):
    parts = measured(folder, {}, "device", "peak", seconds=command.LEAST_S / 2)
    assert parts["peak"] == {"error": "no time was left of the 2 s"} and not (folder.path / "began.txt").exists()


def test_without_a_device_there_is_nothing_to_measure(folder):
    with pytest.raises(RuntimeError, match="nothing can be measured: no such platform"):
        measured(folder, {"device": {"error": "no such platform"}}, "device", "peak")
    assert began(folder) == ["device"]


def test_a_folder_holds_one_measurement_of_one_device(folder):
    with pytest.raises(ValueError, match=r"--size must be that of what --out .* holds \(tiny\), got 3b"):
        folder.begin(Settings("3b", 1, 0))
    folder.keep("device", DEVICE)
    folder.keep("device", DEVICE | {"memory_bytes": 1})
    with pytest.raises(ValueError, match=r"must be of this device \(H100, gpu, 1\), got what was measured on cpu"):
        folder.keep("device", DEVICE | {"kind": "H100", "platform": "gpu"})
    folder.keep("device", {"error": "of another device"})
    assert folder.found("device")["kind"] == "cpu" and folder.is_done("device")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--size", "9b"), "--size: invalid choice: '9b'"),
        (("--minutes", "0"), "--minutes: must be a number > 0.0, got '0'"),
        (("--repeats", "x"), "--repeats: must be a number > 0, got 'x'"),
        (("--only", "peak,walk"), "--only must be some of device, peak"),
        (("--stages.0.group-size", "4"), "unrecognized arguments: --stages.0.group-size"),
    ],
)
def test_a_wrong_argument_gives_one_clear_line(arguments, words, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "measure", None)
    with pytest.raises(SystemExit) as stop:
        bench.main(["device", *arguments])
    said = capsys.readouterr().err
    assert stop.value.code == 2 and words in said and said.count("\n") == 1
