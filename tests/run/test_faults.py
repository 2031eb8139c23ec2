"""Faults at random moments of runs of 1 and 2 processes (`faults.py`): all end soon and name the cause, nothing is
lost; `python -m tests.run.faults --trials 60` tries more of them, on 4 processes and on changing numbers too."""

from pathlib import Path

import pytest

from tests.run import faults

TRIALS = 4  # of a number of processes: a chain, or a little more
SEEDS = {2: 0, 1: 10}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("processes", SEEDS)
def test_nothing_is_lost_whatever_strikes_a_run(tmp_path: Path, processes: int) -> None:
    trials, failed = faults.run(TRIALS, SEEDS[processes], tmp_path, processes=processes)
    assert failed == [] and len(trials) >= TRIALS
