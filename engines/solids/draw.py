"""How solids look: stacks in parallel projection, plans with numbers, views and cuts in squares."""

import itertools

from engines.base import Style
from engines.canvas import Canvas, Colour
from engines.marks import Apart, Drawing, Margin
from engines.solids.scene import LETTERS, Panel, Solids, faces, seen
from engines.style import colour_of, mixed, theme_of

TEXT_SHARE = 0.046
WIDE, DEEP = 0.866, 0.5  # of a cube's edge: by which a row or column moves sideways, and down
GIVEN_TOP, OPTIONS_TOP, OPTION_SIDE, FLAT_SIDE = 0.03, 0.59, 0.225, 0.19
LIGHT = {"top": 0.35, "front": 0.0, "right": -0.28}
SIDE_FLOOR_PX = 4.0


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

    def text(self, at: tuple[float, float], text: str) -> None:
        """A letter, number or word."""
        height = max(self.size_px * TEXT_SHARE, 8.6)
        self.canvas.text(at, text, height, self.theme.ink, font=self.theme.font)

    def panel(self, panel: Panel, left: float, top: float, side: float, name: str) -> None:
        """One drawing within a square, its caption under it."""
        if panel.look in ("stack", "cut"):
            self.slanted(panel, left, top, side, name)
        else:
            self.squares(panel, left, top, side, name)
        if panel.caption:
            share, drop = (0.26, 0.015) if panel.look in ("stack", "cut") else (0.5, 0.035)
            self.text((left + share * side, top + side + drop * self.size_px), panel.caption)

    def slanted(self, panel: Panel, left: float, top: float, side: float, name: str) -> None:
        """A stack, or a cut through one, seen from the corner between front and right."""
        rows, columns = len(panel.table), len(panel.table[0])
        tallest = max(2, max(map(max, panel.table))) if panel.look == "stack" else 0
        edge = min(side / ((rows + columns) * WIDE), side / ((rows + columns) * DEEP + tallest))
        wide, high = (rows + columns) * WIDE * edge, ((rows + columns) * DEEP + tallest) * edge
        x = left + (side - wide) / 2 + rows * WIDE * edge
        y = top + (side - high) / 2 + tallest * edge

        def at(row: int, column: int, k: int = 0) -> tuple[float, float]:
            return x + (column - row) * WIDE * edge, y + ((row + column) * DEEP - k) * edge

        ink, canvas = self.theme.ink, self.canvas
        tops = [("top", row, column, 0) for row in range(rows) for column in range(columns)]
        if panel.look == "cut":
            for filled in (0, 1):
                rings = [_corners(*face) for face in tops if panel.table[face[1]][face[2]] == filled]
                paint = self.paints["top"] if filled else self.theme.panel
                canvas.polygons([[at(*corner) for corner in ring] for ring in rings], paint, ink, self.thin)
        else:
            rings = [[at(*corner) for corner in _corners(*face)] for face in tops]
            canvas.polygons(rings, self.theme.panel, ink, self.thin)
            shown = set(seen(panel.table).values())
            # Faces over the same line from left to right do not overlap.
            whole = [face for face in faces(panel.table) if face in shown and (face[0] != "top" or face[3])]
            for _, group in itertools.groupby(whole, lambda face: face[1] + face[2]):
                line = list(group)
                for kind, paint in self.paints.items():
                    rings = [[at(*corner) for corner in _corners(*face)] for face in line if face[0] == kind]
                    canvas.polygons(rings, paint, ink, self.thin)
        canvas.part(
            name, (x - rows * WIDE * edge, y - tallest * edge, x + columns * WIDE * edge, y - tallest * edge + high)
        )
        self.margins.append(Apart(at(0, 0), at(0, 1), SIDE_FLOOR_PX))

    def squares(self, panel: Panel, left: float, top: float, side: float, name: str) -> None:
        """A plan with numbers, or a view with filled cells."""
        rows, columns = len(panel.table), len(panel.table[0])
        cell = side / max(rows, columns)
        left, top = left + (side - columns * cell) / 2, top + (side - rows * cell)
        places = [(r, c) for r in range(rows) for c in range(columns) if panel.look == "plan" or panel.table[r][c]]
        corners = [(left + column * cell, top + row * cell) for row, column in places]
        rings = [[(x, y), (x + cell, y), (x + cell, y + cell), (x, y + cell)] for x, y in corners]
        if panel.look == "view":  # what is empty is ruled too, so that columns without a cube are seen
            free = [(left + c * cell, top + r * cell) for r in range(rows) for c in range(columns)]
            squares = [[(x, y), (x + cell, y), (x + cell, y + cell), (x, y + cell)] for x, y in free]
            self.canvas.polygons(squares, self.theme.panel, self.theme.faint, self.thin * 0.8)
        paint = self.theme.panel if panel.look == "plan" else self.paints["front"]
        self.canvas.polygons(rings, paint, self.theme.ink, self.thin)
        if panel.look == "plan":
            for (x, y), (row, column) in zip(corners, places, strict=True):
                self.text((x + cell / 2, y + cell / 2), str(panel.table[row][column]))
        foot = top + rows * cell
        if panel.look == "view":
            self.canvas.line([(left, foot), (left + columns * cell, foot)], self.theme.ink, self.thin * 2)
        self.canvas.part(name, (left, top, left + columns * cell, foot))
        self.margins.append(Apart((left, foot), (left + cell, foot), SIDE_FLOOR_PX))


def _corners(kind: str, row: int, column: int, k: int) -> list[tuple[int, int, int]]:
    """Corners of a face, in order."""
    if kind == "top":
        return [(row, column, k), (row, column + 1, k), (row + 1, column + 1, k), (row + 1, column, k)]
    (a, b), (c, d) = (row + 1, column) if kind == "front" else (row, column + 1), (row + 1, column + 1)
    return [(a, b, k), (c, d, k), (c, d, k + 1), (a, b, k + 1)]


def draw(scene: Solids, size_px: int, style: Style) -> Drawing:
    """Draw a scene as an RGB picture of size_px x size_px."""
    pen = _Pen(scene, size_px, style)
    count = len(scene.given)
    side = 0.5 if count == 1 else 0.34
    if not scene.options:
        side = 0.4
    pitch = 0.94 / count
    for place, panel in enumerate(scene.given):
        left = 0.03 + pitch * (place + 0.5) - side / 2
        top = GIVEN_TOP + (0.0 if scene.options else 0.22)
        pen.panel(panel, left * size_px, top * size_px, side * size_px, f"picture {place + 1}")
    pitch = 0.94 / max(1, len(scene.options))
    for place, table in enumerate(scene.options):
        left = 0.03 + pitch * (place + 0.5)
        pen.text((left * size_px, (OPTIONS_TOP + 0.03) * size_px), LETTERS[place])
        caption = "front" if scene.look in ("stack", "plan") and scene.given[0].caption else ""
        panel = Panel(scene.look, table, caption)
        side = OPTION_SIDE if scene.look in ("stack", "cut") else FLAT_SIDE
        top = (OPTIONS_TOP + 0.07) * size_px
        pen.panel(panel, (left - side / 2) * size_px, top, side * size_px, f"option {LETTERS[place]}")
    return pen.canvas.drawing(pen.margins)
