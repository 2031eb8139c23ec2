"""A whole run in turns: conversations are sampled, learnt from and shown; killed between two turns, it is the same.

So it is with a few slots that conversations take in turn, and in two processes.
"""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests import whole_runs

CONFIG = ("--config", "tests/short_talk.py")
SLOTS = ("--rollout.slots", "2")  # of four prompts
pytestmark = pytest.mark.slow


def talk(workdir: Path, cache: Path, *settings: str, name: str = "output", **place: str) -> whole_runs.Running:
    """Start the run."""
    folder = workdir.parent / f"{workdir.name}.{name}"
    arguments = (*CONFIG, "--workdir", str(workdir), *settings)
    return whole_runs.Running("perc_jax.train", *arguments, folder=folder, cache=cache, **place)


def undisturbed(folder: Path, cache: Path, *settings: str) -> Path:
    """The workdir of a run that came to its end."""
    with talk(folder / "run", cache, *settings) as run:
        ended = run.end()
    assert ended.code == 0, ended.err
    return folder / "run"


def _read(files: dict[str, bytes]) -> dict[str, Any]:
    """Kept conversations and their pictures without what is rounded."""
    return {name: _exact(json.loads(content)) if name.endswith(".json") else content for name, content in files.items()}


def _exact(value: Any) -> Any:
    """A JSON value without its floats."""
    if isinstance(value, dict):
        return {name: _exact(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_exact(one) for one in value]
    return None if isinstance(value, float) else value


def assert_close(workdir: Path, other: Path) -> None:
    """The same run but for the rounding of sums, and for how full the places were that conversations were held in."""
    whole_runs.assert_metrics_close(workdir, other, 1e-3, 1e-5, ("rollout/slot_occupancy", "rollout/occupancy"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="module")
def at_once(tmp_path_factory, cache) -> Path:
    return undisturbed(tmp_path_factory.mktemp("at_once"), cache)


@pytest.fixture(scope="module")
def in_slots(tmp_path_factory, cache) -> Path:
    return undisturbed(tmp_path_factory.mktemp("in_slots"), cache, *SLOTS)


@pytest.mark.parametrize("how", ["at_once", "in_slots"])
def test_conversations_are_learnt_from_without_a_recompile(how, request):
    workdir = request.getfixturevalue(how)
    steps = [line for line in whole_runs.metrics(workdir) if "train/loss" in line]
    assert [line["step"] for line in steps] == [1, 2, 3]
    for line in steps:
        assert line["train/recompiles"] == 0 and line["train/is_finite"] == 1
        assert line["mismatch/prob_diff_max"] <= 2e-6
        assert line["rollout/turns"] >= 1 and line["train/grad_norm"] > 0
    assert max(line["rollout/turns"] for line in steps) > 1, "somebody must have been replied to"
    pages = [json.loads(path.read_text()) for path in (workdir / "samples").glob("*.json")]
    turns = [len(answer["turns"]) for page in pages for sample in page for answer in sample["answers"]]
    assert max(turns) > 1


def test_slots_change_nothing_but_the_rounding(at_once, in_slots):
    """Tokens are drawn by prompt and place, so the same conversations are held, kept and learnt from."""
    assert_close(in_slots, at_once)
    mine, theirs = (_read(whole_runs.kept_samples(folder)) for folder in (in_slots, at_once))
    assert mine == theirs


@pytest.mark.parametrize(("how", "settings"), [("at_once", ()), ("in_slots", SLOTS)])
def test_killed_between_two_turns_it_goes_on_as_the_same_run(how, settings, cache, tmp_path, request):
    """The first step's checkpoint is there and its line is written: the second step's turns are under way."""
    workdir = tmp_path / "run"
    with talk(workdir, cache, *settings) as run:
        run.wait_for(lambda: whole_runs.steps(workdir) == [1] if (workdir / "checkpoints").exists() else False)
        run.kill()
    assert whole_runs.steps(workdir)[-1] < 3
    with talk(workdir, cache, *settings) as run:
        ended = run.end()
    assert ended.code == 0, ended.err
    whole_runs.assert_same(workdir, request.getfixturevalue(how))


@pytest.mark.parametrize(("how", "settings"), [("at_once", ()), ("in_slots", SLOTS)])
def test_two_processes_talk_as_one(how, settings, cache, tmp_path, request):
    """Each plays its own prompts' environments; who waits for a slow one, all wait for."""
    workdir = tmp_path / "run"
    place = {"JAX_COORDINATOR_ADDRESS": f"localhost:{whole_runs.free_port()}", "JAX_NUM_PROCESSES": "2"}
    with contextlib.ExitStack() as both:
        ranks = [
            both.enter_context(talk(workdir, cache, *settings, name=f"rank_{rank}", **place, JAX_PROCESS_ID=str(rank)))
            for rank in (0, 1)
        ]
        ended = [rank.end() for rank in ranks]
    assert [rank.code for rank in ended] == [0, 0], [rank.err for rank in ended]
    assert json.loads((workdir / "run.json").read_text())["hosts"] == 2
    assert_close(workdir, request.getfixturevalue(how))
