"""gs:// on an emulator: checkpoints beside updates, damage skipped, a run killed and resumed to the same end."""

import json
import subprocess
import sys
import time

import pytest

from tests import whole_runs
from tests.records import buckets

pytestmark = buckets.NEEDED

CHECKPOINTS = """
import sys
import jax, numpy as np
from etils import epath
from perc_jax.records.checkpoint import Checkpoints
update = jax.jit(lambda x: 2 * x + 1, donate_argnums=0)
checkpoints = Checkpoints(sys.argv[1], keep=2)
assert checkpoints.steps() == [] and checkpoints.restore({}, {"model": {}}) is None
x, wanted = update(jax.random.normal(jax.random.key(0), (1 << 18,))), {}
for step in (1, 2, 3):
    wanted[step] = np.array(x)
    checkpoints.save(step, {"x": x}, {"step": step}, {"model": {}})
    x = update(x)
checkpoints.wait()
assert checkpoints.steps() == [2, 3]
victim = next(epath.Path(f"{sys.argv[1]}/checkpoints/3/state/ocdbt.process_0/d").iterdir())
for step in (3, 2):
    restored, position = checkpoints.restore({"x": x}, {"model": {}})
    assert position == {"step": step}, position
    np.testing.assert_array_equal(restored["x"], wanted[step])
    victim.unlink(missing_ok=True)
checkpoints.close()
"""


@pytest.fixture(scope="module")
def bucket():
    with buckets.served() as found:
        yield found


def test_checkpoints_are_written_beside_updates_and_damage_is_skipped(bucket, tmp_path):
    command = [sys.executable, "-c", CHECKPOINTS, "gs://bucket/run"]
    environment = bucket.env
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert "warning: checkpoint 3 is damaged (state/ocdbt.process_0/d/" in ended.stderr
    assert list(tmp_path.iterdir()) == []  # gs:// is no folder of this machine


TABLES = """
from pathlib import Path
from etils import epath
from perc_jax.config import TableConfig
from perc_jax.data.tables import open_table
from tests.data.tables import peers
chats, verl = Path("chats"), Path("verl")
for folder in (chats, verl):
    folder.mkdir()
written = peers.ms_swift(chats)
for file in (*chats.rglob("*.*"), peers.verl(verl).path):
    epath.Path(f"gs://bucket/tables/{file}").write_bytes(file.read_bytes())
answers = {}
for path in ("chats/data.jsonl", "chats", "verl", "verl/*.parquet"):
    table = open_table(TableConfig(f"gs://bucket/tables/{path}", cache="cache"))
    rows = [table[number] for number in range(len(table))]
    assert [len(row.pictures) for row in rows] == [1, 2, 0]
    assert rows[1].pictures[0].read() == peers.png(10)
    answers[path] = [row.answer for row in rows]
assert answers == {
    "chats/data.jsonl": ["0", "1", "2"],
    "chats": ["0", "1", "2"],
    "verl": ["3", "larger", "7"],
    "verl/*.parquet": ["3", "larger", "7"],
}
for path in ("gone.jsonl", "gone*.jsonl", "**/*.jsonl"):
    try:
        open_table(TableConfig(f"gs://bucket/tables/{path}"))
    except ValueError as error:
        print(error)
"""


def test_tables_and_their_pictures_are_read_from_a_bucket(bucket, tmp_path):
    pytest.importorskip("pyarrow", reason="the extra `tables` is not installed")
    environment = bucket.env
    command = [sys.executable, "-c", TABLES]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    said = ended.stdout.splitlines()
    assert said[0].endswith("gone.jsonl must be a file, glob, folder or hub id (owner/name), found none")
    assert said[1].endswith("gone*.jsonl must match a file, found none")
    assert said[2].endswith("must not have ** on gs://, where it would list the whole bucket")


