"""Nets of a cube, and what folding them gives.

A net lies in the picture: rows count downwards, columns to the right. It is folded away from the onlooker, so what is
drawn on it ends up on the outside.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

Vector = tuple[int, int, int]  # to the right, up, towards the onlooker
Net = tuple[tuple[int, int, str], ...]  # (row, column, what is on the square)

# The eleven nets, up to turning and turning over (rows from top to bottom).
SHAPES = (
    (".#..", "####", "..#."),
    ("#...", "####", "#..."),
    ("#...", "####", ".#.."),
    ("#...", "####", "..#."),
    ("#...", "####", "...#"),
    (".#..", "####", ".#.."),
    ("###..", "..###"),
    ("##..", ".###", "...#"),
    ("##...", ".##..", "..##."),
    ("##..", ".###", ".#.."),
    ("##..", ".###", "..#."),
)


class Frame(NamedTuple):
    """How a square of a net stands after folding: its outside, and where its right and its top edge point."""

    out: Vector
    right: Vector
    up: Vector


@dataclass(frozen=True)
class NetScene:
    """Nets with a letter or a colour on each square, and cubes (A, B, …) by what is on top, on the left, on the right.

    No name occurs twice on the nets. With `is_coloured`, names are colours.
    """

    nets: tuple[Net, ...]
    is_coloured: bool
    cubes: tuple[tuple[str, str, str], ...] = ()
    shift: tuple[int, int] = (0, 0)

    def to_json(self) -> dict[str, Any]:
        """The whole scene as JSON-ready data."""
        return {
            "kind": "nets",
            "nets": [[list(square) for square in net] for net in self.nets],
            "is_coloured": self.is_coloured,
            "cubes": [list(cube) for cube in self.cubes],
            "shift": list(self.shift),
        }

    def describe(self) -> str:
        """The scene in words: the squares of every net by row and column, the faces of every cube."""
        lines = []
        for place, net in enumerate(self.nets):
            squares = ", ".join(f"{name} in row {row + 1}, column {column + 1}" for row, column, name in net)
            lines.append(f"Net {place + 1} of a cube: {squares}.")
        for place, (top, left, right) in enumerate(self.cubes):
            lines.append(f"Cube {chr(65 + place)}: {top} on top, {left} in front on the left, {right} on the right.")
        return "\n".join(lines)

    def complexity(self) -> float:
        """Squares and faces."""
        return sum(map(len, self.nets)) + 3 * len(self.cubes)


def squares_of(shape: tuple[str, ...]) -> list[tuple[int, int]]:
    """Rows and columns of the squares of a net."""
    return [(row, column) for row, line in enumerate(shape) for column, mark in enumerate(line) if mark == "#"]


def minus(vector: Vector) -> Vector:
    """The opposite direction."""
    return -vector[0], -vector[1], -vector[2]


def folded(net: Net) -> dict[str, Frame]:
    """How each square of a net stands on the cube; the first square stays where it is."""
    names = {(row, column): name for row, column, name in net}
    first = net[0]
    frames = {(first[0], first[1]): Frame((0, 0, 1), (1, 0, 0), (0, 1, 0))}
    ahead = [(first[0], first[1])]
    for row, column in ahead:
        out, right, up = frames[row, column]
        beside = {
            (row, column + 1): Frame(right, minus(out), up),
            (row, column - 1): Frame(minus(right), out, up),
            (row + 1, column): Frame(minus(up), right, out),
            (row - 1, column): Frame(up, right, minus(out)),
        }
        for cell, frame in beside.items():
            if cell in names and cell not in frames:
                frames[cell] = frame
                ahead.append(cell)
    return {names[cell]: frame for cell, frame in frames.items()}


def opposite(net: Net, name: str) -> str:
    """What is on the face opposite to a name's."""
    frames = folded(net)
    return next(other for other, frame in frames.items() if frame.out == minus(frames[name].out))


def views(net: Net) -> list[tuple[str, str, str]]:
    """The 24 ways to see the cube: what is on top, on the left, on the right."""
    outs = {frame.out: name for name, frame in folded(net).items()}
    return [
        (outs[_cross(left, right)], outs[left], outs[right]) for left in outs for right in outs if not _dot(left, right)
    ]


def _dot(one: Vector, two: Vector) -> int:
    return sum(a * b for a, b in zip(one, two, strict=True))


def _cross(one: Vector, two: Vector) -> Vector:
    return one[1] * two[2] - one[2] * two[1], one[2] * two[0] - one[0] * two[2], one[0] * two[1] - one[1] * two[0]
