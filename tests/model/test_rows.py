"""perc_jax.model against itself: groups, caches, padding, images, causality, precision, initial parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.batch import PromptBatch
from perc_jax.config import ModelConfig, TextConfig, VisionConfig
from perc_jax.model import abstract_params, bind, cache, init_params
from tests.model.cases import Case, build, compiled, random_params, relative, small_config

CONFIG = small_config()
CASE = Case(CONFIG, [[3, (8, 6), 4], [2, (6, 4), 1, (4, 4), 3], [5]], 22, 64)
GROUP, LENGTH = 3, 4


@pytest.fixture(scope="module")
def params() -> dict:
    return random_params(CONFIG, seed=1)


@pytest.fixture(scope="module")
def batch() -> PromptBatch:
    return build(CASE, seed=3).batch


@pytest.fixture(scope="module")
def completions() -> np.ndarray:
    return np.random.default_rng(2).integers(5, 64, (len(CASE.prompts), GROUP, LENGTH)).astype(np.int32)


@compiled
def forward(params, batch, completions):
    return bind(CONFIG, params).forward(batch, completions)


@compiled
def encode(params, batch):
    return bind(CONFIG, params).encode_images(batch.pixels, batch.patch_rowcol, batch.patch_image)


def losses(remat="none"):
    """A compiled scalar of every output at real tokens, the same for any grouping of the same completions."""

    def loss(params, batch, completions, share):
        prompt, answer = bind(CONFIG, params).forward(batch, completions, remat=remat)
        at_prompt = jnp.sum(jnp.where(batch.mask[..., None], jnp.sin(prompt), 0), axis=(1, 2))
        return jnp.sum(at_prompt * share) + jnp.sum(jnp.sin(2 * answer)), answer

    return compiled(jax.value_and_grad(loss, has_aux=True))


LOSS = losses()


def assert_close(found, wanted, limit=1e-5):
    for path, leaf in jax.tree_util.tree_leaves_with_path(wanted):
        other = dict(jax.tree_util.tree_leaves_with_path(found))[path]
        assert relative(other, leaf) <= limit, jax.tree_util.keystr(path)


def test_a_group_row_is_its_completions_in_separate_rows(params, batch, completions):
    (value, answer), gradient = LOSS(params, batch, completions, np.ones(3, np.float32))
    rows = jax.tree.map(lambda x: np.repeat(x, GROUP, axis=0), batch)
    each = completions.reshape(-1, 1, LENGTH)
    (apart, answers), wanted = LOSS(params, rows, each, np.full(3 * GROUP, 1 / GROUP, np.float32))
    assert relative(answer, answers.reshape(answer.shape)) <= 1e-5
    assert relative(value, apart) <= 1e-5
    assert_close(gradient, wanted)


@pytest.mark.parametrize(("remat", "limit"), [("block", 1e-5), ("dots", 3e-5)])
def test_remat_changes_no_gradient(remat, limit, params, batch, completions):
    """But for rounding: stored products are fused with others."""
    share = np.ones(3, np.float32)
    wanted = LOSS(params, batch, completions, share)[1]
    assert_close(losses(remat)(params, batch, completions, share)[1], wanted, limit)


@pytest.mark.parametrize("apart", [False, True])
def test_prefill_and_decode_are_the_forward_pass(apart, params, batch, completions):
    text = CONFIG.text
    shape = (text.num_hidden_layers, 3, text.num_key_value_heads, GROUP, LENGTH, text.head_dim)
    junk = (
        np.random.default_rng(5).normal(size=shape).astype(np.float32) * 50
    )  # columns not written yet must not be read

    def decode(params, batch, completions):
        model = bind(CONFIG, params)
        last, prompt_cache = model.prefill(batch)
        ring, blocks = (junk, -junk), None
        if apart:
            ring, prompt_cache = (tuple(map(cache.apart, x)) for x in (ring, prompt_cache))
            blocks = model.text.apart()

        def step(ring, column):
            tokens = completions[:, :, column]
            lengths = jnp.full(tokens.shape, column)
            at = batch.next_position[:, None] + lengths
            hidden, ring = model.decode(tokens, at, lengths, column, prompt_cache, batch.mask, ring, blocks)
            return ring, hidden

        _, hidden = jax.lax.scan(step, ring, jnp.arange(LENGTH))
        return last, jnp.moveaxis(hidden, 0, 2)

    last, hidden = compiled(decode)(params, batch, completions)
    prompt_hidden, completion_hidden = forward(params, batch, completions)
    assert relative(last, prompt_hidden[:, -1]) <= 1e-5
    assert relative(hidden, completion_hidden) <= 1e-5


def test_padding_and_company_change_nothing(params, batch, completions):
    """More left padding, more patch slots, another order and a stranger in the batch; junk in every padding."""
    rng = np.random.default_rng(6)
    left, slots = 5, CONFIG.vision.window_patches * 2

    def grow(x, before=0, after=0, fill=0):
        return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(before, after)], constant_values=fill)

    wide = PromptBatch(
        tokens=grow(batch.tokens, left, fill=7),
        mask=grow(batch.mask, left, fill=False),
        positions=grow(batch.positions, left, fill=90),
        next_position=batch.next_position,
        image_slots=grow(batch.image_slots, left, fill=-1),
        pixels=np.concatenate([batch.pixels, rng.integers(0, 256, (3, slots, 48), np.uint8)], axis=1),
        patch_rowcol=np.pad(batch.patch_rowcol, [(0, 0), (0, slots), (0, 0)], constant_values=40),
        patch_image=grow(batch.patch_image, after=slots, fill=-1),
    )
    order = np.array([1, 2, 0, 0])
    wide = jax.tree.map(lambda x: x[order], wide)
    other = completions[order]
    other[3] = 9
    prompt, answer = forward(params, wide, other)
    wanted_prompt, wanted = forward(params, batch, completions)
    assert relative(answer[:3], np.asarray(wanted)[order[:3]]) <= 1e-5
    real = batch.mask[order[:3]]
    assert relative(prompt[:3, left:][real], np.asarray(wanted_prompt)[order[:3]][real]) <= 1e-5


def test_a_batch_of_nothing_but_padding_is_finite(params, batch, completions):
    empty = batch._replace(
        mask=np.zeros_like(batch.mask),
        image_slots=np.full_like(batch.image_slots, -1),
        patch_image=np.full_like(batch.patch_image, -1),
    )
    result = LOSS(params, empty, completions, np.ones(3, np.float32))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(result))


def test_no_completion_and_given_features(params, batch, completions):
    wanted, _ = forward(params, batch, completions)
    prompt, answer = forward(params, batch, completions[:, :, :0])
    assert answer.shape == (3, GROUP, 0, CONFIG.text.hidden_size)
    assert relative(prompt[batch.mask], wanted[batch.mask]) <= 1e-5
    features = encode(params, batch)
    blind = batch._replace(pixels=np.zeros_like(batch.pixels))
    again, _ = compiled(lambda p, b, c, f: bind(CONFIG, p).forward(b, c, features=f))(
        params, blind, completions, features
    )
    assert relative(again, wanted) <= 1e-5


def test_a_completion_sees_its_past_and_nothing_of_the_others(params, batch, completions):
    changed = completions.copy()
    changed[:, 1, 2] = (changed[:, 1, 2] + 1) % 64
    prompt, answer = forward(params, batch, completions)
    prompt_again, again = forward(params, batch, changed)
    moved = np.abs(np.asarray(again) - np.asarray(answer)).max(axis=(0, 3))
    expected = np.zeros((GROUP, LENGTH), bool)
    expected[1, 2:] = True
    assert ((moved > 1e-4) == expected).all()
    assert moved[~expected].max() <= 1e-6
    assert np.array_equal(prompt, prompt_again)


def test_positions_and_pictures_matter(params, batch, completions):
    """One-dimensional positions, swapped images, and an image turned round all change what the model says."""
    _, wanted = forward(params, batch, completions)
    flat = np.broadcast_to(np.maximum(np.cumsum(batch.mask, axis=1) - 1, 0)[:, None], batch.positions.shape)
    swapped = batch.pixels.copy()
    swapped[0] = batch.pixels[1]
    for change in (
        {"positions": flat.astype(np.int32)},
        {"pixels": swapped},
        {"patch_rowcol": batch.patch_rowcol[..., ::-1].copy()},
    ):
        _, answer = forward(params, batch._replace(**change), completions)
        assert relative(answer[0], wanted[0]) > 1e-3, change.keys()


def test_windows_and_images_keep_to_themselves(params, batch):
    """A patch reaches its own window where no block is full, and its own image where one is; never another image."""
    windowed = ModelConfig(VisionConfig(2, 32, 2, 40, (), window_size=16, patch_size=4), CONFIG.text, "float32")

    real = batch.patch_image[1, ::4] >= 0

    def reach(config, slot):
        encode = compiled(
            lambda p, pixels: bind(config, p).encode_images(pixels, batch.patch_rowcol, batch.patch_image)
        )
        pixels = batch.pixels.copy()
        pixels[1, slot] ^= 128
        change = np.abs(np.asarray(encode(params, pixels)) - np.asarray(encode(params, batch.pixels)))
        return set(np.flatnonzero(real & (change[1].max(axis=-1) > 1e-6))), change[[0, 2]].max()

    # Prompt 1: image 0 is 6x4 patches, two windows of slots 0..15 and 16..31 (8 real); image 1 fills slots 32..47.
    first, second, other = set(range(4)), {4, 5}, set(range(8, 12))
    for config, slot, expected in (
        (windowed, 0, first),
        (windowed, 17, second),
        (CONFIG, 0, first | second),
        (CONFIG, 40, other),
    ):
        touched, elsewhere = reach(config, slot)
        assert touched == expected
        assert elsewhere == 0


def test_bfloat16_is_the_same_model_with_less_precision(params, batch, completions):
    config = ModelConfig(CONFIG.vision, CONFIG.text, "bfloat16")
    half = jax.tree.map(lambda x: jnp.asarray(x, jnp.bfloat16), params)

    def logits(params, batch, completions):
        model = bind(config, params)
        _, hidden = model.forward(batch, completions)
        return hidden, model.logits(hidden)

    hidden, found = compiled(logits)(half, batch, completions)
    assert (hidden.dtype, found.dtype) == (jnp.bfloat16, jnp.float32)
    _, wanted = forward(params, batch, completions)
    wanted = np.asarray(wanted) @ params["text"]["embed"]["embedding"].T
    assert np.sqrt(np.mean((found - wanted) ** 2) / np.mean(wanted**2)) < 0.1


def test_initial_matrices_are_scaled_by_their_inputs_biases_zero_norms_one():
    make = compiled(lambda key: init_params(CONFIG, key))
    first, again, other = (jax.device_get(make(jax.random.key(seed))) for seed in (0, 0, 1))
    for path, leaf in jax.tree_util.tree_leaves_with_path(first):
        kind = path[-1].key
        assert leaf.dtype == jnp.float32
        if kind in ("scale", "bias"):
            assert (leaf == (kind == "scale")).all()
        else:
            inputs = leaf.shape[-1] if kind == "embedding" else leaf.shape[-2]
            assert leaf.std() == pytest.approx(inputs**-0.5, rel=0.15), path
            assert leaf.ndim < 3 or not np.array_equal(leaf[0], leaf[1])  # layers differ
    assert jax.tree.all(jax.tree.map(np.array_equal, first, again))
    assert not np.array_equal(first["text"]["embed"]["embedding"], other["text"]["embed"]["embedding"])
    assert jax.tree.map(np.shape, first) == jax.tree.map(lambda x: x.shape, abstract_params(CONFIG))


@pytest.mark.parametrize(
    ("hidden", "layers", "heads", "kv_heads", "intermediate", "vocabulary", "tied", "vision", "text_b", "vision_b"),
    [
        (2048, 36, 16, 2, 11008, 151936, True, 3420, 3.086, 0.669),
        (3584, 28, 28, 4, 18944, 152064, False, 3420, 7.616, 0.677),
        (5120, 64, 40, 8, 27648, 152064, False, 3456, 32.764, 0.689),
        (8192, 80, 64, 8, 29568, 152064, False, 3456, 72.706, 0.705),
    ],
    ids=["3B", "7B", "32B", "72B"],
)
def test_published_sizes(hidden, layers, heads, kv_heads, intermediate, vocabulary, tied, vision, text_b, vision_b):
    tower = VisionConfig(32, 1280, 16, vision, (7, 15, 23, 31))
    text = TextConfig(
        hidden, intermediate, layers, heads, kv_heads, 128, vocabulary, (16, 24, 24), tie_word_embeddings=tied
    )
    shapes = abstract_params(ModelConfig(tower, text))
    counted = {part: sum(leaf.size for leaf in jax.tree.leaves(shapes[part])) / 1e9 for part in shapes}
    assert counted == {"text": pytest.approx(text_b, abs=5e-4), "vision": pytest.approx(vision_b, abs=5e-4)}
