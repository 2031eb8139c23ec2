"""What a stage's completions talk with: an environment of several turns whose tools return pictures."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from perc_jax.config.data import DataConfig, MixtureConfig
from perc_jax.config.model import VisionConfig
from perc_jax.config.rules import Sound, Violation, at_least, each, filled, unless, within

ENDINGS = {  # the parts of each environment's ending that a reward's term `ending` may name
    "jigsaw": ("in_place", "steps"),
    "inspect": ("seen", "steps"),
}
FORMS = ("strict", "answer", "think_answer")  # of answers that can be told from calls
MOST_TURNS = 32


@dataclass(frozen=True)
class EnvironmentConfig:
    """An environment and its bounds; see `perc_jax/environments`."""

    # none: a completion is one turn. jigsaw: the pieces of a picture are to be put in order. inspect: a sheet of
    # pictures is to be looked at in detail.
    name: Literal["none", "jigsaw", "inspect"] = "none"
    turns: Annotated[int, within(1, MOST_TURNS)] = 5  # of the model; the last must be its answer
    turn_tokens: Annotated[int, at_least(2)] = 2048  # of a turn, its end mark counted
    pictures: Annotated[int, within(0, MOST_TURNS)] = 5  # that a conversation returns; then there are words alone
    # Shapes (tokens, patch slots) of what is returned, ascending, for which programs are compiled: words alone, words
    # with a picture.
    shapes: Annotated[tuple[tuple[int, int], ...], filled, each(each(at_least(0)))] = ((128, 0), (512, 1024))
    # jigsaw: pieces along a side. inspect: pictures along a side of the sheet, each of data.image_px.
    side: Annotated[int, within(1, 5)] = 2
    rotation: bool = False  # jigsaw: pieces may be turned by quarters too
    # Whether the first turn says what may be called and how an answer looks; False: to models that have learned it.
    explains: bool = True
    view_px: Annotated[int, within(28, 2048)] = 448  # longest side of what is shown

    @property
    def patches(self) -> int:
        """Patch slots of all pictures that one conversation returns."""
        return self.pictures * self.shapes[-1][1]

    @property
    def parts(self) -> tuple[str, ...]:
        """What its endings have, that a reward may name."""
        return ENDINGS.get(self.name, ())

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        if sound("shapes"):
            rises = all(a[0] < b[0] and a[1] < b[1] for a, b in itertools.pairwise(self.shapes))
            rule = "must be pairs of tokens and patches, ascending in both, with tokens > 0"
            yield from unless(rises and self.shapes[0][0] > 0, "shapes", rule, self.shapes)
        if sound("name", "side"):
            rule = "must be >= 2 for jigsaw"
            yield from unless(self.name != "jigsaw" or self.side > 1, "side", rule, self.side)
        if sound("name", "rotation"):
            rule = f"must be False for {self.name}"
            yield from unless(self.name == "jigsaw" or not self.rotation, "rotation", rule, self.rotation)

    def of_run(self, path: str, data: DataConfig, vision: VisionConfig) -> Iterator[Violation]:
        """Whether it fits a run's prompts and model; `path` is its own."""
        rule = f"must be one of {', '.join(FORMS)} for {path}, whose calls could not be told from answers"
        yield from unless(data.answer_form in FORMS, "data.answer_form", rule, data.answer_form)
        unit, windows = vision.merged_px, -(-self.view_px // vision.window_size)
        patches, tokens = windows**2 * vision.window_patches, (self.view_px // unit) ** 2
        rule = f"must be >= {2 * unit}, two merged patches"
        yield from unless(self.view_px >= 2 * unit, f"{path}.view_px", rule, self.view_px)
        if self.name == "inspect":
            sheet_px, rule = self.side * data.image_px, "must be below the {} of the sheet, or nothing is hidden"
            yield from unless(self.view_px < sheet_px, f"{path}.view_px", rule.format(sheet_px), self.view_px)
        holds = f"must hold the {patches} of a picture of {path}.view_px = {self.view_px}"
        yield from unless(data.max_patches >= patches, "data.max_patches", holds, data.max_patches)
        if self.pictures:
            most, slots = self.shapes[-1]
            rule = f"must end in more than {tokens} tokens and at least {patches} patches, those of a picture shown"
            yield from unless(most > tokens and slots >= patches, f"{path}.shapes", rule, self.shapes)
        whole = all(slots % vision.window_patches == 0 for _, slots in self.shapes)
        rule = f"must have patches that are each a multiple of {vision.window_patches}"
        yield from unless(whole, f"{path}.shapes", rule, self.shapes)
        least, largest = (2 * unit) ** 2, self.view_px**2
        rule = f"must be <= {least}, the smallest picture of {path}"
        yield from unless(data.min_pixels <= least, "data.min_pixels", rule, data.min_pixels)
        rule = f"must be >= {largest}, the largest picture of {path}"
        yield from unless(data.max_pixels >= largest, "data.max_pixels", rule, data.max_pixels)

    def of_mixture(self, path: str, mixture: MixtureConfig) -> Iterator[Violation]:
        """Whether it can be played with what a stage draws; `path` is the stage's."""
        kind, rule = mixture.difficulty, "must be all with an environment: graded questions were asked without"
        yield from unless(kind == "all", f"{path}.mixture.difficulty", rule, kind)
        if self.name == "inspect" and self.side > 1:
            labels = [table.label for table in mixture.tables]
            rule = "must be empty for inspect with side > 1: a sheet is made of engines' pictures"
            yield from unless(not labels, f"{path}.mixture.tables", rule, labels)
        kind, rule = mixture.curriculum.kind, "must be none with an environment, whose questions are others"
        yield from unless(kind == "none", f"{path}.mixture.curriculum.kind", rule, kind)
        rule = "must be 0 with an environment, which shows pictures of its own"
        yield from unless(not mixture.pointing, f"{path}.mixture.pointing", rule, mixture.pointing)
        rule = "must be 0 for inspect: what is legible is measured without"
        photos = mixture.photo_share
        yield from unless(self.name != "inspect" or not photos, f"{path}.mixture.photo_share", rule, photos)
