"""Questions about points: the line that fits best, the order of correlations, values between marked points."""

import functools
import itertools
from fractions import Fraction

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.panels.questions.draft import pick
from engines.panels.scene import LETTERS, Cloud, Clouds, Course, Courses, Line
from engines.panels.scene.clouds import SPAN
from engines.panels.scene.courses import MOST_X

MIN_SIZE_PX = (224, 224, 224, 224, 224, 224, 224, 280, 280, 280)
COURSE_MIN_SIZE_PX = (224,) * 10
PAINTS = ("red", "blue", "green", "purple", "orange", "brown")
POINTS = (7, 7, 8, 9, 10, 10, 11, 12, 13, 14)
NOISE = (2, 3, 4, 5, 5, 6, 7, 7, 8, 9)
TURNS = (60, 56, 52, 48, 44, 40, 40, 36, 36, 36)  # percent by which slopes of two options differ
OFFSETS = (30, 28, 26, 26, 24, 24, 22, 22, 22, 22)  # and their heights in the middle
LEAST_RATIO = 2  # of the second least sum of squares to the least
STRAY_FROM_LEVEL = 6  # from here on a point lies far from the line that fits best
ORDERED_FROM_LEVEL, STRENGTH_FROM_LEVEL = 3, 6  # of correlations
APART, STRENGTH_APART = 0.42, 0.27  # least difference of two correlations
TRIES = 200
NAMES = ("P", "Q")
STEPS = (4, 8, 20, 40)  # of which quarters are whole
JOINED_TO_LEVEL, TWO_FROM_LEVEL, BEYOND_FROM_LEVEL = 2, 5, 8
QUARTERS = 15  # of a step, that a value between points may have; an axis has 16

FIT = (
    "Which line fits the points best, by the sum of squared vertical distances?",
    "In which panel does the line fit the points best (least squares)?",
    "All panels have the same points. Which line has the least sum of squared vertical distances to them?",
    "Which letter has the best line through the points in the sense of least squares?",
)
ORDER = (
    "Order the panels by correlation, the lowest (most negative) first.",
    "List the panels from the lowest correlation (most negative) to the highest.",
    "Sort the letters by the correlation of the points: most negative first, most positive last.",
    "Give the order of the panels by correlation, starting with the most negative.",
)
STRENGTH = (
    "Order the panels by strength of correlation, of either sign, the weakest first.",
    "List the panels from the weakest to the strongest linear correlation, positive or negative.",
    "Sort the letters by how strong the linear correlation is, whatever its sign, weakest first.",
    "Give the order of the panels by the absolute value of the correlation, smallest first.",
)
HIGHEST = (
    "Which panel has the most {0} correlation?",
    "In which panel is the correlation of the points the most {0}?",
    "Choose the cloud of points with the most {0} correlation.",
    "Which letter shows the most {0} correlation?",
)
BETWEEN = (
    "Join the marked points by straight lines. What is the value at x = {0}?",
    "By linear interpolation between the marked points, what is the value at x = {0}?",
    "Straight lines join neighbouring points. Which value have they at x = {0}?",
    "Interpolate linearly between neighbouring points. Give the value at x = {0}.",
)
DIFFERENCE = (
    "Join the marked points of each panel by straight lines. By how much is {0} above {1} at x = {2}?",
    "By linear interpolation in both panels, what is the value of {0} minus that of {1} at x = {2}?",
    "Interpolate linearly between neighbouring points. What is {0} minus {1} at x = {2}?",
    "Straight lines join neighbouring points. Subtract the value of {1} from that of {0} at x = {2}.",
)
BEYOND = (
    "Continue the straight line through the last two points of {0}. Which value has it at x = {1}?",
    "Draw the line through the two rightmost points of {0} on to x = {1}. What is its value there?",
    "Extrapolate {0} linearly by its last two points. What is the value at x = {1}?",
    "The two points of {0} farthest to the right define a straight line. Which value has it at x = {1}?",
)


