"""The sheet: what is shown lies there, at the scale that is said; nothing can be read without looking closer."""

import itertools
import re

import numpy as np
import pytest

import engines
from perc_jax.environments.base import Move, Question
from perc_jax.environments.detail import hidden_types
from perc_jax.environments.views import Box, Viewer
from perc_jax.rewards.answers import Gold
from tests.environments.cases import environment, picture, question

SHEET = {"name": "inspect", "side": 3, "view_px": 224, "image_px": 196}


def test_each_picture_lies_on_the_sheet_once_and_the_asked_one_where_the_words_say():
    played = environment(**SHEET)
    for seed in range(10):
        asked = question(seed, 9, 196, 196)
        state = played.start(asked)
        cells = [
            state.scene.sheet[200 * row : 200 * row + 196, 200 * column : 200 * column + 196]
            for row in range(3)
            for column in range(3)
        ]
        assert sorted(map(bytes, cells)) == sorted(map(bytes, asked.pictures))
        [place] = [number for number, cell in enumerate(cells) if (cell == asked.pictures[0]).all()]
        words = played.opening(state).parts[-1]
        assert f"row {place // 3 + 1}, column {place % 3 + 1}: Which number?" in words
        row, column = divmod(place, 3)
        wanted = np.array([column * 200, row * 200, column * 200 + 196, row * 200 + 196]) * 224 / 596
        assert np.allclose(state.scene.asked, wanted)


def test_a_crop_is_the_sheet_at_its_own_resolution():
    """A picture of 448 px shown at 224: a box whose double is whole patches is cut out bit by bit."""
    whole = picture(5, 448, 448)
    viewer = Viewer(28, 224)
    assert viewer.size(448, 448) == (224, 224)
    shown = viewer.detail(whole, Box(14, 28, 70, 84))
    assert (shown == whole[56:168, 28:140]).all()


def test_zoom_enlarges_as_far_as_there_is_room():
    whole, viewer = picture(5, 448, 448), Viewer(28, 224)
    box = Box(0, 0, 28, 56)
    assert [viewer.detail(whole, box, k).shape[:2] for k in (1, 1.5, 2, 8)] == [
        (112, 56),
        (168, 84),
        (224, 112),
        (224, 112),
    ]


@pytest.mark.parametrize("size", [(30, 30), (56, 2000), (3000, 200), (448, 448), (1000, 700), (57, 83)])
def test_what_is_shown_reaches_the_model_as_it_is(size):
    """Sides are whole patches within the bounds that leave a picture alone."""
    from perc_jax.prompt import image
    from tests.environments.cases import VISION

    shown = Viewer(28, 448).whole(picture(0, *size))
    assert image.fit(shown, VISION) is shown and max(shown.shape) <= 448


def test_answers_are_those_of_the_question_and_looking_is_seen():
    played = environment(**SHEET)
    for seed in range(10):
        state = played.start(question(seed, 9, 196, 196))
        blind = played.step(Move(state, f"<answer>{seed}</answer>")).outcome
        assert blind.correct and blind.parts["seen"] == 0
        assert not played.step(Move(state, f"<answer>{seed + 1}</answer>")).outcome.correct
        *_, (_, last) = played.solution(state, np.random.default_rng(seed))
        assert last.outcome.correct and last.outcome.parts["seen"] > 0.98
        whole = played.step(Move(state, "<code>Crop(0, 0, 224, 224)</code>"))
        assert whole.state.board == 0  # nothing is closer than before


