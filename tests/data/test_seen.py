"""Boxes of tables are where the model sees them: compared with where they are in the prompt's own pixels."""

import dataclasses
import io
import json

import numpy as np
import pytest
from PIL import Image

from perc_jax import inspect
from perc_jax.config import EnvironmentConfig, TableConfig
from perc_jax.data import doctor, table_prompts
from perc_jax.data.table_prompts import Lesson
from perc_jax.data.tabled import Tabled
from perc_jax.environments.make import make
from perc_jax.evaluation.table_exam import TableExam
from perc_jax.prompt.image import smart_resize, unpatchify
from perc_jax.prompt.pretrained import Processor
from perc_jax.prompt.questions import Reader, rows
from perc_jax.prompt.tokenizer import load
from perc_jax.rewards import boxes, forms
from tests.data.test_tabled import config_of
from tests.run.test_rewarded import Here

PIXELS = ("pixels", "patch_rowcol", "patch_image")
ROTATED = 6  # EXIF: the picture is shown turned by a quarter
BOX = (150, 90, 420, 330)  # of the upright picture
SIZES = {"smaller": (600, 450), "turned": (450, 600), "as it is": (224, 168), "larger": (40, 40)}
BOXES = {"smaller": BOX, "turned": (90, 150, 330, 420), "as it is": (28, 42, 140, 112), "larger": (4, 8, 24, 32)}


def stored(kind: str) -> bytes:
    """A black picture whose box is white, by its last pixels; `turned` lies on its side in the file."""
    width, height = SIZES[kind]
    pixels = np.zeros((height, width, 3), np.uint8)
    x1, y1, x2, y2 = BOXES[kind]
    pixels[y1:y2, x1:x2] = 255
    out, exif = io.BytesIO(), Image.Exif()
    if kind == "turned":
        pixels, exif[274] = np.rot90(pixels), ROTATED
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "PNG", exif=exif)
    return out.getvalue()


