"""A run with `--profile 2:3`: its trace can be read and has these steps, and else it is the run that it would have
been."""

from pathlib import Path

import pytest

from tests import whole_runs
from tests.records.test_traces import events


@pytest.mark.slow
def test_two_steps_are_traced_and_nothing_else_changes(reference_run: whole_runs.Reference, tmp_path: Path) -> None:
    ended = whole_runs.finished(tmp_path / "run", "--profile", "2:3", cache=reference_run.cache)
    assert f"the trace is in {tmp_path}/run/profile: tensorboard --logdir {tmp_path}/run/profile" in ended.err
    assert events(tmp_path / "run") == ["step"] * 2
    whole_runs.assert_same(tmp_path / "run", reference_run.workdir)
    assert not (reference_run.workdir / "profile").exists()
