"""How sudoku-like scenes look: square boards, thin lines between cells, thick ones between regions, large symbols."""

from engines.base import Style, make_rng
from engines.canvas import Canvas, Point
from engines.marks import Drawing
from engines.style import PALETTE, colour_of, theme_of
from engines.sudoku.scene import LettersScene, MatrixScene, RunsScene, SudokuScene, Tile, TilesScene

MARGIN_SHARE = 0.04
INKS = ("blue", "black", "purple", "brown")
SHAPE_INK = "blue"
# Where the shapes of a tile stand, in shares of its side from the middle.
SPOTS = {
    1: ((0.0, 0.0),),
    2: ((-0.2, 0.0), (0.2, 0.0)),
    3: ((-0.2, 0.16), (0.2, 0.16), (0.0, -0.2)),
}
RADII = {1: 0.27, 2: 0.15, 3: 0.14}

Scene = SudokuScene | TilesScene | MatrixScene | RunsScene | LettersScene


def draw(scene: Scene, size_px: int, style: Style) -> Drawing:
    """Draw a scene as an RGB picture of size_px x size_px."""
    # Lines end near the edge of small pictures, where an unsteady hand would leave the paper.
    wobble_px = theme_of(style).wobble_px * min(1.0, size_px / 448)
    canvas = Canvas(size_px, theme_of(style).background, wobble_px)
    if isinstance(scene, SudokuScene):
        _draw_board(canvas, scene, style)
    elif isinstance(scene, TilesScene):
        _draw_tiles(canvas, scene, style)
    elif isinstance(scene, MatrixScene):
        _draw_matrix(canvas, scene, style)
    elif isinstance(scene, RunsScene):
        _draw_runs(canvas, scene, style)
    else:
        _draw_letters(canvas, scene, style)
    return canvas.drawing()


def _grid(canvas: Canvas, style: Style, corner: Point, cell: float, rows: int, columns: int) -> None:
    """Thin lines between cells and a frame."""
    theme, (left, top) = theme_of(style), corner
    thin = max(0.8, canvas.size_px / 260) * theme.line_scale
    right, bottom = left + columns * cell, top + rows * cell
    for row in range(1, rows):
        canvas.line([(left, top + row * cell), (right, top + row * cell)], theme.ink, thin)
    for column in range(1, columns):
        canvas.line([(left + column * cell, top), (left + column * cell, bottom)], theme.ink, thin)
    canvas.rectangle(corner, (right - left, bottom - top), outline=theme.ink, width_px=thin * 1.8)


