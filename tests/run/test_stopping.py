"""SIGTERM within a step: the step that is under way is the last one, and is kept, on one process and on two."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import whole_runs
from tests.run.starts import Ground, Moment, Start

RARE = ("--checkpoint.every", "9")  # else a checkpoint would be due anyway
MOMENTS = [(1, Moment("rollout", 2, 0.0)), (1, Moment("update", 3, 0.05)), (2, Moment("verify", 1, 0.0))]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    found = Ground.of(tmp_path_factory.mktemp("ground") / "cache")
    with found.nursery:
        yield found


def steps_begun(start: Start) -> int:
    """How many steps a start has begun."""
    return start.phases(0).count("data")


@pytest.mark.slow
@pytest.mark.parametrize(("count", "moment"), [*MOMENTS, (2, Moment("data", 3, 0.0))])
def test_no_step_is_begun_after_the_one_in_which_it_was_told(
    ground: Ground, tmp_path: Path, count: int, moment: Moment
) -> None:
    """The signal may come after a step has asked for it; then the next one is the last."""
    workdir, victim = tmp_path / "run", count - 1
    with Start(workdir, tmp_path / "output", ground, count, *RARE) as start:
        assert start.wait_for(moment, victim)
        begun = steps_begun(start)
        start.ranks[victim].signal(signal.SIGTERM)
        ended, _ = start.end()
        last = steps_begun(start)
    assert [one.code for one in ended] == [143] * count, [one.err for one in ended]
    assert begun >= 1 and last - begun <= 1
    assert whole_runs.steps(workdir) == [last]
    assert all(f"terminated; step {last} is kept" in one.err for one in ended)
