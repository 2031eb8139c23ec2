"""Questions about mazes: which exit or which letters can be reached, how long the way is, how often it turns.

From level 5 on, gates of one colour are closed and others open, and where lengths are asked the maze has several ways.
"""

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.path.questions.carve import Carving, distances, pick, spread, turns, way
from engines.path.scene.maze import Gate, Maze

SIDES = (4, 5, 5, 6, 7, 8, 9, 10, 11, 12)
BRANCHY = (0.1, 0.1, 0.2, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
EXITS = (3, 3, 4, 4, 4, 5, 5, 6, 6, 7)
INSIDE = (3, 3, 3, 4, 4, 4, 5, 5, 6, 6)  # letters in cells
STEPS = ((3, 7), (3, 8), (4, 10), (4, 12), (5, 14), (5, 14), (6, 17), (7, 20), (8, 22), (9, 25))
TURNS = ((1, 4), (1, 5), (1, 6), (2, 8), (2, 9), (2, 11), (3, 13), (3, 15), (4, 17), (4, 19))
GATES_FROM_LEVEL = 5
LOOPS_FROM_LEVEL = 5
LOOP_SHARE = 0.1  # of the walls that are opened once more
MIN_SIZE_PX = (112, 112, 112, 112, 140, 140, 168, 196, 224, 252)
LETTERS = "ABCDEFG"
Place = tuple[int, int]  # outside the maze
GATE_COLOURS = ("blue", "green", "orange", "purple")
FAR_SHARE = 0.4  # of the cells of a tree, those farthest from its exit, one of which the dot stands in
TRIES = 200

EXIT = (
    "Go from the red dot through the maze. At which exit can you come out?",
    "Which exit can you reach from the red dot?",
    "Start at the red dot and cross no wall. Which exit do you reach?",
    "Only one exit can be reached from the red dot. Which letter is it?",
)
REACH = (
    "Which letters can you reach from the red dot without crossing a wall?",
    "Start at the red dot. List all letters that can be reached through the maze, or none.",
    "To which letters does a way lead from the red dot? Answer none if there are none.",
    "Name every letter that you can get to from the red dot; none if there is none.",
)
LENGTH = (
    "How many steps is the shortest way from the red dot to the blue square? A step leads to the next cell.",
    "Going to the next cell is one step. How few steps can take you from the red dot to the blue square?",
    "Count the steps of the shortest way from the red dot to the blue square, one step from cell to cell.",
    "From the red dot to the blue square: how many steps at least, each to the next cell?",
)
TURNED = (
    "Follow the way from the red dot to the blue square. How many turns does it make?",
    "How many times do you change direction on the way from the red dot to the blue square?",
    "Walk from the red dot straight to the blue square, into no dead end. How many turns do you take?",
    "Count the turns of the way that leads from the red dot to the blue square.",
)


def _rule(closed: str) -> str:
    """What is said of gates; nothing where there are none."""
    return f" All {closed} gates are closed, the others are open." if closed else ""


def _rim(side: int) -> list[tuple[int, tuple[int, int]]]:
    """Cells at the edge with the place outside each, around the board."""
    top = [(i, (0, i + 1)) for i in range(side)]
    right = [(i * side + side - 1, (i + 1, side + 1)) for i in range(side)]
    bottom = [((side - 1) * side + i, (side + 1, i + 1)) for i in range(side)][::-1]
    left = [(i * side, (i + 1, 0)) for i in range(side)][::-1]
    return top + right + bottom + left


def _openings(rng: np.random.Generator, side: int, count: int) -> list[tuple[int, tuple[int, int]]]:
    """Exits around the board, of different cells and no two side by side."""
    rim = _rim(side)
    spare = len(rim) - 3 * count  # places beyond the three that each exit takes
    gaps = np.diff([0, *sorted(rng.integers(spare + 1, size=count - 1).tolist()), spare]).tolist()
    at, found = int(rng.integers(len(rim))), []
    for gap in gaps:
        found.append(rim[at % len(rim)])
        at += 3 + gap
    return found


def _gated(
    rng: np.random.Generator, carving: Carving, mine: int, must: list[tuple[int, int]]
) -> tuple[str, tuple[Gate, ...]]:
    """Join the trees by gates of a closed colour, and put open ones into ways within them, first those of `must`.

    The tree `mine`, where the dot stands, has a closed gate; so what is closed decides what can be reached.
    """
    closed, is_open = (GATE_COLOURS[i] for i in rng.permutation(len(GATE_COLOURS))[:2].tolist())
    borders = carving.borders()
    pairs = [borders[i] for i in rng.permutation(len(borders))[: 3 + len(borders) // 8].tolist()]
    own = [pair for pair in borders if mine in (carving.owner[pair[0]], carving.owner[pair[1]])]
    pairs = list(dict.fromkeys([pick(rng, own), *pairs]))
    inner = [(a, b) for a, others in carving.open.items() for b in others if a < b]
    others = [inner[i] for i in rng.permutation(len(inner))[: len(pairs)].tolist()]
    gates = {pair: is_open for pair in (*must, *others)} | dict.fromkeys(pairs, closed)
    for one, other in pairs:
        carving.join(one, other)
    found = [Gate(*carving.place(a), b == a + 1, colour) for (a, b), colour in gates.items()]
    return closed, tuple(sorted(found))


def _exits(rng: np.random.Generator, carving: Carving, count: int) -> list[tuple[int, Place]] | None:
    """An exit of every tree, in the order of trees, none beside another; `None` if a tree has no room for one."""
    rim, found, taken = _rim(carving.rows), {}, set()
    for tree in rng.permutation(count).tolist():
        free = [
            place
            for place, (cell, _) in enumerate(rim)
            if carving.owner[cell] == tree and not taken & {place, (place + 1) % len(rim), (place - 1) % len(rim)}
        ]
        if not free:
            return None
        place = pick(rng, free)
        found[tree] = rim[place]
        taken.add(place)
    return [found[tree] for tree in range(count)]


def _start(
    rng: np.random.Generator, carving: Carving, exits: list[tuple[int, Place]], nearer: int, least: int
) -> tuple[int, int] | None:
    """A tree of `least` cells or more and a cell far from its exit, to which so many other exits are nearer."""
    for tree in rng.permutation(len(exits)).tolist():
        steps = distances(carving.open, exits[tree][0])
        if len(steps) < least:
            continue
        far = sorted(steps, key=lambda cell: (-steps[cell], cell))[: max(1, int(FAR_SHARE * len(steps)))]
        for place in rng.permutation(len(far)).tolist():
            row, column = carving.place(far[place])
            away = [(r - row) ** 2 + (c - column) ** 2 for _, (r, c) in exits]
            if sum(other < away[tree] for other in away) == nearer and away.count(away[tree]) == 1:
                return tree, far[place]
    return None


def pose_exit(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the only exit that can be reached; by how near it is to the dot, it is of every rank as often."""
    side, letters = SIDES[level], LETTERS[: EXITS[level]]
    nearer = int(rng.integers(len(letters)))
    for _ in range(TRIES):
        openings = _openings(rng, side, len(letters))
        if len({cell for cell, _ in openings}) < len(letters):
            continue
        carving = Carving(rng, side, side, [cell for cell, _ in openings], BRANCHY[level])
        exits = _exits(rng, carving, len(letters))
        found = exits and _start(rng, carving, exits, nearer, 3 + level // 2)
        if found:
            break
    else:
        raise RuntimeError(f"no maze with {len(letters)} exits at level {level} in {TRIES} tries")
    mine, start = found
    own = exits[mine]
    places = [place for _, place in exits]
    closed, gates = "", ()
    if level >= GATES_FROM_LEVEL:
        cells = way(carving.open, start, own[0])
        at = int(rng.integers(len(cells) - 1))
        closed, gates = _gated(rng, carving, mine, [tuple(sorted(cells[at : at + 2]))])
    right, down = carving.ways()
    order = rng.permutation(len(letters)).tolist()  # letters stand around in no order
    exits = tuple((places[tree], letters[place]) for place, tree in enumerate(order))
    scene = Maze(side, side, right, down, carving.place(start), exits=exits, gates=gates)
    query = {"ask": "maze_exit", "closed": closed}
    answer = Answer.choice(letters[order.index(mine)], letters)
    question = pick(rng, EXIT) + _rule(closed)
    return Posed(scene, question, answer, guess_rate=1 / len(letters), query=query)


def pose_reach(rng: np.random.Generator, level: int) -> Posed:
    """Ask for all letters that can be reached; every set of them is equally likely."""
    side, letters = SIDES[level], LETTERS[: INSIDE[level]]
    trees = 2 + level // 4
    for _ in range(TRIES):
        seeds = rng.permutation(side * side)[:trees].tolist()
        carving = Carving(rng, side, side, seeds, BRANCHY[level])
        mine = carving.cells(0)
        others = [cell for cell, owner in enumerate(carving.owner) if owner]
        if len(mine) > len(letters) and len(others) > len(letters):
            break
    else:
        raise RuntimeError(f"no maze with {trees} parts at level {level} in {TRIES} tries")
    start = mine.pop(int(rng.integers(len(mine))))
    is_reached = rng.integers(2, size=len(letters)).tolist()
    cells = spread(rng, start, [mine if flag else others for flag in is_reached], side)
    reached = [letter for letter, flag in zip(letters, is_reached, strict=True) if flag]
    closed, gates = "", ()
    if level >= GATES_FROM_LEVEL:
        must = []
        for cell, flag in zip(cells, is_reached, strict=True):
            if flag:
                cells_of_way = way(carving.open, start, cell)
                must.append(tuple(sorted(cells_of_way[:2])))
        closed, gates = _gated(rng, carving, 0, must)
    right, down = carving.ways()
    named = tuple((carving.place(cell), letter) for cell, letter in zip(cells, letters, strict=True))
    scene = Maze(side, side, right, down, carving.place(start), letters=named, gates=gates)
    query = {"ask": "maze_reach", "closed": closed}
    answer = Answer.set_of(reached, letters)
    return Posed(scene, pick(rng, REACH) + _rule(closed), answer, guess_rate=0.5 ** len(letters), query=query)


def _between(rng: np.random.Generator, level: int, wanted: int, measure) -> Maze:
    """A maze whose dot and square are so far from each other by a measure of ways from one cell."""
    side = SIDES[level]
    has_loops = level >= LOOPS_FROM_LEVEL and measure is distances
    for _ in range(TRIES):
        carving = Carving(rng, side, side, [int(rng.integers(side * side))], BRANCHY[level])
        if has_loops:
            walls = carving.walls()
            for place in rng.permutation(len(walls))[: max(2, int(LOOP_SHARE * len(walls)))].tolist():
                carving.join(*walls[place])
        for start in rng.permutation(side * side)[:6].tolist():
            goals = [cell for cell, value in measure(carving.open, start).items() if value == wanted]
            if goals:
                right, down = carving.ways()
                return Maze(side, side, right, down, carving.place(start), goal=carving.place(pick(rng, goals)))
    raise RuntimeError(f"no maze with a way of {wanted} at level {level} in {TRIES} tries")


def pose_length(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the number of steps of the shortest way; below level 5 it is the only one."""
    low, high = STEPS[level]
    wanted = int(rng.integers(low, high + 1))
    scene, query = _between(rng, level, wanted, distances), {"ask": "maze_length"}
    guess_rate = 1 / (high - low + 1)
    return Posed(scene, pick(rng, LENGTH), Answer.integer(wanted), guess_rate=guess_rate, query=query)


def pose_turns(rng: np.random.Generator, level: int) -> Posed:
    """Ask how often the only way turns."""
    low, high = TURNS[level]
    wanted = int(rng.integers(low, high + 1))
    scene, query = _between(rng, level, wanted, turns), {"ask": "maze_turns"}
    guess_rate = 1 / (high - low + 1)
    return Posed(scene, pick(rng, TURNED), Answer.integer(wanted), guess_rate=guess_rate, query=query)


def facts(scene: Maze, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: the size, where things stand, how many gates and letters there are."""
    found = [
        Fact("How many rows of cells does the maze have?", Answer.integer(scene.rows)),
        Fact("In which row is the red dot? Rows count from the top.", Answer.integer(scene.start[0])),
        Fact("In which column is the red dot? Columns count from the left.", Answer.integer(scene.start[1])),
    ]
    if scene.goal:
        found.append(Fact("In which row is the blue square? Rows count from the top.", Answer.integer(scene.goal[0])))
    if scene.exits:
        found.append(Fact("How many exits does the maze have?", Answer.integer(len(scene.exits))))
    if scene.letters:
        (row, _), letter = pick(rng, scene.letters)
        found.append(Fact(f"In which row is {letter}? Rows count from the top.", Answer.integer(row)))
    for colour in sorted({gate.colour for gate in scene.gates}):
        count = sum(gate.colour == colour for gate in scene.gates)
        found.append(Fact(f"How many {colour} gates are there?", Answer.integer(count)))
    return tuple(found)
