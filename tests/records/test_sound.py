"""What is not finite is never committed, read or made room for; older layouts are read."""

import json
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.records.checkpoint import Checkpoints
from perc_jax.records.finite import Finite, is_finite

CONFIG = {"model": {}, "stages": [{"name": "warmup"}, {"name": "rl"}]}
VALUES = {"float32": [np.nan, np.inf, -np.inf], "bfloat16": [np.nan, np.inf]}


def state(value: float = 1.0, dtype: str = "float32") -> dict:
    weights = jnp.ones((64, 8), dtype)
    return {"params": {"a": jnp.ones(4), "b": weights.at[33, 5].set(value)}, "count": jnp.int32(3)}


@pytest.fixture
def checkpoints(tmp_path):
    found = Checkpoints(str(tmp_path), keep=2)
    yield found
    found.close()


def write(checkpoints: Checkpoints, *steps: int, sound: bool = True) -> None:
    for step in steps:
        checkpoints.save(step, state(step), {"stage": "rl", "step": step}, CONFIG, sound=sound)
    checkpoints.wait()


@pytest.mark.parametrize(("dtype", "value"), [(dtype, value) for dtype in VALUES for value in VALUES[dtype]])
def test_one_number_that_is_none_is_found_and_named(dtype, value):
    leaves = state(value, dtype)["params"] | {"count": jnp.int32(3)}
    sought = Finite()
    assert sought.first_bad(leaves) == "b"
    assert sought.first_bad(state(3e38, dtype)["params"] | {"count": jnp.int32(3)}) is None
    assert sought.first_bad({"count": jnp.int32(3)}) is None
    host = np.asarray(leaves["b"])
    assert not is_finite(host) and is_finite(host[:33]) and is_finite(np.zeros(0, host.dtype))


def test_host_arrays_are_looked_at_to_their_last_number():
    large = np.zeros((1 << 20) + 1, np.float32)
    assert is_finite(large)
    large[-1] = np.inf
    assert not is_finite(large)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_state_that_is_not_finite_is_refused_and_the_good_ones_stay(checkpoints, value):
    write(checkpoints, 1, 2)
    words = "params/b was not finite after step 3, so no checkpoint was written; the newest one is of step 2"
    with pytest.raises(RuntimeError, match=words):
        checkpoints.save(3, state(value), {}, CONFIG)
    checkpoints.wait()
    assert checkpoints.steps() == [1, 2]
    found, position = checkpoints.restore(state(), CONFIG)
    assert position["step"] == 2 and float(found["params"]["b"][33, 5]) == 2


def test_the_first_state_of_a_run_may_be_the_bad_one(checkpoints):
    with pytest.raises(RuntimeError, match="there is none yet"):
        checkpoints.save(1, state(np.nan), {}, CONFIG)
    assert checkpoints.steps() == []


def test_within_a_bad_streak_no_good_checkpoint_goes(checkpoints):
    """`keep` is 2; what is not sound comes beside, and goes when a sound one is newer."""
    write(checkpoints, 1, 2, 3)
    assert checkpoints.steps() == [2, 3]
    write(checkpoints, 4, 5, 6, sound=False)
    assert checkpoints.steps() == [2, 3, 4, 5, 6] and checkpoints.sound_steps() == [2, 3]
    write(checkpoints, 7)
    assert checkpoints.steps() == [3, 7]


def commit_as_written_before(checkpoints: Checkpoints, tmp_path, step: int, value: float) -> None:
    """Write a checkpoint as it would be without these rules: of any values, its stage named by its place."""
    known = checkpoints._finite
    checkpoints._finite = type("Blind", (), {"first_bad": lambda self, leaves: None})()
    checkpoints.save(step, state(value), {"stage": 1, "step": step}, CONFIG)
    checkpoints.wait()
    checkpoints._finite = known
    file = tmp_path / "checkpoints" / str(step) / "commit.json"
    record = json.loads(file.read_text())
    del record["crc32"], record["sound"]
    content = json.dumps(record, sort_keys=True).encode()
    file.write_text(json.dumps(record | {"crc32": zlib.crc32(content)}))


def test_an_older_layout_names_its_stage_and_counts_as_sound(checkpoints, tmp_path):
    commit_as_written_before(checkpoints, tmp_path, 1, 1.0)
    assert checkpoints.restore(state(), CONFIG)[1] == {"stage": "rl", "step": 1}
    assert checkpoints.check(CONFIG)[0]["stage"] == "rl"
    write(checkpoints, 2, 3)
    assert checkpoints.steps() == [2, 3]


def test_weights_that_are_not_finite_are_refused_by_readers_and_passed_by_a_run(checkpoints, tmp_path, capsys):
    write(checkpoints, 1)
    commit_as_written_before(checkpoints, tmp_path, 2, np.nan)
    place = tmp_path / "checkpoints" / "2"
    with pytest.raises(ValueError, match=f"^checkpoint {place} must be finite, but params/b is not$"):
        checkpoints.restore({"params": state()["params"]}, CONFIG)
    found, position = checkpoints.restore(state(), CONFIG, past_bad=True)
    assert position["step"] == 1 and bool(jax.numpy.isfinite(found["params"]["b"]).all())
    [line] = capsys.readouterr().err.strip().splitlines()
    assert line == "warning: checkpoint 2 is damaged (params/b is not finite), trying an older one"
    write(checkpoints, 3)
    assert 1 in checkpoints.steps()
