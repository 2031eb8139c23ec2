"""Questions about boards with cages, whose numbers give a number by one operation."""

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.logic.questions.signs import at, pairs, pick, signed
from engines.logic.questions.squares import Candidates, squares
from engines.logic.scene import Cage, Latin

SIDES = (3, 3, 3, 4, 4, 4, 4, 4, 4, 4)
OPERATIONS = ("+", "+", "+", "+", "+", "+x", "+x", "+x-", "+x-:", "+x-:")
LARGEST = (2, 2, 3, 2, 3, 3, 3, 3, 3, 3)  # cells of a cage
SINGLES = (2, 1, 0, 3, 2, 2, 1, 1, 0, 0)  # cages of one cell at first; one solution may need more
MIN_SIZE_PX = (112, 112, 112, 168, 168, 168, 168, 168, 168, 168)
WRONG_SIDES = (3, 3, 4, 4, 4, 4, 4, 5, 5, 5)
WRONG_SIGNS = (4, 5, 7, 9, 12)
WRONG_CAGE_GUESS = {4: 0.135, 5: 0.09}  # by side: how often the number is in the first cell, measured
CAGES_FROM_LEVEL = 5  # where something is wrong: signs below it, cages from it on
WRONG_MIN_SIZE_PX = (112, 112, 112, 112, 112, 168, 168, 224, 224, 224)
TRIES = 200

RULE = "Rows and columns have 1 to {side} once; cages give their number by their sign{first}. "
CELL = (
    RULE + "What is in row {row}, column {column}?",
    RULE + "Find row {row}, column {column}.",
    RULE + "Which number goes in row {row}, column {column}?",
    RULE + "Solve for row {row}, column {column}.",
)
WRONG_SIGN = (
    "One sign is wrong: it should open towards the larger number. Give (row, column) of the cell left of or above it.",
    "Every sign but one opens towards the larger number. Which cell is left of or above it? Answer (row, column).",
    "Find the only sign that does not open towards the larger number; answer (row, column) of the cell left or above.",
    "Where does a sign open towards the smaller number? Give (row, column) of the cell to its left or above.",
)
WRONG_CAGE = (
    "The digits of one cage do not make its number by its sign{first}. Where is that number? Answer (row, column).",
    "In one cage the digits do not make the number by the sign{first}. Give (row, column) of that number.",
    "Find the cage whose digits do not make its number by its sign{first}; answer (row, column) of that number.",
    "Which cage's digits do not make its number by its sign{first}? Give (row, column) of that number.",
)


def _first(cages: list[Cage]) -> str:
    """What is said of differences and quotients; nothing where there are none."""
    return ", the larger number first" if any(cage.operation in ("-", ":") for cage in cages) else ""


def result(operation: str, numbers: list[int]) -> int | None:
    """What numbers give by an operation; `None` where they give no whole number or are too many for it."""
    if operation == "+":
        return sum(numbers)
    if operation == "x":
        return int(np.prod(numbers))
    if len(numbers) != 2:
        return None
    low, high = sorted(numbers)
    if operation == "-":
        return high - low
    return high // low if high % low == 0 else None


def _fits(cage: Cage, left: Candidates) -> np.ndarray:
    """Which squares give the number of a cage, bool [n]."""
    values = [left.cell((row - 1) * left.side + column - 1).astype(np.int16) for row, column in cage.cells]
    if cage.operation in ("", "+"):
        return sum(values) == cage.number
    if cage.operation == "x":
        total = values[0]
        for value in values[1:]:
            total = total * value
        return total == cage.number
    low, high = np.minimum(*values), np.maximum(*values)
    return high - low == cage.number if cage.operation == "-" else high == cage.number * low


def _parts(rng: np.random.Generator, side: int, largest: int, singles: list[int]) -> list[list[int]]:
    """The cells in connected groups of at most so many; `singles` are groups of their own."""
    beside: dict[int, list[int]] = {cell: [] for cell in range(side * side)}
    for a, b in pairs(side):
        beside[a].append(b)
        beside[b].append(a)
    free, groups = set(range(side * side)) - set(singles), [[cell] for cell in singles]
    dice = iter(rng.random(4 * side * side).tolist())
    for cell in rng.permutation(side * side).tolist():
        if cell not in free:
            continue
        group, size = [cell], 2 + int(next(dice) * (largest - 1))
        free.remove(cell)
        while len(group) < size:
            near = [other for own in group for other in beside[own] if other in free]
            if not near:
                break
            other = near[int(next(dice) * len(near))]
            group.append(other)
            free.remove(other)
        groups.append(sorted(group))
    return groups


