"""Tables and heat maps: rows and columns of cells."""

from engines.canvas import Colour, Point
from engines.chart.draw.sheet import Entry, Sheet
from engines.chart.scene import Chart
from engines.marks import Apart, Margin

# Seven steps whose hues and lightness both change, at least 25 apart in CIE76; fewer classes take some of them.
RAMPS: tuple[tuple[Colour, ...], ...] = (
    ((48, 18, 92), (38, 84, 196), (30, 164, 210), (60, 186, 90), (196, 222, 60), (250, 164, 30), (206, 30, 30)),
    ((252, 246, 206), (252, 206, 90), (242, 136, 50), (216, 58, 60), (146, 30, 110), (72, 30, 130), (22, 20, 50)),
)
CELL_GAP_PX = 0.5
WIDEST_ROW = 2.8  # height of a table's row, in rows of text


def ramp(count: int, number: int) -> list[Colour]:
    """Colours of `count` classes, from the lowest to the highest."""
    steps = RAMPS[number % len(RAMPS)]
    return [steps[round(index * (len(steps) - 1) / max(1, count - 1))] for index in range(count)]


def _grid(sheet: Sheet, scene: Chart, has_head: bool) -> tuple[float, float, float, float]:
    """Left and top of the cells, and the width and height of one."""
    sheet.title()
    names = max((sheet.width(name) for name in scene.series), default=0.0) + 2 * sheet.gap
    head = sheet.row + sheet.gap if has_head else 0.0
    left, top = sheet.left + names, sheet.top + head
    width = (sheet.right - left) / len(scene.values[0])
    height = (sheet.bottom - top) / len(scene.values)
    return left, top, width, height


def draw_table(sheet: Sheet, scene: Chart) -> list[Margin]:
    """Draw rows and columns of numbers with their names."""
    left, top, width, height = _grid(sheet, scene, has_head=True)
    spare = (height - min(height, WIDEST_ROW * sheet.row)) * len(scene.values)
    height -= spare / len(scene.values)
    sheet.top, top = sheet.top + 0.4 * spare, top + 0.4 * spare
    canvas, theme = sheet.canvas, sheet.theme
    rows, columns, edge = len(scene.values), len(scene.values[0]), sheet.left
    bottom, right = top + rows * height, left + columns * width
    canvas.rectangle((edge, sheet.top), (right - edge, bottom - sheet.top), theme.panel)
    if sheet.look.has_outlines:
        for r in range(0, rows, 2):
            canvas.rectangle((edge, top + r * height), (right - edge, height), theme.background)
    for r in range(rows + 1):
        canvas.line(
            [(edge, top + r * height), (right, top + r * height)],
            theme.faint if 0 < r < rows else theme.ink,
            sheet.line_px,
        )
    for c in range(columns if sheet.look.has_box or scene.furniture.gridlines else 0):
        canvas.line([(left + c * width, sheet.top), (left + c * width, bottom)], theme.faint, sheet.line_px)
    for c, name in enumerate(scene.categories):
        sheet.write((left + (c + 0.5) * width, sheet.top + (top - sheet.top) / 2), name)
    for r, name in enumerate(scene.series):
        sheet.write((edge + sheet.gap / 2, top + (r + 0.5) * height), name, "lm")
        for c, value in enumerate(scene.values[r]):
            at = (left + (c + 0.5) * width, top + (r + 0.5) * height)
            sheet.write(at, scene.axis.text(value))
            canvas.part(f"{scene.categories[c]} {name}", at)
    return []


def draw_heat(sheet: Sheet, scene: Chart) -> list[Margin]:
    """Draw cells whose colours stand for values; the scale at the right says which. Gives the least size of a cell."""
    axis, canvas, ink = scene.axis, sheet.canvas, sheet.theme.ink
    classes = axis.numbers()
    colours = ramp(len(classes), sheet.style.rng_seed)
    sheet.title()
    sheet.legend([_class(sheet, colours[i], axis.text(classes[i])) for i in reversed(range(len(classes)))])
    names = max(sheet.width(name) for name in scene.series) + sheet.gap
    left, top = sheet.left + names, sheet.top
    width = (sheet.right - left) / len(scene.categories)
    is_flat = all(sheet.width(name) <= width - 0.35 * sheet.text_px for name in scene.categories)
    foot = sheet.row if is_flat else max(sheet.width(name) for name in scene.categories)
    height = min((sheet.bottom - foot - sheet.gap - top) / len(scene.values), 1.6 * width)
    for r, row in enumerate(scene.values):
        sheet.write((left - sheet.gap, top + (r + 0.5) * height), scene.series[r], "rm")
        for c, value in enumerate(row):
            corner = (left + c * width + CELL_GAP_PX, top + r * height + CELL_GAP_PX)
            size = (width - 2 * CELL_GAP_PX, height - 2 * CELL_GAP_PX)
            colour = colours[classes.index(value)]
            canvas.rectangle(corner, size, colour, ink if sheet.look.has_outlines else None, sheet.line_px)
            canvas.part(f"{scene.categories[c]} {scene.series[r]}", (*corner, corner[0] + size[0], corner[1] + size[1]))
    for c, name in enumerate(scene.categories):
        x, y = left + (c + 0.5) * width, top + len(scene.values) * height + sheet.gap
        if is_flat:
            sheet.write((x, y), name, "mt")
        else:
            sheet.write_up((x, y + sheet.width(name) / 2), name)
    return _cell_margins(sheet, (left, top), width, height)


def _cell_margins(sheet: Sheet, corner: Point, width: float, height: float) -> list[Margin]:
    """A cell is at least two floors wide and high."""
    x, y = corner
    return [
        Apart((x, y), (x + width, y), 2 * sheet.floor_px),
        Apart((x, y), (x, y + height), 2 * sheet.floor_px),
    ]


def _class(sheet: Sheet, colour: Colour, text: str) -> Entry:
    """A line of the scale: a colour and the value it stands for."""

    def paint(left: float, top: float, width: float, height: float) -> None:
        sheet.canvas.rectangle((left, top), (width, height), colour, sheet.theme.ink, sheet.line_px)

    return Entry(paint, text)
