"""Faults put into the model, its inputs or its weights on purpose: the stored answers of the reference notice each one.

Every fault exceeds the limit of parity at least tenfold, where the right model stays below it (`test_golden`). Most are
faults that published ports have had.
"""

import dataclasses
import functools
from collections.abc import Callable
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.model import dense, layers, qwen2_5_vl, text, vision
from perc_jax.model.pixels import values
from perc_jax.rollout import decode, sampling
from perc_jax.rollout.sampling import Draws
from perc_jax.update.update import make_score
from tests.model.cases import CASES, compiled, relative
from tests.model.golden_values import golden, thin
from tests.model.in_memory import from_hf
from tests.model.parity import TEMPERATURE, Inputs, errors, forward, greedy, inputs, sound

TIMES = 10  # a fault is at least this many times beyond the limit


def with_batch(given: Inputs, **fields) -> Inputs:
    return given._replace(built=given.built._replace(batch=given.built.batch._replace(**fields)))


def with_tensors(given: Inputs, change: Callable[[str, np.ndarray], np.ndarray]) -> Inputs:
    return given._replace(tensors={name: change(name, x) for name, x in given.tensors.items()})


# --- faults of the inputs: (given) -> given ------------------------------------------------------------------------


def one_dimensional_positions(given: Inputs) -> Inputs:
    counted = np.maximum(np.cumsum(given.built.batch.mask, axis=1) - 1, 0).astype(np.int32)
    positions = np.repeat(counted[:, None], 3, axis=1)
    return with_batch(given, positions=positions, next_position=counted[:, -1] + 1)


def completions_placed_by_their_count(given: Inputs) -> Inputs:
    return with_batch(given, next_position=given.built.batch.mask.sum(axis=1).astype(np.int32))


def text_height_and_width_swapped(given: Inputs) -> Inputs:
    return with_batch(given, positions=given.built.batch.positions[:, [0, 2, 1]])


def vision_rows_and_columns_swapped(given: Inputs) -> Inputs:
    return with_batch(given, patch_rowcol=given.built.batch.patch_rowcol[..., ::-1].copy())


def images_that_see_each_other(given: Inputs) -> Inputs:
    return with_batch(given, patch_image=np.minimum(given.built.batch.patch_image, 0))


