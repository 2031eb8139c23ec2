"""Questions about tangled lines: where one ends, how many crossings lie on one, on which most.

Up to level 2 every line has a colour of its own; from level 3 on all are drawn alike.
"""

import itertools

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.path.questions.carve import pick
from engines.path.scene.tangle import Tangle

LINES = (3, 3, 4, 4, 5, 5, 6, 6, 7, 8)
LAYERS = (3, 4, 5, 5, 6, 7, 8, 9, 10, 11)
CROSSINGS = ((0, 2), (0, 3), (0, 3), (0, 4), (1, 5), (1, 6), (1, 7), (2, 8), (2, 9), (2, 10))  # on the line asked about
COLOURED_BELOW_LEVEL = 3
COLOURS = ("red", "blue", "green", "purple", "orange", "brown")
FILLED = 0.7  # share of the neighbouring lanes that are exchanged, where both are free
MIN_SIZE_PX = (112, 112, 112, 112, 140, 140, 168, 168, 224, 224)
LETTERS = "ABCDEFGH"
TRIES = 300

END = (
    "Line {letter} starts at the left. At which number does it end?",
    "Follow line {letter} from left to right. Which number does it lead to?",
    "Where does the line from {letter} end? Answer with its number.",
    "To which number does {letter} belong? Follow its line.",
)
CROSS = (
    "How many crossings lie on line {letter}?",
    "Follow line {letter} from end to end. How many crossings are on it?",
    "Count the crossings of line {letter} with other lines.",
    "At how many points does line {letter} cross another line?",
)
MOST = (
    "Which line has the most crossings on it? Answer with its letter.",
    "On which line do most crossings lie? Give its letter.",
    "Which line crosses others at the most points? Answer with its letter.",
    "Count the crossings on every line. Which letter has the most?",
)


def _tangle(rng: np.random.Generator, level: int) -> Tangle:
    """A random tangle of the level, with letters from the top and numbers in any order."""
    count, layers = LINES[level], []
    for _ in range(LAYERS[level]):
        free, layer = set(range(count)), []
        for upper, chance in zip(rng.permutation(count - 1).tolist(), rng.random(count).tolist(), strict=False):
            if chance < FILLED and {upper, upper + 1} <= free:
                free -= {upper, upper + 1}
                layer.append(upper)
        layers.append(tuple(sorted(layer)))
    ends = tuple(str(i + 1) for i in rng.permutation(count).tolist())
    colours = ()
    if level < COLOURED_BELOW_LEVEL:
        colours = tuple(COLOURS[i] for i in rng.permutation(len(COLOURS))[:count].tolist())
    letters = tuple(LETTERS[i] for i in rng.permutation(count).tolist())
    return Tangle(letters, ends, tuple(layers), colours)


def _crossings(scene: Tangle) -> list[int]:
    """Crossings on each line, in the order of `starts`."""
    return [sum(a != b for a, b in itertools.pairwise(way)) for way in scene.lanes()]


def pose_end(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the number at which a line ends; numbers stand in any order, so the letter does not tell."""
    for _ in range(TRIES):
        scene = _tangle(rng, level)
        crossed = [line for line, count in enumerate(_crossings(scene)) if count]
        # How far a line moves up or down is drawn evenly too: most would end about where they began.
        moves: dict[int, list[int]] = {}
        for line in crossed:
            moves.setdefault(scene.lanes()[line][-1] - line, []).append(line)
        if moves:
            line = pick(rng, moves[pick(rng, sorted(moves))])
            break
    else:
        raise RuntimeError(f"no line with a crossing at level {level} in {TRIES} tries")
    letter, end = scene.starts[line], scene.ends[scene.lanes()[line][-1]]
    numbers = tuple(sorted(scene.ends))
    question, query = pick(rng, END).format(letter=letter), {"ask": "tangle_end", "letter": letter}
    return Posed(scene, question, Answer.choice(end, numbers), guess_rate=1 / len(numbers), query=query)


def pose_cross(rng: np.random.Generator, level: int) -> Posed:
    """Ask how many crossings lie on a line."""
    low, high = CROSSINGS[level]
    wanted = int(rng.integers(low, high + 1))
    for _ in range(TRIES):
        scene = _tangle(rng, level)
        lines = [line for line, count in enumerate(_crossings(scene)) if count == wanted]
        if lines:
            letter = scene.starts[pick(rng, lines)]
            question, query = pick(rng, CROSS).format(letter=letter), {"ask": "tangle_cross", "letter": letter}
            return Posed(scene, question, Answer.integer(wanted), guess_rate=1 / (high - low + 1), query=query)
    raise RuntimeError(f"no line with {wanted} crossings at level {level} in {TRIES} tries")


def pose_most(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the line with the most crossings, where one has more than any other."""
    for _ in range(TRIES):
        scene = _tangle(rng, level)
        counts = _crossings(scene)
        if counts.count(max(counts)) == 1:
            letters = tuple(sorted(scene.starts))
            answer = Answer.choice(scene.starts[counts.index(max(counts))], letters)
            return Posed(scene, pick(rng, MOST), answer, guess_rate=1 / len(letters), query={"ask": "tangle_most"})
    raise RuntimeError(f"no line with the most crossings at level {level} in {TRIES} tries")


def facts(scene: Tangle, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: what stands at the ends, how many lines and crossings there are."""
    found = [
        Fact("How many lines are there?", Answer.integer(len(scene.starts))),
        Fact("Which letter is topmost at the left?", Answer.choice(scene.starts[0], sorted(scene.starts))),
        Fact("Which number is at the bottom right?", Answer.choice(scene.ends[-1], sorted(scene.ends))),
        Fact("How many crossings are there in all?", Answer.integer(sum(map(len, scene.layers)))),
    ]
    if scene.colours:
        line = int(rng.integers(len(scene.starts)))
        colour = Answer.word(scene.colours[line], COLOURS)
        found.append(Fact(f"What colour is the line from {scene.starts[line]}?", colour))
    return tuple(found)
