"""How solids of cubes look: the model above, the lettered options below, all at one scale."""

from engines.base import Style
from engines.canvas import Canvas, Point
from engines.cube.draw.stacks import MARGIN, STEP_PX, faces
from engines.cube.scene.sight import DEPTH
from engines.cube.scene.solids import Solid, SolidsScene
from engines.marks import Apart
from engines.style import Theme, colour_of, theme_of

MODEL_SHARE = 0.34  # of the picture's height, for the model; its lower edge is a line
LETTER = 0.045  # of the side: height of an option's letter
ROOM = 0.94  # of its cell that a solid may fill
LARGEST = 0.075  # of the side: half the width of a cube


def _extent(solid: Solid) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a solid on the screen, in half widths of a cube."""
    lefts = [column - row for row, column, _ in solid]
    lows = [(row + column) * DEPTH - height for row, column, height in solid]
    return min(lefts) - 1, min(lows) - 1, max(lefts) + 1, max(lows) + 2 * DEPTH


def _solid(canvas: Canvas, solid: Solid, centre: Point, unit_px: float, colours: tuple, theme: Theme) -> None:
    """Draw the near faces of each cube that no cube of the solid touches, the farthest first."""
    left, top, right, bottom = _extent(solid)
    x0, y0 = centre[0] - (left + right) / 2 * unit_px, centre[1] - (top + bottom) / 2 * unit_px
    cubes, width_px = set(solid), max(1.0, 0.06 * unit_px) * theme.line_scale

    def at(row: int, column: int, height: int) -> Point:
        return x0 + (column - row) * unit_px, y0 + ((row + column) * DEPTH - height) * unit_px

    for row, column, height in sorted(solid, key=sum):
        r, c, h = row + 1, column + 1, height + 1
        if (r, column, height) not in cubes:
            side = [at(r, column, height), at(r, c, height), at(r, c, h), at(r, column, h)]
            canvas.polygon(side, colours[1], theme.ink, width_px)
        if (row, c, height) not in cubes:
            side = [at(row, c, height), at(r, c, height), at(r, c, h), at(row, c, h)]
            canvas.polygon(side, colours[2], theme.ink, width_px)
        if (row, column, h) not in cubes:
            side = [at(row, column, h), at(row, c, h), at(r, c, h), at(r, column, h)]
            canvas.polygon(side, colours[0], theme.ink, width_px)


def draw_solids(canvas: Canvas, scene: SolidsScene, style: Style) -> list[Apart]:
    """Draw the model and its options."""
    theme, size, colours = theme_of(style), canvas.size_px, faces(colour_of(scene.colour, style))
    free, count = MARGIN * size, len(scene.options)
    lines = 1 if count <= 3 else 2
    per_line = -(-count // lines)
    text_px = max(LETTER * size, 8.4)
    width = (size - 2 * free) / per_line
    height = (size * (1 - MODEL_SHARE) - free) / lines
    model_room = (size - 2 * free, size * MODEL_SHARE - 1.6 * free)
    rooms = [model_room] + [(width * ROOM, height - 1.45 * text_px)] * count
    unit_px = LARGEST * size
    for solid, room in zip((scene.model, *scene.options), rooms, strict=True):
        left, top, right, bottom = _extent(solid)
        unit_px = min(unit_px, room[0] / (right - left), room[1] / (bottom - top))
    y = MODEL_SHARE * size
    centre = size / 2, (free + y - 0.6 * free) / 2
    _solid(canvas, scene.model, centre, unit_px, colours, theme)
    canvas.part("model", centre)
    canvas.line([(free, y), (size - free, y)], theme.faint, max(1.0, size / 300) * theme.line_scale)
    for place, option in enumerate(scene.options):
        line, along = divmod(place, per_line)
        x = free + (along + 0.5) * width
        if line == lines - 1:  # the last line may be shorter
            x += (per_line * lines - count) * width / 2
        middle = x, y + line * height + (height - 1.35 * text_px) / 2 + 0.1 * text_px
        _solid(canvas, option, middle, unit_px, colours, theme)
        canvas.text((x, y + (line + 1) * height - 0.7 * text_px), chr(65 + place), text_px, theme.ink, font=theme.font)
        canvas.part(f"option {chr(65 + place)}", middle)
    return [Apart(centre, (centre[0], centre[1] + unit_px), STEP_PX * size / 448)]
