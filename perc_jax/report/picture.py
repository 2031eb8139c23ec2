"""A run in one picture: what the engines draw, beside how accuracy rose on it.

`draw(run, path)` takes what `runs.read_run` gives. Matplotlib's object interface with Agg: no window, no state.
"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

import engines
from perc_jax.report import stages
from perc_jax.report.chart import COLOURS

INK, SOFT, FAINT = "#1d2733", "#6b6f76", "#d8dde3"
SHOWN_PX = 448  # side of the pictures
# Level and index of each engine's sample.
SHOWN = {"grid": (5, 5), "cube": (5, 4), "chart": (4, 7), "sudoku": (5, 2), "function": (5, 1), "geometry": (5, 2)}
PHOTOGRAPHED = {"cube", "chart", "sudoku"}
SMOOTHED_STEPS = 15  # of the accuracy while training, a centred mean
COLOUR_COUNT = 256  # of the whole picture, a page's first download


def draw(run: Any, path: Path) -> None:
    """Write the picture as PNG.

    Args:
        run: a `page.Run` with metrics and evaluations.
        path: a file of an existing folder.

    Raises:
        ValueError: the run has no evaluations yet.
        OSError: the file cannot be written.
    """
    if not run.evaluations:
        raise ValueError(f"{run.name} must hold evaluations to be drawn, got none")
    figure = Figure(figsize=(12, 4.6), dpi=110, layout="constrained", facecolor="white")
    canvas = FigureCanvasAgg(figure)
    sheet, curves = figure.subfigures(1, 2, width_ratios=(1, 1))
    _pictures(sheet.subplots(2, 3).ravel())
    _accuracy(curves.subplots(), run)
    canvas.draw()
    drawn = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    drawn.quantize(COLOUR_COUNT, kmeans=2, dither=Image.Dither.NONE).save(path, "PNG", optimize=True)


def _pictures(places: np.ndarray) -> None:
    """One sample of each engine, three of them photographed."""
    for axes, (name, (level, index)) in zip(places, SHOWN.items(), strict=True):
        is_photo = name in PHOTOGRAPHED
        sample = engines.sample(name, split="train", index=index, level=level, size_px=SHOWN_PX, photo=is_photo)
        axes.imshow(sample.image, interpolation="lanczos")
        axes.set_title(name + (", photographed" if is_photo else ""), fontsize=9, color=INK)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_color(FAINT)


def _accuracy(axes: Axes, run: Any) -> None:
    """Accuracy of the completions in training, smoothed, and of each suite at the evaluations, with intervals."""
    trained = [record for record in run.records if "rollout/accuracy" in record]
    if trained:
        steps = np.array([record["step"] for record in trained])
        values = 100 * np.array([record["rollout/accuracy"] for record in trained])
        axes.plot(steps, values, color=FAINT, linewidth=0.8)
        kernel = np.ones(min(SMOOTHED_STEPS, len(values)))
        smooth = np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")
        axes.plot(steps, smooth, color=SOFT, linewidth=1.6, label="sampled while training")
    for suite, colour in zip(run.evaluations[-1].suites, COLOURS, strict=False):
        found = [(each.step, each.suites[suite]) for each in run.evaluations if suite in each.suites]
        steps = np.array([step for step, _ in found])
        values = 100 * np.array([result["accuracy"] for _, result in found])
        low, high = 100 * np.array([result["ci95"] for _, result in found]).T
        axes.errorbar(
            steps, values, (values - low, high - values), color=colour, marker="o", markersize=4, linewidth=1.6,
            elinewidth=0.9, capsize=2, label=suite,
        )  # fmt: skip
    done = 0
    for name, end in stages.of_records(run.config, run.records).items():
        if done:
            axes.axvline(done, color=FAINT, linewidth=1, zorder=0)
        axes.text(done, 1.01, f" {name}", transform=axes.get_xaxis_transform(), color=SOFT, fontsize=9)
        done = end
    axes.set_xlabel("step", color=INK)
    axes.set_ylabel("right answers, %", color=INK)
    axes.set_ylim(0, None)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=INK, length=0)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, loc="lower right")
