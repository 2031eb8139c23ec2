"""The trace of some steps: those and no others, where TensorBoard looks for it, and no harm where it cannot be made."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from etils import epath

from perc_jax.records import traces
from perc_jax.records.traces import WRITING, Trace
from tests import ROOT

STEP = jax.jit(lambda x: x @ x / 64)
# In a process of its own: asking for an event's facts ends that of some versions of jaxlib.
READ = """
import json, sys
from jax.profiler import ProfileData
lines = [line for plane in ProfileData.from_file(sys.argv[1]).planes for line in plane.lines]
print(json.dumps([event.name for line in lines for event in line.events if event.name == "step"]))
"""


def traced(folder: Path, first: int, last: int, steps: range) -> tuple[list[str], list[str], Trace]:
    """Steps with a trace of some: what was said, which phases there were, the trace."""
    said, phases = [], []

    def phase(name: str):
        phases.append(name)
        return contextlib.nullcontext()

    trace, x = Trace(epath.Path(folder), first, last, said.append, phase), jnp.ones((64, 64))
    for step in steps:
        trace.begin(step)
        x = STEP(x)
        trace.end(step, x)
    trace.close()
    return said, phases, trace


def events(folder: Path) -> list[str]:
    """The steps that the only trace below a folder has."""
    [file] = folder.glob("profile/plugins/profile/*/*.xplane.pb")  # where TensorBoard's plugin looks
    words = [sys.executable, "-c", READ, str(file)]
    return json.loads(subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def test_the_trace_has_the_steps_that_were_asked_for(tmp_path):
    said, phases, _ = traced(tmp_path, 3, 5, range(1, 9))
    assert events(tmp_path) == ["step"] * 3 and phases == [WRITING]
    assert said == [f"the trace is in {tmp_path}/profile: tensorboard --logdir {tmp_path}/profile"]


def test_a_run_that_goes_on_within_the_steps_traces_the_rest_and_one_that_ends_there_what_it_made(tmp_path):
    traced(tmp_path / "resumed", 3, 5, range(5, 9))
    assert events(tmp_path / "resumed") == ["step"]
    traced(tmp_path / "ended", 3, 50, range(1, 5))
    assert events(tmp_path / "ended") == ["step"] * 2


@pytest.mark.parametrize("steps", [range(6, 9), range(1, 3)])
def test_steps_that_are_not_made_are_told_once(tmp_path, steps):
    said, phases, _ = traced(tmp_path, 3, 5, steps)
    assert said == ["nothing is traced: this start of the run makes none of the steps 3 to 5"]
    assert phases == [] and list(tmp_path.iterdir()) == []


def test_nothing_is_asked_and_nothing_said(tmp_path):
    assert traced(tmp_path, 0, 0, range(1, 9))[:2] == ([], []) and list(tmp_path.iterdir()) == []


def test_only_the_first_process_traces(tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    assert traced(tmp_path, 3, 5, range(1, 9))[:2] == ([], []) and list(tmp_path.iterdir()) == []


def test_what_goes_wrong_is_told_and_ends_nothing(tmp_path):
    (tmp_path / "profile").write_text("no folder")
    [line] = traced(tmp_path, 3, 5, range(1, 9))[0]
    assert line.startswith("warning: the profile could not be made, the run goes on without it: ")


def test_where_the_workdir_is_remote_it_is_made_here_and_copied(tmp_path, monkeypatch):
    here = []
    start = jax.profiler.start_trace
    monkeypatch.setattr(traces, "_is_remote", lambda folder: True)
    monkeypatch.setattr(jax.profiler, "start_trace", lambda folder: here.append(folder) or start(folder))
    said = traced(tmp_path, 3, 4, range(1, 9))[0]
    assert events(tmp_path) == ["step"] * 2 and f"{tmp_path}/profile" in said[0]
    assert str(tmp_path) not in here[0] and not Path(here[0]).exists()
