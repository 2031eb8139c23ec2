"""All that a run tells while it lives: `metrics.jsonl`, `samples/`, and the trackers that `--track` names.

Only process 0 writes. A tracker that fails (its network is gone, its disk is full) never ends the run: the first time
is told in one line, the others are counted, and the end says how many there were.
"""

import json
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
from etils import epath

from perc_jax.config import Config, to_dict
from perc_jax.records.files import write_whole
from perc_jax.records.metrics import Metrics
from perc_jax.report import samples
from perc_jax.report.samples import Shown
from perc_jax.run import trackers
from perc_jax.run.trackers import Picture

FILE = "trackers.json"  # {"id"}: by which trackers know the run, however often it is started


class Journal:
    """Opens nothing but `metrics.jsonl` before `open`."""

    def __init__(self, workdir: str, config: Config, names: Sequence[str], say: Callable[[str], None]):
        self._workdir, self._config, self._say = workdir, config, say
        self._metrics = Metrics(workdir)
        self._names = names if jax.process_index() == 0 else ()
        self._trackers: dict[str, trackers.Tracker] = {}
        self._failed: dict[str, int] = {}

    def open(self, step: int) -> None:
        """Drop what was written after a step, to be written again; -1: all of it. Then open the trackers."""
        self._metrics.truncate_after(step)
        if not self._names:
            return
        folder = Path(self._workdir).expanduser().absolute()
        place = trackers.Place(folder, self._config.name, _id(folder, step), to_dict(self._config), step)
        for name in self._names:
            kind = trackers.KINDS[name]
            self._try(name, kind.failures(), lambda kind=kind, name=name: self._trackers.update({name: kind(place)}))

    def write(self, step: int, stage: str, values: Mapping[str, Any]) -> None:
        """The metrics of a step; raises `OSError` if `metrics.jsonl` cannot be written."""
        self._metrics.write(step, stage, values)
        self._numbers(step, values)

    def samples(self, step: int, stage: str, shown: Sequence[Shown]) -> None:
        """Some answers of a rollout or an evaluation, for people to look at; for process 0 to call."""
        samples.write(self._workdir, f"{step:06d}_{stage}", shown)
        pictures = [Picture(one.picture, caption(one)) for one in shown if one.picture is not None]
        self._all(lambda tracker: tracker.pictures(step, f"samples/{stage}", pictures))

    def results(self, step: int, results: Mapping[str, Any]) -> None:
        """The accuracy of each suite of an evaluation."""
        self._numbers(step, {f"eval/{suite}": result["accuracy"] for suite, result in results.items()})

    def close(self) -> None:
        """Close all; last `metrics.jsonl`, which fails on a full disk."""
        self._all(lambda tracker: tracker.close())
        for name, count in self._failed.items():
            self._say(f"warning: {name} did not take {count} of what it was given")
        self._trackers, self._failed = {}, {}
        self._metrics.close()

    def _numbers(self, step: int, values: Mapping[str, Any]) -> None:
        finite = {name: float(value) for name, value in values.items() if math.isfinite(value)}
        self._all(lambda tracker: tracker.numbers(step, finite))

    def _all(self, act: Callable[[trackers.Tracker], None]) -> None:
        for name, tracker in self._trackers.items():
            self._try(name, tracker.failures(), lambda tracker=tracker: act(tracker))

    def _try(self, name: str, failures: tuple[type[Exception], ...], act: Callable[[], None]) -> None:
        """Let a tracker act; what it raises is told once and counted."""
        try:
            act()
        except failures as error:
            if name not in self._failed:
                what = " ".join(str(error).split()) or type(error).__name__
                self._say(f"warning: {name} fails, the run goes on without what it does not take: {what}")
            self._failed[name] = self._failed.get(name, 0) + 1


def caption(shown: Shown) -> str:
    """What was asked, what is right, and the first answer with its reward."""
    answer = shown.answers[0]
    return f"{shown.info.question}\ngold: {shown.info.answer.text()}\n{answer['text']}\nreward {answer['reward']:.3g}"


def _id(folder: Path, step: int) -> str:
    """The id of the run in this workdir: a new one if it begins, that of its beginning if it goes on."""
    file = epath.Path(folder) / FILE
    if step >= 0 and file.exists():
        return json.loads(file.read_text())["id"]
    found = uuid.uuid4().hex[:8]
    write_whole(file, json.dumps({"id": found}))
    return found
