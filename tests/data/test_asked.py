"""How else a question may be asked: about several scenes, or for a point in the picture."""

import dataclasses

import numpy as np
import pytest

import engines
from perc_jax.config import MixtureConfig, TableConfig
from perc_jax.data.streams import of_suite, stream
from tests.data.test_batches import STAGE, config, suite


@pytest.mark.parametrize("name", ["test_a", "test_b", "test_d"])
def test_a_question_may_be_asked_about_several_scenes(name):
    with suite(config(), name, 4) as batches:
        alone = [info for batch in batches for info in batch.samples]
    with suite(config(), name, 12, scenes=3) as batches:
        found = [info for batch in batches for info in batch.samples]
    assert [info.sample_id for info in found[::3]] == [info.sample_id for info in alone]
    for first, *others in (found[place : place + 3] for place in range(0, 12, 3)):
        sample = engines.sample(
            first.engine,
            split=name,
            index=first.index,
            level=first.level,
            question_type=first.question_type,
            size_px=config().data.image_px,
            photo=first.photographed,
        )
        for info, variant in zip(others, engines.variants(sample, 2), strict=True):
            assert (info.question, info.answer) == (variant.question, variant.answer)
            assert info.sample_id == f"{first.sample_id}+{variant.variant}"


def test_a_share_of_the_questions_is_asked_for_a_point():
    plain = MixtureConfig(engines=("chart",), weights=(1.0,), types=("chart.extreme_sector",))
    found = {}
    for share in (0.0, 0.5):
        mixture = dataclasses.replace(plain, levels=STAGE.mixture.levels, pointing=share)
        stage = dataclasses.replace(STAGE, steps=8, mixture=mixture)
        with stream(config(stage=stage, max_prompt_tokens=96, buckets=()), stage) as batches:
            found[share] = [info for batch in batches for info in batch.samples]
    asked = [info.answer.kind == "point" for info in found[0.5]]
    assert len(asked) >= 16 and 0.2 < np.mean(asked) < 0.8
    for info, other, is_point in zip(found[0.5], found[0.0], asked, strict=True):
        assert info.sample_id == other.sample_id and (info.answer != other.answer) == is_point


def test_a_suite_asks_for_points_as_often_as_the_stages_that_ask_about_scenes():
    """A stage of tables draws none of its samples, so that it counts in nothing."""

    def share(*stages):
        return of_suite(dataclasses.replace(config(), stages=stages), "test_a", 8).rows.pointing

    table = MixtureConfig(engines=(), weights=(), tables=(TableConfig("rows.jsonl"),))
    of_table = dataclasses.replace(STAGE, name="words", mixture=table)
    chart = MixtureConfig(engines=("chart",), weights=(1.0,), levels=STAGE.mixture.levels)
    some, all_of_them = (
        dataclasses.replace(STAGE, name=name, mixture=dataclasses.replace(chart, pointing=pointing))
        for name, pointing in (("some", 0.5), ("all", 1.0))
    )
    assert share(all_of_them) == share(of_table, all_of_them) == 1
    assert share(some, all_of_them) == share(some, of_table, all_of_them) == 0.75
