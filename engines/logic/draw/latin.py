"""Boards with signs: squares apart with chevrons between; boards with cages: one ruled square with thick outlines."""

from engines.base import Style, make_rng
from engines.canvas import Canvas, Point
from engines.logic.scene.latin import Cell, Latin
from engines.marks import Drawing
from engines.style import PALETTE, theme_of

MARGIN_SHARE = 0.05
GAP = 0.3  # of the distance between cells, between squares that signs stand between
CHEVRON = 0.075  # of that distance: half the height of a sign
INKS = ("blue", "black", "purple", "brown")


def draw_latin(canvas: Canvas, scene: Latin, style: Style) -> Drawing:
    """Draw a board as large as fits."""
    rng = make_rng("latin", style.rng_seed)
    margin = canvas.size_px * MARGIN_SHARE
    gap = GAP if scene.signs else 0.0
    step = (canvas.size_px - 2 * margin) / (scene.side - gap)
    left = margin - gap / 2 * step

    def centre(cell: Cell) -> Point:
        return left + (cell[1] - 0.5) * step, left + (cell[0] - 0.5) * step

    ink = PALETTE[INKS[int(rng.integers(len(INKS)))]]
    if scene.signs:
        _squares(canvas, scene, style, centre, step)
    else:
        _cages(canvas, scene, style, centre, step)
    theme = theme_of(style)
    for row in range(1, scene.side + 1):
        for column in range(1, scene.side + 1):
            (x, y), number = centre((row, column)), scene.at(row, column)
            canvas.part(f"{row},{column}", (x, y))
            if number:
                down, height = (0.1, 0.5) if scene.cages else (0.02, 0.46)
                canvas.text((x, y + down * step), str(number), height * step, ink, font=theme.font)
    return canvas.drawing()


def _squares(canvas: Canvas, scene: Latin, style: Style, centre, step: float) -> None:
    """A square for each cell, and a chevron for each sign that opens towards the larger number."""
    theme, half = theme_of(style), step * (1 - GAP) / 2
    width = max(1.0, canvas.size_px / 230) * theme.line_scale
    for row in range(1, scene.side + 1):
        for column in range(1, scene.side + 1):
            x, y = centre((row, column))
            canvas.rectangle((x - half, y - half), (2 * half, 2 * half), theme.panel, theme.ink, width)
    reach, high = step * GAP * 0.27, step * CHEVRON * 1.25
    for small, large in scene.signs:
        (x, y), (u, v) = centre(small), centre(large)
        middle, along = ((x + u) / 2, (y + v) / 2), ((u - x) / step, (v - y) / step)
        tip = (middle[0] - along[0] * reach, middle[1] - along[1] * reach)
        back = (middle[0] + along[0] * reach, middle[1] + along[1] * reach)
        across = (-along[1] * high, along[0] * high)
        ends = [(back[0] + s * across[0], back[1] + s * across[1]) for s in (1, -1)]
        canvas.line([ends[0], tip, ends[1]], theme.ink, width * 1.5)
        canvas.part(f"{small[0]},{small[1]} less than {large[0]},{large[1]}", middle)


def _cages(canvas: Canvas, scene: Latin, style: Style, centre, step: float) -> None:
    """Thin lines between cells, thick ones around cages, and the number of each cage in its first cell."""
    theme, owner = theme_of(style), {cell: i for i, cage in enumerate(scene.cages) for cell in cage.cells}
    left = centre((1, 1))[0] - step / 2
    right = left + scene.side * step
    canvas.rectangle((left, left), (right - left, right - left), fill=theme.panel)
    thin = max(0.8, canvas.size_px / 300) * theme.line_scale
    for line in range(1, scene.side):
        at = left + line * step
        canvas.line([(left, at), (right, at)], theme.faint, thin)
        canvas.line([(at, left), (at, right)], theme.faint, thin)
    for row in range(1, scene.side + 1):
        for column in range(1, scene.side + 1):
            x, y = centre((row, column))
            x, y = x + step / 2, y + step / 2
            if column < scene.side and owner[row, column] != owner[row, column + 1]:
                canvas.line([(x, y - step), (x, y)], theme.ink, thin * 3)
            if row < scene.side and owner[row, column] != owner[row + 1, column]:
                canvas.line([(x - step, y), (x, y)], theme.ink, thin * 3)
    canvas.rectangle((left, left), (right - left, right - left), outline=theme.ink, width_px=thin * 3)
    height = max(step * 0.26, 8.4)
    for cage in scene.cages:
        x, y = centre(cage.cells[0])
        at = (x - step * 0.42, y - step * 0.42)
        label = cage.label().replace("x", "\N{MULTIPLICATION SIGN}").replace(":", "\N{DIVISION SIGN}")
        canvas.text(at, label, height, theme.ink, anchor="lt", font=theme.font)
