"""One solid, painted by its surface: matte in soft steps, shiny with a white gleam, striped with bands around it."""

import math

from engines.base import Style
from engines.canvas import Canvas, Colour, Point
from engines.scene.scene.things import CUBE_HEIGHT, FLAT, HALF_CUBE, HEIGHTS, Thing, foot, outline
from engines.style import colour_of, mixed

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
BRIGHT = 175  # luminance from which stripes are dark instead of white
BANDS = 3  # stripes on a solid
ARC = 14  # straight pieces of half a rim


def paint_thing(canvas: Canvas, thing: Thing, style: Style) -> None:
    """Paint a thing over what stands behind it."""
    unit, colour = canvas.size_px / 1000, colour_of(thing.colour, style)
    PAINTERS[thing.shape](canvas, thing, colour, unit)
    canvas.polygon(
        (outline(thing) * unit).tolist(), outline=mixed(colour, BLACK, 0.55), width_px=max(0.8, canvas.size_px / 420)
    )


def _stripe(colour: Colour) -> Colour:
    bright = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    return mixed(colour, BLACK, 0.62) if bright > BRIGHT else mixed(colour, WHITE, 0.86)


def _rim(x: float, y: float, r: float, flat: float = FLAT, start: float = 0.0, end: float = math.pi) -> list[Point]:
    """The part of a lying circle's rim between two angles; from 0 to pi it is the half that is nearer."""
    turns = [start + (end - start) * i / ARC for i in range(ARC + 1)]
    return [(x + r * math.cos(a), y + flat * r * math.sin(a)) for a in turns]


def _cube(canvas: Canvas, thing: Thing, colour: Colour, unit: float) -> None:
    base = (foot(thing) * unit).tolist()
    rise = CUBE_HEIGHT * HALF_CUBE * thing.radius * unit
    canvas.polygon([(x, y - rise) for x, y in base], fill=mixed(colour, WHITE, 0.3))
    front = max(range(4), key=lambda i: base[i][1])
    for other in ((front + 1) % 4, (front - 1) % 4):
        (x, y), (u, v) = base[front], base[other]
        face = mixed(colour, BLACK, 0.06 if u < x else 0.28)
        canvas.polygon([(x, y), (u, v), (u, v - rise), (x, y - rise)], fill=face)
        if thing.surface == "striped":
            for band in range(BANDS):
                low, high = (band + 0.3) / BANDS * rise, (band + 0.72) / BANDS * rise
                strip = [(x, y - low), (u, v - low), (u, v - high), (x, y - high)]
                canvas.polygon(strip, fill=mixed(_stripe(colour), BLACK, 0.0 if u < x else 0.12))
        elif thing.surface == "shiny":
            slant = [(0.2, 0.12), (0.38, 0.12), (0.72, 0.88), (0.54, 0.88)]
            gleam = [(x + (u - x) * a, y + (v - y) * a - rise * b) for a, b in slant]
            canvas.polygon(gleam, fill=mixed(colour, WHITE, 0.8))
    if thing.surface == "shiny":
        top = [(x, y - rise) for x, y in base]
        middle = (sum(x for x, _ in top) / 4, sum(y for _, y in top) / 4)
        canvas.polygon([((x + middle[0]) / 2, (y + middle[1]) / 2) for x, y in top], fill=mixed(colour, WHITE, 0.72))


def _sphere(canvas: Canvas, thing: Thing, colour: Colour, unit: float) -> None:
    r = thing.radius * unit
    x, y = thing.x * unit, thing.y * unit - r * (1 - FLAT / 2)
    dark, light = (0.34, 0.14) if thing.surface == "shiny" else (0.15, 0.16)
    canvas.circle((x, y), r, fill=mixed(colour, BLACK, dark))
    for step in (0.88, 0.72, 0.54, 0.36):
        shade = mixed(mixed(colour, BLACK, dark * step), WHITE, light * (1 - step))
        canvas.circle((x - (1 - step) * 0.34 * r, y - (1 - step) * 0.38 * r), r * step, fill=shade)
    if thing.surface == "striped":
        for band in range(BANDS):
            low, high = (-0.78 + 0.56 * band, -0.5 + 0.56 * band)
            (below, one), (above, two) = ((math.sin(a) * r, math.cos(a) * r) for a in (low, high))
            rims = _rim(x, y - below, one) + _rim(x, y - above, two)[::-1]
            canvas.polygon(rims, fill=_stripe(colour))
    elif thing.surface == "shiny":
        canvas.circle((x - 0.36 * r, y - 0.42 * r), 0.2 * r, fill=mixed(colour, WHITE, 0.94))
        canvas.arc((x, y), 0.8 * r, -1.1, -0.25, mixed(colour, WHITE, 0.5), max(1.0, 0.1 * r))


