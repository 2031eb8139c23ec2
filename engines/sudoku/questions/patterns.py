"""Questions about regular patterns: the tile that breaks one, the tile that completes one, runs, hidden words."""

import functools
import itertools

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.style import COLOURS
from engines.sudoku.questions.board import pick
from engines.sudoku.scene import SHAPES, LettersScene, MatrixScene, RunsScene, Tile, TilesScene

SIDES = ((4, 4), (4, 5), (4, 5), (5, 5), (5, 6), (6, 6), (6, 7), (7, 8), (8, 8), (8, 9))  # tiles, per level
MOTIFS = (((1, 2),), ((1, 2),), ((2, 2), (1, 2)), ((2, 2),), ((2, 2), (1, 3)), ((2, 3),), ((2, 3),), ((2, 3), (3, 3)))
WIDTHS = (4, 4, 5, 5, 6, 6, 7, 8, 9, 10)  # of the grids with runs
VARYING = (1, 1, 2, 2, 2, 3, 3, 3, 3, 3)  # attributes that a matrix changes
PAIRED_LEVEL = 4  # from here on options may differ in two of three attributes
LETTER_SIDES = (4, 4, 5, 5, 6, 6, 7, 8, 9, 10)
TILES_MIN_SIZE_PX = (112,) * 5 + (140, 168, 196, 224, 224)
MATRIX_MIN_SIZE_PX = (112,) * 5 + (140,) * 5
LETTERS_MIN_SIZE_PX = (112, 112, 112, 112, 112, 140, 140, 168, 196, 224)
WORDS = (
    *("CAT", "DOG", "SUN", "BOX", "CUP", "HAT", "KEY", "MAP", "PEN", "RUG", "JAM", "FOX"),
    *("BIRD", "CAKE", "DUCK", "FISH", "GOLD", "LAMP", "MILK", "ROPE", "SHIP", "WOLF"),
    *("APPLE", "BREAD", "CHAIR", "HORSE", "MUSIC", "PLANT", "RIVER", "TIGER", "WATER"),
)
WAYS = ((0, 1), (1, 0), (1, 1))  # right, down, right and down
TRIES = 300


def _tile(rng: np.random.Generator) -> Tile:
    return Tile(pick(rng, SHAPES), pick(rng, COLOURS))


ODD = (
    "The tiles follow a pattern, but one does not fit. Which? Answer (row, column).",
    "One tile breaks the pattern. Where is it? Answer (row, column).",
    "Find the tile that does not belong to the repeating pattern. Answer (row, column).",
    "The pattern repeats everywhere but in one tile. Which one? Answer (row, column).",
)


