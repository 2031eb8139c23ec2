"""How solids look: stacks in parallel projection, plans with numbers, views and cuts in squares."""

import itertools
from collections.abc import Iterable

from engines.base import Style
from engines.canvas import Canvas, Colour
from engines.marks import Apart, Box, Drawing, Margin
from engines.solids.scene import LETTERS, Face, Panel, Solids, Table, seen
from engines.style import colour_of, mixed, theme_of

TEXT_SHARE = 0.046
WIDE, DEEP = 0.866, 0.5  # of a cube's edge: by which a row or column moves sideways, and down
CAPTION, CAPTION_AT = 0.05, 0.26  # height that it takes; where it stands under a stack, in widths from the left
LIGHT = {"top": 0.35, "front": 0.0, "right": -0.28}
FLAT_GAP = 0.015  # more on each side of an option without slanted sides
SIDE_FLOOR_PX = 4.0
Spot = tuple[float, float]


class _Pen:
    """The canvas with what all panels share."""

    def __init__(self, scene: Solids, size_px: int, style: Style):
        self.theme, self.size_px = theme_of(style), size_px
        self.canvas = Canvas(size_px, self.theme.background, self.theme.wobble_px * min(1.0, size_px / 448))
        base = colour_of(scene.colour, style)
        self.paints: dict[str, Colour] = {
            name: mixed(base, (255, 255, 255) if light > 0 else (0, 0, 0), abs(light)) for name, light in LIGHT.items()
        }
        self.thin = max(0.8, size_px / 420) * self.theme.line_scale
        self.margins: list[Margin] = []

    def text(self, at: Spot, text: str) -> None:
        """A letter, number or word."""
        height = max(self.size_px * TEXT_SHARE, 8.6)
        self.canvas.text(at, text, height, self.theme.ink, font=self.theme.font)

    def panel(self, panel: Panel, box: Box, levels: int, name: str) -> None:
        """One drawing in the middle of a box, its caption under it; stacks have room for so many levels."""
        left, top, right, foot = (share * self.size_px for share in box)
        foot -= CAPTION * self.size_px if panel.caption else 0.0
        if panel.look in ("stack", "cut"):
            x, y = self.slanted(panel, (left, top, right, foot), levels, name)
        else:
            x, y = self.squares(panel, (left, top, right, foot), name)
        if panel.caption:
            self.text((x, y + 0.6 * CAPTION * self.size_px), panel.caption)

    def slanted(self, panel: Panel, box: Box, levels: int, name: str) -> Spot:
        """A stack, or a cut through one, seen from the corner between front and right; gives where a caption goes."""
        left, top, right, foot = box
        rows, columns = len(panel.table), len(panel.table[0])
        edge = min((right - left) / ((rows + columns) * WIDE), (foot - top) / ((rows + columns) * DEEP + levels))
        wide, high = (rows + columns) * WIDE * edge, ((rows + columns) * DEEP + levels) * edge
        x = (left + right - wide) / 2 + rows * WIDE * edge
        y = (top + foot - high) / 2 + levels * edge

        def at(row: int, column: int, k: int) -> Spot:
            return x + (column - row) * WIDE * edge, y + ((row + column) * DEEP - k) * edge

        shapes: dict[str, list[list[Spot]]] = {}
        if panel.look == "cut":
            for row, column in itertools.product(range(rows), range(columns)):
                ring = [at(*corner) for corner in _corners("top", row, column, 0)]
                shapes.setdefault("top" if panel.table[row][column] else "floor", []).append(ring)
        else:
            parts: dict[Face, list[tuple[int, int]]] = {}
            for place, face in seen(panel.table).items():
                parts.setdefault(face, []).append(place)
            for face, places in parts.items():
                ring = [at(*corner) for corner in _shown(face, places)]
                shapes.setdefault("floor" if face[0] == "top" and not face[3] else face[0], []).append(ring)
        for kind, rings in shapes.items():
            paint = self.theme.panel if kind == "floor" else self.paints[kind]
            self.canvas.polygons(rings, paint, self.theme.ink, self.thin)
        self.canvas.part(
            name, (x - rows * WIDE * edge, y - levels * edge, x + columns * WIDE * edge, y - levels * edge + high)
        )
        self.margins.append(Apart(at(0, 0, 0), at(0, 1, 0), SIDE_FLOOR_PX))
        return x - rows * WIDE * edge + CAPTION_AT * wide, y - levels * edge + high

    def squares(self, panel: Panel, box: Box, name: str) -> Spot:
        """A plan with numbers, or a view with filled cells; gives where a caption goes."""
        left, top, right, foot = box
        rows, columns = len(panel.table), len(panel.table[0])
        cell = min((right - left) / columns, (foot - top) / rows)
        left, top = (left + right - columns * cell) / 2, (top + foot - rows * cell) / 2
        foot = top + rows * cell
        rings: dict[bool, list[list[Spot]]] = {False: [], True: []}
        for row, column in itertools.product(range(rows), range(columns)):
            x, y = left + column * cell, top + row * cell
            ring = [(x, y), (x + cell, y), (x + cell, y + cell), (x, y + cell)]
            if panel.look == "plan":
                self.text((x + cell / 2, y + cell / 2), str(panel.table[row][column]))
                rings[True].append(ring)
            else:
                rings[panel.table[row][column] > 0].append(ring)
        # What is empty in a view is ruled too, so that heights can be told.
        self.canvas.polygons(rings[False], self.theme.panel, self.theme.faint, self.thin * 0.8)
        paint = None if panel.look == "plan" else self.paints["front"]
        self.canvas.polygons(rings[True], paint, self.theme.ink, self.thin)
        if panel.look == "view":
            self.canvas.line([(left, foot), (left + columns * cell, foot)], self.theme.ink, self.thin * 2)
        self.canvas.part(name, (left, top, left + columns * cell, foot))
        self.margins.append(Apart((left, foot), (left + cell, foot), SIDE_FLOOR_PX))
        return left + columns * cell / 2, foot