def white(picture: np.ndarray) -> tuple[int, int, int, int]:
    """The box of what is white in a picture, ends exclusive."""
    rows, columns = (np.flatnonzero((picture[..., 0] > 127).any(axis=axis)) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def config(table: TableConfig, **bounds: int):
    whole = config_of(table)
    bounds = {"min_pixels": 100 * 100, "max_pixels": 224 * 224, "max_patches": 512, "max_prompt_tokens": 512} | bounds
    return dataclasses.replace(whole, data=dataclasses.replace(whole.data, **bounds, answer_form="think_answer"))


def written(folder, kinds, said="", **fields) -> TableConfig:
    """A table of one row with pictures, whose answer is the box of the first."""
    for kind in kinds:
        (folder / f"{kind}.png").write_bytes(stored(kind))
    x1, y1, x2, y2 = BOXES[kinds[0]]
    answer = json.dumps([{"bbox_2d": [x1, y1, x2, y2], "point_2d": [(x1 + x2) // 2, (y1 + y2) / 2], "label": "[1,2]"}])
    row = {"question": "Where?", "images": [f"{kind}.png" for kind in kinds], "answer": answer}
    row |= {"completion": f"<think>It is there.</think><answer>{answer}</answer>"} if said else {}
    (folder / f"{said}t.jsonl").write_text(json.dumps(row) + "\n")
    return TableConfig(str(folder / f"{said}t.jsonl"), completion="completion" if said else "", **fields)


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("named", ["auto", "boxes"])
def test_the_right_boxes_lie_where_the_model_sees_them(tmp_path, kind, named):
    """In rewards, in supervised steps, in exams, in the doctor's pages: at the white pixels of the prompt."""
    table = written(tmp_path, [kind], kind=named)
    taught = config(written(tmp_path, [kind], said="said", kind=named))
    plain = config(table)
    lesson = Lesson(512, all_turns=False)
    row = Tabled(plain, table, ("x",), in_order=True).row(0)
    look = unpatchify(*(getattr(row.prompt, name)[0] for name in PIXELS), plain.model.vision)
    [found] = boxes.parse(row.info.answer.value)
    assert found.box == pytest.approx(white(look), abs=1)
    middle = (found.box[0] + found.box[2]) / 2, (found.box[1] + found.box[3]) / 2
    assert found.point == pytest.approx(middle, abs=1)
    text = row.info.answer.text()
    learned = Tabled(taught, taught.stages[0].mixture.tables[0], ("x",), lesson, in_order=True).row(0).gold
    tokens = load(plain.data.tokenizer)
    assert forms.read(tokens.decode(learned.tokens[learned.mask].tolist()), forms.Form("think_answer")) == text
    pixels = Processor(plain.data.min_pixels, plain.data.max_pixels)
    exam = TableExam(plain, table, Reader(tokens, plain.model.vision, pixels, 512), Here())
    assert [exam.gold(question.id) for question in exam.questions if not question.why_not] == [text]
    looked = {table: doctor.look(plain, table, [0])}
    assert [page.gold for page in inspect._seen(plain, {table: table.label}, looked)] == [text]
    if kind == "as it is":
        stored_row = table_prompts.opened(table)[0]
        assert stored_row.answer == text and row.info.answer == table_prompts.gold_of(
            table_prompts.opened(table), 0, stored_row
        )


@pytest.mark.parametrize("area", [200_704, 50_176, 100_000])
@pytest.mark.parametrize("kind", ["smaller", "turned", "larger"])
def test_with_narrow_bounds_training_measuring_and_exams_see_one_picture(tmp_path, kind, area):
    """A picture that was fitted once more would be another one (364 x 504 px would become 392 x 532)."""
    table = written(tmp_path, [kind])
    whole = config(table, min_pixels=area, max_pixels=area, max_patches=2048, max_prompt_tokens=1024)
    row = Tabled(whole, table, ("x",), in_order=True).row(0)
    look = unpatchify(*(getattr(row.prompt, name)[0] for name in PIXELS), whole.model.vision)
    width, height = SIZES[kind]
    assert look.shape[:2] == smart_resize(height, width, 28, area, area)
    [found] = boxes.parse(row.info.answer.value)
    assert found.box == pytest.approx(white(look), abs=1)
    [looked] = doctor.look(whole, table, [0])
    assert looked.tokens == row.prompt.mask.sum() and looked.wrong == ""
    pixels = Processor(area, area)
    reader = Reader(load(whole.data.tokenizer), whole.model.vision, pixels, 1024)
    exam = TableExam(whole, table, reader, Here())
    asked = rows(exam.questions, reader)
    shown = unpatchify(*(getattr(asked, name)[0] for name in PIXELS), whole.model.vision)
    assert (shown == look).all() and asked.mask.sum() == row.prompt.mask.sum()
    assert [exam.gold(question.id) for question in exam.questions] == [row.info.answer.text()]


@pytest.mark.parametrize("side", [1, 2])
@pytest.mark.parametrize("kind", SIZES)
def test_on_a_sheet_they_lie_where_the_sheet_shows_them(tmp_path, kind, side):
    others = [kind, *("as it is",) * (side**2 - 1)]
    table = written(tmp_path, others)
    whole = config(table)
    played = make(EnvironmentConfig("inspect", side=side, view_px=448), whole.data, whole.model.vision)
    question, _ = Tabled(whole, table, ("x",), in_order=True).question(0, 0)
    blank = tuple(np.zeros_like(picture) for picture in question.pictures[1:])
    state = played.start(question._replace(pictures=(question.pictures[0], *blank)))
    [sheet] = played.opening(state).pictures
    sheet = np.where(sheet == 176, 0, sheet)  # the lines between pictures
    x1, y1, x2, y2 = (round(side) for side in state.scene.asked)
    found, [gold] = white(sheet[y1:y2, x1:x2]), boxes.parse(played.game.gold(state.scene).value)
    assert gold.box == pytest.approx((found[0] + x1, found[1] + y1, found[2] + x1, found[3] + y1), abs=2)


def test_boxes_of_several_pictures_are_of_one_scale_or_refused(tmp_path):
    table = written(tmp_path, ["smaller", "as it is"])
    line = r"t\.jsonl line 1: column answer: boxes must be of one picture, .* got scales of 0\.42 x 0\.373, 1 x 1$"
    with pytest.raises(ValueError, match=line):
        Tabled(config(table), table, ("x",), in_order=True, is_whole=True).row(0)
    assert "must be of one picture" in doctor.look(config(table), table, [0])[0].wrong
    for kind in ("smaller", "as it is"):
        (tmp_path / kind).mkdir()
        alike, alone = (written(tmp_path / kind, [kind] * count, said="x" * count) for count in (2, 1))
        rows = [Tabled(config(one), one, ("x",), in_order=True).row(0) for one in (alike, alone)]
        assert rows[0].info.answer == rows[1].info.answer