def _draw_board(canvas: Canvas, scene: SudokuScene, style: Style) -> None:
    theme, rng, size_px, side = theme_of(style), make_rng("sudoku", style.rng_seed), canvas.size_px, scene.side
    margin = size_px * MARGIN_SHARE * rng.uniform(0.7, 1.3)
    board = size_px - 2 * margin
    cell = board / side
    canvas.rectangle((margin, margin), (board, board), fill=theme.panel)
    if rng.random() < 0.5:
        tint = tuple(int(0.86 * panel + 0.14 * faint) for panel, faint in zip(theme.panel, theme.faint, strict=True))
        for place, region in enumerate(scene.regions):
            if region % 2:
                corner = (margin + place % side * cell, margin + place // side * cell)
                canvas.rectangle(corner, (cell, cell), fill=tint)

    thin = max(0.8, size_px / 260) * theme.line_scale
    for line in range(1, side):
        at = margin + line * cell
        canvas.line([(margin, at), (size_px - margin, at)], theme.ink, thin)
        canvas.line([(at, margin), (at, size_px - margin)], theme.ink, thin)
    for first, second, points in _borders(scene, margin, cell):
        if first != second:
            canvas.line(points, theme.ink, thin * 2.6)
    canvas.rectangle((margin, margin), (board, board), outline=theme.ink, width_px=thin * 2.6)

    ink = PALETTE[INKS[int(rng.integers(len(INKS)))]]
    height, font = cell * rng.uniform(0.66, 0.76), ("sans", "sans-bold", theme.font)[int(rng.integers(3))]
    for place, number in enumerate(scene.cells):
        if number:
            row, column = divmod(place, side)
            centre = (margin + (column + 0.5) * cell, margin + (row + 0.5) * cell)
            name = scene.symbols[number - 1]
            if scene.kind == "colours":
                canvas.circle(centre, cell * 0.33, fill=colour_of(name, style))
            elif scene.kind == "shapes":
                canvas.marker(centre, name, cell * 0.26, ink)
            else:
                canvas.text((centre[0], centre[1] + cell * 0.03), name, height, ink, font=font)
            canvas.part(f"{row + 1},{column + 1}", centre)


def _borders(scene: SudokuScene, margin: float, cell: float):
    """Every side between two cells: their regions and its two ends."""
    side = scene.side
    for place, region in enumerate(scene.regions):
        row, column = divmod(place, side)
        x, y = margin + (column + 1) * cell, margin + (row + 1) * cell
        if column + 1 < side:
            yield region, scene.regions[place + 1], [(x, y - cell), (x, y)]
        if row + 1 < side:
            yield region, scene.regions[place + side], [(x - cell, y), (x, y)]


def _tile(canvas: Canvas, tile: Tile, centre: Point, cell: float, style: Style) -> None:
    """The shapes of a tile."""
    for x, y in SPOTS[tile.count]:
        at = (centre[0] + x * cell, centre[1] + y * cell)
        canvas.marker(at, tile.shape, RADII[tile.count] * cell, colour_of(tile.colour, style))


def _fitted(canvas: Canvas, rows: int, columns: int) -> tuple[Point, float]:
    """The corner and the cell of a grid as large as fits."""
    margin = canvas.size_px * MARGIN_SHARE
    cell = (canvas.size_px - 2 * margin) / max(rows, columns)
    return ((canvas.size_px - columns * cell) / 2, (canvas.size_px - rows * cell) / 2), cell


def _draw_tiles(canvas: Canvas, scene: TilesScene, style: Style) -> None:
    (left, top), cell = _fitted(canvas, scene.rows, scene.columns)
    canvas.rectangle((left, top), (cell * scene.columns, cell * scene.rows), fill=theme_of(style).panel)
    for place, tile in enumerate(scene.tiles):
        row, column = divmod(place, scene.columns)
        centre = (left + (column + 0.5) * cell, top + (row + 0.5) * cell)
        _tile(canvas, tile, centre, cell, style)
        canvas.part(f"{row + 1},{column + 1}", centre)
    _grid(canvas, style, (left, top), cell, scene.rows, scene.columns)


def _draw_matrix(canvas: Canvas, scene: MatrixScene, style: Style) -> None:
    theme, size_px = theme_of(style), canvas.size_px
    cell, top = size_px * 0.192, size_px * 0.035
    left = (size_px - 3 * cell) / 2
    canvas.rectangle((left, top), (3 * cell, 3 * cell), fill=theme.panel)
    for place, tile in enumerate(scene.tiles):
        centre = (left + (place % 3 + 0.5) * cell, top + (place // 3 + 0.5) * cell)
        _tile(canvas, tile, centre, cell, style)
        canvas.part(f"{place // 3 + 1},{place % 3 + 1}", centre)
    canvas.text((left + 2.5 * cell, top + 2.53 * cell), "?", cell * 0.6, theme.ink, font=theme.font)
    _grid(canvas, style, (left, top), cell, 3, 3)
    row_top = top + 3 * cell + size_px * 0.14
    gap = (size_px - len(scene.options) * cell) / (len(scene.options) + 1)
    for place, tile in enumerate(scene.options):
        x = gap + place * (cell + gap)
        canvas.rectangle((x, row_top), (cell, cell), fill=theme.panel)
        _tile(canvas, tile, (x + cell / 2, row_top + cell / 2), cell, style)
        _grid(canvas, style, (x, row_top), cell, 1, 1)
        letter = "ABCD"[place]
        canvas.text((x + cell / 2, row_top - size_px * 0.045), letter, size_px * 0.08, theme.ink, font=theme.font)
        canvas.part(f"option {letter}", (x + cell / 2, row_top + cell / 2))


def _draw_runs(canvas: Canvas, scene: RunsScene, style: Style) -> None:
    (left, top), cell = _fitted(canvas, scene.rows, scene.columns)
    canvas.rectangle((left, top), (cell * scene.columns, cell * scene.rows), fill=theme_of(style).panel)
    for place, is_shaded in enumerate(scene.shaded):
        row, column = divmod(place, scene.columns)
        if is_shaded:
            corner = (left + column * cell, top + row * cell)
            canvas.rectangle(corner, (cell, cell), fill=colour_of(scene.colour, style))
        canvas.part(f"{row + 1},{column + 1}", (left + (column + 0.5) * cell, top + (row + 0.5) * cell))
    _grid(canvas, style, (left, top), cell, scene.rows, scene.columns)


def _draw_letters(canvas: Canvas, scene: LettersScene, style: Style) -> None:
    theme, (corner, cell) = theme_of(style), _fitted(canvas, scene.side, scene.side)
    canvas.rectangle(corner, (cell * scene.side,) * 2, fill=theme.panel)
    for place, letter in enumerate(scene.letters):
        row, column = divmod(place, scene.side)
        centre = (corner[0] + (column + 0.5) * cell, corner[1] + (row + 0.52) * cell)
        canvas.text(centre, letter, cell * 0.66, theme.ink, font=theme.font)
        canvas.part(f"{row + 1},{column + 1}", centre)
    _grid(canvas, style, corner, cell, scene.side, scene.side)