def pose_pattern(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the only tile that does not repeat the motif; no other motif fits with another single exception."""
    low, high = SIDES[level]
    for _ in range(TRIES):
        rows, columns = int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1))
        tall, wide = pick(rng, MOTIFS[min(level, len(MOTIFS) - 1)])
        motif = [_tile(rng) for _ in range(tall * wide)]
        tiles = [motif[r % tall * wide + c % wide] for r in range(rows) for c in range(columns)]
        place = int(rng.integers(len(tiles)))
        tiles[place] = _changed(rng, tiles[place])
        if exceptions(tiles, rows, columns) == {place}:
            row, column = divmod(place, columns)
            scene, query = TilesScene(rows, columns, tuple(tiles)), {"ask": "pattern"}
            guess_rate, answer = 1 / (rows * columns), Answer.pair(row + 1, column + 1)
            return Posed(scene, pick(rng, ODD), answer, guess_rate=guess_rate, query=query)
    raise RuntimeError(f"no clear pattern at level {level} in {TRIES} tries")


def _changed(rng: np.random.Generator, tile: Tile) -> Tile:
    """Another colour or another shape."""
    if rng.integers(2):
        return tile._replace(colour=pick(rng, [colour for colour in COLOURS if colour != tile.colour]))
    return tile._replace(shape=pick(rng, [shape for shape in SHAPES if shape != tile.shape]))


def exceptions(tiles: list[Tile], rows: int, columns: int, largest: int = 3) -> set[int]:
    """Every place that is the only exception to some repeating motif of at most `largest` rows and columns.

    Empty if some motif fits without an exception.
    """
    found: set[int] = set()
    for tall, wide in itertools.product(
        range(1, min(largest, rows // 2) + 1), range(1, min(largest, columns // 2) + 1)
    ):
        classes: dict[tuple[int, int], list[int]] = {}
        for place in range(rows * columns):
            classes.setdefault((place // columns % tall, place % columns % wide), []).append(place)
        odd: list[int] = []
        for places in classes.values():
            kinds: dict[Tile, list[int]] = {}
            for place in places:
                kinds.setdefault(tiles[place], []).append(place)
            *fewer, _ = sorted(kinds.values(), key=len)
            odd += [place for group in fewer for place in group]
            if len(odd) > 1:
                break
        if not odd:
            return set()
        if len(odd) == 1:
            found.add(odd[0])
    return found


COMPLETE = (
    "Which tile completes the pattern: A, B, C or D?",
    "The tile at the question mark is missing. Which option fits: A, B, C or D?",
    "Choose the tile that belongs at the question mark: A, B, C or D.",
    "Each row and column follows a rule. Which tile is missing: A, B, C or D?",
)
RULES = ("row", "column", "latin", "latin back")  # an attribute is the same in a row, in a column, or once in each


def _value(rule: str, row: int, column: int) -> int:
    """Which of its three values an attribute takes in a cell."""
    return {"row": row, "column": column, "latin": (row + column) % 3, "latin back": (row - column) % 3}[rule]


def pose_matrix(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the missing one of nine tiles, each attribute of which follows a rule."""
    colours = [COLOURS[i] for i in rng.permutation(len(COLOURS))[:3].tolist()]
    shapes = [SHAPES[i] for i in rng.permutation(len(SHAPES))[:3].tolist()]
    counts = [int(i) + 1 for i in rng.permutation(3)]
    varying = set(rng.permutation(3)[: VARYING[level]].tolist())
    rules = [pick(rng, RULES) if i in varying else "" for i in range(3)]

    def tile(row: int, column: int) -> Tile:
        chosen = [_value(rule, row, column) if rule else 0 for rule in rules]
        return Tile(shapes[chosen[0]], colours[chosen[1]], counts[chosen[2]])

    missing = tile(2, 2)
    foils = _foils(rng, level, missing, (shapes, colours, counts))
    options = [(missing, *foils)[i] for i in rng.permutation(4).tolist()]
    scene = MatrixScene(tuple(tile(i // 3, i % 3) for i in range(8)), tuple(options))
    answer = Answer.choice("ABCD"[options.index(missing)], "ABCD")
    return Posed(scene, pick(rng, COMPLETE), answer, guess_rate=0.25, query={"ask": "matrix"})


def _foils(rng: np.random.Generator, level: int, missing: Tile, values: tuple[list, list, list]) -> list[Tile]:
    """Three other tiles such that each of the four shares as much with the others as any of them does.

    Two attributes take two values each, in all four combinations; or (from `PAIRED_LEVEL` on also) three do, and any
    two of the four tiles differ in just two of them. So the options alone do not tell which of them is right.
    """
    places = rng.permutation(3).tolist()
    other = [
        pick(rng, [value for value in options if value != own]) for options, own in zip(values, missing, strict=True)
    ]
    changed = ((0,), (1,), (0, 1))
    if level >= PAIRED_LEVEL and rng.integers(2):
        changed = ((0, 1), (0, 2), (1, 2))
    foils = []
    for which in changed:
        parts = list(missing)
        for place in which:
            parts[places[place]] = other[places[place]]
        foils.append(Tile(*parts))
    return foils


RUNS = (
    "List the lengths of the runs of shaded cells in row {row}, from left to right.",
    "In row {row}, how long is each run of neighbouring shaded cells? List the lengths from left to right.",
    "Give the nonogram clue of row {row}: the lengths of its runs of shaded cells, from left to right.",
    "Read row {row} from left to right and list how many shaded cells each block has.",
)


@functools.cache
def clues(width: int) -> tuple[tuple[int, ...], ...]:
    """Every list of run lengths that fits a row of `width` cells, but the empty one."""
    found = set()
    for cells in itertools.product((False, True), repeat=width):
        found.add(runs(cells))
    return tuple(sorted(found - {()}))


def runs(cells: tuple[bool, ...]) -> tuple[int, ...]:
    """Lengths of the runs of shaded cells."""
    return tuple(len(list(group)) for is_shaded, group in itertools.groupby(cells) if is_shaded)


def pose_runs(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the runs of one row; all lists of runs are equally likely."""
    width = WIDTHS[level]
    clue = pick(rng, clues(width))
    spare = width - sum(clue) - len(clue) + 1
    gaps = np.bincount(rng.integers(len(clue) + 1, size=spare), minlength=len(clue) + 1).tolist()
    line: list[bool] = []
    for number, (gap, length) in enumerate(zip(gaps, clue, strict=False)):
        line += [False] * (gap + (number > 0)) + [True] * length
    line += [False] * gaps[-1]
    row, shaded = int(rng.integers(width)), rng.random((width, width)) < rng.uniform(0.35, 0.65)
    shaded[row] = line
    scene = RunsScene(width, width, tuple(map(bool, shaded.ravel())), pick(rng, COLOURS))
    question, query = pick(rng, RUNS).format(row=row + 1), {"ask": "runs", "row": row + 1}
    return Posed(scene, question, Answer.listing(clue), guess_rate=1 / len(clues(width)), query=query)


FIND = (
    "Find the word {word}. In which row and column is its first letter? Answer (row, column).",
    "The word {word} is hidden here, to the right, down or diagonally. Where does it start? Answer (row, column).",
    "Where does {word} begin? It reads to the right, down or diagonally. Answer (row, column).",
    "Search for {word} and give the row and column of its first letter. Answer (row, column).",
)


def pose_word(rng: np.random.Generator, level: int) -> Posed:
    """Ask where a hidden word starts; it is there once, read in any direction."""
    side = LETTER_SIDES[level]
    words = [word for word in WORDS if len(word) <= min(side, 3 + level // 3)]
    for _ in range(TRIES):
        word, (down, right) = pick(rng, words), pick(rng, WAYS[: 2 if level < 4 else 3])
        row = int(rng.integers(side - down * (len(word) - 1)))
        column = int(rng.integers(side - right * (len(word) - 1)))
        letters = [chr(65 + i) for i in rng.integers(26, size=side * side).tolist()]
        for step, letter in enumerate(word):
            letters[(row + step * down) * side + column + step * right] = letter
        if len(starts(letters, side, word)) == 1:
            scene, query = LettersScene(side, "".join(letters)), {"ask": "word", "word": word}
            answer, guess_rate = Answer.pair(row + 1, column + 1), 1 / (side * (side - 2))
            return Posed(scene, pick(rng, FIND).format(word=word), answer, guess_rate=guess_rate, query=query)
    raise RuntimeError(f"no square with one {word} at level {level} in {TRIES} tries")


def starts(letters: list[str], side: int, word: str) -> list[tuple[int, int]]:
    """Every place (from 0) at which a word starts, in all eight directions."""
    found = []
    for place, letter in enumerate(letters):
        if letter != word[0]:
            continue
        row, column = divmod(place, side)
        for down, right in itertools.product((-1, 0, 1), repeat=2):
            end = (row + down * (len(word) - 1), column + right * (len(word) - 1))
            if (down or right) and 0 <= end[0] < side and 0 <= end[1] < side:
                seen = (letters[(row + i * down) * side + column + i * right] for i in range(len(word)))
                if "".join(seen) == word:
                    found.append((row, column))
    return found


def tile_facts(scene: TilesScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: one tile's colour and shape, the size."""
    place = int(rng.integers(len(scene.tiles)))
    row, column = divmod(place, scene.columns)
    where, tile = f"in row {row + 1}, column {column + 1}", scene.tiles[place]
    return (
        Fact(f"What colour is the shape {where}?", Answer.word(tile.colour, COLOURS)),
        Fact(f"What shape is {where}?", Answer.word(tile.shape, SHAPES)),
        Fact("How many rows of tiles are there?", Answer.integer(scene.rows)),
        Fact("How many columns of tiles are there?", Answer.integer(scene.columns)),
    )


def matrix_facts(scene: MatrixScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: what is on one tile and on one option."""
    place, option = int(rng.integers(8)), int(rng.integers(len(scene.options)))
    where, tile = f"in row {place // 3 + 1}, column {place % 3 + 1}", scene.tiles[place]
    return (
        Fact(f"How many shapes are on the tile {where}?", Answer.integer(tile.count)),
        Fact(f"What colour is the tile's shape {where}?", Answer.word(tile.colour, COLOURS)),
        Fact(f"What shape is on option {'ABCD'[option]}?", Answer.word(scene.options[option].shape, SHAPES)),
        Fact(
            f"What colour is the shape on option {'ABCD'[option]}?", Answer.word(scene.options[option].colour, COLOURS)
        ),
    )


def run_facts(scene: RunsScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: shaded cells in all, in a row, their colour."""
    row = int(rng.integers(scene.rows)) + 1
    return (
        Fact("How many cells are shaded?", Answer.integer(sum(scene.shaded))),
        Fact(f"How many cells of row {row} are shaded?", Answer.integer(sum(scene.line(row)))),
        Fact("What colour are the shaded cells?", Answer.word(scene.colour, COLOURS)),
        Fact("How many rows does the grid have?", Answer.integer(scene.rows)),
    )


def letter_facts(scene: LettersScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: one letter, how often it occurs, the size."""
    place = int(rng.integers(len(scene.letters)))
    letter, (row, column) = scene.letters[place], divmod(place, scene.side)
    alphabet = tuple(map(chr, range(65, 91)))
    return (
        Fact(f"Which letter is in row {row + 1}, column {column + 1}?", Answer.word(letter, alphabet)),
        Fact(f"How many times does the letter {letter} appear?", Answer.integer(scene.letters.count(letter))),
        Fact("How many rows of letters are there?", Answer.integer(scene.side)),
    )
