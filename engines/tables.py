r"""Tables of problems as people keep their own: JSON lines and picture files. `python -m engines.tables --out DIR`.

One table per kind of question, for a start, for tests, and as patterns for tables of one's own:

| table | a row asks | its answer |
|---|---|---|
| number | one picture | a number |
| choice | one picture, options A, B, … in the text and in `choices` | a letter |
| boxes | one picture | JSON of one box, in pixels: `[{"bbox_2d": [x1, y1, x2, y2]}]` |
| two | two pictures, the first before and the second within the text | a word of the one that is asked about |
| text | the scene in words, no picture | a number |
| described | one picture, as a chat whose answer describes it, reasons and ends in the answer | a word or a number |

`DIR/<table>.jsonl` are scenes of the training split, `DIR/test_<table>.jsonl` those of test_a, `DIR/pictures/` what
they show. Columns: `question` with a mark `<image>` where a picture stands, `images` (paths beside the table),
`answer`, and `choices`. Of `described`: `messages` (the chat), `images`, `answer`, `facts` (all that is to be seen, in
words) and `key_words` (the things and colours among it). Equal arguments give equal bytes.
"""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from PIL import Image

import engines
from engines import ends
from engines.base import Sample, make_rng
from engines.progress import progress

MARK = "<image>"
LETTERS = "ABCDEFGH"  # as many as a pie has sectors at most
SCENES = 8  # that a row may choose from
FAR = 2**32  # from a row's scene to others that no row has
HEADINGS = (  # of a description, its reasons and its answer, in PeBR-R1's words (arXiv 2509.13031)
    "### Image Description:",
    "### Rationales:",
    "### Let's think step by step.",
    "### The final answer is:",
)
DESCRIBED = ("grid_size", "read_colour", "count_colour")  # what is asked about a grid that is described
MOST_CELLS = 6  # of such a grid, if one of the scenes is so small: a small model can say them all
LEAST_SHAPES = 4  # that words tell of: fewer are the same in many scenes


class Row(NamedTuple):
    """A row before its pictures are files."""

    question: str
    samples: tuple[Sample, ...]  # whose pictures it shows
    answer: str
    choices: tuple[str, ...] = ()
    response: str = ""  # how the answer is to be written, where that is more than the answer
    more: Mapping[str, Any] = MappingProxyType({})  # further columns

    def record(self, images: Sequence[str]) -> dict[str, Any]:
        """The row as it is written; its pictures are these files."""
        asked: dict[str, Any] = {"question": self.question}
        if self.response:
            turns = {"user": self.question, "assistant": self.response}
            asked = {"messages": [{"role": role, "content": content} for role, content in turns.items()]}
        choices = {"choices": self.choices} if self.choices else {}
        return asked | {"images": list(images), "answer": self.answer} | choices | dict(self.more)


class Asked(NamedTuple):
    """Which scene a row is about."""

    split: str
    index: int
    level: int
    size_px: int

    def sample(self, engine: str, question_type: str, more: int = 0) -> Sample:
        """A scene of a question type; `more` gives further ones for the same row."""
        place = {"split": self.split, "index": SCENES * self.index + more, "level": self.level}
        return engines.sample(engine, question_type=question_type, size_px=self.size_px, **place)


def number(asked: Asked) -> Row:
    """How many rows or columns a grid has."""
    sample = asked.sample("grid", "grid_size")
    return Row(f"{MARK}{sample.question}", (sample,), sample.answer.text())


def choice(asked: Asked) -> Row:
    """The largest or smallest sector's colour or name, out of those that there are, by letter."""
    sample = asked.sample("chart", "extreme_sector")
    names = sorted({mark.name for mark in sample.marks if mark.name in sample.answer.vocabulary})
    order = make_rng("tables", asked.split, asked.index).permutation(len(names)).tolist()
    options = tuple(names[place] for place in order)
    letters = LETTERS[: len(options)]
    written = " ".join(f"{letter}: {option}." for letter, option in zip(letters, options, strict=True))
    letter = LETTERS[options.index(sample.answer.value)]
    return Row(f"{MARK}{sample.question} {written}", (sample,), letter, options)


