"""What stands before gold answers: maps in codes, boxes in places, how often alone; other scenes as the control."""

import dataclasses
import re

import numpy as np
import pytest

import engines
from configs import tokens_cpu
from engines.maps import maps
from perc_jax.config import AuxiliaryConfig, CodesConfig, MixtureConfig
from perc_jax.data import auxiliary, streams
from perc_jax.data.mixed import Drawn
from perc_jax.prompt import codebook, tokenizer
from perc_jax.rewards.codes import read, right

STEPS, PROMPTS = 40, 8
CODES = tokens_cpu.get_config().codes
BOTH = dataclasses.replace(CODES, places=28)


def learning(before="map", alone=(0.0, 0.0), shuffled=False, codes=BOTH, **mixture):
    """A stage of few steps on the engine of depth."""
    config = tokens_cpu.get_config()
    given = {"engines": ("depth",), "weights": (1.0,), "levels": (0,)} | mixture
    stage = dataclasses.replace(
        config.stages[1],
        steps=STEPS,
        prompts_per_step=PROMPTS,
        mixture=MixtureConfig(**given),
        auxiliary=AuxiliaryConfig(before, alone=alone, shuffled=shuffled),
        max_tokens=96,
    )
    text = dataclasses.replace(config.model.text, vocab_size=2048)
    data = dataclasses.replace(config.data, instruction="Look.", max_prompt_tokens=96, workers=0)
    return dataclasses.replace(
        config, codes=codes, stages=(stage,), data=data, model=dataclasses.replace(config.model, text=text)
    )


def drawn(config):
    """The rows of a stage by position."""
    [stage] = config.stages
    return streams._source(config, stage, None, Drawn(streams.weights_of(stage.mixture)))


def lessons(config, positions):
    """What is asked, what is learned, and what is kept, position by position."""
    words = tokenizer.of(config)
    for position in positions:
        row = drawn(config).row(position)
        yield (
            words.decode(row.prompt.tokens[0][row.prompt.mask[0]].tolist()),
            words.decode(row.gold.tokens[row.gold.mask].tolist()),
            row.info,
        )


def test_an_answer_is_preceded_by_the_codes_of_its_own_exact_map():
    book = codebook.of(CODES)
    for _, said, info in lessons(learning(), range(6)):
        exact = maps(engines.sample(**_name(info)))["depth"]
        assert read(said) == tuple(book.codes(exact).tolist())
        assert said.startswith(CODES.start) and said.endswith(rf"\boxed{{{info.answer.text()}}}</answer>")
        assert right(said, info.row["map"]) == 1


def _name(info):
    return {
        "name": info.engine,
        "split": info.split,
        "index": info.index,
        "level": info.level,
        "question_type": info.question_type,
        "size_px": 112,
        "photo": info.photographed,
    }


def test_boxes_hold_what_the_marks_hold():
    for _, said, info in lessons(learning("boxes"), range(6)):
        sample = engines.sample(**_name(info))
        lines = said.partition("<answer>")[0].split("\n")
        parts = sorted((mark.box, mark.name) for mark in sample.marks if mark.kind == "part")
        assert len(lines) == len(parts) > 0
        for line, (box, name) in zip(lines, parts, strict=True):
            assert line.startswith(f"{name} <PIXEL_")
            low = np.array([4 * int(place) for place in re.findall(r"<PIXEL_(\d+)>", line)])  # of 28 parts of 112 px
            assert (low <= np.array(box) + 1e-6).all() and (np.array(box) < low + 4 + 1e-6).all()


def test_a_place_beyond_the_picture_is_its_edge():
    assert auxiliary._place(-3.0, 112, 28) == "<PIXEL_0>" and auxiliary._place(112.0, 112, 28) == "<PIXEL_27>"


def test_the_share_alone_anneals_and_the_question_says_which():
    config = learning(alone=(1.0, 0.0))
    seen = set()
    for asked, said, info in lessons(config, range(0, STEPS * PROMPTS, 20)):
        is_alone = "Write the depth map of the picture." in asked
        assert is_alone == (info.question not in asked) == ("<answer>" not in said)
        assert ("Look." in asked) != is_alone and read(said) is not None
        seen.add(is_alone)
    assert seen == {True, False}
    alone = [drawn(config)._is_alone(position) for position in range(STEPS * PROMPTS)]
    assert alone[0] and not alone[-1]
    quarters = [np.mean(part) for part in np.array_split(alone, 4)]
    np.testing.assert_allclose(quarters, [0.875, 0.625, 0.375, 0.125], atol=0.15)


def test_the_control_has_maps_of_other_scenes_and_all_else_alike():
    plain, mixed = (list(lessons(learning(shuffled=shuffled), range(12))) for shuffled in (False, True))
    for (asked, said, info), (other, told, same) in zip(plain, mixed, strict=True):
        assert (asked, info.sample_id, info.row["map"]) == (other, same.sample_id, same.row["map"])
        assert said.partition("<answer>")[2] == told.partition("<answer>")[2]
    shares = [right(told, info.row["map"]) for _, told, info in mixed]
    assert np.mean(shares) < 0.8 and all(right(said, info.row["map"]) == 1 for _, said, info in plain)


def test_a_sample_without_a_map_is_learned_as_it_is():
    config = learning(alone=(1.0, 1.0), engines=("sudoku",), types=("sudoku.count_empty",))
    for asked, said, info in lessons(config, range(3)):
        assert info.question in asked and said == rf"<answer>\boxed{{{info.answer.text()}}}</answer>"
        assert info.row["map"] == ""


def test_rows_are_pure_functions_of_their_position():
    config = learning(alone=(0.5, 0.5), shuffled=True)
    first, again = (list(lessons(config, order)) for order in (range(6), reversed(range(6))))
    assert [one[:2] for one in first] == [one[:2] for one in reversed(again)]


def test_a_suite_knows_the_maps_and_writes_nothing():
    batch = streams.of_suite(learning(), "test_a", 128)[0]
    assert batch.gold_tokens is None and all(read(info.row["map"]) for info in batch.samples)


@pytest.mark.parametrize("field", ["map", "codebook"])
def test_a_codebook_of_another_kind_is_refused(field):
    other = {"map": "segments", "codebook": dataclasses.replace(CODES.codebook, codes=64)}[field]
    codes = dataclasses.replace(CODES, **{field: other})
    with pytest.raises(ValueError, match=rf"codes\.{field}.* must be that of codes.folder"):
        codebook.of(codes)
    assert isinstance(codes, CodesConfig)
