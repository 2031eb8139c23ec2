"""How tiles look: patterns in ruled squares or loose pieces above, lettered options in a row below."""

from engines.base import Style
from engines.canvas import Canvas, Colour
from engines.marks import Apart, Drawing, Margin
from engines.style import Theme, colour_of, mixed, theme_of
from engines.tiles.scene import LETTERS, Paper, Pattern, Scene, Sheet

LOOSE = ("copies", "gap", "join")  # drawn without a frame
LETTER_SHARE = 0.05
CELL_FLOOR_PX = 3.5
ROW_PITCH, ROW_SIDE = 0.208, 0.18  # of three rows of patterns, in pictures
DOT = 0.36  # radius in cells
ONE_SIDE = 0.46  # of a single given pattern
FIELD_EDGE = 0.015  # around three by two fields, of which each holds a piece
FIELD = (1 - 2 * FIELD_EDGE) / 3
FIELD_ROOM = 0.27  # of a field for its piece
HOLE = 0.27
Spot = tuple[float, float]


class _Pen:
    """The canvas with what every pattern of a picture shares."""

    def __init__(self, scene: Scene, size_px: int, style: Style):
        self.theme: Theme = theme_of(style)
        self.size_px = size_px
        self.canvas = Canvas(size_px, self.theme.background, self.theme.wobble_px * min(1.0, size_px / 448))
        names = scene.colours if isinstance(scene, Sheet) else ()
        self.paints: list[Colour] = [colour_of(name, style) for name in names]
        self.thin = max(0.8, size_px / 420) * self.theme.line_scale
        self.margins: list[Margin] = []
        self._boards: list[list[Spot]] = []
        self._lines: list[list[Spot]] = []
        self._cells: dict[Colour, list[list[Spot]]] = {}
        self._dots: dict[tuple[Colour, float], list[Spot]] = {}

    def lay(self) -> None:
        """Draw the boards that wait and what lies on them, all that is alike in one go."""
        canvas, theme = self.canvas, self.theme
        canvas.polygons(self._boards, theme.panel, theme.ink, self.thin * 1.4)
        canvas.lines(self._lines, theme.faint, self.thin * 0.8)
        for paint, rings in self._cells.items():
            canvas.polygons(rings, paint, theme.ink, self.thin)
        for (paint, radius), spots in self._dots.items():
            canvas.circles(spots, radius, paint, theme.ink, self.thin * 0.7)
        for waiting in (self._boards, self._lines, self._cells, self._dots):
            waiting.clear()

    def pattern(self, pattern: Pattern, middle: Spot, side: float, shape: str, name: str) -> None:
        """A pattern within a square around a place; `shape` is "square", "dot" or "loose"."""
        rows, columns = len(pattern), len(pattern[0])
        cell = side / max(rows, columns)
        left, top = middle[0] - columns * cell / 2, middle[1] - rows * cell / 2
        if shape != "loose":
            self.board((left, top), rows, columns, cell)
        for row, line in enumerate(pattern):
            for column, colour in enumerate(line):
                if not colour:
                    continue
                paint, x, y = self.paints[colour - 1], left + column * cell, top + row * cell
                if shape == "dot":
                    self._dots.setdefault((paint, DOT * cell), []).append((x + cell / 2, y + cell / 2))
                else:
                    ring = [(x, y), (x + cell, y), (x + cell, y + cell), (x, y + cell)]
                    self._cells.setdefault(paint, []).append(ring)
        self.canvas.part(name, (left, top, left + columns * cell, top + rows * cell))
        at = (left + cell / 2, top + cell / 2)
        self.margins.append(Apart(at, (at[0] + cell, at[1]), CELL_FLOOR_PX))

    def board(self, corner: Spot, rows: int, columns: int, cell: float) -> None:
        """An empty ruled rectangle."""
        left, top = corner
        right, foot = left + columns * cell, top + rows * cell
        self._boards.append([(left, top), (right, top), (right, foot), (left, foot)])
        # One stroke draws all lines of a way, to and fro, and between them along the inside of the frame.
        rim = self.thin * 0.6
        ends = (top + rim, foot - rim)
        snake = [(left + i * cell, ends[(i + far) % 2]) for i in range(1, columns) for far in (0, 1)]
        ends = (left + rim, right - rim)
        across = [(ends[(i + far) % 2], top + i * cell) for i in range(1, rows) for far in (0, 1)]
        self._lines += [way for way in (snake, across) if way]

    def text(self, at: Spot, text: str, share: float = LETTER_SHARE) -> None:
        """A letter or sign; never too small to be read."""
        self.canvas.text(at, text, max(self.size_px * share, 8.6), self.theme.ink, font=self.theme.font)

    def options(self, options: tuple[Pattern, ...], top: float, most: float, shape: str) -> None:
        """Lettered patterns in a row from a height on, none larger than `most`."""
        pitch = 0.94 / len(options)
        side = min(most, pitch - 0.035)
        for place, (letter, pattern) in enumerate(zip(LETTERS, options, strict=False)):
            x = (0.03 + pitch * (place + 0.5)) * self.size_px
            self.text((x, (top + 0.025) * self.size_px), letter)
            middle = (x, (top + 0.065 + side / 2) * self.size_px)
            if shape == "hole":
                self.holes(pattern, middle, side * self.size_px, f"option {letter}")
            else:
                self.pattern(pattern, middle, side * self.size_px, shape, f"option {letter}")

    def holes(self, pattern: Pattern, middle: Spot, side: float, name: str) -> None:
        """A flat sheet with its holes."""
        count = len(pattern)
        cell, left, top = side / count, middle[0] - side / 2, middle[1] - side / 2
        self.board((left, top), count, count, cell)
        self.lay()
        for row, line in enumerate(pattern):
            for column, hole in enumerate(line):
                if hole:
                    self.hole((left + (column + 0.5) * cell, top + (row + 0.5) * cell), cell)
        self.canvas.part(name, (left, top, left + side, top + side))
        self.margins.append(Apart((left, top), (left + cell, top), CELL_FLOOR_PX))

    def hole(self, at: Spot, cell: float) -> None:
        """One hole."""
        self.canvas.circle(at, max(HOLE * cell, 1.6), self.theme.ink)


