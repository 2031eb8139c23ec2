"""How a sudoku looks: a square board, thin lines between cells, thick ones between boxes, large digits."""

from PIL import Image

from engines.base import Style, make_rng
from engines.canvas import Canvas
from engines.style import PALETTE, theme_of
from engines.sudoku.scene import BOXES, SudokuScene

MARGIN_SHARE = 0.04
INKS = ("blue", "black", "purple", "brown")


def draw(scene: SudokuScene, size_px: int, style: Style) -> Image.Image:
    """Draw a board as an RGB picture of size_px x size_px."""
    theme, rng = theme_of(style), make_rng("sudoku", style.rng_seed)
    canvas = Canvas(size_px, theme.background)
    margin = size_px * MARGIN_SHARE * rng.uniform(0.7, 1.3)
    board, side = size_px - 2 * margin, scene.side
    cell, (box_rows, box_columns) = board / side, BOXES[side]
    canvas.rectangle((margin, margin), (board, board), fill=theme.panel)
    if rng.random() < 0.5:
        tint = tuple(int(0.86 * panel + 0.14 * faint) for panel, faint in zip(theme.panel, theme.faint, strict=True))
        for row in range(0, side, box_rows):
            for column in range(0, side, box_columns):
                if (row // box_rows + column // box_columns) % 2:
                    corner = (margin + column * cell, margin + row * cell)
                    canvas.rectangle(corner, (box_columns * cell, box_rows * cell), fill=tint)

    thin = max(0.8, size_px / 260) * theme.line_scale
    for line in range(1, side):
        at = margin + line * cell
        across, down = (2.6 if line % box_rows == 0 else 1.0), (2.6 if line % box_columns == 0 else 1.0)
        canvas.line([(margin, at), (size_px - margin, at)], theme.ink, thin * across)
        canvas.line([(at, margin), (at, size_px - margin)], theme.ink, thin * down)
    canvas.rectangle((margin, margin), (board, board), outline=theme.ink, width_px=thin * 2.6)

    ink = PALETTE[INKS[int(rng.integers(len(INKS)))]]
    height, font = cell * rng.uniform(0.66, 0.76), ("sans", "sans-bold", theme.font)[int(rng.integers(3))]
    for place, digit in enumerate(scene.cells):
        if digit:
            centre = (margin + (place % side + 0.5) * cell, margin + (place // side + 0.5) * cell)
            canvas.text((centre[0], centre[1] + cell * 0.03), str(digit), height, ink, font=font)
    return canvas.image()
