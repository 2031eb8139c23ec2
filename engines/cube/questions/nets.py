"""Questions about nets: which faces meet back to back, and which cube a net folds into."""

from collections.abc import Sequence

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.cube.draw.stacks import SHIFTS
from engines.cube.questions.make import COLOURS, pick
from engines.cube.scene import NetScene
from engines.cube.scene.nets import SHAPES, Net, folded, minus, opposite, squares_of, views

NETS = (1, 1, 1, 1, 2, 2, 2, 3, 3, 4)  # in a picture, per level
KNOWN = (6, 8, 11, 11, 11, 11, 11, 11, 11, 11)  # the first of `SHAPES`, those with four squares in a line first
CUBES = (3, 3, 4, 4, 5, 5, 5, 6, 6, 6)  # to choose from
NAMES = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # 24 letters that read well
MIN_SIZE_PX = (112, 112, 112, 112, 140, 140, 140, 224, 224, 224)
CUBE_MIN_SIZE_PX = (112, 112, 140, 140, 168, 168, 168, 196, 196, 196)
LETTERS = "ABCDEF"
DRAFTS = 12  # sets of foils to choose from

OPPOSITE = (
    "Fold the net into a cube. Which letter is opposite {name}?",
    "The net is folded into a cube. Which letter lies opposite {name}?",
    "Which letter is on the face opposite {name} when the net is a cube?",
    "Fold the net up. Which letter is opposite {name} on the cube?",
)
OPPOSITE_OF_SEVERAL = (
    "Fold each net into a cube. Which letter is opposite {name}?",
    "Each net is folded into a cube. Which letter lies opposite {name}?",
    "Which letter is on the face opposite {name} when the nets are cubes?",
    "Fold each net up. Which letter is opposite {name} on its cube?",
)


def _net(rng: np.random.Generator, level: int, names: list[str]) -> Net:
    """One of the nets, turned and turned over at random, with these names on its squares."""
    squares = np.array(squares_of(SHAPES[int(rng.integers(KNOWN[level]))]))
    if rng.random() < 0.5:
        squares = squares[:, ::-1]
    squares = squares * np.where(rng.random(2) < 0.5, 1, -1)
    squares = (squares - squares.min(0)).tolist()
    return tuple((row, column, name) for (row, column), name in zip(sorted(squares), names, strict=True))


def _shift(rng: np.random.Generator) -> tuple[int, int]:
    across, down = rng.integers(SHIFTS + 1, size=2).tolist()
    return across, down


def pose_opposite(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the letter on the face opposite a given one; with several nets one must find the right one first."""
    count = NETS[level]
    names = [NAMES[place] for place in rng.permutation(len(NAMES))[: 6 * count].tolist()]
    nets = tuple(_net(rng, level, names[6 * place : 6 * place + 6]) for place in range(count))
    net = pick(rng, nets)
    answer = pick(rng, net)[2]
    asked = opposite(net, answer)
    text = pick(rng, OPPOSITE if count == 1 else OPPOSITE_OF_SEVERAL).format(name=asked)
    scene, query = NetScene(nets, False, (), _shift(rng)), {"ask": "opposite", "name": asked}
    return Posed(scene, text, Answer.choice(answer, NAMES), (), 1 / (len(NAMES) - 1), query)


NET_CUBE = (
    "The net is folded with the colours outside. Which cube does it give?",
    "Which cube can be folded from the net, colours outside?",
    "Fold the net so that its colours are outside. Which cube is it?",
    "Only one cube comes from this net, colours outside. Which?",
)


def pose_net_cube(rng: np.random.Generator, level: int) -> Posed:
    """Ask which cube a coloured net gives; of the others some are mirror images, some show opposite faces together."""
    names = [COLOURS[place] for place in rng.permutation(len(COLOURS))[:6].tolist()]
    net, count = _net(rng, level, names), CUBES[level]
    possible = views(net)
    true = pick(rng, possible)
    backs = {name: opposite(net, name) for name in names}
    # How like the others the right cube is must not tell it: its ranks among them are drawn, and foils sought for them.
    wanted, drafts = rng.integers(count, size=2), [_foils(rng, level, possible, backs, true) for _ in range(DRAFTS)]
    cubes = [*min(drafts, key=lambda foils: float(abs(_ranks(true, foils) - wanted).sum())), true]
    cubes = tuple(cubes[place] for place in rng.permutation(count).tolist())
    letters = LETTERS[:count]
    scene = NetScene((net,), True, cubes, _shift(rng))
    answer = Answer.choice(letters[cubes.index(true)], letters)
    return Posed(scene, pick(rng, NET_CUBE), answer, (), 1 / count, {"ask": "net_cube"})


Faces = tuple[str, str, str]  # colours of a cube's top, left and right side


def _foils(
    rng: np.random.Generator, level: int, possible: Sequence[Faces], backs: dict[str, str], true: Faces
) -> list[Faces]:
    """Cubes that the net does not give."""
    foils: dict[Faces, None] = {(true[0], true[2], true[1]): None} if level >= 3 else {}
    while len(foils) < CUBES[level] - 1:
        top, left, right = pick(rng, possible)
        manner = int(rng.integers(3))
        foils[[(top, right, left), (top, left, backs[top]), (backs[right], left, right)][manner]] = None
        foils = {foil: None for foil in foils if foil not in possible}
    return list(foils)


def _ranks(true: Faces, foils: Sequence[Faces]) -> np.ndarray:
    """How many foils are more like all other options, and like one other, than the right one is; ties count half."""
    options = np.array([[COLOURS.index(name) for name in option] for option in (true, *foils)])
    unlike = (options[:, None] != options).sum(2)
    nearest = np.sort(unlike, axis=1)[:, 1]  # the first is the option itself
    scores = np.stack([unlike.sum(1), nearest])
    return ((scores[:, 1:] < scores[:, :1]) + (scores[:, 1:] == scores[:, :1]) / 2).sum(1)


def facts(scene: NetScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: rows and columns of a net, faces that meet, faces of the cubes."""
    net = scene.nets[0]
    which = "net" if len(scene.nets) == 1 else "first net"
    frames = folded(net)
    vocabulary = COLOURS if scene.is_coloured else tuple(NAMES)
    name = pick(rng, list(frames))
    back = next(other for other, frame in frames.items() if frame.out == minus(frames[name].out))
    found = [
        Fact(f"Fold the {which}. What is opposite {name}?", Answer.word(back, vocabulary)),
        Fact(
            f"How many squares are in the top row of the {which}?", Answer.integer(sum(row == 0 for row, _, _ in net))
        ),
        Fact(f"How many rows of squares does the {which} have?", Answer.integer(1 + max(row for row, _, _ in net))),
        Fact(
            f"How many columns of squares does the {which} have?",
            Answer.integer(1 + max(column for _, column, _ in net)),
        ),
    ]
    if scene.cubes:
        place = int(rng.integers(len(scene.cubes)))
        found.append(
            Fact(f"What colour is on top of cube {chr(65 + place)}?", Answer.word(scene.cubes[place][0], COLOURS))
        )
    return tuple(found)
