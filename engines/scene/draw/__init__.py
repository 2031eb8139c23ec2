"""How things on a floor look: from the back to the front, with shadows, shading by surface, and thin outlines."""

import itertools
import math

from engines.base import Style
from engines.canvas import Canvas
from engines.marks import Apart, Drawing
from engines.scene.draw.maps import EDGE, WALL, maps
from engines.scene.draw.solids import paint_thing
from engines.scene.scene import Floor
from engines.scene.scene.things import FLAT
from engines.style import mixed, theme_of

__all__ = ["draw", "maps"]

RING = [(math.cos(math.tau * i / 28), math.sin(math.tau * i / 28)) for i in range(28)]
GAP_PX = 3.0  # least distance across, and in depth, by which things are told apart


def draw(scene: Floor, size_px: int, style: Style) -> Drawing:
    """Draw the things as an RGB picture of size_px x size_px."""
    theme, unit = theme_of(style), size_px / 1000
    canvas = Canvas(size_px, theme.background)
    edge, width = EDGE * size_px, (1 - 2 * EDGE) * size_px
    floor, wall = mixed(theme.panel, theme.faint, 0.42), mixed(theme.panel, theme.faint, 0.16)
    canvas.rectangle((edge, edge), (width, width), fill=wall)
    canvas.rectangle((edge, WALL * size_px), (width, size_px - edge - WALL * size_px), fill=floor)
    shadow = mixed(floor, theme.ink, 0.3)
    for thing in scene.things:
        r = thing.radius * unit * 1.12
        centre = (thing.x * unit + 0.2 * r, thing.y * unit)
        canvas.polygon([(centre[0] + r * a, centre[1] + FLAT * r * b) for a, b in RING], fill=shadow)
    for thing in sorted(scene.things, key=lambda thing: thing.y):
        paint_thing(canvas, thing, style)
        name = f"{thing.size} {thing.colour} {thing.surface} {thing.shape}"
        canvas.part(name, (thing.x * unit, (thing.y - thing.radius) * unit))
    margins = []
    for axis in (0, 1):
        order = sorted((thing.x, thing.y)[axis] * unit for thing in scene.things)
        for one, other in itertools.pairwise(order):
            ends = ((one, size_px / 2), (other, size_px / 2))
            margins.append(Apart(*(ends if axis == 0 else [(b, a) for a, b in ends]), GAP_PX))
    return canvas.drawing(margins)
