"""Faults at random moments of runs of 1, 2 and 4 processes (`faults.py`): all end soon and name the cause, nothing is
lost; `python -m tests.run.faults --trials 60` tries more of them."""

from pathlib import Path

import pytest

from tests.run import faults

TRIALS = 8


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_nothing_is_lost_whatever_strikes_a_run(tmp_path: Path) -> None:
    trials, failed = faults.run(TRIALS, 0, tmp_path)
    assert failed == [] and len(trials) >= TRIALS
