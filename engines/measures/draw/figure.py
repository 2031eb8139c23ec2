"""Figures: thin lines between lettered points, angles as arcs with degrees, lengths beside lines."""

import math
from collections import Counter

from engines.base import Style
from engines.canvas import Canvas
from engines.marks import Apart, Drawing
from engines.measures.scene.figure import Figure
from engines.style import mixed, theme_of

ROOM = 0.72
TEXT_SHARE = 0.046
ARC = 0.068  # radius of an angle's arc, in pictures; of a further one at its corner the larger
FURTHER = 0.3  # share of the first radius
FAR = 0.128  # of its number from the corner, more where the angle is small
Spot = tuple[float, float]


def draw_figure(canvas: Canvas, scene: Figure, style: Style) -> Drawing:
    """Draw a figure as large as fits."""
    theme, size_px, shape = theme_of(style), canvas.size_px, scene.shape()
    spots = _placed(scene, size_px)
    width = max(1.2, size_px / 250) * theme.line_scale
    soft = mixed(theme.ink, theme.background, 0.25)
    if shape.circle:
        radius = math.dist(spots["O"], spots["A"])
        canvas.circle(spots["O"], radius, None, theme.ink, width)
        if "O" in scene.letters():
            canvas.circle(spots["O"], max(2.0, size_px / 160), theme.ink)
    for line in shape.lines:
        canvas.line([spots[line[0]], spots[line[1]]], theme.ink, width)
    for line in shape.equal:
        canvas.ticks(spots[line[0]], spots[line[1]], 1, theme.ink, width, max(6.0, size_px / 32))
    for line in shape.parallel:
        _arrow(canvas, spots[line[0]], spots[line[1]], theme.ink, width)
    for one, corner, other in shape.right:
        side = max(5.0, size_px / 32)
        canvas.right_angle(spots[corner], spots[one], spots[other], theme.ink, width * 0.8, side)
    height = max(size_px * TEXT_SHARE, 8.6)
    drawn = [(spots[line[0]], spots[line[1]]) for line in shape.lines]
    corners: Counter[str] = Counter()
    for name, text in scene.labels:
        if len(name) == 2:
            at = _side_text(spots[name[0]], spots[name[1]], drawn, height, len(text))
        else:
            radius = ARC * size_px * (1 + FURTHER * corners[name[1]])
            corners[name[1]] += 1
            at = _angle_text(canvas, [spots[letter] for letter in name], soft, width, height, radius)
            text = text if text == "x" else f"{text}\N{DEGREE SIGN}"
        canvas.text(at, text, height, theme.ink, font=theme.font)
    margins = []
    for letter in scene.letters():
        spot = spots[letter]
        at = _letter_at(letter, scene, spots, 0.95 * height)
        canvas.text(at, letter, height, theme.ink, font=theme.font)
        canvas.part(f"point {letter}", spot)
        others = [other for name, other in spots.items() if name in scene.letters() and name != letter]
        nearest = min(others, key=lambda other: math.dist(other, spot))
        margins.append(Apart(spot, nearest, max(8.0, size_px / 20)))
    return canvas.drawing(margins)


def _middle(spots: list[Spot]) -> Spot:
    return sum(x for x, _ in spots) / len(spots), sum(y for _, y in spots) / len(spots)


def _placed(scene: Figure, size_px: int) -> dict[str, Spot]:
    """Points in pixels: turned, mirrored, and as large as fits."""
    shape, angle = scene.shape(), math.radians(scene.turn)
    cos, sin = math.cos(angle), math.sin(angle)
    sign = -1 if scene.is_mirrored else 1
    spots = {name: (sign * (x * cos - y * sin), x * sin + y * cos) for name, (x, y) in shape.points.items()}
    reach = list(spots.values())
    if shape.circle:
        x, y = spots["O"]
        reach += [(x - shape.circle, y - shape.circle), (x + shape.circle, y + shape.circle)]
    left, right = min(x for x, _ in reach), max(x for x, _ in reach)
    low, high = min(y for _, y in reach), max(y for _, y in reach)
    scale = ROOM * size_px / max(right - left, high - low)
    return {
        name: (size_px / 2 + (x - (left + right) / 2) * scale, size_px / 2 - (y - (low + high) / 2) * scale)
        for name, (x, y) in spots.items()
    }


