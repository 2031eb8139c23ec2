"""What is measured: prompts fill their bucket, both sides read the same, and no completion can end early."""

import dataclasses

import numpy as np
import pytest

from configs import bench_100m, bench_tiny, debug_cpu
from perc_jax.bench import cases
from perc_jax.config import Config
from perc_jax.prompt import tokenizer
from tests.model.cases import hf_index, published_values


def case(config: Config, seed: int = 0) -> cases.Case:
    return cases.draw(config, config.stages[0], seed)


@pytest.mark.parametrize("prompt_tokens", [64, 100, 256, 512])
def test_prompts_have_exactly_the_bucket_s_tokens_and_at_most_half_are_pictures(prompt_tokens):
    config = cases.shaped(bench_tiny.get_config(), prompt_tokens=prompt_tokens, prompts=3)
    batch = case(config).batch
    assert batch.tokens.shape == (3, prompt_tokens) and batch.mask.all()
    at_picture = (batch.image_slots >= 0).sum(axis=1)
    assert (at_picture > 0).all() and (at_picture <= prompt_tokens / 2).all()
    assert (batch.patch_image >= 0).all() and (batch.patch_image.shape[1] == 4 * at_picture).all()


def test_a_seed_draws_the_same_prompts_and_another_one_others():
    config = cases.shaped(bench_tiny.get_config(), prompts=2)
    first, again, other = case(config), case(config), case(config, seed=1)
    assert (first.batch.tokens == again.batch.tokens).all() and first.questions == again.questions
    assert (first.batch.pixels == again.batch.pixels).all()
    assert (first.batch.tokens != other.batch.tokens).any() and (first.batch.pixels != other.batch.pixels).any()
    assert first.questions[0] != first.questions[1]


def test_the_peer_reads_the_same_ids_and_the_patches_in_its_own_order():
    config = cases.shaped(bench_100m.get_config(), prompt_tokens=300, prompts=2)
    batch = case(config).batch
    theirs = cases.for_peer(config, batch)
    assert (theirs.input_ids == batch.tokens).all()
    side = config.data.image_px // 14
    assert side % 8 == 0 and theirs.image_grid_thw.tolist() == [[1, side, side]] * 2
    pixels = theirs.pixel_values.reshape(2, side * side, -1)
    for row in range(2):
        place = hf_index(batch.patch_rowcol[row], side)
        wanted = published_values(batch.pixels[row])
        np.testing.assert_allclose(pixels[row][place], wanted, rtol=0, atol=4e-7)


def test_every_id_may_be_sampled_but_marks_and_ends():
    tokens = tokenizer.load(cases.TOKENIZER)
    ids = cases.drawn_ids(tokens, 16384)
    assert ids.vocab_size == 16384 and set(ids.forbidden) == {*tokens.ids.forbidden, *tokens.ids.ends}
    assert ids.image in ids.forbidden and tokens.vocab_size < 16384


def test_one_in_so_many_of_the_sampled_ids_ends_a_completion():
    ids = cases.drawn_ids(tokenizer.load(cases.TOKENIZER), 16384, mean_tokens=300)
    assert not {*ids.ends} & {*ids.forbidden} and len({*ids.ends}) == len(ids.ends)
    assert (16384 - len(ids.forbidden)) / len(ids.ends) == pytest.approx(300, rel=0.02)
    spread = cases.shaped(bench_tiny.get_config(), max_tokens=1024, mean_tokens=300)
    assert spread.stages[0].row_widths == (1024, 2048, 3072, 4096)  # of 8 x 1024


def test_the_last_grpo_stage_is_measured_in_the_shapes_that_are_given():
    debug = debug_cpu.get_config()
    assert cases.shaped(debug).stages == debug.stages[-1:]
    found = cases.shaped(debug, prompt_tokens=512, max_tokens=48, group_size=16, prompts=4)
    (stage,) = found.stages
    assert (stage.group_size, stage.prompts_per_step, found.rollout.max_tokens) == (16, 4, 48)
    assert (found.data.max_prompt_tokens, found.data.image_px, found.data.max_patches) == (512, 448, 1024)
    assert found.evaluation.batch == 4  # any number of devices that divides the prompts will do


def test_shapes_that_cannot_be_are_refused():
    tiny = bench_tiny.get_config()
    with pytest.raises(ValueError, match=r"--prompt-tokens must hold twice a window of 56 px, got 7"):
        cases.shaped(tiny, prompt_tokens=7)
    with pytest.raises(ValueError, match="must have a stage of kind 'grpo', got none"):
        cases.shaped(dataclasses.replace(tiny, stages=debug_cpu.get_config().stages[:1]))
    with pytest.raises(
        ValueError, match=r"data\.max_prompt_tokens must hold the chat, a picture of 56 px and words, got 9"
    ):
        case(cases.shaped(tiny, prompt_tokens=9))


def test_the_large_case_has_a_hundred_million_parameters():
    import math

    import jax

    from perc_jax.model import abstract_params

    count = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(abstract_params(bench_100m.get_config().model)))
    assert 95e6 < count < 105e6
