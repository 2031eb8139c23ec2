"""The gallery: one page that needs nothing else, with every type at every level that is legible."""

import base64
import html
import io
import re

import numpy as np
import pytest
from PIL import Image

import engines
from engines.gallery.__main__ import main
from engines.gallery.page import Choice, page, shown

CHOICE = Choice(("grid", "function"), (0, 9), 1, 224)


@pytest.fixture(scope="module")
def sheet():
    return page(CHOICE)


def pictures(text, view):
    found = re.findall(rf"<img class={view} [^>]*src='data:image/webp;base64,([^']+)'", text)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data in found]


def test_every_type_is_there_and_illegible_levels_are_not(sheet):
    names = [(engine.name, kind.name, level) for engine, kind, level, _ in shown(CHOICE)]
    kinds = {(name, kind.name) for name in CHOICE.engines for kind in engines.ENGINES[name].types}
    assert len(names) < 2 * len(kinds) or all(k.min_size_px[9] <= 224 for k in engines.ENGINES["grid"].types)
    for name, kind in kinds:
        assert f"id='{name}.{kind}'" in sheet and f"href='#{name}.{kind}'" in sheet
    assert sheet.count("<div class=card ") == len(names) and "id=cube" not in sheet
    assert sheet.count("class=badge") == sum(kind.held_out for n in CHOICE.engines for kind in engines.ENGINES[n].types)


def test_clean_pictures_are_kept_exactly_and_photographs_stand_beside_them(sheet):
    clean, photo = pictures(sheet, "clean"), pictures(sheet, "photo")
    assert len(clean) == len(photo) == len(list(shown(CHOICE)))
    engine, kind, level, index = next(shown(CHOICE))
    name = {"split": "train", "index": index, "level": level, "question_type": kind.name, "size_px": 224}
    sample = engines.sample(engine.name, **name)
    assert (clean[0] == sample.image).all()
    taken = engines.sample(engine.name, **name, photo=True).image
    assert abs(photo[0].astype(int) - taken).mean() < 6 < abs(photo[0].astype(int) - clean[0]).mean()


def test_a_card_tells_question_gold_guess_scene_facts_and_name(sheet):
    engine, kind, level, index = next(shown(CHOICE))
    name = {"split": "train", "index": index, "level": level, "question_type": kind.name, "size_px": 224}
    sample = engines.sample(engine.name, **name)
    card = sheet.split("<div class=card ")[1]
    for text in (sample.question, sample.answer.text(), sample.scene_text, *(fact.question for fact in sample.facts)):
        assert html.escape(text) in card
    call = html.unescape(re.findall(r"<code>(engines\.sample.*?)</code>", card)[0])
    assert eval(call, {"engines": engines}).question == sample.question


def test_the_page_needs_nothing_from_elsewhere(sheet):
    text = re.sub(r"base64,[^']+'", "", sheet)
    assert "http" not in text and "<link" not in text and "<script src" not in text and "url(" not in text


def test_what_is_written_in_a_scene_cannot_break_the_page(monkeypatch):
    sample = engines.sample("grid", split="train", index=0, level=0, size_px=112)
    hostile = sample.__class__(**{**vars(sample), "question": "<script>alert(1)</script>", "scene_text": "a < b & c"})
    monkeypatch.setattr(engines, "sample", lambda *_, **__: hostile)
    text = page(Choice(("grid",), (0,), 1, 112))
    assert "<script>alert" not in text and "a &lt; b &amp; c" in text


def test_the_command_writes_the_page_and_small_pictures(tmp_path, capsys):
    out = tmp_path / "sheet"
    given = ["--out", str(out), "--engines", "grid", "--levels", "0", "--size-px", "112"]
    assert main(given) == 0 and "<h2>Grid</h2>" in (out / "gallery.html").read_text()
    assert main(["--out", str(out), "--pictures"]) == 0
    sizes = [(out / f"{name}.png").stat().st_size for name in engines.ENGINES]
    with Image.open(out / "grid.png") as picture:
        assert sum(sizes) < 200_000 and picture.size == (224, 224)
    capsys.readouterr()
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as stop:
        main(["--out", str(tmp_path / "file" / "sheet")])
    assert stop.value.code == 2
    assert "--out must be a folder that can be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--engines", "maze"], "must be categories (grid"),
        (["--levels", "0,12"], "within 0..9"),
        (["--size-px", "0"], "whole number > 0"),
    ],
)
def test_a_wrong_argument_gives_one_clear_line(arguments, words, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--out", str(tmp_path), *arguments])
    assert stop.value.code == 2 and words in capsys.readouterr().err
