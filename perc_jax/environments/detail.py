"""A sheet of m x m pictures that is shown reduced; a question about one of them, which can be read in the detail only.

The sheet, of some 1,024 to 2,048 px, is shown at `view_px`; `Crop` shows a box of it at its own resolution, `Zoom`
larger. With m = 1 the sheet is the picture itself, a table's perhaps. Engines' pictures are of question types that are
legible, by their own measure (`min_size_px`), at their size on the sheet and not at their size as it is shown
(`hidden_types`): so whoever answers without looking closer has guessed.

Worked example, m = 5, pictures of 392 px, a sheet of 1,976 px shown at 448: each picture is shown at 89 px, below the
112 px from which on the first types are legible.

Endings have `seen`: the largest share of the asked picture that one returned picture showed at twice the scale of the
overview or more.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

import engines
from engines.answer import Answer
from engines.base import make_rng
from perc_jax.environments.base import Judged, Observation, Picture, Question, Shows
from perc_jax.environments.calls import Call
from perc_jax.environments.views import CROP, LEAST_BOX_PX, MOST_ASPECT, TOLD, ZOOM, Box, Viewer, within
from perc_jax.prompt.chat import PICTURE
from perc_jax.rewards import boxes
from perc_jax.rewards.answers import Gold, needs_symbols

GAP_PX = 4  # between the pictures of a sheet
MOST_PX = 4096  # longest side of a picture that is a sheet by itself
LINES = 176  # grey between the pictures of a sheet
CLOSER = 2.0  # times the overview's scale, from which on a picture is seen in the detail
MARGIN = 0.1  # of the asked picture's side, that a solution shows around it at most


class Scene(NamedTuple):
    """What never changes."""

    sheet: Picture
    asked: Box  # the asked picture, in px of the sheet as it is shown
    place: int  # of it, in reading order
    text: str
    answer: Answer | Gold


@dataclass(frozen=True)
class Inspect:
    """The game. `side` is m."""

    side: int
    cell_px: int  # side of each picture of a sheet of several
    viewer: Viewer

    calls = {"Crop": CROP, "Zoom": ZOOM}  # noqa: RUF012 - only read

    @property
    def others(self) -> int:
        """See `Game`."""
        return self.side**2 - 1

    @property
    def nothing(self) -> dict[str, float]:
        """See `Game`."""
        return {"seen": 0.0}

    def begin(self, question: Question) -> tuple[Scene, float]:
        """Lay a question's pictures on a sheet, the asked one at a place of its own.

        Raises `ValueError` for fewer pictures than the sheet's, for an answer that is a formula, and where the picture
        is a sheet by itself for a question that is more than its text and that picture.
        """
        if len(question.pictures) <= self.others:
            raise ValueError(
                f"{question.id} must have {self.others + 1} pictures for its sheet, got {len(question.pictures)}"
            )
        if needs_symbols(question.answer):
            raise ValueError(f"{question.id} must have an answer other than a formula, got {question.answer.text()!r}")
        if self.side == 1:
            if question.besides:
                raise ValueError(f"{question.id} must be one text about one picture, got also {question.besides}")
            sheet = within(question.pictures[0], MOST_PX)
            height, width = self.viewer.size(*sheet.shape[:2])
            whole = Box(0, 0, width, height)
            return Scene(sheet, whole, 0, question.text, _in_sheet(question, whole)), 0.0
        rng, count = make_rng("inspect", self.side, question.id), self.side**2
        place, cell = int(rng.integers(count)), self.cell_px + GAP_PX
        asked, *rest = (within(picture, self.cell_px) for picture in question.pictures[:count])
        side_px = self.side * cell - GAP_PX
        sheet = np.full((side_px, side_px, 3), LINES, np.uint8)
        for number, picture in enumerate((*rest[:place], asked, *rest[place:])):
            row, column = divmod(number, self.side)
            sheet[row * cell : row * cell + len(picture), column * cell : column * cell + picture.shape[1]] = picture
        scale = self.viewer.size(side_px, side_px)[0] / side_px
        row, column = divmod(place, self.side)
        box = Box(column * cell, row * cell, column * cell + asked.shape[1], row * cell + asked.shape[0])
        box = box.scaled(scale, scale)
        return Scene(sheet, box, place, question.text, _in_sheet(question, box)), 0.0

    def opening(self, scene: Scene, board: float) -> Observation:
        """See `Game`."""
        m, (row, column) = self.side, divmod(scene.place, self.side)
        where = f"The sheet has {m} x {m} pictures. In row {row + 1}, column {column + 1}: " if m > 1 else ""
        return Observation((PICTURE, f"{where}{scene.text}"), (self.viewer.whole(scene.sheet),))

    def explained(self, scene: Scene, board: float) -> str:
        """See `Game`."""
        return TOLD

    def act(self, scene: Scene, board: float, call: Call) -> Shows:
        """See `Game`."""
        box = self.viewer.box(scene.sheet, call.arguments[:4])
        shown = self.viewer.detail(scene.sheet, box, *call.arguments[4:])
        scale = min(shown.shape[0] / (box.y2 - box.y1), shown.shape[1] / (box.x2 - box.x1))
        seen = box.shared(scene.asked) / scene.asked.area if scale >= CLOSER else 0.0
        return Shows(board, "", shown, seen)

    def looked(self, board: float, sight: float) -> float:
        """See `Game`."""
        return max(board, sight)

    def judge(self, scene: Scene, board: float, answer: str) -> Judged:
        """See `Game`."""
        return Judged(scene.answer.accepts(answer), True, {"seen": board})

    def gold(self, scene: Scene) -> Answer | Gold:
        """See `Game`."""
        return scene.answer

    def solution(self, scene: Scene, rng: np.random.Generator, most: int) -> Sequence[str]:
        """See `Game`: one look at the asked picture and some of what lies around; or at all of a single, in parts."""
        height, width = self.viewer.size(*scene.sheet.shape[:2])
        if self.side == 1:
            rows, columns = _parts(height, width)
            down, across = height // rows, width // columns
            corners = [(y, x) for y in range(0, rows * down, down) for x in range(0, columns * across, across)]
            return [f"Crop({x}, {y}, {x + across}, {y + down})" for y, x in corners]
        around = rng.uniform(0, MARGIN, 4) * (scene.asked.x2 - scene.asked.x1)
        x1, y1 = (max(0, int(a - b)) for a, b in zip(scene.asked[:2], around[:2], strict=True))
        ends = zip(scene.asked[2:], around[2:], (width, height), strict=True)
        x2, y2 = (min(most, int(np.ceil(a + b))) for a, b, most in ends)
        return [f"Zoom({x1}, {y1}, {x2}, {y2}, 2)" if rng.integers(2) else f"Crop({x1}, {y1}, {x2}, {y2})"]


def _parts(height: int, width: int) -> tuple[int, int]:
    """Rows and columns in which a picture of this size, in px, is cut into boxes that may be asked for.

    They are its quarters, or parts along its long side where quarters are too long or too small.
    """
    short, long = sorted((height // 2, width // 2))
    if short >= LEAST_BOX_PX and long <= MOST_ASPECT * short:
        return 2, 2
    count = max(2, -(-max(height, width) // (MOST_ASPECT * min(height, width))))
    return (count, 1) if height > width else (1, count)


def _in_sheet(question: Question, asked: Box) -> Answer | Gold:
    """The right answer; boxes in px of the sheet as it is shown, in which the asked picture is `asked`."""
    answer = question.answer
    if not isinstance(answer, Gold) or answer.kind != "boxes":
        return answer
    height, width = question.pictures[0].shape[:2]
    scale = (asked.x2 - asked.x1) / width, (asked.y2 - asked.y1) / height
    return dataclasses.replace(answer, value=boxes.placed(answer.value, scale, (float(asked.x1), float(asked.y1))))


def hidden_types(engine: str, *, split: str, level: int, cell_px: int, shown_px: int) -> tuple[str, ...]:
    """The question types of an engine that are legible at their size on the sheet and not as it is shown."""
    found = engines.candidates(engine, split=split, level=level, size_px=cell_px)
    return tuple(kind.name for kind in found if kind.min_size_px[level] > shown_px)
