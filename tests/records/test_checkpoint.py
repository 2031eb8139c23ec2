"""Checkpoints: bit-exact, beside the next steps, atomic under SIGKILL, damage found and skipped, clear errors."""

import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from perc_jax.records import digests
from perc_jax.records.checkpoint import Checkpoints
from perc_jax.records.same import first_difference

CONFIG = {"model": {"text": {"hidden_size": 64, "mrope_section": (2, 3, 3)}}, "data": {"tokenizer": "debug"}}


class Moments(NamedTuple):
    mu: dict
    count: jax.Array


def make_state(seed=0, scale=1.0, sharding=None):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(16, 8)).astype(np.float32) * scale
    weights.flat[:4] = [-0.0, np.float32(1e-42), np.float32(-1e38), 0.0]  # bits, not values
    state = {
        "params": {"embed": weights, "layers": [weights[:8] * 2, rng.normal(size=(8,)).astype(jnp.bfloat16)]},
        "moments": Moments({"embed": weights * 3}, np.int32(7)),
        "key": np.asarray(jax.random.key_data(jax.random.key(seed))),
    }
    return jax.tree.map(lambda x: jax.device_put(x, sharding), state)


def same_bits(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(x.dtype == y.dtype and np.asarray(x).tobytes() == np.asarray(y).tobytes() for x, y in pairs)


def save_two(workdir):
    checkpoints = Checkpoints(str(workdir), keep=3)
    states = {step: make_state(step) for step in (10, 20)}
    for step, state in states.items():
        checkpoints.save(step, state, {"stage": "rl", "step": step}, CONFIG)
    checkpoints.wait()
    return checkpoints, states


def largest_file(folder):
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def test_round_trip_is_bit_exact_and_keeps_the_newest(tmp_path):
    checkpoints = Checkpoints(str(tmp_path), keep=2)
    assert checkpoints.restore(make_state(), CONFIG) is None
    for step in (1, 2, 3):
        checkpoints.save(step, make_state(step), {"step": step, "curriculum": [0.5, step]}, CONFIG)
    checkpoints.wait()
    assert checkpoints.steps() == [2, 3]
    state, position = checkpoints.restore(make_state(), CONFIG)
    assert same_bits(state, make_state(3))
    assert isinstance(state["moments"], Moments)
    assert position == {"step": 3, "curriculum": [0.5, 3]}
    assert checkpoints.config()["data"] == CONFIG["data"]
    checkpoints.wait()
    checkpoints.close()


@pytest.mark.parametrize("devices", [1, 8])
def test_the_state_may_be_donated_while_it_is_written(tmp_path, monkeypatch, devices):
    """Three updates in place while the files are written; what is restored is the state of before."""
    rows = NamedSharding(jax.make_mesh((devices,), ("fsdp",), devices=jax.devices()[:devices]), PartitionSpec("fsdp"))
    update = jax.jit(lambda tree: jax.tree.map(lambda leaf: 2 * leaf + 1, tree), donate_argnums=0)
    noise = np.random.default_rng(0).normal(size=(1 << 23)).astype(np.float32)  # it takes long to compress
    state = update(jax.device_put({"w": noise, "mu": np.ones((64, 8))}, rows))
    wanted = jax.tree.map(np.array, state)
    updated, gather = threading.Event(), digests.gather
    monkeypatch.setattr(digests, "gather", lambda *folders: updated.wait(60) and gather(*folders))
    checkpoints = Checkpoints(str(tmp_path), keep=1)
    checkpoints.save(1, state, {}, CONFIG)
    for _ in range(3):
        state = jax.block_until_ready(update(state))
    assert not (tmp_path / "checkpoints" / "1" / "state").exists()  # the place of a whole state
    assert checkpoints.steps() == []
    checkpoints.raise_failure()  # there is none so far
    updated.set()
    checkpoints.wait()
    restored, _ = checkpoints.restore(state, CONFIG)
    assert same_bits(restored, wanted) and not same_bits(state, wanted)
    checkpoints.close()


@pytest.mark.parametrize("seen", ["at the next step", "at the end"])
def test_a_write_that_fails_beside_the_run_is_reported_once_and_leaves_nothing(tmp_path, monkeypatch, seen):
    checkpoints, states = save_two(tmp_path)

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(digests, "gather", fail)
    checkpoints.save(30, states[20], {}, CONFIG)
    with pytest.raises(OSError, match="no space left for this checkpoint, earlier ones are intact"):
        if seen == "at the end":
            checkpoints.wait()
        while True:
            checkpoints.raise_failure()
            time.sleep(0.01)
    assert checkpoints.steps() == [10, 20] and not (tmp_path / "checkpoints" / "30").exists()
    checkpoints.close()


def test_part_of_the_state_can_be_restored(tmp_path):
    checkpoints, states = save_two(tmp_path)
    params, _ = checkpoints.restore({"params": states[20]["params"]}, CONFIG)
    assert same_bits(params["params"], states[20]["params"])


def test_state_may_depend_on_the_position(tmp_path):
    checkpoints, states = save_two(tmp_path)
    asked = []
    state, _ = checkpoints.restore(lambda *found: asked.append(found) or make_state(), CONFIG)
    assert same_bits(state, states[20]) and asked == [({"stage": "rl", "step": 20}, json.loads(json.dumps(CONFIG)))]


def test_a_reader_leaves_writes_under_way_alone_and_the_next_save_clears_them(tmp_path):
    checkpoints, states = save_two(tmp_path)
    under_way = tmp_path / "checkpoints" / "30" / "state.orbax-checkpoint-tmp"
    under_way.mkdir(parents=True)
    assert Checkpoints(str(tmp_path), keep=1).steps() == [10, 20] and under_way.exists()
    checkpoints.save(25, states[20], {}, CONFIG)
    checkpoints.wait()
    assert checkpoints.steps() == [10, 20, 25] and not under_way.exists()


def test_sharded_state_restores_onto_another_mesh(tmp_path):
    rows = NamedSharding(jax.make_mesh((8,), ("fsdp",)), PartitionSpec("fsdp"))
    two = jax.make_mesh((2,), ("fsdp",), devices=jax.devices()[:2])
    columns = NamedSharding(two, PartitionSpec(None, "fsdp"))
    state = {"w": jax.device_put(np.arange(128, dtype=np.float32).reshape(16, 8), rows)}
    checkpoints = Checkpoints(str(tmp_path), keep=1)
    checkpoints.save(1, state, {}, CONFIG)
    checkpoints.wait()
    restored, _ = checkpoints.restore({"w": jax.ShapeDtypeStruct((16, 8), np.float32, sharding=columns)}, CONFIG)
    assert restored["w"].sharding == columns
    assert same_bits(restored, state)


@pytest.mark.parametrize("harm", ["truncate", "flip", "remove", "commit", "empty_commit"])
def test_damaged_newest_is_skipped_with_one_line(tmp_path, capsys, harm):
    checkpoints, states = save_two(tmp_path)
    newest = tmp_path / "checkpoints" / "20"
    victim = newest / "commit.json" if "commit" in harm else largest_file(newest / "state")
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    if harm == "remove":
        victim.unlink()
    else:
        victim.write_bytes({"truncate": content[:-9], "flip": content, "commit": content, "empty_commit": b""}[harm])
    state, position = checkpoints.restore(make_state(), CONFIG)
    assert position == {"stage": "rl", "step": 10} and same_bits(state, states[10])
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("warning: checkpoint 20 is damaged")
    checkpoints.save(15, states[10], {}, CONFIG)  # the damaged future goes, the past stays
    checkpoints.wait()
    assert checkpoints.steps() == [10, 15]


def test_every_single_bit_of_every_file_is_guarded(tmp_path):
    checkpoints, _ = save_two(tmp_path)
    shutil.rmtree(tmp_path / "checkpoints" / "10")
    rng = np.random.default_rng(0)
    files = [path for path in (tmp_path / "checkpoints" / "20").rglob("*") if path.is_file()]
    for path in files:
        sound = path.read_bytes()
        harmed = bytearray(sound)
        if harmed:
            harmed[rng.integers(len(harmed))] ^= 1 << int(rng.integers(8))
        else:
            harmed = b"x"
        path.write_bytes(harmed)
        with pytest.raises(ValueError, match=r"all 1 are damaged: \[20\]"):
            checkpoints.restore(make_state(), CONFIG)
        path.write_bytes(sound)
    assert checkpoints.restore(make_state(), CONFIG) is not None


def test_another_model_or_tokenizer_is_refused(tmp_path):
    checkpoints, _ = save_two(tmp_path)
    other = json.loads(json.dumps(CONFIG))
    other["model"]["text"]["hidden_size"] = 128
    with pytest.raises(ValueError, match=r"model\.text\.hidden_size must be 64 .*, got 128"):
        checkpoints.restore(make_state(), other)
    with pytest.raises(ValueError, match=r"data\.tokenizer must be 'debug' .*, got 'qwen'"):
        checkpoints.restore(make_state(), CONFIG | {"data": {"tokenizer": "qwen"}})
    elsewhere = CONFIG | {"model": CONFIG["model"] | {"attention": "blockwise"}}  # the same model on another machine
    assert checkpoints.restore(make_state(), elsewhere) is not None


def test_another_shape_or_missing_leaf_is_refused(tmp_path):
    checkpoints, _ = save_two(tmp_path)
    state = make_state()
    with pytest.raises(ValueError, match=r"leaf key must be \['uint32', \[2\]\]"):
        checkpoints.restore(state | {"key": jnp.zeros((3,), jnp.uint32)}, CONFIG)
    with pytest.raises(ValueError, match="must hold the leaf extra"):
        checkpoints.restore(state | {"extra": state["key"]}, CONFIG)


def test_keep_is_checked(tmp_path):
    with pytest.raises(ValueError, match=r"checkpoint\.keep must be >= 1, got 0"):
        Checkpoints(str(tmp_path), keep=0)


def test_first_difference_names_fields_on_either_side():
    assert first_difference({"a": 1}, {"a": 1}) is None
    assert first_difference({"a": {"b": 1}}, {"a": {"b": 2}}) == ("a.b", 1, 2)
    assert first_difference({"old": 1}, {}) == ("old", 1, None)


PEER = """
import sys, jax, numpy as np
from jax.sharding import NamedSharding, PartitionSpec
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(f"localhost:{sys.argv[2]}", 2, int(sys.argv[1]))
from perc_jax.records.checkpoint import Checkpoints
rows = NamedSharding(jax.make_mesh((2,), ("fsdp",)), PartitionSpec("fsdp"))
values = np.arange(64000, dtype=np.float32).reshape(64, 1000)
whole = NamedSharding(rows.mesh, PartitionSpec())
state = {
    "w": jax.make_array_from_callback(values.shape, rows, lambda index: values[index]),
    "same": jax.make_array_from_callback(values.shape, whole, lambda index: values[index]),
}
compiles = []
listen = lambda event, *_, **__: compiles.append(event) if "backend_compile" in event else None
jax.monitoring.register_event_duration_secs_listener(listen)
checkpoints = Checkpoints(sys.argv[3], keep=2)
checkpoints.prepare(state)
compiles.clear()
for step in (1, 2):
    checkpoints.save(step, state, {"step": step}, {"model": {}})
assert compiles == [], compiles
checkpoints.wait()
if jax.process_index() == 0:
    manifest = next(checkpoints._folder.glob("2/state/ocdbt.process_1/manifest*"))
    manifest.write_bytes(manifest.read_bytes()[:-1])
checkpoints.wait()
restored, position = checkpoints.restore(state, {"model": {}})
assert position == {"step": 1}, position
np.testing.assert_array_equal(restored["w"].addressable_shards[0].data, state["w"].addressable_shards[0].data)
checkpoints.close()
jax.distributed.shutdown()
"""


def test_two_processes_write_one_checkpoint_and_agree_on_damage(tmp_path):
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = str(probe.getsockname()[1])
    env = os.environ | {"XLA_FLAGS": ""}
    command = [sys.executable, "-W", "error", "-c", PEER]
    peers = [
        subprocess.Popen([*command, str(rank), port, str(tmp_path)], env=env, stderr=subprocess.PIPE, text=True)
        for rank in (0, 1)
    ]
    try:
        errors = [peer.communicate(timeout=60)[1] for peer in peers]
    finally:
        for peer in peers:
            peer.kill()
    assert [peer.returncode for peer in peers] == [0, 0], errors
    warned = "warning: checkpoint 2 is damaged (state/ocdbt.process_1/manifest"
    assert [warned in error for error in errors] == [True, False]
    one = {
        "w": jax.ShapeDtypeStruct((64, 1000), np.float32, sharding=jax.sharding.SingleDeviceSharding(jax.devices()[0]))
    }
    state, _ = Checkpoints(str(tmp_path), keep=2).restore(one, {"model": {}})
    np.testing.assert_array_equal(state["w"], np.arange(64000, dtype=np.float32).reshape(64, 1000))


WRITER = """
import sys, itertools, jax, numpy as np
from perc_jax.records.checkpoint import Checkpoints
checkpoints = Checkpoints(sys.argv[1], keep=2)
state = {"w": jax.numpy.zeros((256, 64))}
print("ready", flush=True)
for step in itertools.count((checkpoints.steps() or [0])[-1] + 1):
    checkpoints.save(step, {"w": state["w"] + step}, {"step": step}, {"model": {}})
"""


def test_sigkill_leaves_whole_checkpoints_only(tmp_path):
    rng = np.random.default_rng(1)
    like = {"w": jnp.zeros((256, 64))}
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert writer.stdout.readline() == b"ready\n"
        until = time.monotonic() + 60
        while not Checkpoints(str(tmp_path), keep=2).steps() and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.5 * rng.random())
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        folder = tmp_path / "checkpoints"
        committed = [path for path in folder.iterdir() if (path / "commit.json").exists()]
        checkpoints = Checkpoints(str(tmp_path), keep=2)
        assert checkpoints.steps() == sorted(int(path.name) for path in committed) != []
        for step in checkpoints.steps():  # each of them, newest first: restore would warn about a damaged one
            state, position = checkpoints.restore(like, {"model": {}})
            step = position["step"]
            assert step == checkpoints.steps()[-1]
            np.testing.assert_array_equal(state["w"], np.full((256, 64), step, np.float32))
            shutil.rmtree(folder / str(step))


