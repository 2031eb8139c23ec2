r"""A picture cut into m x m pieces that are to be put in order, after AGILE (arXiv 2510.01304).

Pieces have the number of the place at which they lie at first, places are numbered from 1 in reading order. `Swap`
changes two places, `Turn` (with rotation) turns a piece by quarters, `Observe` shows the board, `Crop` and `Zoom` a
part of it. The answer is the pieces' numbers in reading order, with rotation each with the quarters by which it must
be turned clockwise: `3 1 4 2`, `3:0 1:2 4:0 2:1`.

Worked example, m = 2, the pieces of the places 1 2 3 4 of the picture lie as 3 1 4 2: the right answer is `2 4 1 3`.

Deviations from AGILE: 1. the board is one picture without margins, there the pieces are pictures of their own and the
board has white lines; 2. pieces have numbers, there letters; 3. the answer must be a permutation to be read; 4. calls
are read by a grammar, there the model's text is executed.

Pieces that look alike, such as two blank corners, stand for each other.

Endings have `in_place`: the share of the pieces that the answer puts where they belong, 0 for what is no permutation.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engines.base import make_rng
from perc_jax.environments.base import Judged, Observation, Picture, Question, Shows
from perc_jax.environments.calls import MAX_STATEMENTS, Allowed, Call, Refused, Signature
from perc_jax.environments.views import CROP, TOLD, ZOOM, Box, Viewer
from perc_jax.prompt.chat import PICTURE
from perc_jax.rewards.answers import Gold

ALIKE = 1.0  # grey levels, mean over a block of two pieces' pixels, below which it looks alike in them
BLOCK_PX = 8  # side of the blocks, all of which look alike in pieces that stand for each other
SHUFFLES = 20  # that are tried before a picture is called too uniform
LEAST_PIECE_PX = 8
QUARTERS = 4
LOOKS = 4  # one solution in so many looks closer first
_ANSWER = re.compile(r"[\[(]?\s*(\d{1,3}(?::\d)?(?:[\s,]+\d{1,3}(?::\d)?)*)\s*[\])]?", re.ASCII)
_PIECE = re.compile(r"(\d+)(?::(\d))?", re.ASCII)


class Piece(NamedTuple):
    """What lies at a place."""

    number: int  # from 0: the place at which it lay at first
    quarters: int = 0  # clockwise, by which it was turned since


Board = tuple[Piece, ...]  # by place


class Scene(NamedTuple):
    """What never changes."""

    picture: Picture  # the pieces as they lie at first
    right: Board  # the board that makes up the picture


@dataclass(frozen=True)
class Jigsaw:
    """The game. `side` is m."""

    side: int
    viewer: Viewer
    rotation: bool = False

    others = 0

    @property
    def calls(self) -> Allowed:
        """See `Game`."""
        turn = {"Turn": Signature((("a", "whole"), ("quarters", "whole")))} if self.rotation else {}
        swap = {"Swap": Signature((("a", "whole"), ("b", "whole")))}
        return swap | turn | {"Observe": Signature(()), "Crop": CROP, "Zoom": ZOOM}

    @property
    def nothing(self) -> dict[str, float]:
        """See `Game`."""
        return {"in_place": 0.0}

    def begin(self, question: Question) -> tuple[Scene, Board]:
        """Cut and shuffle a question's first picture. Raises `ValueError` for one whose pieces are too small, or so
        much alike that no shuffling is seen."""
        if not question.pictures:
            raise ValueError(f"{question.id} must have a picture to be cut into pieces, got none")
        pieces = _cut(question.pictures[0], self.side, square=self.rotation)
        least = min(pieces.shape[1:3])
        if least < LEAST_PIECE_PX:
            raise ValueError(f"{question.id} must have pieces of {LEAST_PIECE_PX} px at least, got {least}")
        rng, count = make_rng("jigsaw", self.side, self.rotation, question.id), len(pieces)
        first = tuple(map(Piece, range(count)))
        for _ in range(SHUFFLES):
            order = rng.permutation(count)  # which piece of the picture lies at each place
            quarters = rng.integers(QUARTERS, size=count) if self.rotation else np.zeros(count, int)
            lying = np.stack([np.rot90(pieces[piece], -turned) for piece, turned in zip(order, quarters, strict=True)])
            right: list[Piece] = [Piece(0)] * count
            for place, piece in enumerate(order.tolist()):
                right[piece] = Piece(place, -int(quarters[place]) % QUARTERS)
            scene = Scene(_joined(lying, self.side), tuple(right))
            if not all(self._in_place(scene, first)):
                return scene, first
        raise ValueError(f"{question.id} must have {self.side} x {self.side} pieces that can be told apart")

    def opening(self, scene: Scene, board: Board) -> Observation:
        """See `Game`."""
        m = self.side
        turned = " and turned by quarters" if self.rotation else ""
        text = f"The {m} x {m} pieces of a picture were shuffled{turned}. In which order do they make up the picture?"
        return Observation((PICTURE, text), (self.viewer.whole(scene.picture),))

    def explained(self, scene: Scene, board: Board) -> str:
        """See `Game`."""
        example = self._written(board)
        return f"Pieces and places have numbers from 1 in reading order. Write it like {example}. {TOLD}"

    def act(self, scene: Scene, board: Board, call: Call) -> Shows:
        """See `Game`."""
        if call.name == "Swap":
            a, b = (self._place(value) for value in call.arguments)
            changed = list(board)
            changed[a], changed[b] = board[b], board[a]
            return self._shown(scene, tuple(changed))
        if call.name == "Turn":
            place, quarters = self._place(call.arguments[0]), int(call.arguments[1]) % QUARTERS
            piece = board[place]
            turned = piece._replace(quarters=(piece.quarters + quarters) % QUARTERS)
            return self._shown(scene, (*board[:place], turned, *board[place + 1 :]))
        if call.name == "Observe":
            return self._shown(scene, board)
        lying = self._lying(scene, board)
        box = self.viewer.box(lying, call.arguments[:4])
        return Shows(board, self._told(board), self.viewer.detail(lying, box, *call.arguments[4:]))

    def looked(self, board: Board, sight: None) -> Board:
        """See `Game`: looking changes nothing."""
        return board

    def judge(self, scene: Scene, board: Board, answer: str) -> Judged:
        """See `Game`."""
        given = self._read(answer)
        if given is None:
            return Judged(False, False, self.nothing)
        found = self._in_place(scene, given)
        return Judged(all(found), True, {"in_place": sum(found) / len(found)})

    def gold(self, scene: Scene) -> Gold:
        """See `Game`."""
        return Gold("text", self._written(scene.right))

    def solution(self, scene: Scene, rng: np.random.Generator, most: int) -> Sequence[str]:
        """See `Game`: swaps and turns, one a block or several, some of them after a closer look."""
        lines = self._moves(scene.right)
        looks: list[str] = []
        if rng.integers(LOOKS) == 0 and most > 1:
            piece = self._box(scene, int(rng.integers(self.side**2)))
            named = ", ".join(str(int(value)) for value in piece)
            looks = [f"Crop({named})" if rng.integers(2) else f"Zoom({named}, 2)"]
        least = -(-len(lines) // max(1, most - len(looks)))
        each = min(MAX_STATEMENTS, int(rng.integers(least, len(lines) + 1)))
        return [*looks, *("\n".join(lines[i : i + each]) for i in range(0, len(lines), each))]

    def _moves(self, right: Board) -> list[str]:
        """Calls that lead from the first board to the right one."""
        lines, lying = [], list(range(len(right)))  # numbers by place
        for place, piece in enumerate(right):
            there = lying.index(piece.number)
            if there != place:
                lying[place], lying[there] = lying[there], lying[place]
                lines.append(f"Swap({place + 1}, {there + 1})")
            if piece.quarters:
                lines.append(f"Turn({place + 1}, {piece.quarters})")
        return lines

    def _place(self, value: object) -> int:
        """A place from 0. Raises `Refused`."""
        count = self.side**2
        if not isinstance(value, int) or not 1 <= value <= count:
            raise Refused("arguments", f"Places are 1 to {count}.")
        return value - 1

    def _shown(self, scene: Scene, board: Board) -> Shows:
        return Shows(board, self._told(board), self.viewer.whole(self._lying(scene, board)))

    def _told(self, board: Board) -> str:
        return f"Board {self._written(board)}"

    def _lying(self, scene: Scene, board: Board) -> Picture:
        """The board as a picture."""
        return _joined(np.stack(list(self._pieces(scene, board))), self.side)

    def _pieces(self, scene: Scene, board: Board) -> Iterator[Picture]:
        """The pieces of a board as they lie."""
        pieces = _cut(scene.picture, self.side, square=self.rotation)
        return (np.rot90(pieces[piece.number], -piece.quarters) for piece in board)

    def _in_place(self, scene: Scene, board: Board) -> list[bool]:
        """Whether each piece of a board looks as the one that belongs there."""
        found = zip(self._pieces(scene, board), self._pieces(scene, scene.right), strict=True)
        return [_look_alike(one, other) for one, other in found]

    def _box(self, scene: Scene, place: int) -> Box:
        """A place of the board, in px of what is shown."""
        height, width = self.viewer.size(*scene.picture.shape[:2])
        row, column = divmod(place, self.side)
        down, across = height // self.side, width // self.side
        return Box(column * across, row * down, (column + 1) * across, (row + 1) * down)

    def _written(self, board: Board) -> str:
        """A board as an answer is written."""
        return " ".join(f"{p.number + 1}:{p.quarters}" if self.rotation else str(p.number + 1) for p in board)

    def _read(self, answer: str) -> Board | None:
        """An answer as a board; None for what is no order of all pieces."""
        found = _ANSWER.fullmatch(answer.strip())
        if not found:
            return None
        pieces = [(int(number) - 1, quarters) for number, quarters in _PIECE.findall(found[1])]
        if sorted(number for number, _ in pieces) != list(range(self.side**2)):
            return None
        if any(bool(quarters) != self.rotation or int(quarters or 0) >= QUARTERS for _, quarters in pieces):
            return None
        return tuple(Piece(number, int(quarters or 0)) for number, quarters in pieces)


def _cut(picture: Picture, side: int, *, square: bool) -> np.ndarray:
    """The pieces [m*m, h, w, 3] of a picture in reading order, what does not divide left away on all sides."""
    height, width = (length // side for length in picture.shape[:2])
    if square:
        height = width = min(height, width)
    top, left = (picture.shape[0] - side * height) // 2, (picture.shape[1] - side * width) // 2
    inner = picture[top : top + side * height, left : left + side * width]
    return inner.reshape(side, height, side, width, 3).swapaxes(1, 2).reshape(-1, height, width, 3)


def _look_alike(one: Picture, other: Picture) -> bool:
    """Whether two pieces [h, w, 3] of one size differ in no block: a mark that is seen is small beside a piece."""
    height, width = one.shape[:2]
    rows, columns = (np.arange(0, length, BLOCK_PX) for length in (height, width))
    apart = np.abs(one.astype(np.int16) - other).mean(axis=-1)
    sums = np.add.reduceat(np.add.reduceat(apart, rows, axis=0), columns, axis=1)
    heights, widths = np.minimum(BLOCK_PX, height - rows), np.minimum(BLOCK_PX, width - columns)
    return bool((sums < ALIKE * np.outer(heights, widths)).all())


def _joined(pieces: np.ndarray, side: int) -> Picture:
    """Pieces [m*m, h, w, 3] as one picture."""
    _, height, width, _ = pieces.shape
    return pieces.reshape(side, side, height, width, 3).swapaxes(1, 2).reshape(side * height, side * width, 3)
