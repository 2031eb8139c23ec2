"""perc_jax.model against transformers' Qwen2.5-VL in torch float32: features, logits and every gradient."""

import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from model_cases import IMAGE_ID, Built, Case, build, random_params, relative, small_config

from perc_jax.model import bind
from perc_jax.model.params import from_hf, to_hf

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch = pytest.importorskip("torch", reason="the reference model needs torch")
    transformers = pytest.importorskip("transformers", minversion="5.5.4", reason="older ones scale image positions")

GROUP, LENGTH = 2, 3

CASES = {
    # ragged windows; one image, two images, none
    "grouped": Case(small_config(), [[3, (8, 6), 4], [2, (6, 4), 1, (4, 4), 3], [5]], 22, 64),
    # one KV head for seven query heads, untied head, windows of the published 8x8 patches, deeper towers
    "seven": Case(
        small_config(heads=7, kv_heads=1, layers=4, tied=False, depth=4, full=(1, 3), window=32),
        [[2, (8, 12), 2], [4, (10, 6), 3]],
        32,
        256,
    ),
    # a KV head per query head; no image and no patch slot anywhere; one layer; another theta and eps
    "text": Case(small_config(heads=2, kv_heads=2, layers=1, rope_theta=1e4, rms_norm_eps=1e-5), [[7], [3]], 8, 0),
    # every vision block sees the whole image, or none does
    "all_full": Case(small_config(depth=2, full=(0, 1)), [[2, (8, 8), 2]], 20, 64),
    "none_full": Case(small_config(depth=3, full=()), [[2, (4, 8), 2], [1, (8, 4), 1]], 12, 32),
}


def reference(config, params):
    """Make transformers' model with our parameters."""
    text, vision = config.text, config.vision
    rope = dict(rope_type="default", rope_theta=text.rope_theta, mrope_section=list(text.mrope_section))
    hf = transformers.Qwen2_5_VLConfig(
        text_config=dict(
            hidden_size=text.hidden_size, intermediate_size=text.intermediate_size, vocab_size=text.vocab_size,
            num_hidden_layers=text.num_hidden_layers, num_attention_heads=text.num_attention_heads,
            num_key_value_heads=text.num_key_value_heads, rms_norm_eps=text.rms_norm_eps,
            rope_parameters=rope,
        ),
        vision_config=dict(
            depth=vision.depth, hidden_size=vision.hidden_size, num_heads=vision.num_heads,
            intermediate_size=vision.intermediate_size, fullatt_block_indexes=list(vision.fullatt_block_indexes),
            window_size=vision.window_size, patch_size=vision.patch_size, out_hidden_size=text.hidden_size,
        ),
        image_token_id=IMAGE_ID, video_token_id=4, vision_start_token_id=1, vision_end_token_id=2,
        tie_word_embeddings=text.tie_word_embeddings,
    )  # fmt: skip
    model = transformers.Qwen2_5_VLForConditionalGeneration(hf).float().eval()
    tensors = {
        name.replace("visual.", "model.visual.").replace(
            "model.", "model.language_model.", name.startswith("model.")
        ): x
        for name, x in to_hf(config, params).items()
    }
    result = model.load_state_dict({k: torch.tensor(v) for k, v in tensors.items()}, strict=False)
    assert not result.unexpected_keys
    assert set(result.missing_keys) <= ({"lm_head.weight"} if text.tie_word_embeddings else set())
    return model


def reference_logits(model, built: Built, completions: np.ndarray):
    """Run P * G plain left-padded sequences [prompt, completion] -> torch logits [P,G,S+C,V]."""
    batch = built.batch
    count, group, length = completions.shape
    each = np.repeat(np.arange(count), group)
    tokens = np.concatenate([batch.tokens[each], completions.reshape(-1, length)], axis=1)
    mask = np.concatenate([batch.mask[each], np.ones((count * group, length), bool)], axis=1)
    images = [i for p in each for i, owner in enumerate(built.owners) if owner == p]
    pictures = {}
    if images:
        pictures["pixel_values"] = torch.tensor(np.concatenate([built.pixels[i] for i in images]))
        pictures["image_grid_thw"] = torch.tensor([(1, *built.grids[i]) for i in images])
    out = model(
        input_ids=torch.tensor(tokens).long(),
        attention_mask=torch.tensor(mask).long(),
        mm_token_type_ids=torch.tensor(tokens == IMAGE_ID).int() * torch.tensor(mask).int(),
        **pictures,
    )
    return out.logits.reshape(count, group, tokens.shape[1], -1)


class Run(NamedTuple):
    """One case, ready to compare."""

    config: object
    params: dict
    built: Built
    completions: np.ndarray
    model: object  # transformers'


@pytest.fixture(scope="module", params=list(CASES))
def run(request) -> Run:
    case = CASES[request.param]
    params = random_params(case.config, seed=1)
    completions = np.random.default_rng(2).integers(5, 64, (len(case.prompts), GROUP, LENGTH)).astype(np.int32)
    return Run(case.config, params, build(case, seed=3), completions, reference(case.config, params))


def test_image_features_match(run):
    if not run.built.pixels:
        pytest.skip("a case without images")
    batch = run.built.batch
    encode = jax.jit(lambda p, b: bind(run.config, p).encode_images(b.patches, b.patch_rowcol, b.patch_image))
    features = encode(run.params, batch)
    pixels = torch.tensor(np.concatenate(run.built.pixels))
    with torch.no_grad():
        wanted = run.model.model.visual(pixels, torch.tensor([(1, *grid) for grid in run.built.grids])).pooler_output
    found = np.concatenate([np.asarray(features[p])[s[s >= 0]] for p, s in enumerate(batch.image_slots)])
    assert relative(found, wanted) <= 1e-4


def test_logits_match(run):
    def logits(params, batch, completions):
        model = bind(run.config, params)
        prompt, answer = model.forward(batch, completions)
        return model.logits(prompt), model.logits(answer)

    batch = run.built.batch
    prompt, answer = jax.jit(logits)(run.params, batch, run.completions)
    with torch.no_grad():
        wanted = reference_logits(run.model, run.built, run.completions).numpy()
    assert relative(answer, wanted[:, :, -LENGTH:]) <= 1e-4
    for g in range(GROUP):
        assert relative(prompt[batch.mask], wanted[:, g, :-LENGTH][batch.mask]) <= 1e-4


def test_every_gradient_matches(run):
    weights = np.random.default_rng(4).normal(size=(*run.completions.shape, 64)).astype(np.float32)

    def loss(params):
        model = bind(run.config, params)
        _, answer = model.forward(run.built.batch, run.completions)
        return jnp.sum(jnp.tanh(model.logits(answer)) * weights)

    found = to_hf(run.config, jax.jit(jax.grad(loss))(run.params))
    run.model.zero_grad(set_to_none=True)
    logits = reference_logits(run.model, run.built, run.completions)[:, :, -LENGTH:]
    (torch.tanh(logits) * torch.tensor(weights)).sum().backward()
    grads = {
        name: np.zeros(p.shape, np.float32) if p.grad is None else p.grad.numpy()
        for name, p in run.model.named_parameters()
    }
    wanted = to_hf(run.config, from_hf(run.config, grads))
    assert set(found) == set(wanted)
    for name in wanted:
        if run.built.pixels or not name.startswith("visual."):
            assert np.abs(wanted[name]).max() > 0, name
            assert relative(found[name], wanted[name]) <= 1e-3, name
        else:
            assert not found[name].any(), name