def test_full_disk_is_named_and_earlier_checkpoints_stay(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        checkpoints = Checkpoints(str(disk), keep=3)
        small = {"w": jnp.arange(1000.0)}
        checkpoints.save(1, small, {"step": 1}, CONFIG)
        big = {"w": jax.random.normal(jax.random.key(0), (1 << 20,))}
        with pytest.raises(OSError, match="no space left for this checkpoint, earlier ones are intact"):
            checkpoints.save(2, big, {"step": 2}, CONFIG)
        assert [path.name for path in (disk / "checkpoints").iterdir()] == ["1"]
        state, position = checkpoints.restore(small, CONFIG)
        assert position == {"step": 1} and same_bits(state, small)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_saving_compiles_nothing(tmp_path):
    checkpoints, states = save_two(tmp_path)
    whole = NamedSharding(jax.make_mesh((8,), ("fsdp",)), PartitionSpec())
    other = {"w": jax.device_put(np.ones((512, 512), np.float32), whole)}
    checkpoints.prepare(jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), other))
    compiles = []

    def listen(event, seconds, **_):
        if "backend_compile" in event:
            compiles.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    checkpoints.save(30, states[20], {}, CONFIG)
    checkpoints.save(40, other, {}, CONFIG)
    assert compiles == []
    jax.monitoring.unregister_event_duration_listener(listen)
