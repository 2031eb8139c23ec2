"""gs:// on an emulator behind a service that fails, is slow, does a thing twice or breaks off in the middle: what its
libraries ask again comes out whole, and where they give up, a run says so in one line."""

import json
import re
import subprocess
import sys

import pytest
from etils import epath

from perc_jax.processes import ends
from perc_jax.records import files
from tests.records import buckets
from tests.records.gcs_faults import DOWN, KINDS, Faults
from tests.records.test_gcs import CHECKPOINTS

pytestmark = buckets.NEEDED

# Each repeated request waits seconds at first: the policy is the library's, the waiting shorter.
HURRY = """
import asyncio, types
import gcsfs.retry
gcsfs.retry.asyncio = types.SimpleNamespace(sleep=lambda seconds: asyncio.sleep(seconds / 100))
"""
OUTPUTS = """
import sys
from etils import epath
from perc_jax.config import to_dict
from perc_jax.records import attempts
from perc_jax.records.attempts import Attempt, Beat
from perc_jax.records.files import to_json, write_whole
from perc_jax.records.logs import Log
from perc_jax.records.metrics import Metrics, is_damaged, read_metrics
from perc_jax.records.owner import Owner
from perc_jax.report.runs import write_report
from tests import short_run
run, folder, said = sys.argv[1], epath.Path(sys.argv[1]), []
with Owner(run, said.append, beat_s=0.5, stale_s=60.0) as owner:
    write_whole(folder / "config.json", to_json(to_dict(short_run.get_config())))
    log = Log(folder, 1, 0)
    for start in (0, 4):  # of the run, which goes on after step 4
        attempts.begin(folder, Attempt(1 + start // 4, 50.0 + start, 1))
        metrics = Metrics(run)
        metrics.truncate_after(start)
        for step in range(start + 1, start + 7):
            metrics.write(step, "grpo", {"train/loss": step / 3})
            found = read_metrics(run)
            assert [one["step"] for one in found] == list(range(1, step + 1)) and not is_damaged(run), found
            log.add(f"step {step} of start {start}")
            log.write()
            attempts.write_beat(folder, Beat(1 + start // 4, 0, "host", 60.0 + step, step, "grpo"))
        write_report(run)
    owner.raise_failure()
assert said == [], said
"""


@pytest.fixture(scope="module")
def bucket():
    with buckets.served() as found:
        yield found


def ended(code: str, workdir: str, url: str, folder) -> subprocess.CompletedProcess:
    """A program that works on a workdir, gs:// being at an address."""
    environment = buckets.environment(url) | {"JAX_PLATFORMS": "cpu"}
    words = [sys.executable, "-c", HURRY + code, workdir]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=500)


@pytest.mark.parametrize(
    "kind", ["fail", "twice", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("slow", "cut"))]
)
def test_what_a_run_writes_is_whole_whatever_goes_wrong(bucket, tmp_path, kind):
    with Faults(bucket.url, kind) as faults:
        found = ended(OUTPUTS, f"gs://bucket/{kind}", faults.url, tmp_path)
    assert found.returncode == 0, found.stderr
    assert faults.counts[kind] > 10
    lines = [json.loads(line) for line in bucket.read(f"{kind}/metrics.jsonl").splitlines()]
    assert lines == [{"step": step, "stage": "grpo", "train/loss": step / 3} for step in range(1, 11)]
    log = bucket.read(f"{kind}/logs/0001-0000.000.log").decode()
    told = [(0, step) for step in range(1, 7)] + [(4, step) for step in range(5, 11)]
    assert re.findall(r"  (.*)\n", log) == [f"step {step} of start {start}" for start, step in told]
    report = bucket.read(f"{kind}/report.html").decode()
    assert report.startswith("<!") and report.rstrip().endswith("</html>")
    assert [one["number"] for one in json.loads(bucket.read(f"{kind}/attempts.json"))] == [1, 2]
    assert json.loads(bucket.read(f"{kind}/heartbeat/0000.json"))["step"] == 10
    assert bucket.read(f"{kind}/owner.json") is None


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_checkpoints_are_whole_whatever_goes_wrong(bucket, tmp_path, kind):
    """As without faults: three are written, two kept and read, and the one that is damaged is skipped."""
    with Faults(bucket.url, kind) as faults:
        found = ended(CHECKPOINTS, f"gs://bucket/checkpoints_{kind}", faults.url, tmp_path)
    assert found.returncode == 0, found.stderr
    assert "warning: checkpoint 3 is damaged (state/ocdbt.process_0/d/" in found.stderr
    assert faults.counts[kind] > 10


GIVES_UP = """
import sys
from perc_jax.processes import ends
from perc_jax.records.metrics import Metrics

@ends.told(ends.FAILED)
def main():
    Metrics(sys.argv[1]).write(1, "grpo", {})

main()
"""


def test_where_nothing_comes_through_a_run_ends_in_one_line(bucket, tmp_path):
    """By the library's policy after half a minute, here sooner; what was there before is untouched."""
    with Faults(bucket.url, DOWN) as faults:
        found = ended(GIVES_UP, "gs://bucket/down", faults.url, tmp_path)
    assert found.returncode == ends.FAILED
    assert found.stderr.splitlines()[-1].startswith("error: ") and "503" in found.stderr.splitlines()[-1]
    assert bucket.names("down") == []


class Foreign(Exception):
    """An error as gs://'s library has them."""

    __module__ = "gcsfs.retry"


def test_what_the_library_raises_when_it_gives_up_names_the_file_and_is_no_bug():
    with pytest.raises(OSError, match="gave up") as given, files.named(epath.Path("gs://bucket/run/metrics.jsonl")):
        raise Foreign("gave up, 503")
    assert ends.reason(given.value) == "gs://bucket/run/metrics.jsonl: gave up, 503"
    for error in (given.value, Foreign("gave up, 503")):
        assert ends.is_told(error) and ends.code_of(error) == ends.FAILED
    assert not ends.is_told(LookupError()) and not ends.is_remote(SystemExit())
