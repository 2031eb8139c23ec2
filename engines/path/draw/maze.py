"""Mazes: walls in ink, faint dots in the middle of cells for counting, coloured bars as gates, letters at exits."""

from typing import NamedTuple

from engines.base import Style
from engines.canvas import Canvas, Point
from engines.marks import Apart, Drawing
from engines.path.scene.maze import Cell, Maze
from engines.style import colour_of, theme_of

LETTER_SHARE = 0.1  # of the picture, kept on every side for the letters of exits
MARGIN_SHARE = 0.04  # the same where there are none
GAP_PX = 5.0  # least width of a way, at any size


class Board(NamedTuple):
    """Where a maze lies in the picture, in pixels."""

    left: float
    top: float
    cell: float

    def centre(self, cell: Cell) -> Point:
        """The middle of a cell, also of one outside."""
        return self.left + (cell[1] - 0.5) * self.cell, self.top + (cell[0] - 0.5) * self.cell


def draw_maze(canvas: Canvas, scene: Maze, style: Style) -> Drawing:
    """Draw a maze as large as fits."""
    theme, size_px = theme_of(style), canvas.size_px
    edge = size_px * (LETTER_SHARE if scene.exits else MARGIN_SHARE)
    cell = (size_px - 2 * edge) / max(scene.rows, scene.columns)
    board = Board((size_px - scene.columns * cell) / 2, (size_px - scene.rows * cell) / 2, cell)
    canvas.rectangle((board.left, board.top), (scene.columns * cell, scene.rows * cell), fill=theme.panel)
    for row in range(1, scene.rows + 1):
        for column in range(1, scene.columns + 1):
            canvas.circle(board.centre((row, column)), max(0.8, cell * 0.035), fill=theme.faint)
    for gate in scene.gates:
        x, y = board.centre((gate.row, gate.column))
        ends = [(x + cell / 2, y - cell / 2), (x + cell / 2, y + cell / 2)]
        if not gate.is_right:
            ends = [(x - cell / 2, y + cell / 2), (x + cell / 2, y + cell / 2)]
        canvas.line(ends, colour_of(gate.colour, style), cell * 0.2)
        canvas.part(f"{gate.colour} gate", ((ends[0][0] + ends[1][0]) / 2, (ends[0][1] + ends[1][1]) / 2))
    width = max(1.2, min(cell * 0.12, size_px / 110)) * min(theme.line_scale, 1.2)
    for line in _walls(scene, board):
        canvas.line(line, theme.ink, width)
    _things(canvas, scene, board, style)
    one, two = board.centre((1, 1)), board.centre((1, 2))
    return canvas.drawing([Apart(one, two, GAP_PX)])


def _walls(scene: Maze, board: Board) -> list[list[Point]]:
    """All walls, runs of one line joined: between cells, and around them but for the exits."""
    rows, columns = scene.rows, scene.columns
    gaps = {place for place, _ in scene.exits}
    lines = []
    for x in range(columns + 1):  # the line to the right of column x
        closed = []
        for row in range(1, rows + 1):
            if x in (0, columns):
                closed.append((row, 0 if x == 0 else columns + 1) not in gaps)
            else:
                closed.append(not scene.right[(row - 1) * columns + x - 1])
        at = board.left + x * board.cell
        lines += [[(at, board.top + a * board.cell), (at, board.top + b * board.cell)] for a, b in _runs(closed)]
    for y in range(rows + 1):
        closed = []
        for column in range(1, columns + 1):
            if y in (0, rows):
                closed.append((0 if y == 0 else rows + 1, column) not in gaps)
            else:
                closed.append(not scene.down[(y - 1) * columns + column - 1])
        at = board.top + y * board.cell
        lines += [[(board.left + a * board.cell, at), (board.left + b * board.cell, at)] for a, b in _runs(closed)]
    return lines


def _runs(flags: list[bool]) -> list[tuple[int, int]]:
    """Begin and end of each run of true flags."""
    found, begin = [], None
    for place, flag in enumerate([*flags, False]):
        if flag and begin is None:
            begin = place
        elif not flag and begin is not None:
            found.append((begin, place))
            begin = None
    return found


def _things(canvas: Canvas, scene: Maze, board: Board, style: Style) -> None:
    """The dot, the square, and letters in cells and at exits."""
    theme, size_px, cell = theme_of(style), canvas.size_px, board.cell
    start = board.centre(scene.start)
    canvas.circle(start, cell * 0.27, fill=colour_of("red", style))
    canvas.part("dot", start)
    if scene.goal:
        x, y = board.centre(scene.goal)
        canvas.rectangle((x - cell * 0.24, y - cell * 0.24), (cell * 0.48,) * 2, fill=colour_of("blue", style))
        canvas.part("square", (x, y))
    for at, letter in scene.letters:
        x, y = board.centre(at)
        height = min(cell * 0.66, size_px * 0.12)
        canvas.circle((x, y), height * 0.6, fill=theme.panel)
        canvas.text((x, y), letter, height, theme.ink, font=theme.font)
    height = size_px * LETTER_SHARE * 0.8
    for place, letter in scene.exits:
        x, y = board.centre(place)
        near = min(cell / 2, height * 0.62)
        shift = cell / 2 - near  # towards the maze, where cells are large
        x += shift * ((place[1] == 0) - (place[1] > scene.columns))
        y += shift * ((place[0] == 0) - (place[0] > scene.rows))
        # Beside the gap where cells are small: never over the outer wall.
        grown = max(0.0, height * 0.62 - cell / 2)
        x += grown * ((place[1] > scene.columns) - (place[1] == 0))
        y += grown * ((place[0] > scene.rows) - (place[0] == 0))
        canvas.text((x, y), letter, height, theme.ink, font=theme.font)