def boxes(asked: Asked) -> Row:
    """The box around one digit of a board, the first of some boards that holds digits."""
    boards = (asked.sample("sudoku", "count_empty", FAR * number) for number in itertools.count())
    sample = next(board for board in boards if board.scene["kind"] == "digits")
    digits = [mark for mark in sample.marks if mark.kind == "text"]
    mark = digits[int(make_rng("tables", asked.split, asked.index).integers(len(digits)))]
    row, column = _cell(mark.box, sample)
    x1, y1, x2, y2 = (round(edge) for edge in mark.box)
    answer = json.dumps([{"bbox_2d": [x1, y1, x2, y2]}])
    return Row(f"{MARK}Box of the digit in row {row}, column {column}?", (sample,), answer)


def _cell(box: tuple[float, float, float, float], sample: Sample) -> tuple[int, int]:
    """Row and column of the cell whose middle is nearest to a digit's."""
    middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2

    def distance(mark: Any) -> float:
        return (mark.box[0] - middle[0]) ** 2 + (mark.box[1] - middle[1]) ** 2

    nearest = min((mark for mark in sample.marks if mark.kind == "part"), key=distance)
    row, _, column = nearest.name.partition(",")
    return int(row), int(column)


def two(asked: Asked) -> Row:
    """The largest or smallest sector of one of two charts: its colour, or its name where the chart has a legend."""
    pair = tuple(asked.sample("chart", "extreme_sector", more) for more in (0, 1))
    wanted = int(make_rng("tables", asked.split, asked.index).integers(2))
    sample = pair[wanted]
    end = {"high": "largest", "low": "smallest"}[sample.query["end"]]
    called = {"colour": "Colour", "category": "Name"}[sample.query["by"]]
    question = f"1: {MARK} 2: {MARK} {called} of the {end} part of {wanted + 1}?"
    return Row(question, pair, sample.answer.text())


def text(asked: Asked) -> Row:
    """How many cells of two rows of a grid are empty, the rows given in words."""
    for scene in range(SCENES):
        sample = asked.sample("grid", "grid_size", scene)
        chosen = " ".join([line for line in sample.scene_text.splitlines() if line.startswith("Row ")][:2])
        if chosen.count(",") + 2 - chosen.count("empty") >= LEAST_SHAPES:
            break
    return Row(f"{chosen} How many are empty?", (), str(chosen.count("empty")))


def described(asked: Asked) -> Row:
    """A question about a small grid; the response says all that is to be seen, reasons, and answers."""
    rng = make_rng("tables", "described", asked.split, asked.index)
    question_type, tried = DESCRIBED[int(rng.integers(len(DESCRIBED)))], []
    for scene in range(SCENES):
        tried.append(asked.sample("grid", question_type, scene))
        if _cells(tried[-1]) <= MOST_CELLS:
            break
    sample = min(tried, key=_cells)
    bodies = (sample.scene_text, sample.question, f"### Step 1:\n{evidence(sample)}", sample.answer.text())
    response = "\n".join(f"{heading}\n{body}" for heading, body in zip(HEADINGS, bodies, strict=True))
    more = {"facts": sample.scene_text, "key_words": key_words(sample.scene_text)}
    return Row(f"{MARK}{sample.question}", (sample,), sample.answer.text(), response=response, more=more)


def evidence(sample: Sample) -> str:
    """What of a scene's words answers a question about it: the size, the row that is asked about, or what is counted.

    Worked example: "How many red shapes are there?" of rows "red circle, empty." and "red square, blue circle." is
    answered by "red circle, red square.", and by "none." where nothing is red.
    """
    size, *rows = sample.scene_text.splitlines()
    asked = sample.query
    if asked["ask"] == "read_colour":
        return rows[asked["row"] - 1]
    if asked["ask"] == "count_colour":
        things = (thing for row in rows for thing in row.partition(": ")[2].rstrip(".").split(", "))
        return (", ".join(thing for thing in things if thing.split()[0] == asked["colour"]) or "none") + "."
    return size


