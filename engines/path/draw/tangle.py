"""Tangles: smooth lines from letters at the left to numbers at the right, with crossings that are never shallow."""

import itertools

import numpy as np

from engines.base import Style, make_rng
from engines.canvas import Canvas
from engines.marks import Apart, Drawing
from engines.path.scene.tangle import Tangle
from engines.style import colour_of, theme_of

SIDE_SHARE = 0.13  # of the picture, kept at the left and right for letters and numbers
MARGIN_SHARE = 0.06
LETTER_SHARE = 0.078
SWAY = 0.16  # of the distance between lanes, by which a line strays from its lane
STEPS = 8  # straight pieces per layer
INKS = ("blue", "purple", "green", "black", "brown")
GAP_PX = 4.0  # least distance between lines side by side, at any size


def draw_tangle(canvas: Canvas, scene: Tangle, style: Style) -> Drawing:
    """Draw a tangle over the whole picture."""
    theme, size_px, rng = theme_of(style), canvas.size_px, make_rng("tangle", style.rng_seed)
    count, layers = len(scene.starts), len(scene.layers)
    left, right = size_px * SIDE_SHARE, size_px * (1 - SIDE_SHARE)
    gap = size_px * (1 - 2 * MARGIN_SHARE) / count
    lanes = size_px * MARGIN_SHARE + gap * (np.arange(count) + 0.5)
    sway = rng.uniform(-SWAY, SWAY, (layers + 1, count)) * gap
    sway[[0, -1]] = 0
    knots = np.linspace(left, right, layers + 1)
    paths = [np.array([lanes[lane] + sway[place, lane] for place, lane in enumerate(way)]) for way in scene.lanes()]
    one_ink = colour_of(INKS[int(rng.integers(len(INKS)))], style)
    width = max(1.3, size_px / 190) * min(theme.line_scale, 1.2)
    for line in rng.permutation(count).tolist():
        colour = colour_of(scene.colours[line], style) if scene.colours else one_ink
        canvas.line(_smooth(knots, paths[line]), colour, width)
    height = max(size_px * LETTER_SHARE, 8.3)
    for lane, y in enumerate(lanes.tolist()):
        canvas.text((left - size_px * 0.05, y), scene.starts[lane], height, theme.ink, font=theme.font)
        canvas.text((right + size_px * 0.05, y), scene.ends[lane], height, theme.ink, font=theme.font)
        canvas.part(f"start {scene.starts[lane]}", (left, y))
        canvas.part(f"end {scene.ends[lane]}", (right, y))
    margins = []
    for place in range(layers + 1):
        order = sorted(float(path[place]) for path in paths)
        x = float(knots[place])
        margins += [Apart((x, a), (x, b), GAP_PX) for a, b in itertools.pairwise(order)]
    return canvas.drawing(margins)


def _smooth(knots: np.ndarray, path: np.ndarray) -> list[tuple[float, float]]:
    """A curve through one height per knot that is level at each of them."""
    share = np.linspace(0, 1, STEPS + 1)[:-1]
    ease = share * share * (3 - 2 * share)
    x = knots[:-1, None] + np.diff(knots)[:, None] * share
    y = path[:-1, None] + np.diff(path)[:, None] * ease
    points = np.stack([x.ravel(), y.ravel()], 1).tolist()
    return [(a, b) for a, b in points] + [(float(knots[-1]), float(path[-1]))]
