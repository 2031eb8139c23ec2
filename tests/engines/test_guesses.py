"""Stated rates of blind guesses against the best of them: what is answered without the picture, counted."""

import collections

import pytest

import engines
from engines.base import make_rng

COUNT = 2400  # samples a type
BLIND = {  # what of a question a guess may go by, at a level
    "grid.neighbour": (0, lambda posed: posed.query["colour"]),
    "chart.scatter_outlier": (3, lambda posed: ""),
    "chart.best_series": (5, lambda posed: posed.query["category"]),
    "chart.table_best": (5, lambda posed: posed.query["category"]),
}


@pytest.mark.parametrize("name", BLIND)
def test_the_best_blind_guess_is_as_often_right_as_stated(name):
    """The commonest answer of one half of the samples is tried on the other; the noise is that of a share."""
    level, known = BLIND[name]
    engine, _, kind = name.partition(".")
    pose = next(item.pose for item in engines.ENGINES[engine].types if item.name == kind)
    counts, stated, right = collections.defaultdict(collections.Counter), 0.0, 0
    for index in range(COUNT):
        posed = pose(make_rng("guess", name, index), level)
        answers = counts[known(posed)]
        if index >= COUNT // 2:
            stated += posed.guess_rate
            right += bool(answers) and answers.most_common(1)[0][0] == posed.answer.value
        else:
            answers[posed.answer.value] += 1
    stated, right = stated / (COUNT // 2), right / (COUNT // 2)
    noise = (stated * (1 - stated) / (COUNT // 2)) ** 0.5
    assert right <= stated + 3 * noise, (right, stated)
    assert right >= 0.6 * stated - 3 * noise, (right, stated)