def test_only_the_picture_that_is_returned_counts_as_seen():
    """A turn that looks everywhere and then at a corner is given the corner; after the last picture nothing is seen."""
    corner = "Zoom(0, 0, 20, 20, 4)"
    tiles = [f"Zoom({x}, {y}, {x + 74}, {y + 74}, 3)" for y in (0, 75, 150) for x in (0, 75, 150)]
    for seed in range(4):
        played = environment(**SHEET, pictures=1)
        state = played.start(question(seed, 9, 196, 196))
        alone = played.step(Move(state, f"<code>{corner}</code>"))
        every = played.step(Move(state, "<code>" + "\n".join([*tiles, corner]) + "</code>"))
        assert len(every.outcome.pictures) == 1 and every.state.board == alone.state.board < 0.2
        last_first = played.step(Move(state, "<code>" + "\n".join([corner, *tiles]) + "</code>"))
        last_alone = played.step(Move(state, f"<code>{tiles[-1]}</code>"))
        assert last_first.state.board == last_alone.state.board
        none_left = played.step(Move(alone.state, "<code>" + "\n".join(tiles) + "</code>"))
        assert not none_left.outcome.pictures and none_left.state.board == alone.state.board
        ending = played.step(Move(none_left.state, f"<answer>{seed}</answer>")).outcome
        assert ending.correct and ending.parts["seen"] == alone.state.board


def test_a_table_s_picture_is_a_sheet_of_its_own():
    played = environment(name="inspect", side=1, view_px=224)
    asked = Question("row", (picture(1, 900, 1200),), "What colour?", Gold("text", "red"))
    state = played.start(asked)
    assert played.opening(state).pictures[0].shape == (168, 224, 3)
    step = played.step(Move(state, "<code>Crop(0, 0, 28, 28)</code>"))
    assert step.outcome.pictures[0].shape == (140, 140, 3)  # 150 px of the picture's own
    assert played.step(Move(step.state, "<answer>Red</answer>")).outcome.correct


@pytest.mark.parametrize("size", [(900, 1200), (100, 2000), (2000, 100), (56, 448), (84, 700), (1008, 112)])
def test_a_solution_looks_at_all_of_a_picture_by_boxes_that_may_be_asked_for(size):
    played = environment(name="inspect", side=1, view_px=1008, shapes=((128, 0), (2000, 6000)))
    state = played.start(Question("row", (picture(1, *size),), "What colour?", Gold("text", "red")))
    *looks, (_, last) = played.solution(state, np.random.default_rng(0))
    assert 2 <= len(looks) <= 4 and all(step.outcome.pictures for _, step in looks)
    assert last.outcome.correct and last.outcome.well_formed and "arguments" not in last.outcome.counts
    height, width = played.opening(state).pictures[0].shape[:2]
    boxes = [Box(*map(int, re.findall(r"\d+", said))) for said, _ in looks]
    assert sum(box.area for box in boxes) > 0.99 * height * width
    assert not any(one.shared(other) for one, other in itertools.combinations(boxes, 2))


@pytest.mark.parametrize("name", ["chart", "grid"])
def test_hidden_types_are_legible_in_the_detail_only(name):
    for level in range(10):
        kinds = {kind.name: kind.min_size_px[level] for kind in engines.ENGINES[name].types if not kind.held_out}
        found = hidden_types(name, split="train", level=level, cell_px=392, shown_px=168)
        assert set(found) == {kind for kind, least in kinds.items() if 168 < least <= 392}


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("Crop(0, 0, 225, 100)", "within 0, 0, 224, 224"),
        ("Crop(-1, 0, 20, 20)", "within"),
        ("Crop(50, 50, 20, 80)", "within"),
        ("Crop(0, 0, 4, 4)", "at least 8 px"),
        ("Crop(0, 0, 200, 20)", "8 times"),
        ("Zoom(0, 0, 20, 20, 9)", "k must be within 1 and 8"),
        ("Zoom(0, 0, 20, 20, 0.5)", "k must be within 1 and 8"),
    ],
)
def test_boxes_that_are_none_are_met_with_words(code, words):
    played = environment(**SHEET)
    step = played.step(Move(played.start(question(0, 9, 196, 196)), f"<code>{code}</code>"))
    assert words in step.outcome.parts[0] and not step.outcome.pictures and step.state.met == ("arguments",)


def test_what_cannot_be_asked_is_refused():
    played = environment(**SHEET)
    with pytest.raises(ValueError, match="test/0 must have 9 pictures for its sheet, got 4"):
        played.start(question(0, 4, 196, 196))
    with pytest.raises(ValueError, match="test/0 must have an answer other than a formula"):
        played.start(question(0, 9, 196, 196)._replace(answer=Gold("math", "x^2")))
