"""Further questions about any picture of tiles: how many cells are filled, how often something is folded."""

import numpy as np

from engines.answer import Answer
from engines.base import Fact
from engines.style import COLOURS
from engines.tiles.questions.cells import pick
from engines.tiles.scene import LETTERS, Paper, Pattern, Scene, Sheet


def _filled(pattern: Pattern, colour: int = 0) -> int:
    """Cells of one colour, or of any."""
    return sum(cell == colour if colour else cell > 0 for row in pattern for cell in row)


def facts(scene: Scene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions about a scene."""
    return _paper(scene, rng) if isinstance(scene, Paper) else _sheet(scene, rng)


def _sheet(scene: Sheet, rng: np.random.Generator) -> tuple[Fact, ...]:
    place = int(rng.integers(len(scene.options)))
    letter, option = LETTERS[place], scene.options[place]
    counts = [_filled(option) for option in scene.options]
    is_corner = scene.kind in ("pairs", "matrix", "dots", "join")
    first = "the pattern in the top left corner" if is_corner else "the picture at the top"
    what = "dots" if scene.kind == "dots" else "filled cells"
    found = [
        Fact("How many pictures have a letter?", Answer.integer(len(scene.options))),
        Fact(f"How many {what} does picture {letter} have?", Answer.integer(counts[place])),
        Fact(f"How many {what} does {first} have?", Answer.integer(_filled(scene.given[0]))),
        Fact(f"How many {what} does the lettered picture with most of them have?", Answer.integer(max(counts))),
    ]
    if len(scene.colours) > 1:
        colour = pick(rng, range(len(scene.colours)))
        name = f"{scene.colours[colour]} {what.split()[-1]}"
        found.append(Fact(f"How many {name} does picture {letter} have?", Answer.integer(_filled(option, colour + 1))))
    else:
        found.append(Fact(f"What colour are the {what}?", Answer.word(scene.colours[0], COLOURS)))
    return tuple(found)


def _paper(scene: Paper, rng: np.random.Generator) -> tuple[Fact, ...]:
    top, left, bottom, right = scene.rest(len(scene.folds))
    found = [
        Fact("How many times is the sheet folded?", Answer.integer(len(scene.folds))),
        Fact("How many holes are punched into the folded sheet?", Answer.integer(len(scene.holes))),
        Fact("How many columns of cells does the folded sheet have?", Answer.integer(right - left)),
        Fact("How many rows of cells does the folded sheet have?", Answer.integer(bottom - top)),
    ]
    if scene.options:
        place = int(rng.integers(len(scene.options)))
        count = _filled(scene.options[place])
        found.append(Fact(f"How many holes does sheet {LETTERS[place]} have?", Answer.integer(count)))
    return tuple(found)