def _cage(rng: np.random.Generator, side: int, group: list[int], numbers: list[int], operations: str) -> Cage:
    """A cage around a group, with one of the operations that give a whole number."""
    own, cells = [numbers[cell] for cell in group], tuple(at(side, cell) for cell in group)
    if len(group) == 1:
        return Cage(cells, "", own[0])
    found = {sign: value for sign in operations if (value := result(sign, own)) is not None}
    sign = pick(rng, list(found))
    return Cage(cells, sign, found[sign])


def pose_cages(rng: np.random.Generator, level: int) -> Posed:
    """Ask for a cell of a board of cages with one solution."""
    side, everything = SIDES[level], squares(SIDES[level])
    for _ in range(TRIES):
        numbers = everything[:, int(rng.integers(everything.shape[1]))].tolist()
        asked, *others = rng.permutation(side * side).tolist()
        groups = _parts(rng, side, LARGEST[level], others[: SINGLES[level]])
        if [asked] in groups:
            continue
        cages = [_cage(rng, side, group, numbers, OPERATIONS[level]) for group in groups]
        left = Candidates(side)
        for cage in cages:
            left = left.keep(_fits(cage, left))
        while left.count() > 1:
            open_ = {at(side, cell) for cell in left.varying()}
            split = [c for c in cages if at(side, asked) not in c.cells and len(c.cells) > 1 and open_ & set(c.cells)]
            if not split:
                break
            gone = pick(rng, split)
            singles = [Cage((cell,), "", numbers[(cell[0] - 1) * side + cell[1] - 1]) for cell in gone.cells]
            cages = [cage for cage in cages if cage is not gone] + singles
            for cage in singles:
                left = left.keep(_fits(cage, left))
        if left.count() == 1:
            scene = Latin(side, (0,) * side**2, cages=tuple(sorted(cages)))
            row, column = at(side, asked)
            question = pick(rng, CELL).format(side=side, first=_first(cages), row=row, column=column)
            query = {"ask": "cages", "row": row, "column": column}
            return Posed(scene, question, Answer.integer(numbers[asked]), guess_rate=1 / side, query=query)
    raise RuntimeError(f"no board of cages with one solution at level {level} in {TRIES} tries")


def pose_contradiction(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the only sign, or from level 5 on the only cage, that contradicts the numbers of a full board."""
    side = WRONG_SIDES[level]
    everything = squares(side)
    numbers = everything[:, int(rng.integers(everything.shape[1]))].tolist()
    if level < CAGES_FROM_LEVEL:
        every, wanted = pairs(side), WRONG_SIGNS[level]
        cell = int(rng.integers(side * side - 1))  # all but the last have a sign to the right or below
        own = pick(rng, [pair for pair in every if pair[0] == cell])
        others = [every[i] for i in rng.permutation(len(every)).tolist() if every[i] != own][: wanted - 1]
        signs = [*signed(side, numbers, others), signed(side, numbers, [own])[0][::-1]]
        scene = Latin(side, tuple(numbers), tuple(sorted((at(side, a), at(side, b)) for a, b in signs)))
        answer, rate, form, first = at(side, cell), 1 / (side * side - 1), "sign", ""
    else:
        while True:
            groups = _parts(rng, side, 3, [])
            cages = [_cage(rng, side, group, numbers, OPERATIONS[level]) for group in groups]
            places = [i for i, cage in enumerate(cages) if len(cage.cells) > 1]
            cell = int(rng.integers(side * side))
            mine = [i for i in places if cages[i].cells[0] == at(side, cell)]
            if mine:
                break
        own = cages[mine[0]]
        number = own.number + pick(rng, [step for step in (-2, -1, 1, 2) if own.number + step > 0])
        cages[mine[0]] = own._replace(number=number)
        scene = Latin(side, tuple(numbers), cages=tuple(sorted(cages)))
        answer, rate, form, first = own.cells[0], WRONG_CAGE_GUESS[side], "cage", _first(cages)
    phrasings = WRONG_SIGN if form == "sign" else WRONG_CAGE
    query = {"ask": "contradiction", "form": form}
    return Posed(scene, pick(rng, phrasings).format(first=first), Answer.pair(*answer), guess_rate=rate, query=query)
