"""Papers: the questions of each suite in their order, drawn once where they are small, whatever happens between."""

import dataclasses

import numpy as np
import pytest

from configs.debug_cpu import get_config
from perc_jax.batch import WHOLE
from perc_jax.data import streams
from perc_jax.data.batches import Batches
from perc_jax.evaluation import papers
from perc_jax.evaluation.papers import Papers

COUNTS, BATCH = {"test_a": 10, "test_d": 4, "test_c": 6}, 4


@pytest.fixture(scope="module")
def config():
    debug = get_config()
    evaluation = dataclasses.replace(debug.evaluation, batch=BATCH)
    return dataclasses.replace(debug, data=dataclasses.replace(debug.data, workers=0), evaluation=evaluation)


@pytest.fixture
def drawn(monkeypatch) -> list:
    """Every batch that is drawn, noted."""
    noted, draw = [], Batches.__getitem__
    monkeypatch.setattr(Batches, "__getitem__", lambda self, number: noted.append(number) or draw(self, number))
    return noted


def read(of: Papers) -> dict[str, list]:
    with of.opened() as ask:
        return {suite: list(ask(suite)) for suite in COUNTS}


def ids(batches) -> list[str]:
    return [info.sample_id for batch in batches for info, real in zip(batch.samples, batch.real, strict=True) if real]


def test_each_suite_is_asked_as_it_is_alone(config):
    found = read(Papers(config, COUNTS, WHOLE))
    for suite, count in COUNTS.items():
        with streams.exam(config, streams.of_suite(config, suite, count)) as alone:
            wanted = list(alone)
        assert ids(found[suite]) == ids(wanted) and len(ids(wanted)) == count
        for mine, its in zip(found[suite], wanted, strict=True):
            assert all(np.array_equal(x, y) for x, y in zip(mine.prompts, its.prompts, strict=True) if y is not None)


def test_small_ones_are_drawn_once(config, drawn):
    of = Papers(config, COUNTS, WHOLE)
    first, batches = read(of), len(drawn)
    assert batches == 3 + 1 + 2
    assert {suite: ids(found) for suite, found in read(of).items()} == {s: ids(found) for s, found in first.items()}
    with of.first("test_a", 5) as some:
        assert ids(some) == ids(first["test_a"])[: 2 * BATCH]
    assert len(drawn) == batches


def test_large_ones_are_drawn_each_time(config, drawn, monkeypatch):
    of = Papers(config, COUNTS, WHOLE)
    first, batches = read(of), len(drawn)
    size = sum(leaf.nbytes for found in first.values() for batch in found for leaf in batch.prompts if leaf is not None)
    for room, again in ((size - 1, batches), (size, 0)):
        monkeypatch.setattr(papers, "KEPT_BYTES", room)
        of = Papers(config, COUNTS, WHOLE)
        read(of), drawn.clear()
        assert ids(read(of)["test_c"]) == ids(first["test_c"]) and len(drawn) == again
    monkeypatch.setattr(papers, "KEPT_BYTES", size - 1)
    of = Papers(config, COUNTS, WHOLE)
    read(of), drawn.clear()
    with of.first("test_a", 5) as some:
        assert ids(some) == ids(first["test_a"])[:5]
    assert len(drawn) == 2


def test_what_was_not_asked_to_the_end_is_not_kept(config, drawn):
    of = Papers(config, COUNTS, WHOLE)
    with of.opened() as ask:
        list(ask("test_a")), next(ask("test_d"))
    drawn.clear()
    whole = read(of)
    assert len(drawn) == 6 and {suite: len(ids(found)) for suite, found in whole.items()} == COUNTS
    with pytest.raises(KeyError, match="in between"), Papers(config, COUNTS, WHOLE).opened() as ask:
        list(ask("test_a"))
        raise KeyError("in between")


@pytest.mark.parametrize("but", [["test_a"], ["test_d"], ["test_a", "test_c"], list(COUNTS)])
def test_some_are_asked_without_the_others(config, drawn, but):
    of = Papers(config, COUNTS, WHOLE)
    left = [suite for suite in COUNTS if suite not in but]
    with of.opened(but) as ask:
        found = {suite: ids(ask(suite)) for suite in left}
    assert len(drawn) == sum(-(-COUNTS[suite] // BATCH) for suite in left)
    whole = read(of)
    assert found == {suite: ids(whole[suite]) for suite in left}
    assert {suite: len(ids(one)) for suite, one in whole.items()} == COUNTS


def test_without_suites_there_is_nothing_to_open(config):
    with Papers(config, {}, WHOLE).opened() as ask:
        assert callable(ask)
