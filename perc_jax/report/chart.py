"""Line charts as inline SVG, and which of them a report has of training.

Raw values are faint, smoothed ones bold, dashed where they would hide another line; stages are shaded, evaluations are
points with intervals.

Pure functions from numbers to text. Colours and type are set here once; sizes are in the units of the SVG's view box,
which the page scales to its columns.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

# Okabe & Ito's palette, told apart with any colour vision; the order is that of the engines
COLOURS = ("#0072b2", "#e08a00", "#009e73", "#c0588f", "#d55e00", "#3fa0dd", "#6b6f76")
WIDTH, HEIGHT = 520, 230
LEFT, RIGHT, TOP, BOTTOM = 50, 14, 14, 34
INSET = 5  # from the frame to the first and the last step
MAX_POINTS = 400  # of a raw line; more are averaged in bins
DASH = 6  # of a line that lies on others; the gaps are longer the more there are
DODGE = 7.0  # between points of one step, less where they would come nearer to those of the next


class Series(NamedTuple):
    """One line or one row of points."""

    name: str
    colour: str
    x: Sequence[float]
    y: Sequence[float]
    intervals: Sequence[tuple[float, float]] | None = None  # draw points with these intervals instead of a curve


class Span(NamedTuple):
    """A stage along the x axis."""

    name: str
    start: float
    end: float


class Scale(NamedTuple):
    """A linear map from values to the drawing."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Place of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def line_chart(
    series: Sequence[Series], spans: Sequence[Span], *, form: Callable[[float], str], floor: float | None = None
) -> str:
    """Draw a chart over the global step.

    Args:
        series: at least one, each with at least one finite point.
        spans: stages, shaded alternately and named at their top where there is room.
        form: how a y value is written on the axis.
        floor: lowest y of the axis where the values allow it, for instance 0 for shares.
    """
    xs = [x for line in series for x in line.x]
    dodge = _dodge(series)
    across = _x_scale(min(xs), max(xs))
    up = _y_scale(series, floor)
    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">']
    parts += _spans(spans, across)
    parts += _axes(across, up, form)
    for number, line in enumerate(series):
        if line.intervals is None:
            parts += _curve(line, across, up, faint=len(series) > 2, below=_below(series, number))
        else:
            asides = [_aside(x, across, dodge, number, len(series)) for x in line.x]
            parts += _points(line, across, asides, up, form, is_dense=dodge < DODGE)
    return "".join([*parts, "</svg>"])


def legend(series: Sequence[Series]) -> str:
    """Name the lines; nothing where there is one only."""
    if len(series) < 2:
        return ""
    keys = (f'<span><i style="background:{line.colour}"></i>{escape(line.name)}</span>' for line in series)
    return f'<div class="legend">{"".join(keys)}</div>'


def smooth(values: Sequence[float]) -> list[float]:
    """Centred moving mean over about a fifteenth of the points; at the ends the window is cut off."""
    half = len(values) // 30 + (len(values) > 8)
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    ends = [(max(0, i - half), min(len(values), i + half + 1)) for i in range(len(values))]
    return [(sums[end] - sums[start]) / (end - start) for start, end in ends]


def ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` round numbers within an interval: multiples of 1, 2, 2.5 or 5 times a power of ten."""
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def percent(value: float) -> str:
    """Write a share as per cent."""
    return f"{100 * value:.3g} %" if abs(value) < 0.01 else f"{100 * value:.0f} %"


def short(value: float) -> str:
    """Write a number in few characters: 0.25, 12, 3.4k, 2e-05."""
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:.3g}M"
    if size >= 1e4:
        return f"{value / 1e3:.3g}k"
    return f"{value:.2g}" if 0 < size < 1e-3 else f"{value:.4g}"


def _dodge(series: Sequence[Series]) -> float:
    """How far apart the points of one step stand; 0 without intervals."""
    steps = sorted({x for line in series if line.intervals for x in line.x})
    if not steps:
        return 0.0
    if len(steps) == 1:
        return DODGE
    gap = (WIDTH - LEFT - RIGHT) * min(b - a for a, b in itertools.pairwise(steps)) / (steps[-1] - steps[0])
    return min(DODGE, 0.45 * gap / len(series))  # those of the first and last step stand to one side


def _aside(x: float, across: Scale, dodge: float, number: int, count: int) -> float:
    """How far one of `count` lines' point at a step stands aside, so that points of one step stand side by side.

    Those of the first step stand at it and after it, those of the last at it and before it: no point seems to belong to
    a time before the run or past its end.
    """
    if x == across.low:
        return dodge * number
    return dodge * (number - (count - 1) * (1 if x == across.high else 0.5))


def _x_scale(low: float, high: float) -> Scale:
    """Place the steps; a single step stands in the middle."""
    if low == high:
        low, high = low - 1, high + 1
    return Scale(low, high, LEFT + INSET, WIDTH - RIGHT - INSET)


def _y_scale(series: Sequence[Series], floor: float | None) -> Scale:
    """Hold all smoothed values and intervals, and the bulk of the raw ones: a lone spike may leave the frame."""
    raw = sorted(y for line in series for y in line.y)
    firm = [y for line in series for y in ([*sum(line.intervals, ())] if line.intervals else smooth(line.y))]
    cut = len(raw) // 100
    low, high = min(raw[cut], *firm, raw[cut]), max(raw[-1 - cut], *firm, raw[-1 - cut])
    if floor is not None:
        low = min(floor, low)
    if high - low < 1e-12 * max(1.0, abs(high)):
        low, high = (low, low + 1) if floor is not None and low == floor else (low - 0.5, high + 0.5)
    pad = 0.05 * (high - low)
    return Scale(low if floor is not None and low == floor else low - pad, high + pad, HEIGHT - BOTTOM, TOP)


def _spans(spans: Sequence[Span], across: Scale) -> list[str]:
    """Shade every other stage and name those that are wide enough; one stage that fills the chart needs neither."""
    parts = []
    height = HEIGHT - TOP - BOTTOM
    for number, span in enumerate(spans):
        start, end = max(span.start, across.low), min(span.end, across.high)
        if end <= start or end - start > 0.98 * (across.high - across.low):
            continue
        x, width = across(start), across(end) - across(start)
        if number % 2:
            parts.append(f'<rect class="span" x="{x:.1f}" y="{TOP}" width="{width:.1f}" height="{height}"/>')
        if width > 7 * len(span.name):
            parts.append(f'<text class="span-name" x="{x + 8:.1f}" y="{TOP + 12}">{escape(span.name)}</text>')
    return parts


def _axes(across: Scale, up: Scale, form: Callable[[float], str]) -> list[str]:
    """Draw grid lines with their values, and the steps below."""
    parts = []
    for value in ticks(up.low, up.high, 5):
        y = up(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{escape(form(value))}</text>'
        )
    base = HEIGHT - BOTTOM
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>')
    for value in ticks(across.low, across.high, 6):
        if value == int(value):
            parts.append(
                f'<text class="tick" x="{across(value):.1f}" y="{base + 15}" text-anchor="middle">{short(value)}</text>'
            )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text class="axis-name" x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">step</text>')
    return parts


def _below(series: Sequence[Series], number: int) -> int:
    """How many of the lines drawn before this one it would hide: it has their values at half of its steps or more."""
    mine = set(zip(series[number].x, series[number].y, strict=True))
    earlier = (set(zip(line.x, line.y, strict=True)) for line in series[:number] if line.intervals is None)
    return sum(2 * len(mine & values) >= len(mine) for values in earlier)


def _curve(line: Series, across: Scale, up: Scale, *, faint: bool, below: int) -> list[str]:
    """Draw the raw values faintly and the smoothed ones over them, with gaps where others lie `below`."""
    x, y = _binned(line.x, line.y)
    style = f'fill="none" stroke="{line.colour}"'
    if len(x) == 1:
        return [f'<circle cx="{across(x[0]):.1f}" cy="{up(y[0]):.1f}" r="3.5" fill="{line.colour}"/>']
    gaps = f' stroke-dasharray="{DASH} {DASH * below}"' if below else ""
    return [
        f'<polyline class="{"raw many" if faint else "raw"}" {style} points="{_path(x, y, across, up)}"/>',
        f'<polyline class="smooth" {style}{gaps} points="{_path(x, smooth(y), across, up)}"/>',
    ]


def _points(
    line: Series,
    across: Scale,
    asides: Sequence[float],
    up: Scale,
    form: Callable[[float], str],
    *,
    is_dense: bool,
) -> list[str]:
    """Draw points, their intervals as whiskers, and a line between them; many of them small, on a firm line."""
    places = [across(x) + aside for x, aside in zip(line.x, asides, strict=True)]
    path = " ".join(f"{at:.1f},{up(y):.1f}" for at, y in zip(places, line.y, strict=True))
    dense, radius = (" dense", 2.4) if is_dense else ("", 3.6)
    parts = [f'<polyline class="link{dense}" fill="none" stroke="{line.colour}" points="{path}"/>']
    for place, x, y, (low, high) in zip(places, line.x, line.y, line.intervals or (), strict=True):
        note = escape(f"{line.name}, step {short(x)}: {form(y)} ({form(low)} to {form(high)})")
        at, whisker = f"{place:.1f}", f'y1="{up(low):.1f}" y2="{up(high):.1f}"'
        parts.append(f'<line class="whisker{dense}" stroke="{line.colour}" x1="{at}" x2="{at}" {whisker}/>')
        dot = f'<circle cx="{at}" cy="{up(y):.1f}" r="{radius}" fill="{line.colour}">'
        parts.append(f"{dot}<title>{note}</title></circle>")
    return parts


def _path(x: Sequence[float], y: Sequence[float], across: Scale, up: Scale) -> str:
    """Points of a polyline, kept within the frame."""
    return " ".join(f"{across(a):.1f},{min(max(up(b), TOP), HEIGHT - BOTTOM):.1f}" for a, b in zip(x, y, strict=True))


def _binned(x: Sequence[float], y: Sequence[float]) -> tuple[list[float], list[float]]:
    """Average neighbours so that a long run stays a light page."""
    size = -(-len(x) // MAX_POINTS)
    starts = range(0, len(x), size)
    return [_mean(x[i : i + size]) for i in starts], [_mean(y[i : i + size]) for i in starts]


def _mean(values: Sequence[float]) -> float:
    """The mean."""
    return sum(values) / len(values)


class Panel(NamedTuple):
    """One chart of training: which metrics it shows and how."""

    title: str
    note: str
    prefix: str  # the metric, or with a closing slash all metrics directly below it
    form: Callable[[float], str] = short
    floor: float | None = 0.0
    kind: str = ""  # of stage; empty: any
    steered: bool = False  # shown only where a curriculum steers what is drawn
    several: bool = False  # shown only where it has more lines than one
    parts: tuple[str, ...] = ()  # of the metrics below the prefix, those parts of theirs instead
    of_sources: bool = False  # below the prefix stand engines and tables alone, whose names may have "/" in them

    def shows(self, name: str) -> bool:
        """Whether a metric belongs to it."""
        if not self.prefix.endswith("/") or not name.startswith(self.prefix):
            return name == self.prefix
        below, _, part = name.removeprefix(self.prefix).partition("/")
        return bool(below) and (part in self.parts if self.parts else self.of_sources or not part)


PANELS = (
    Panel(
        "Reward", "Mean over a step's completions, sampled at the training temperature.", "rollout/reward", floor=None
    ),
    Panel("Reward by term", "Means of its terms, before their weights.", "rollout/reward/", floor=None, several=True),
    Panel(
        "Descriptions",
        "Precision: statements that are true. Recall: facts that are stated. Listed: key words in lists. Repeated: "
        "headings.",
        "rollout/reward/",
        percent,
        parts=("precision", "recall", "listed", "repeated"),
    ),
    Panel("Description and picture", "Cosine by CLIP.", "rollout/reward/", floor=None, parts=("cosine",)),
    Panel("Description length", "Words below the heading.", "rollout/reward/", parts=("words",)),
    Panel(
        "Accuracy by engine",
        "Share of sampled completions that are right.",
        "rollout/accuracy/",
        percent,
        of_sources=True,
    ),
    Panel("Entropy", "Nats per token, estimated. Near 0 the model has stopped exploring.", "rollout/entropy"),
    Panel("Completion length", "Tokens, end token included.", "rollout/completion_length", floor=None),
    Panel("Groups with no signal", "All their completions earned the same.", "groups/no_signal_share", percent),
    Panel("Cells by difficulty", "Question types at levels, by their pass rates.", "curriculum/cells/", steered=True),
    Panel(
        "In the band",
        "Share of a step's groups from cells in the band.",
        "curriculum/band_share",
        percent,
        steered=True,
    ),
    Panel("Gradient norm", "Before clipping.", "train/grad_norm"),
    Panel("Sampler against trainer", "Mean |p - p'| of the sampled tokens' probabilities.", "mismatch/prob_diff_mean"),
    Panel("Loss, supervised stages", "Cross-entropy in nats per target token.", "train/loss", kind="sft"),
    Panel("Loss, policy stages", "On-policy it stays near 0 by construction.", "train/loss", floor=None, kind="grpo"),
)
