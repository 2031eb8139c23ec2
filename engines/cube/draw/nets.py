"""How nets look, and the cubes they may fold into."""

from engines.base import Style
from engines.canvas import Canvas
from engines.cube.draw.stacks import MARGIN, SHIFTS, shade, tint
from engines.cube.scene.nets import Net, NetScene
from engines.cube.scene.sight import DEPTH
from engines.marks import Apart
from engines.style import colour_of, theme_of

NET_SHARE = (0.6, 0.5)  # of the picture's height, for the net, if there are one or two lines of cubes below
CUBE_ROWS = 3  # cubes to a line
LARGEST = 0.15  # of the side: a square of a net
LETTER = 0.055  # of the side: height of a cube's letter
ON_SQUARE = 0.62  # of a square: height of its letter
GAP_PX = 5.0  # at 448 px: least side of a square


def draw_nets(canvas: Canvas, scene: NetScene, style: Style) -> list[Apart]:
    """Draw the nets beside each other, the cubes below them."""
    size, count = canvas.size_px, len(scene.nets)
    free = MARGIN * size
    height = (NET_SHARE[len(scene.cubes) > CUBE_ROWS] * size if scene.cubes else size) - 2 * free
    columns = 1 if count == 1 else 2
    lines = -(-count // columns)
    frames = []
    for place in range(count):
        line, column = divmod(place, columns)
        frame_width, frame_height = (size - 2 * free) / columns, height / lines
        frames.append((free + column * frame_width, free + line * frame_height, frame_width, frame_height))
    spans = [(max(c for _, c, _ in net) + 1, max(r for r, _, _ in net) + 1) for net in scene.nets]
    fit = 1.0 if count == 1 else 0.86
    squares = [
        min(w * fit / across, h * fit / down) for (across, down), (_, _, w, h) in zip(spans, frames, strict=True)
    ]
    square = min([LARGEST * size if count == 1 else size, *squares])
    margins = []
    for net, span, frame in zip(scene.nets, spans, frames, strict=True):
        share = [move / SHIFTS for move in scene.shift]
        spare = [frame[2] - span[0] * square, frame[3] - span[1] * square]
        left = frame[0] + spare[0] * (share[0] if count == 1 else 0.35 + 0.3 * share[0])
        top = frame[1] + spare[1] * (share[1] if count == 1 else 0.35 + 0.3 * share[1])
        _net(canvas, net, (left, top), square, scene.is_coloured, style)
        margins.append(Apart((left, top), (left + square, top), GAP_PX * size / 448))
    if scene.cubes:
        _cubes(canvas, scene, style)
    return margins


def _net(canvas: Canvas, net: Net, corner: tuple, square: float, is_coloured: bool, style: Style) -> None:
    theme = theme_of(style)
    width_px = max(1.0, canvas.size_px / 260) * theme.line_scale
    for row, column, name in net:
        x, y = corner[0] + column * square, corner[1] + row * square
        fill = colour_of(name, style) if is_coloured else theme.panel
        canvas.rectangle((x, y), (square, square), fill, theme.ink, width_px)
        centre = x + square / 2, y + square / 2
        canvas.part(name, centre)
        if not is_coloured:
            canvas.text(centre, name, ON_SQUARE * square, theme.ink, font=theme.font)


def _cubes(canvas: Canvas, scene: NetScene, style: Style) -> None:
    """The cubes in one or two lines, a letter under each."""
    theme, size, count = theme_of(style), canvas.size_px, len(scene.cubes)
    free, text_px = MARGIN * size, max(LETTER * size, 8.4)
    lines = 1 if count <= CUBE_ROWS else 2
    per_line = -(-count // lines)
    top = NET_SHARE[lines - 1] * size
    height, width = (size - free - top) / lines, (size - 2 * free) / per_line
    unit_px = min(0.4 * width, (height - 1.4 * text_px) / (1 + 2 * DEPTH), 0.09 * size)
    width_px = max(1.0, 0.05 * unit_px) * theme.line_scale
    for place, (above, left, right) in enumerate(scene.cubes):
        line, along = divmod(place, per_line)
        x = free + (along + 0.5) * width
        if line == lines - 1:
            x += (per_line * lines - count) * width / 2
        y = top + line * height + (height - 1.3 * text_px - (1 + 2 * DEPTH) * unit_px) / 2  # of the farthest corner
        u, d = unit_px, DEPTH * unit_px
        near = (x, y + 2 * d)
        sides = (
            (tint(colour_of(above, style), 0.08), [(x, y), (x + u, y + d), near, (x - u, y + d)]),
            (colour_of(left, style), [(x - u, y + d), near, (x, y + 2 * d + u), (x - u, y + d + u)]),
            (shade(colour_of(right, style), 0.82), [near, (x + u, y + d), (x + u, y + d + u), (x, y + 2 * d + u)]),
        )
        for colour, side in sides:
            canvas.polygon(side, colour, theme.ink, width_px)
        canvas.part(f"cube {chr(65 + place)}", near)
        foot = y + 2 * d + u + 0.75 * text_px
        canvas.text((x, foot), chr(65 + place), text_px, theme.ink, font=theme.font)
