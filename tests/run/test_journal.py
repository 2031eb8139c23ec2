"""Trackers hear what the files hold, know the run by one id, and never end it."""

import json
from typing import ClassVar

import jax
import numpy as np
import pytest

from configs.smoke_cpu import get_config
from perc_jax.config import to_dict
from perc_jax.records.metrics import read_metrics
from perc_jax.run import trackers
from perc_jax.run.journal import FILE, Journal
from tests.report.test_samples import shown

CONFIG = get_config()


class Heard:
    """A tracker that remembers; it fails where it is told to."""

    opened: ClassVar[list] = []
    fails: tuple = ()

    @staticmethod
    def failures():
        return (ConnectionError,)

    def __init__(self, place):
        self.opened.append(place)
        self.heard = []
        self._may("open")

    def _may(self, what):
        if what in self.fails:
            raise ConnectionError("no\nnetwork")

    def numbers(self, step, values):
        self._may("numbers")
        self.heard.append((step, values))

    def pictures(self, step, name, shown):
        self._may("pictures")
        self.heard.append((step, name, shown))

    def close(self):
        self._may("close")
        self.heard.append("closed")


@pytest.fixture
def heard(monkeypatch):
    """The class that stands in for all trackers."""

    class Fresh(Heard):
        opened: ClassVar[list] = []

    monkeypatch.setattr(trackers, "KINDS", dict.fromkeys(trackers.KINDS, Fresh))
    return Fresh


def journal(workdir, said, names=("wandb",)):
    return Journal(str(workdir), CONFIG, names, said.append)


def test_a_tracker_hears_what_the_files_hold(heard, tmp_path):
    said = []
    one = journal(tmp_path, said)
    one.open(-1)
    one.write(1, "grpo", {"train/loss": np.float32(0.5), "train/grad_norm": float("nan"), "train/tokens": 7})
    one.results(1, {"test_a": {"accuracy": 0.25, "n": 4}})
    one.samples(1, "grpo", [shown(3)])
    [(place, tracker)] = [(heard.opened[0], one._trackers["wandb"])]
    one.close()
    assert (place.folder, place.name, place.config, place.step) == (tmp_path, "smoke_cpu", to_dict(CONFIG), -1)
    assert tracker.heard[:2] == [(1, {"train/loss": 0.5, "train/tokens": 7.0}), (1, {"eval/test_a": 0.25})]
    step, name, [picture] = tracker.heard[2]
    assert (step, name) == (1, "samples/grpo") and np.array_equal(picture.pixels, shown(3).picture)
    assert picture.caption == "How many?\ngold: 7\n<answer>\\boxed{7}</answer>\nreward 1"
    assert tracker.heard[3:] == ["closed"] and said == []
    assert read_metrics(str(tmp_path))[0]["train/loss"] == 0.5 and (tmp_path / "samples/000001_grpo.json").exists()


def test_a_run_has_one_id_however_often_it_is_started(heard, tmp_path):
    for step in (-1, 4, 9):
        one = journal(tmp_path, [])
        one.open(step)
        one.close()
    assert len({place.id for place in heard.opened}) == 1 and [place.step for place in heard.opened] == [-1, 4, 9]
    again = journal(tmp_path, [])
    again.open(-1)  # the workdir's next run
    again.close()
    assert heard.opened[-1].id != heard.opened[0].id
    assert heard.opened[-1].id == json.loads((tmp_path / FILE).read_text())["id"]


def test_a_tracker_that_fails_is_told_once_counted_and_ends_nothing(heard, tmp_path):
    heard.fails, said = ("numbers", "close"), []
    one = journal(tmp_path, said, ("wandb", "tensorboard"))
    one.open(-1)
    for step in (1, 2, 3):
        one.write(step, "grpo", {"train/loss": 1.0})
    one.close()
    assert [record["step"] for record in read_metrics(str(tmp_path))] == [1, 2, 3]
    fails = "fails, the run goes on without what it does not take: no network"
    assert said[:2] == [f"warning: wandb {fails}", f"warning: tensorboard {fails}"]
    assert said[2:] == [f"warning: {name} did not take 4 of what it was given" for name in ("wandb", "tensorboard")]


def test_a_tracker_that_cannot_be_opened_is_done_without(heard, tmp_path):
    heard.fails, said = ("open",), []
    one = journal(tmp_path, said)
    one.open(-1)
    one.write(1, "grpo", {"train/loss": 1.0})
    one.close()
    assert len(said) == 2 and said[1] == "warning: wandb did not take 1 of what it was given"


def test_what_is_no_failure_of_a_tracker_is_a_bug(heard, tmp_path, monkeypatch):
    one = journal(tmp_path, [])
    one.open(-1)
    monkeypatch.setattr(heard, "numbers", lambda *_: {}["missing"])
    with pytest.raises(KeyError):
        one.write(1, "grpo", {"train/loss": 1.0})
    monkeypatch.undo()
    one.close()


def test_only_the_first_process_tells(heard, tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    one = journal(tmp_path, [])
    one.open(-1)
    one.write(1, "grpo", {"train/loss": 1.0})
    one.close()
    assert heard.opened == [] and list(tmp_path.iterdir()) == []