def _corners(kind: str, row: int, column: int, k: int) -> list[tuple[int, int, int]]:
    """Corners of a face, in order."""
    if kind == "top":
        return [(row, column, k), (row, column + 1, k), (row + 1, column + 1, k), (row + 1, column, k)]
    (a, b), (c, d) = (row + 1, column) if kind == "front" else (row, column + 1), (row + 1, column + 1)
    return [(a, b, k), (c, d, k), (c, d, k + 1), (a, b, k + 1)]


def _shown(face: Face, places: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Corners of what is seen of a face: all of it, or one half."""
    kind, row, column, k = face
    corners = _corners(*face)
    if len(places) == 1:
        ((strip, low),) = places
        is_first = strip == column - row if kind == "top" else low != 3 * (row + column) - 6 * k
        del corners[3 if is_first else 1]
    return corners


def draw(scene: Solids, size_px: int, style: Style) -> Drawing:
    """Draw a scene as an RGB picture of size_px x size_px."""
    pen = _Pen(scene, size_px, style)
    count = len(scene.given)
    for place, panel in enumerate(scene.given):
        if not scene.options:
            box = (0.05 + 0.47 * place, 0.1, 0.48 + 0.47 * place, 0.9)
        elif scene.look == "cut":
            box = (0.02, 0.03, 0.5, 0.97)
        else:
            high = 0.94 / count
            box = (0.02, 0.03 + place * high, 0.36, 0.03 + (place + 1) * high - 0.03)
        pen.panel(panel, box, _levels([panel.table]), f"picture {place + 1}")
    is_flat = scene.look in ("plan", "view")
    levels = 0 if scene.look == "cut" else _levels(scene.options)
    for place, table in enumerate(scene.options):
        if scene.look == "cut":  # which is flat: one above the other
            letter_at, left, top, right, foot = (0.57, 0.14 + 0.24 * place), 0.6, 0.03 + 0.24 * place, 0.98, 0.0
            foot = top + 0.22
        else:
            left, top = 0.4 + 0.295 * (place % 2), 0.03 + 0.485 * (place // 2)
            letter_at, right, foot = (left + 0.1425, top + 0.025), left + 0.285, top + 0.46
            left, right, top = left + FLAT_GAP * is_flat, right - FLAT_GAP * is_flat, top + 0.055
        pen.text((letter_at[0] * size_px, letter_at[1] * size_px), LETTERS[place])
        caption = "front" if scene.look in ("stack", "plan") and scene.given[0].caption else ""
        pen.panel(Panel(scene.look, table, caption), (left, top, right, foot), levels, f"option {LETTERS[place]}")
    if scene.options:
        x = 0.53 if scene.look == "cut" else 0.38
        pen.canvas.line([(x * size_px, 0.03 * size_px), (x * size_px, 0.97 * size_px)], pen.theme.faint, pen.thin * 1.4)
    return pen.canvas.drawing(pen.margins)


def _levels(tables: Iterable[Table]) -> int:
    """Cubes of the tallest column of any table, at least 2."""
    return max([2, *(max(map(max, table)) for table in tables)])