def draw(scene: Scene, size_px: int, style: Style) -> Drawing:
    """Draw a scene as an RGB picture of size_px x size_px."""
    pen = _Pen(scene, size_px, style)
    if isinstance(scene, Paper):
        _paper(pen, scene)
    elif scene.kind == "join":
        _fields(pen, scene)
    elif scene.kind in ("figure", *LOOSE):
        _one(pen, scene)
    else:
        _rows(pen, scene)
    pen.lay()
    return pen.canvas.drawing(pen.margins)


def _one(pen: _Pen, scene: Sheet) -> None:
    """One pattern above, the others below."""
    shape, px = "loose" if scene.kind in LOOSE else "square", pen.size_px
    given = scene.given[0]
    pen.pattern(given, (px / 2, px * 0.29), ONE_SIDE * px, shape, "picture 1")
    pen.options(scene.options, 0.64, 0.215, shape)


def _fields(pen: _Pen, scene: Sheet) -> None:
    """A rectangle and the pieces to join, to one scale, each in a field of its own with rules between."""
    px, count = pen.size_px, len(scene.options[0])
    cell = min(FIELD_ROOM / count, FIELD_ROOM / len(scene.given[0][0])) * px
    names = ("", *LETTERS[: len(scene.options)])
    for place, (letter, pattern) in enumerate(zip(names, (scene.given[0], *scene.options), strict=True)):
        row, column = divmod(place, 3)
        x, y = FIELD_EDGE + (column + 0.5) * FIELD, FIELD_EDGE + row * 0.5
        if letter:
            pen.text((x * px, (y + 0.045) * px), letter)
        side = cell * max(len(pattern), len(pattern[0]))
        name = f"option {letter}" if letter else "picture 1"
        pen.pattern(pattern, (x * px, (y + 0.255) * px), side, "loose", name)
    low, high = FIELD_EDGE * px, (1 - FIELD_EDGE) * px
    rules = [[(low + i * FIELD * px, low), (low + i * FIELD * px, high)] for i in (1, 2)]
    pen.canvas.lines([*rules, [(low, px / 2), (high, px / 2)]], pen.theme.faint, pen.thin * 1.6)