OWNERS = """
import sys
from etils import epath
from perc_jax.records.owner import FILE, Owner
file = epath.Path("gs://bucket/owned") / FILE
first, second = (Owner("gs://bucket/owned", [].append, beat_s=0.2, stale_s=2.0) for _ in range(2))
with first:
    first._mine["host"], first._mine["space"] = "another", "its own"
    while "another" not in file.read_text():
        pass
    try:
        second.__enter__()
    except ValueError as error:
        print(error)
    first._end.set()
    first._thread.join()
    with Owner("gs://bucket/owned", [].append, beat_s=0.2, stale_s=2.0) as third:
        assert third._mine["id"] in file.read_text()
assert not file.exists()
"""


def test_a_workdir_has_one_owner_which_lives_while_it_beats(bucket, tmp_path):
    environment = bucket.env
    command = [sys.executable, "-c", OWNERS]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert "workdir gs://bucket/owned must be of one run at a time, it is in use by process" in ended.stdout


HEARTS = """
import jax, jax.numpy as jnp
from etils import epath
from perc_jax import status
from perc_jax.processes.heart import Heart
from perc_jax.processes.status import look
from perc_jax.records.attempts import Attempt
from perc_jax.records.traces import Trace
run, said = "gs://bucket/beaten", []
for number in (1, 2):
    hearts = [Heart(run, Attempt(number, 50.0, 2), rank, lambda: ("rollout", 1.0), said.append) for rank in (0, 1)]
    for heart in hearts:
        heart.count_step(3, "grpo", 3)  # before its first beat
        heart.__enter__()
    if number == 1:
        for heart in hearts:
            heart.end("terminated; step 3 is kept", 143)
            heart._thread.join()  # in a run of its own the process would be gone
trace = Trace(epath.Path(run), 1, 1, said.append)
trace.begin(1)
trace.end(1, jnp.ones(3) + 1)
print(*said)
found = look(run)
while any(process.beat is None for process in found.processes):
    found = look(run)
print(found.state, found.is_well, found.attempts[0].ended.code, [one.beat.step for one in found.processes])
status.main([run])
"""


def test_how_a_run_stands_is_written_to_a_bucket_and_read_from_it(bucket, tmp_path):
    environment = bucket.env | {"JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", HEARTS]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    said, found, first, *_ = ended.stdout.splitlines()
    assert said == "the trace is in gs://bucket/beaten/profile: tensorboard --logdir gs://bucket/beaten/profile"
    assert found == "running True 143 [3, 3]" and first.startswith("gs://bucket/beaten: running, attempt 2 since ")
    assert len([name for name in bucket.names("beaten/profile/") if name.endswith(".xplane.pb")]) == 1
    assert bucket.names("beaten/heartbeat/") == ["beaten/heartbeat/0000.json", "beaten/heartbeat/0001.json"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_run_that_is_killed_resumes_to_the_same_end(bucket, tmp_path):
    def start(name: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "perc_jax.train", *whole_runs.SMOKE, "--workdir", f"gs://bucket/{name}"]
        environment = bucket.env | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache")}
        return subprocess.Popen(command, cwd=whole_runs.ROOT, env=environment, stderr=subprocess.DEVNULL)

    assert start("whole").wait(whole_runs.LIMIT_S) == 0
    run, until = start("killed"), time.monotonic() + whole_runs.LIMIT_S
    while not bucket.read("killed/checkpoints/4/commit.json"):
        assert time.monotonic() < until and run.poll() is None
        time.sleep(0.2)
    run.kill()
    run.wait()
    assert start("killed").wait(whole_runs.LIMIT_S) == 0
    facts = json.loads(bucket.read("killed/run.json"))
    assert facts["starts"] == 2
    evaluations = bucket.names("whole/eval/")
    assert len(evaluations) == 3
    for name in evaluations:
        assert bucket.read(name.replace("whole/", "killed/")) == bucket.read(name)
    whole, killed = (
        [json.loads(line) for line in bucket.read(f"{name}/metrics.jsonl").splitlines()] for name in ("whole", "killed")
    )
    for one, other in zip(whole, killed, strict=True):
        for record in (one, other):
            for timed in [key for key in record if key.startswith(whole_runs.CLOCKED)]:
                del record[timed]
        assert one == other