def the_first_image_s_grid_for_all(given: Inputs) -> Inputs:
    """Patches of the prompt's second image get rows and columns counted in the first one's width."""
    rowcol, images, grids = given.built.batch.patch_rowcol.copy(), given.built.batch.patch_image, given.built.grids
    for p, row in enumerate(images):
        mine = [grid for grid, owner in zip(grids, given.built.owners, strict=True) if owner == p]
        for image, grid in enumerate(mine[1:], start=1):
            flat = rowcol[p, row == image] @ np.array([grid[1], 1])
            rowcol[p, row == image] = np.stack([flat // mine[0][1], flat % mine[0][1]], axis=1)
    return with_batch(given, patch_rowcol=rowcol.astype(np.int32))


def image_tokens_in_row_order(given: Inputs) -> Inputs:
    """Placeholders take the merged tokens as they come, in window order, though placeholders stand row by row."""
    slots = given.built.batch.image_slots.copy()
    for row in slots:
        row[row >= 0] = np.sort(row[row >= 0])
    return with_batch(given, image_slots=slots)


def image_tokens_one_place_off(given: Inputs) -> Inputs:
    """Each placeholder holds the token of the one before it, as stale embeddings in a reused buffer would."""
    slots = given.built.batch.image_slots.copy()
    for row in slots:
        row[row >= 0] = np.roll(row[row >= 0], 1)
    return with_batch(given, image_slots=slots)


def text_biases_missing(given: Inputs) -> Inputs:
    return with_tensors(given, lambda name, x: x * (not (name.endswith("proj.bias") and "self_attn" in name)))


def vision_biases_missing(given: Inputs) -> Inputs:
    return with_tensors(given, lambda name, x: x * (not (name.endswith("bias") and "visual" in name)))


def key_heads_dealt_in_turn(given: Inputs) -> Inputs:
    """Query head h reads KV head h % K instead of h // R: the same as dealing the query heads out in another order."""
    heads, kv_heads = given.config.text.num_attention_heads, given.config.text.num_key_value_heads
    order = np.arange(heads).reshape(-1, kv_heads).T.ravel()

    def change(name: str, x: np.ndarray) -> np.ndarray:
        if "q_proj" in name:
            return x.reshape(heads, -1, *x.shape[1:])[order].reshape(x.shape)
        return x.reshape(len(x), heads, -1)[:, order].reshape(x.shape) if "o_proj" in name else x

    return with_tensors(given, change)


def text_eps_of_the_class_default(given: Inputs) -> Inputs:
    """1e-5 instead of 1e-6; it shows where activations are small (case "faint": mean squares near 1e-5)."""
    config = dataclasses.replace(given.config, text=dataclasses.replace(given.config.text, rms_norm_eps=1e-5))
    return given._replace(config=config)


# --- faults of the code: (monkeypatch, given) ----------------------------------------------------------------------


def vision_eps_too_large(patch: pytest.MonkeyPatch, given: Inputs) -> None:
    patch.setattr(vision, "VISION_EPS", 1e-5)


def frames_before_channels(patch: pytest.MonkeyPatch, given: Inputs) -> None:
    """A patch is laid out frame by frame; the published kernel reads it channel by channel."""

    def wrong(pixels, patch_image, frames):
        *lead, width = (right := values(pixels, patch_image, frames)).shape
        return jnp.moveaxis(right.reshape(*lead, 3, frames, -1), -3, -2).reshape(*lead, width)

    patch.setattr(qwen2_5_vl, "values", wrong)


def colours_in_reverse(patch: pytest.MonkeyPatch, given: Inputs) -> None:
    def wrong(pixels, patch_image, frames):
        return values(
            pixels.reshape(*pixels.shape[:-1], 3, -1)[..., ::-1, :].reshape(pixels.shape), patch_image, frames
        )

    patch.setattr(qwen2_5_vl, "values", wrong)


def windows_that_slide(patch: pytest.MonkeyPatch, given: Inputs) -> None:
    """A patch sees the patches within one window's length of it in window order, instead of its own window."""
    right, window = dense.same_segment, given.config.vision.window_patches
    prompts = len(given.completions)

    def wrong(q, k, v, segment):
        if q.shape[1] != window:
            return right(q, k, v, segment)
        q, k, v = (x.reshape(prompts, -1, *x.shape[2:]) for x in (q, k, v))
        segment = segment.reshape(prompts, -1)
        place = jnp.arange(segment.shape[1])
        near = jnp.abs(place[:, None] - place) < window
        mask = near & (segment[:, None, :, None] == segment[:, None, None, :])
        (weights,), total = dense.mix(dense.scores("bqhd,bkhd->bhqk", q, k, mask))
        return dense.weighted("bhqk,bkhd->bqhd", weights / total, v).reshape(-1, window, *q.shape[2:])

    patch.setattr(dense, "same_segment", wrong)


def every_vision_block_windowed(patch: pytest.MonkeyPatch, given: Inputs) -> None:
    right = vision.VisionAttention.__call__

    def wrong(self, x, rotary, image, whole_image):
        return right(self, x, rotary, image, jnp.zeros_like(whole_image))

    patch.setattr(vision.VisionAttention, "__call__", wrong)


def approximate_gelu(patch: pytest.MonkeyPatch, given: Inputs) -> None:
    right = jax.nn.gelu
    patch.setattr(jax.nn, "gelu", lambda x, approximate: right(x, approximate=True))


def rounded_frequencies(width: Callable[[Inputs], int]) -> Callable[[pytest.MonkeyPatch, Inputs], None]:
    def fault(patch: pytest.MonkeyPatch, given: Inputs) -> None:
        right = layers.rotary_frequencies

        def wrong(found: int, theta: float):
            steps = right(found, theta)
            return steps.astype(jnp.bfloat16).astype(jnp.float32) if found == width(given) else steps

        patch.setattr(layers, "rotary_frequencies", wrong)

    return fault


def twice_the_vision_frequencies(patch: pytest.MonkeyPatch, given: Inputs) -> None:
    """Steps theta^(-i/d) for every i < d = head_dim / 2 instead of every second: height turns against width."""

    def tables(rowcol, head_dim, theta=10_000.0):
        half = head_dim // 2
        steps = theta ** (-jnp.arange(half, dtype=jnp.float32) / half)
        angles = (rowcol.astype(jnp.float32)[..., None] * steps).reshape(*rowcol.shape[:-1], head_dim)
        return jnp.cos(angles), jnp.sin(angles)

    def rotate(x, cos, sin):
        first, second = jnp.split(x, 2, axis=-1)
        return x * cos[..., None, :] + jnp.concatenate([-second, first], axis=-1) * sin[..., None, :]

    patch.setattr(vision, "axial_tables", tables)
    patch.setattr(vision, "rotate", rotate)


def interleaved_pairs(module) -> Callable[[pytest.MonkeyPatch, Inputs], None]:
    """Turn the pairs (2i, 2i + 1) instead of (i, i + half)."""

    def rotate(x, cos, sin):
        even, odd, cos, sin = x[..., ::2], x[..., 1::2], cos[..., None, :], sin[..., None, :]
        return jnp.stack([even * cos - odd * sin, odd * cos + even * sin], axis=-1).reshape(x.shape)

    return lambda patch, given: patch.setattr(module, "rotate", rotate)


def text_head_dim(given: Inputs) -> int:
    return given.config.text.head_dim


def vision_axis_width(given: Inputs) -> int:
    return given.config.vision.hidden_size // given.config.vision.num_heads // 2


INPUT_FAULTS = {
    one_dimensional_positions: "grouped",
    completions_placed_by_their_count: "grouped",
    text_height_and_width_swapped: "grouped",
    vision_rows_and_columns_swapped: "grouped",
    images_that_see_each_other: "grouped",
    the_first_image_s_grid_for_all: "faint",
    image_tokens_in_row_order: "grouped",
    image_tokens_one_place_off: "grouped",
    text_biases_missing: "grouped",
    vision_biases_missing: "grouped",
    key_heads_dealt_in_turn: "grouped",
    text_eps_of_the_class_default: "faint",
}
CODE_FAULTS = {
    "frames before channels": (frames_before_channels, "grouped"),
    "colours in reverse": (colours_in_reverse, "grouped"),
    "windows that slide": (windows_that_slide, "grouped"),
    "every vision block windowed": (every_vision_block_windowed, "grouped"),
    "approximate GELU": (approximate_gelu, "faint"),
    "text frequencies in bfloat16": (rounded_frequencies(text_head_dim), "published"),
    "vision frequencies in bfloat16": (rounded_frequencies(vision_axis_width), "published"),
    "vision eps 1e-5": (vision_eps_too_large, "faint"),
    "twice the vision frequencies": (twice_the_vision_frequencies, "grouped"),
    "interleaved pairs in the vision tower": (interleaved_pairs(vision), "grouped"),
    "interleaved pairs in the language model": (interleaved_pairs(text), "grouped"),
}


@pytest.fixture(autouse=True)
def fresh_graphs():
    """`bind` keeps the module tree of a config, and eps with it."""
    qwen2_5_vl._graph.cache_clear()
    yield
    qwen2_5_vl._graph.cache_clear()


def largest_error(name: str, given: Inputs, program: Callable | None = None) -> tuple[float, str]:
    """The largest forward error over its limit against the stored answers, and where it is."""
    found, (stored, _, _) = thin(forward(given, program)), golden(name)
    measured = errors(found, {key: stored[key] for key in found})
    return max((error, key) for key, error in measured.items())


@pytest.mark.parametrize("fault", INPUT_FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_of_the_inputs_is_noticed(fault):
    name = INPUT_FAULTS[fault]
    given = fault(inputs(CASES[name]))
    assert largest_error(name, given, sound(given.config))[0] >= TIMES


@pytest.mark.parametrize("label", CODE_FAULTS)
def test_a_fault_of_the_code_is_noticed(label, monkeypatch):
    fault, name = CODE_FAULTS[label]
    given = inputs(CASES[name])
    fault(monkeypatch, given)
    assert largest_error(name, given)[0] >= TIMES


def test_the_last_prompt_token_fed_twice_is_noticed():
    """A sampler that drops the prefill's logits and feeds the last token again has it twice in its cache."""
    given, (stored, _, _) = inputs(CASES["grouped"]), golden("grouped")

    def twice(x: np.ndarray, last: np.ndarray) -> np.ndarray:
        return np.concatenate([x[..., 1:], last[..., None]], axis=-1)

    batch = given.built.batch
    assert not batch.mask[:, 0].any()  # there is room
    wrong = with_batch(
        given,
        tokens=twice(batch.tokens, batch.tokens[:, -1]),
        mask=twice(batch.mask, batch.mask[:, -1]),
        positions=twice(batch.positions, np.repeat(batch.next_position[:, None], 3, axis=1)),
        image_slots=twice(batch.image_slots, batch.image_slots[:, -1]),
        next_position=batch.next_position + 1,
    )
    measured = errors(greedy(wrong), {key: stored[key] for key in ("greedy tokens", "greedy logprobs")})
    assert min(measured.values()) >= TIMES


def unscaled(logits, draws, ids, place):
    return sampling.sampling_logprobs(logits, Draws(), ids)


def among_the_top(logits, draws, ids, place):
    logprobs = sampling.sampling_logprobs(logits, draws, ids)
    least = jax.lax.top_k(logprobs, 20)[0][..., -1:]
    return jax.nn.log_softmax(jnp.where(logprobs >= least, logprobs, sampling.FORBIDDEN))


def of_all(logits, draws, ids, place):
    return sampling.sampling_logprobs(logits, Draws(draws.temperature), ids)


def with_forbidden_tokens(logits, draws, ids, place):
    return jax.nn.log_softmax(logits / draws.temperature)


NARROW = Draws(TEMPERATURE, top_p=0.9)


@functools.cache
def trainer_score(name: str):
    """What the trainer's forward pass says of completions of a case; no fault here is one of it."""
    given = inputs(CASES[name])
    return compiled(make_score(given.config, given.ids, NARROW))


@pytest.mark.parametrize("wrong", [None, unscaled, among_the_top, of_all, with_forbidden_tokens])
def test_a_sampler_of_another_distribution_than_the_trainers_is_noticed(wrong, monkeypatch):
    """What the sampler reports is what the trainer's forward pass says, within 1e-4 of the largest log-probability."""
    given = inputs(CASES["text"])
    if wrong is not None:
        namespace = SimpleNamespace(sampling_logprobs=wrong, take=sampling.take, draw=sampling.draw)
        monkeypatch.setattr(decode, "sampling", namespace)
    prefill, decode_all = decode.make_rollout(
        given.config, given.ids, group_size=3, max_tokens=8, draws=NARROW, segment_tokens=8
    )

    def sample(params, prompts, rows, key):
        context, state = prefill(params, prompts, rows, key)
        return decode_all(params, context, state).completions()

    params, rows = from_hf(given.config, given.tensors), np.arange(len(given.completions), dtype=np.uint32)
    sampled = compiled(sample)(params, given.built.batch, rows, np.array([0, 7], np.uint32))
    found, wanted = sampled.logprobs, trainer_score("text")(params, given.built.batch, sampled.tokens)
    measured = relative(found, wanted) / 1e-4
    assert measured <= 1 if wrong is None else measured >= TIMES