def _cells(sample: Sample) -> int:
    """How many cells the words of a grid tell of."""
    return sum(line.count(",") + 1 for line in sample.scene_text.splitlines() if line.startswith("Row "))


def key_words(scene_text: str) -> list[str]:
    """The things in the rows of a scene, each once, in alphabetical order; "empty" is no thing."""
    rows = [line.partition(": ")[2].rstrip(".") for line in scene_text.splitlines() if line.startswith("Row ")]
    return sorted({thing for row in rows for thing in row.split(", ")} - {"empty", ""})


TABLES: dict[str, Callable[[Asked], Row]] = {
    "number": number,
    "choice": choice,
    "boxes": boxes,
    "two": two,
    "text": text,
    "described": described,
}
SPLITS = {"": "train", "test_": "test_a"}


@ends.told()
def main(arguments: list[str] | None = None) -> int:
    """Write the tables; gives the exit code."""
    parser = ends.Parser(prog="python -m engines.tables", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--out", type=Path, required=True, metavar="DIR", help="folder for the tables and their pictures")
    add("--tables", default=",".join(TABLES), metavar="NAMES", help="which, comma-separated (default: all)")
    add("--rows", type=int, default=600, metavar="N", help="rows of each training table (default %(default)s)")
    add("--test-rows", type=int, default=100, metavar="N", help="rows of each test table (default %(default)s)")
    add("--level", type=int, default=0, metavar="0..9", help="difficulty (default %(default)s)")
    add("--size-px", type=int, default=112, metavar="N", help="side of the pictures (default %(default)s)")
    options = parser.parse_args(arguments)
    for name, value, holds, rule in (
        ("--rows", options.rows, options.rows >= 1, "must be >= 1"),
        ("--test-rows", options.test_rows, options.test_rows >= 1, "must be >= 1"),
        ("--level", options.level, 0 <= options.level <= 9, "must be within 0..9"),
        ("--size-px", options.size_px, options.size_px >= 112, "must be >= 112: else not all is legible"),
    ):
        if not holds:
            parser.error(f"{name} {rule}, got {value}")
    names = [name for name in TABLES if name in options.tables.split(",")]
    if set(names) != set(options.tables.split(",")):
        parser.error(f"--tables must be of {', '.join(TABLES)}, got {options.tables!r}")
    (options.out / "pictures").mkdir(parents=True, exist_ok=True)
    counts = {"": options.rows, "test_": options.test_rows}
    with progress("rows", sum(counts.values()) * len(names)) as advance:
        for name in names:
            for prefix, count in counts.items():
                asked = [Asked(SPLITS[prefix], index, options.level, options.size_px) for index in range(count)]
                write(options.out, f"{prefix}{name}", (TABLES[name], asked), advance)
    print(f"{options.out}: {', '.join(f'{prefix}{name}.jsonl' for prefix in counts for name in names)}")
    return ends.DONE


def write(
    out: Path, name: str, made: tuple[Callable[[Asked], Row], list[Asked]], advance: Callable[[int], None]
) -> None:
    """Write one table and its pictures: the table comes last, so it is whole or absent."""
    lines = []
    for number, asked in enumerate(made[1]):
        row = made[0](asked)
        images = []
        for place, sample in enumerate(row.samples):
            images.append(f"pictures/{name}_{number:06d}_{place}.png")
            Image.fromarray(sample.image).save(out / images[-1])
        lines.append(json.dumps(row.record(images)))
        advance(1)
    part = out / f"{name}.jsonl.part"
    part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    part.replace(out / f"{name}.jsonl")


if __name__ == "__main__":
    raise SystemExit(main())