def squares(points: np.ndarray, slopes: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Sums of squared vertical distances of points, float [n, 2], to lines, float [m]."""
    x, y = points.T
    return ((y - heights[:, None] - slopes[:, None] * (x - SPAN / 2)) ** 2).sum(1)


def pose_fit(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the best of four lines; any of two slopes with any of two heights is as likely."""
    half = TURNS[level] // 2
    middle = int(rng.integers(-60, 61))
    slopes = np.array([middle - half, middle + half, middle - half, middle + half])
    centre, off = int(rng.integers(44, 57)), OFFSETS[level] // 2
    heights = np.array([centre - off, centre - off, centre + off, centre + off])
    for _ in range(TRIES):
        mine = int(rng.integers(4))
        xs = 8 + rng.permutation(SPAN - 15)[: POINTS[level]]
        ys = heights[mine] + slopes[mine] / 100 * (xs - SPAN / 2) + rng.normal(0, NOISE[level], len(xs))
        if level >= STRAY_FROM_LEVEL:
            ys[int(rng.integers(len(xs)))] += pick(rng, (-1, 1)) * 32
        points = np.stack([xs, np.rint(ys)], 1).astype(int)
        sums = squares(points, slopes / 100, heights)
        others = np.delete(sums, mine)
        if points.min() >= 3 and points.max() <= SPAN - 3 and others.min() >= LEAST_RATIO * sums[mine]:
            break
    else:
        raise RuntimeError(f"no points that one line fits best at level {level} in {TRIES} tries")
    order = rng.permutation(4).tolist()
    lines = tuple(Line(Fraction(int(slopes[i]), 100), Fraction(int(heights[i]))) for i in order)
    cloud = Cloud(tuple(map(tuple, points[np.argsort(points[:, 0])].tolist())))
    scene = Clouds((cloud,), lines, pick(rng, PAINTS), 1 + (level >= 3) + (level >= STRAY_FROM_LEVEL))
    answer = Answer.choice(LETTERS[order.index(mine)], LETTERS[:4])
    return Posed(scene, pick(rng, FIT), answer, guess_rate=0.25, query={"ask": "fit"})


def cloud(rng: np.random.Generator, count: int, wanted: float) -> Cloud:
    """Points with a correlation, but for rounding to whole numbers."""
    x, noise = rng.normal(size=(2, count))
    x = (x - x.mean()) / x.std()
    noise -= noise.mean() + x * (noise * x).mean()
    y = wanted * x + (1 - wanted**2) ** 0.5 * noise / noise.std()
    spots = np.stack([x, y], 1)
    wide = float(rng.uniform(36, 44)) / abs(spots).max(0)
    spots = np.rint(SPAN / 2 + spots * wide).astype(int)
    return Cloud(tuple(map(tuple, sorted(spots.tolist()))))


def _apart(rng: np.random.Generator, low: float, high: float, least: float) -> list[float]:
    """Four numbers within limits in ascending order, each so much above the last."""
    spare = high - low - 3 * least
    return [low + place * least + spare * share for place, share in enumerate(sorted(rng.random(4).tolist()))]


def pose_correlation(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the cloud with the highest correlation, for the order of all, or for their order by strength."""
    is_strength = level >= STRENGTH_FROM_LEVEL
    if is_strength:
        wanted = [pick(rng, (-1, 1)) * size for size in _apart(rng, 0.02, 0.97, STRENGTH_APART)]
    else:
        wanted = _apart(rng, -0.97, 0.97, APART)
    order = rng.permutation(4).tolist()
    count = POINTS[level] + 3
    clouds = tuple(cloud(rng, count, wanted[i]) for i in order)
    scene = Clouds(clouds, (), pick(rng, PAINTS), 1 + (level >= ORDERED_FROM_LEVEL) + is_strength)
    letters = [LETTERS[order.index(place)] for place in range(4)]
    if level < ORDERED_FROM_LEVEL:
        sign = pick(rng, ("positive", "negative"))
        answer = Answer.choice(letters[-1 if sign == "positive" else 0], LETTERS[:4])
        query = {"ask": "correlation", "form": sign}
        return Posed(scene, pick(rng, HIGHEST).format(sign), answer, guess_rate=0.25, query=query)
    question = pick(rng, STRENGTH if is_strength else ORDER)
    query = {"ask": "correlation", "form": "strength" if is_strength else "order"}
    return Posed(scene, question, Answer.permutation(letters), guess_rate=1 / 24, query=query)


def _course(rng: np.random.Generator, level: int, name: str, x: int, wanted: int, is_beyond: bool) -> Course | None:
    """A course of half steps that has a value, in quarters of a step, at an x between or beyond its points."""
    count, parts = (3 if level < 3 else 4), 2 if level < 3 else pick(rng, (2, 3, 4))
    if is_beyond:
        gap = pick(rng, (2, 3))
        before = [x - gap - pick(rng, (2, 3)), x - gap]
        xs = [pick(rng, range(0, max(1, before[0] - 1))), *before]
    else:
        left = x - int(rng.integers(1, parts))
        xs = [left, left + parts]
        free = [at for at in range(MOST_X + 1) if at < left - 1 or at > left + parts + 1]
        xs += [free[i] for i in rng.permutation(len(free))[: count - 2].tolist()]
    if (
        min(xs) < 0
        or max(xs) > MOST_X
        or len(set(xs)) < len(xs)
        or any(b - a < 2 for a, b in itertools.pairwise(sorted(xs)))
    ):
        return None
    ys = dict(zip(xs, rng.integers(0, 9, size=len(xs)).tolist(), strict=True))
    one, other = xs[-2:] if is_beyond else xs[:2]
    fits = [
        (a, b)
        for a in range(9)
        for b in range(9)
        if a != b and 2 * (a * (other - x) + b * (x - one)) == wanted * (other - one)
    ]
    if not fits:
        return None
    ys[one], ys[other] = pick(rng, fits)
    return Course(name, tuple(sorted(ys.items())))


@functools.cache
def _totals(is_difference: bool) -> dict[int, list[tuple[int, int]]]:
    """Values that axes have, or differences of two: by each the steps of axes and the quarters of a step."""
    found: dict[int, list[tuple[int, int]]] = {}
    for step in STEPS:
        for quarters in range(1, QUARTERS + 1 - 3 * is_difference):
            found.setdefault(quarters * step // 4, []).append((step, quarters))
    return found


def pose_between(rng: np.random.Generator, level: int) -> Posed:
    """Ask for a value between marked points, for a difference of two, or for a value beyond the last points."""
    is_beyond = level >= BEYOND_FROM_LEVEL
    many = 2 if level >= TWO_FROM_LEVEL else 1
    is_difference = many == 2 and not is_beyond
    totals = _totals(is_difference)
    total = pick(rng, list(totals))
    step, quarters = pick(rng, totals[total])
    names = [NAMES[i] for i in rng.permutation(many).tolist()]
    for _ in range(TRIES):
        x = int(rng.integers(7, MOST_X + 1)) if is_beyond else int(rng.integers(1, MOST_X))
        other = 1 + int(rng.integers(QUARTERS - (quarters if is_difference else 0)))  # in quarters of a step
        values = [quarters + other, other] if is_difference else [quarters, other]
        places = [x, int(rng.integers(1, MOST_X)) if is_beyond else x]
        courses = [
            _course(rng, level, name, at, value, is_beyond and name == names[0])
            for name, at, value in zip(names, places, values, strict=False)
        ]
        found = [
            Course(course.name, tuple((at, y * step // 2) for at, y in course.points))
            for course in courses
            if course is not None
        ]
        if len(found) == many:
            break
    else:
        raise RuntimeError(f"no course with a value at level {level} in {TRIES} tries")
    form = "beyond" if is_beyond else "difference" if is_difference else "value"
    given = {"value": (x,), "difference": (*names, x), "beyond": (names[0], x)}[form]
    question = pick(rng, {"value": BETWEEN, "difference": DIFFERENCE, "beyond": BEYOND}[form]).format(*given)
    query = {"ask": "between", "form": form, "x": x, "names": names if is_difference else names[:1]}
    steps = 1 + (level >= 3) + is_difference + 2 * is_beyond
    scene = Courses(step, tuple(sorted(found)), level < JOINED_TO_LEVEL, pick(rng, PAINTS), steps)
    return Posed(scene, question, Answer.integer(total), guess_rate=1 / len(totals), query=query)


def cloud_facts(scene: Clouds, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: panels, and where their highest and rightmost points lie."""
    count = max(len(scene.clouds), len(scene.lines))
    found = [
        Fact("How many panels are there?", Answer.integer(count)),
        Fact("What colour are the points?", Answer.word(scene.colour, PAINTS)),
        Fact("Which letter does the panel at the bottom right have?", Answer.choice(LETTERS[count - 1], LETTERS)),
    ]
    place = int(rng.integers(count))
    points = scene.clouds[0 if scene.lines else place].points
    x, _ = max(points, key=lambda point: point[1])
    if sum(point[1] == max(y for _, y in points) for point in points) == 1 and abs(x - SPAN / 2) > 8:
        question = f"Does the highest point of panel {LETTERS[place]} lie in its left or its right half?"
        found.append(Fact(question, Answer.word("left" if x < SPAN / 2 else "right", ("left", "right"))))
    return tuple(found)


def course_facts(scene: Courses, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: axes, and values of marked points."""
    found = [
        Fact("How many panels are there?", Answer.integer(len(scene.courses))),
        Fact("What is the largest number on the vertical axis?", Answer.integer(scene.high)),
        Fact("What colour are the marked points?", Answer.word(scene.colour, PAINTS)),
    ]
    for course in scene.courses:
        found.append(Fact(f"How many points are marked in {course.name}?", Answer.integer(len(course.points))))
        x, y = pick(rng, course.points)
        found.append(Fact(f"What is the value of the point of {course.name} at x = {x}?", Answer.integer(y)))
    return tuple(found)