def _cylinder(canvas: Canvas, thing: Thing, colour: Colour, unit: float) -> None:
    r, rise = thing.radius * unit, HEIGHTS["cylinder"] * thing.radius * unit
    x, y = thing.x * unit, thing.y * unit
    steps = (
        (0.34, 0.14, 0.0, 0.08, 0.2, 0.34, 0.44)
        if thing.surface == "shiny"
        else (0.16, 0.08, 0.02, 0.08, 0.16, 0.24, 0.3)
    )
    for place, share in enumerate(steps):
        start, end = math.pi * (1 - place / len(steps)), math.pi * (1 - (place + 1) / len(steps))
        rim = _rim(x, y, r, start=start, end=end)
        canvas.polygon([*rim, *[(a, b - rise) for a, b in rim[::-1]]], fill=mixed(colour, BLACK, share))
    if thing.surface == "striped":
        for band in range(BANDS):
            low, high = (band + 0.28) / BANDS * rise, (band + 0.7) / BANDS * rise
            rims = [(a, b - low) for a, b in _rim(x, y, r)] + [(a, b - high) for a, b in _rim(x, y, r)[::-1]]
            canvas.polygon(rims, fill=_stripe(colour))
    elif thing.surface == "shiny":
        rim = _rim(x, y, r, start=math.pi * 0.74, end=math.pi * 0.62)
        gleam = [(a, b - 0.1 * rise) for a, b in rim] + [(a, b - 0.92 * rise) for a, b in rim[::-1]]
        canvas.polygon(gleam, fill=mixed(colour, WHITE, 0.88))
    top = _rim(x, y - rise, r, end=math.tau)
    canvas.polygon(top, fill=mixed(colour, WHITE, 0.32))
    if thing.surface == "shiny":
        canvas.polygon(_rim(x - 0.2 * r, y - rise, 0.5 * r, end=math.tau), fill=mixed(colour, WHITE, 0.72))


def _cone(canvas: Canvas, thing: Thing, colour: Colour, unit: float) -> None:
    r, rise = thing.radius * unit, HEIGHTS["cone"] * thing.radius * unit
    x, y = thing.x * unit, thing.y * unit
    steps = (0.34, 0.12, 0.0, 0.12, 0.28, 0.42) if thing.surface == "shiny" else (0.16, 0.06, 0.0, 0.1, 0.2, 0.28)
    for place, share in enumerate(steps):
        start, end = math.pi * (1 - place / len(steps)), math.pi * (1 - (place + 1) / len(steps))
        canvas.polygon([*_rim(x, y, r, start=start, end=end), (x, y - rise)], fill=mixed(colour, BLACK, share))
    if thing.surface == "striped":
        for band in range(BANDS):
            low, high = (band + 0.28) / (BANDS + 0.4), (band + 0.72) / (BANDS + 0.4)
            rims = [
                *_rim(x, y - low * rise, r * (1 - low)),
                *_rim(x, y - high * rise, r * (1 - high))[::-1],
            ]
            canvas.polygon(rims, fill=_stripe(colour))
    elif thing.surface == "shiny":
        rim = _rim(x, y - 0.08 * rise, r * 0.92, start=math.pi * 0.74, end=math.pi * 0.6)
        canvas.polygon([*rim, (x - 0.02 * r, y - 0.86 * rise)], fill=mixed(colour, WHITE, 0.88))


PAINTERS = {"cube": _cube, "sphere": _sphere, "cylinder": _cylinder, "cone": _cone}