def _rows(pen: _Pen, scene: Sheet) -> None:
    """Three rows of patterns, the last of which is missing; of pairs each is left and right of an arrow."""
    px, shape = pen.size_px, "dot" if scene.kind == "dots" else "square"
    wide = 2 if scene.kind == "pairs" else 3
    pitch = 0.3 if wide == 2 else ROW_PITCH
    for place in range(3 * wide):
        row, column = divmod(place, wide)
        at = ((0.5 + (column - (wide - 1) / 2) * pitch) * px, (0.03 + ROW_SIDE / 2 + row * ROW_PITCH) * px)
        if place < len(scene.given):
            pen.pattern(scene.given[place], at, ROW_SIDE * px, shape, f"picture {place + 1}")
        else:
            half = ROW_SIDE / 2 * px
            pen.canvas.rectangle((at[0] - half, at[1] - half), (2 * half, 2 * half), None, pen.theme.faint, pen.thin)
            pen.text(at, "?", 0.09)
        if wide == 2 and column == 0:
            x, reach = at[0] + pitch / 2 * px, 0.035 * px
            pen.canvas.arrow((x - reach, at[1]), (x + reach, at[1]), pen.theme.ink, pen.thin * 1.6, 0.028 * px)
    pen.options(scene.options, 0.675, 0.2, shape)


def _paper(pen: _Pen, scene: Paper) -> None:
    """The sheet before every fold and after the last, then the options if there are any."""
    px, stages = pen.size_px, len(scene.folds) + 1
    if scene.options or stages < 3:
        pitch = 0.94 / stages
        side, spots = min(0.42, pitch - 0.025), [(0.03 + pitch * (i + 0.5), 0.32) for i in range(stages)]
    else:
        side, spots = 0.38, [(0.27 + 0.46 * (i % 2), 0.28 + 0.47 * (i // 2)) for i in range(stages)]
    for stage, (x, y) in enumerate(spots):
        y += 0.18 * (stages < 3 and not scene.options)
        _stage(pen, scene, stage, (x * px, y * px), side * px)
        pen.text((x * px, (y - side / 2 - 0.035) * px), f"{stage + 1}", 0.045)
    if scene.options:
        pen.options(scene.options, 0.64, 0.215, "hole")


def _stage(pen: _Pen, scene: Paper, stage: int, middle: Spot, side: float) -> None:
    """What is left of the sheet after so many folds, with the next fold or with the holes."""
    canvas, theme, cell = pen.canvas, pen.theme, side / scene.side
    left, top = middle[0] - side / 2, middle[1] - side / 2
    canvas.line(
        [(left, top), (left + side, top), (left + side, top + side), (left, top + side), (left, top)],
        theme.faint, pen.thin * 0.8, dash_px=max(2.0, side / 40),
    )  # fmt: skip
    upper, first, lower, last = scene.rest(stage)
    corner, size = (left + first * cell, top + upper * cell), ((last - first) * cell, (lower - upper) * cell)
    pen.board(corner, lower - upper, last - first, cell)
    pen.lay()
    canvas.part(f"step {stage + 1}", (*corner, corner[0] + size[0], corner[1] + size[1]))
    pen.margins.append(Apart((left, top), (left + cell, top), CELL_FLOOR_PX))
    if stage == len(scene.folds):
        for row, column in scene.holes:
            pen.hole((left + (column + 0.5) * cell, top + (row + 0.5) * cell), cell)
        return
    way, width = scene.folds[stage]
    x = corner[0] + {"right": width * cell, "left": size[0] - width * cell}.get(way, size[0] / 2)
    y = corner[1] + {"down": width * cell, "up": size[1] - width * cell}.get(way, size[1] / 2)
    reach = width * cell * 0.62
    strong, dash = mixed(theme.ink, (214, 40, 40), 0.75), max(2.5, side / 28)
    if way in ("right", "left"):
        canvas.line([(x, corner[1]), (x, corner[1] + size[1])], strong, pen.thin * 2, dash_px=dash)
        sign = 1 if way == "right" else -1
        ends = ((x - sign * reach, y), (x + sign * reach, y))
    else:
        canvas.line([(corner[0], y), (corner[0] + size[0], y)], strong, pen.thin * 2, dash_px=dash)
        sign = 1 if way == "down" else -1
        ends = ((x, y - sign * reach), (x, y + sign * reach))
    canvas.arrow(*ends, theme.ink, pen.thin * 1.8, min(reach, max(4.0, side / 14)))
