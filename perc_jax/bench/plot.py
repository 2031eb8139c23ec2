"""A sweep as a picture: seconds against what is varied, and against the operations that it takes.

`draw(found, path)` takes what `bench --sweep` returns. Matplotlib's object interface with Agg: no window, no state.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from perc_jax.bench.figures import row_tokens
from perc_jax.report.chart import COLOURS

INK, FAINT = "#1d2733", "#d8dde3"
COLOUR_OF = {"rollout": COLOURS[0], "update": COLOURS[1], "step": COLOURS[2]}
LETTERS = {
    "group_size": "G, completions per prompt",
    "prompt_tokens": "S, prompt tokens (picture included)",
    "max_tokens": "C, completion tokens",
    "prompts": "P, prompts per step",
}


def draw(found: dict[str, Any], path: Path) -> None:
    """Write the picture; the suffix says the format, as png, pdf or svg."""
    figure = Figure(figsize=(11, 4.6), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    (_memory if found["what"] == "memory" else _speed)(left, right, found)
    for axes in (left, right):
        axes.grid(color=FAINT, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(FAINT)
        axes.tick_params(colors=INK, which="both", length=0)
        axes.legend(frameon=False, fontsize=8.5, labelcolor=INK)
        for text in (axes.xaxis.label, axes.yaxis.label):
            text.set_color(INK)
    figure.suptitle(_title(found), color=INK, fontsize=11, x=0.01, ha="left")
    figure.savefig(path)


def _title(found: dict[str, Any]) -> str:
    """What was measured, where, and what was kept."""
    point = found["points"][0]
    letters = dict(zip(("prompt_tokens", "max_tokens", "group_size", "prompts"), "SCGP", strict=True))
    kept = ", ".join(f"{letter} {point['shape'][name]}" for name, letter in letters.items() if name != found["sweep"])
    what = "memory of the update" if found["what"] == "memory" else f"seconds per {found['what']}"
    return f"{point['config']} on {point['device']}: {what}; {kept}"


def _speed(left: Axes, right: Axes, found: dict[str, Any]) -> None:
    """Left: seconds of each part and of the peer's. Right: seconds against operations, ours as executed."""
    points = found["points"]
    for part, colour in COLOUR_OF.items():
        if part not in points[0]["parts"]:
            continue
        parts = [point["parts"][part] for point in points]
        seconds = [values["seconds"] for values in parts]
        left.plot(found["values"], seconds, "o-", color=colour, label=f"{part}, ours")
        right.plot([values["executed_flops"] / 1e12 for values in parts], seconds, "o-", color=colour, label=part)
        if parts[0]["ratio_to_peer"]:
            theirs = [values["peer_seconds"] for values in parts]
            left.plot(found["values"], theirs, "o--", color=colour, alpha=0.55, label=f"{part}, the peer")
            work = [values["useful_flops"] / 1e12 for values in parts]
            right.plot(work, theirs, "o--", color=colour, alpha=0.55, label=f"{part}, the peer (nothing shared)")
    _logarithmic(left, found["values"])
    left.set(xlabel=LETTERS[found["sweep"]], ylabel="seconds, median")
    right.set(xlabel="operations executed, TFLOP", ylabel="seconds, median", xscale="log", yscale="log")
    _peak_line(right, points[0]["machine"])


def _peak_line(axes: Axes, machine: dict[str, Any]) -> None:
    """What the machine's peak would take."""
    low, high = axes.get_xlim()
    peak = machine["flops"] * machine["count"] / 1e12
    axes.plot([low, high], [low / peak, high / peak], ":", color=INK, linewidth=1, label=f"peak, {peak:.3g} TFLOP/s")
    axes.set_xlim(low, high)


def _memory(left: Axes, right: Axes, found: dict[str, Any]) -> None:
    """Left: temporary memory of the update. Right: the same against tokens, with the line through it."""
    gigabytes = np.array([point["temporary_bytes"] for point in found["points"]]) / 1e9
    both = np.array([row_tokens(point["shape"]) for point in found["points"]])
    shared, unshared = both.T
    slope = float(gigabytes @ shared / (shared @ shared))
    left.plot(found["values"], gigabytes, "o-", color=COLOURS[0], label="update, compiled")
    left.plot(found["values"], slope * shared, ":", color=INK, label="in proportion to P (S + G C)")
    left.plot(found["values"], slope * unshared, "--", color=COLOURS[4], label="in proportion to P G (S + C)")
    _logarithmic(left, found["values"])
    left.set(xlabel=LETTERS[found["sweep"]], ylabel="temporary memory, GB")
    right.plot(shared, gigabytes, "o-", color=COLOURS[0], label="against P (S + G C)")
    right.plot(unshared, gigabytes, "o--", color=COLOURS[4], label="against P G (S + C)")
    right.set(xlabel="tokens", ylabel="temporary memory, GB", xlim=(0, None), ylim=(0, None))


def _logarithmic(axes: Axes, values: Sequence[int]) -> None:
    """Both axes in powers of two, ticks at what was measured."""
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(values, [str(value) for value in values])