def _arrow(canvas: Canvas, start: Spot, end: Spot, ink: tuple[int, int, int], width: float) -> None:
    """An open arrow head on a line, pointing right or down whatever way the line is named."""
    if (end[0] - start[0], end[1] - start[1]) < (0, 0):
        start, end = end, start
    span = math.dist(start, end)
    ux, uy = (end[0] - start[0]) / span, (end[1] - start[1]) / span
    size = max(4.0, canvas.size_px / 42)
    x, y = start[0] + 0.62 * span * ux, start[1] + 0.62 * span * uy
    wings = [(x - size * (ux - s * 0.6 * uy), y - size * (uy + s * 0.6 * ux)) for s in (1, -1)]
    canvas.line([wings[0], (x, y), wings[1]], ink, width * 1.2)


def _side_text(start: Spot, end: Spot, lines: list[tuple[Spot, Spot]], height: float, letters: int) -> Spot:
    """Where a length is written: beside the middle of its line, on the side that is farther from all other lines; on
    equally free sides away from the middle of the figure."""
    span = math.dist(start, end)
    nx, ny = (end[1] - start[1]) / span, (start[0] - end[0]) / span
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    off = height * (0.75 * abs(ny) + (0.55 + 0.22 * letters) * abs(nx))
    sides = [(x + sign * nx * off, y + sign * ny * off) for sign in (1, -1)]
    others = [line for line in lines if {*line} != {start, end}]
    middle = _middle([spot for line in lines for spot in line])

    def free(at: Spot) -> tuple[float, float]:
        """How far it is from other lines, as far as that matters, and from the middle."""
        return min(1.6 * height, *(_distance(at, *line) for line in others)), math.dist(at, middle)

    return max(sides, key=free)


def _distance(spot: Spot, start: Spot, end: Spot) -> float:
    """From a spot to a line between two ends."""
    (x, y), (a, b) = start, (end[0] - start[0], end[1] - start[1])
    along = ((spot[0] - x) * a + (spot[1] - y) * b) / (a * a + b * b)
    along = min(1.0, max(0.0, along))
    return math.dist(spot, (x + along * a, y + along * b))


def _angle_text(
    canvas: Canvas, spots: list[Spot], ink: tuple[int, int, int], width: float, height: float, radius: float
) -> Spot:
    """Draw the arc of an angle; gives where its number is written."""
    one, corner, other = spots
    first, last = (math.atan2(corner[1] - spot[1], spot[0] - corner[0]) for spot in (one, other))
    opening = (last - first) % math.tau
    if opening > math.pi:
        first, opening = last, math.tau - opening
    canvas.arc(corner, radius, first, first + opening, ink, width * 0.8)
    far = max(FAR * canvas.size_px, 0.62 * height / math.sin(opening / 2) + 0.35 * height)
    way = first + opening / 2
    return corner[0] + far * math.cos(way), corner[1] - far * math.sin(way)


def _letter_at(letter: str, scene: Figure, spots: dict[str, Spot], reach: float) -> Spot:
    """Where a point's letter is written: in the widest gap between the lines at it, outside of a circle."""
    corner, shape = spots[letter], scene.shape()
    names = [line.replace(letter, "") for line in shape.lines if letter in line]
    ways = [math.atan2(corner[1] - spots[n][1], spots[n][0] - corner[0]) for n in names]
    for line in shape.lines:  # lines that pass it
        if letter not in line and _passes(spots[line[0]], spots[line[1]], corner):
            ways += [math.atan2(corner[1] - spots[n][1], spots[n][0] - corner[0]) for n in line]
    if shape.circle and letter != "O" and math.dist(corner, spots["O"]) < 1.02 * math.dist(spots["A"], spots["O"]):
        out = math.atan2(spots["O"][1] - corner[1], corner[0] - spots["O"][0])
        ways += [out + math.pi / 2, out - math.pi / 2]
    ways = sorted({round(way % math.tau, 6) for way in ways})
    gaps = [((b - a) % math.tau or math.tau, a) for a, b in zip(ways, [*ways[1:], ways[0]], strict=True)]
    middle = _middle(list(spots.values()))

    def outward(item: tuple[float, float]) -> tuple[float, float]:
        """How wide a gap is, and how much it looks away from the middle of the figure."""
        way = item[1] + item[0] / 2
        return round(item[0], 2), (corner[0] - middle[0]) * math.cos(way) - (corner[1] - middle[1]) * math.sin(way)

    gap, start = max(gaps, key=outward)
    way = start + gap / 2
    return corner[0] + reach * math.cos(way), corner[1] - reach * math.sin(way)


def _passes(start: Spot, end: Spot, spot: Spot) -> bool:
    """Say whether a spot lies on a line between its ends."""
    return abs(math.dist(start, spot) + math.dist(spot, end) - math.dist(start, end)) < 0.01 * math.dist(start, end)
