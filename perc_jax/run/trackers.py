"""TensorBoard, Weights & Biases and trackio behind one face; each is imported when it is opened, and not before.

    open(Place) -> Tracker
    tracker.numbers(step, {"train/loss": 1.2})
    tracker.pictures(step, "samples/grpo", [Picture(array, caption), …])
    tracker.close()

A run that goes on goes on with the same curve: TensorBoard drops what it holds of later steps; the others know the run
by an id, and a step that is made again has its numbers twice, which are the same.
"""

import contextlib
import io
import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

PROJECT = "perc_jax"  # where W&B and trackio keep runs, unless their own variable says otherwise
KEPT = 8  # pictures of one moment


class Place(NamedTuple):
    """Where a tracker keeps a run, and which run it is."""

    folder: Path  # local; what is kept on this machine lies below it
    name: str
    id: str
    config: dict[str, Any]
    step: int  # of a run that goes on: the last that stays; -1: it begins


class Picture(NamedTuple):
    """A picture with what is to stand below it."""

    pixels: np.ndarray  # uint8 [h, w, 3]
    caption: str


class TensorBoard:
    """Event files in `<workdir>/tensorboard`, one for each start of the run."""

    @staticmethod
    def failures() -> tuple[type[Exception], ...]:
        """What it raises when it cannot do its work."""
        return (OSError, ValueError, RuntimeError)

    def __init__(self, place: Place):
        from tensorboardX import SummaryWriter

        purged = {"purge_step": place.step + 1} if place.step >= 0 else {}
        suffix = f".{place.step + 1}"  # a file is named by the second in which it begins
        self._writer = SummaryWriter(str(place.folder / "tensorboard"), filename_suffix=suffix, **purged)
        if place.step < 0:
            self._writer.add_text("config", f"```json\n{json.dumps(place.config, indent=1)}\n```", 0)

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """One point of each curve."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def pictures(self, step: int, name: str, shown: Sequence[Picture]) -> None:
        """Pictures of a step, and their captions as text of the same name."""
        for number, picture in enumerate(shown[:KEPT]):
            self._writer.add_image(f"{name}/{number}", picture.pixels, step, dataformats="HWC")
            self._writer.add_text(f"{name}/{number}", picture.caption, step)

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


class WandB:
    """A run of W&B, also offline (`WANDB_MODE=offline`); its files are in `<workdir>/wandb`."""

    @staticmethod
    def failures() -> tuple[type[Exception], ...]:
        """What it raises when it cannot do its work."""
        import wandb

        return (wandb.errors.Error, OSError, ValueError, RuntimeError)

    def __init__(self, place: Place):
        import wandb

        self._image = wandb.Image
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            dir=str(place.folder),
            id=place.id,
            name=place.name,
            config=place.config,
            resume="allow",
            settings=wandb.Settings(console="off", silent=True),
        )
        self._run.define_metric("step")  # its own counter only grows, and a run that goes on may step back
        self._run.define_metric("*", step_metric="step")

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """One point of each curve."""
        self._run.log({"step": step} | dict(values))

    def pictures(self, step: int, name: str, shown: Sequence[Picture]) -> None:
        """Pictures of a step with their captions."""
        images = [self._image(picture.pixels, caption=picture.caption) for picture in shown[:KEPT]]
        self._run.log({"step": step, name: images})

    def close(self) -> None:
        """Send what is left."""
        self._run.finish()


class Trackio:
    """A run of trackio; its files are in `<workdir>/trackio`, unless `TRACKIO_DIR` says otherwise."""

    @staticmethod
    def failures() -> tuple[type[Exception], ...]:
        """What it raises when it cannot do its work."""
        return (sqlite3.Error, OSError, ValueError, RuntimeError)

    def __init__(self, place: Place):
        os.environ.setdefault("TRACKIO_DIR", str(place.folder / "trackio"))  # read when it is imported
        import trackio

        self._trackio = trackio
        with contextlib.redirect_stdout(io.StringIO()):  # it greets
            self._run = trackio.init(
                project=os.environ.get("TRACKIO_PROJECT", PROJECT),
                name=f"{place.name}-{place.id}",
                config=place.config,
                resume="allow",
                embed=False,
                auto_log_cpu=False,
                auto_log_gpu=False,
            )

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """One point of each curve."""
        self._run.log(dict(values), step=step)

    def pictures(self, step: int, name: str, shown: Sequence[Picture]) -> None:
        """Pictures of a step with their captions."""
        images = [self._trackio.Image(picture.pixels, caption=picture.caption) for picture in shown[:KEPT]]
        self._run.log({f"{name}/{number}": image for number, image in enumerate(images)}, step=step)

    def close(self) -> None:
        """Write what is left."""
        with contextlib.redirect_stdout(io.StringIO()):  # it says goodbye
            self._trackio.finish()


Tracker = TensorBoard | WandB | Trackio
KINDS: dict[str, type[Tracker]] = {"tensorboard": TensorBoard, "wandb": WandB, "trackio": Trackio}
