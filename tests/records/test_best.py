"""The best checkpoint stays whatever is newer, gives way to a better one, and is read by its name."""

import pytest

from perc_jax.records import commits
from perc_jax.records.checkpoint import Checkpoints
from tests.records.test_checkpoint import CONFIG, make_state, same_bits
from tests.records.test_commits import committed


def best(step):
    return {"step": step, "suite": "test_a", "accuracy": step / 100}


def saved(checkpoints, *steps, good=()):
    for step in steps:
        checkpoints.save(step, make_state(step), {"step": step}, CONFIG)
        if step in good:
            checkpoints.keep_best(best(step))
    checkpoints.wait()


@pytest.fixture
def checkpoints(tmp_path):
    found = Checkpoints(str(tmp_path), keep=2)
    yield found
    found.close()


def test_it_is_kept_beside_the_newest_and_read_by_its_name(checkpoints, tmp_path):
    saved(checkpoints, 1, 2, 3, 4, 5, good=(2,))
    assert checkpoints.steps() == [2, 4, 5]
    named = Checkpoints.named(f"{tmp_path}@best")
    state, position = named.restore(make_state(), CONFIG)
    assert same_bits(state, make_state(2)) and position == {"step": 2} and named.steps() == [2]
    assert b'"step": 2' in named.newest_commit()
    named.close()


def test_it_gives_way_to_a_better_one_at_once(checkpoints):
    saved(checkpoints, 1, 2, 3, 4, good=(1, 4))
    assert checkpoints.steps() == [3, 4] and commits.best(checkpoints._folder) == best(4)


@pytest.mark.parametrize(
    ("there", "marked", "state", "step", "wanted"),
    [
        ((3, 4, 5), 3, 3, 5, 3),  # as it was
        ((2, 3, 4, 5), 5, 2, 4, 2),  # the mark is of a continuation that was given up, the one before is still there
        ((3, 4, 5), 5, 2, 4, None),  # or not
        ((3, 4, 5), 5, None, 4, None),
        ((3, 4, 5), 5, 3, 5, 5),  # the checkpoint was written, then marked, then the run was killed
        ((3, 4, 5), 3, 5, 5, 5),  # its evaluation had come before it, and the run was killed before the mark
        ((3, 4, 5), None, 5, 5, 5),
        ((3, 4, 5), None, None, 5, None),
        ((4, 5), None, 3, 5, None),
    ],
)
def test_a_run_that_goes_on_has_the_best_of_its_state(checkpoints, tmp_path, there, marked, state, step, wanted):
    committed(tmp_path, *there)
    if marked:
        commits.mark_best(checkpoints._folder, best(marked))
    checkpoints.take_up_best(state and best(state), step)
    assert commits.best(checkpoints._folder) == (wanted and best(wanted))


def test_what_is_newer_than_a_resume_goes_with_it(checkpoints):
    saved(checkpoints, 1, 2, 3, 4, good=(1, 4))
    checkpoints.take_up_best(None, 3)
    saved(checkpoints, 3)  # anew
    assert checkpoints.steps() == [3] and commits.best(checkpoints._folder) is None
