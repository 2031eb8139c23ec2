"""perc_jax.model against transformers' Qwen2.5-VL in torch float32: features, logits and every gradient."""

import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from model_cases import IMAGE_ID, Built, Case, build, compiled, random_params, relative, small_config

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
    "text": Case(small_config(heads=2, kv_heads=2, layers=1, rope_theta=1e4, rms_norm_eps=0.1), [[7], [3]], 8, 0),
    # no vision block sees the whole image
    "windows": Case(small_config(layers=1, depth=3, full=()), [[2, (4, 8), 2], [1, (8, 4), 1]], 12, 32),
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
    """One case through both models."""

    built: Built
    features: np.ndarray  # [P,M,D]
    prompt_logits: np.ndarray  # [P,S,V]
    logits: np.ndarray  # [P,G,C,V]
    gradients: dict  # by Hugging Face's names
    wanted_features: np.ndarray | None  # [real merged tokens, D], prompts in order
    wanted_logits: np.ndarray  # [P,G,S+C,V]
    wanted_gradients: dict


def run_ours(config, params, built: Built, completions, weights):
    """Features, prompt logits, completion logits and gradients of `sum(weights * tanh(completion logits))`."""

    def loss(params, batch):
        model = bind(config, params)
        features = model.encode_images(batch.patches, batch.patch_rowcol, batch.patch_image)
        prompt, answer = (model.logits(x) for x in model.forward(batch, completions, features=features))
        return jnp.sum(jnp.tanh(answer) * weights), (features, prompt, answer)

    (_, outputs), gradients = compiled(jax.value_and_grad(loss, has_aux=True))(params, built.batch)
    return *(np.asarray(x) for x in outputs), to_hf(config, gradients)


def run_reference(config, params, built: Built, completions, weights):
    """Do the same in torch."""
    model, features = reference(config, params), None
    if built.pixels:
        grids = torch.tensor([(1, *grid) for grid in built.grids])
        with torch.no_grad():
            features = model.model.visual(torch.tensor(np.concatenate(built.pixels)), grids).pooler_output.numpy()
    logits = reference_logits(model, built, completions)
    (torch.tanh(logits[:, :, -completions.shape[2] :]) * torch.tensor(weights)).sum().backward()
    gradients = {
        name: np.zeros(p.shape, np.float32) if p.grad is None else p.grad.numpy()
        for name, p in model.named_parameters()
    }
    return features, logits.detach().numpy(), to_hf(config, from_hf(config, gradients))


@pytest.fixture(scope="module", params=list(CASES))
def run(request) -> Run:
    case = CASES[request.param]
    rng = np.random.default_rng(2)
    completions = rng.integers(5, 64, (len(case.prompts), GROUP, LENGTH)).astype(np.int32)
    weights = rng.normal(size=(*completions.shape, case.config.text.vocab_size)).astype(np.float32)
    inputs = (case.config, random_params(case.config, seed=1), build(case, seed=3), completions, weights)
    return Run(inputs[2], *run_ours(*inputs), *run_reference(*inputs))


def test_image_features_match(run):
    if run.wanted_features is None:
        assert run.features.shape[1] == 0
        return
    slots = run.built.batch.image_slots
    found = np.concatenate([run.features[p][row[row >= 0]] for p, row in enumerate(slots)])
    assert relative(found, run.wanted_features) <= 1e-4


def test_logits_match(run):
    assert relative(run.logits, run.wanted_logits[:, :, -LENGTH:]) <= 1e-4
    real = run.built.batch.mask
    for g in range(GROUP):
        assert relative(run.prompt_logits[real], run.wanted_logits[:, g, :-LENGTH][real]) <= 1e-4


def test_every_gradient_matches(run):
    assert set(run.gradients) == set(run.wanted_gradients)
    for name, wanted in run.wanted_gradients.items():
        if name.startswith("visual.") and not run.built.pixels:
            assert not run.gradients[name].any(), name
        else:
            assert np.abs(wanted).max() > 0, name
            assert relative(run.gradients[name], wanted) <= 1e-3, name
