"""CLIP and FG-CLIP agree with transformers' CLIPModel, in each tower and on both text paths; eight slips are seen.

By its committed answers (`golden_values`), and where torch is installed by what it says today.
"""

import dataclasses
import functools
from collections.abc import Callable
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.clip import bind, cosine, layers, model, params
from perc_jax.clip.model import pixels
from perc_jax.config import ClipConfig
from tests.clip.cases import BASE, CASES, LARGE, LIMIT, SMALL, Inputs, Tensors, inputs, reference, tensors
from tests.clip.golden_values import FILE, drawn, golden


def program(config: ClipConfig, change: Callable = lambda _: None) -> Callable:
    """What our model says, to be compiled; `change` spoils it before."""

    def run(values, given):
        bound = bind(config, values)
        change(bound)
        found = {"pictures": bound.pictures(given.pictures), "short": bound.texts(given.short, long=False)}
        return found | ({"long": bound.texts(given.long)} if config.long_positions else {})

    return jax.jit(run)


compiled = functools.cache(program)


def features(config: ClipConfig, held: Tensors, given: Inputs, run: Callable | None = None) -> dict:
    """What our model, or a spoilt one, says."""
    run = run or compiled(config)
    return jax.tree.map(np.asarray, run(params.from_tensors(config, held), given))


def errors(found: dict, wanted: dict) -> dict[str, float]:
    """The largest difference of each kind of feature, relative to the largest value."""
    assert found.keys() == wanted.keys()
    return {name: float(np.abs(found[name] - x).max() / np.abs(x).max()) for name, x in wanted.items()}


def small() -> tuple[Tensors, Inputs, dict]:
    return *drawn("small"), golden("small")


@pytest.mark.parametrize("name", CASES)
def test_features_are_the_stored_ones(name: str) -> None:
    found = errors(features(CASES[name], *drawn(name)), golden(name))
    assert max(found.values()) <= LIMIT, found


def test_the_stored_features_are_small() -> None:
    assert FILE.stat().st_size < 30_000


@pytest.mark.parametrize("name", CASES)
def test_features_are_those_of_the_stock_model(torch: ModuleType, name: str) -> None:
    wanted = reference(CASES[name], *drawn(name))
    for said in (features(CASES[name], *drawn(name)), golden(name)):
        found = errors(said, wanted)
        assert max(found.values()) <= LIMIT, found


@pytest.mark.slow
@pytest.mark.parametrize("config", [BASE, LARGE], ids=["base", "large"])
def test_features_of_published_shapes(torch: ModuleType, config: ClipConfig) -> None:
    held, given = tensors(config), inputs(config, count=2)
    found = errors(features(config, held, given), reference(config, held, given))
    assert max(found.values()) <= LIMIT, found


# --- mutations -----------------------------------------------------------------------------------------------------


def _short_table(held: Tensors) -> None:
    table = held["text_model.embeddings.position_embedding.weight"]
    for which in ("ori", "res"):
        held[f"text_model.embeddings.position_embedding_{which}.weight"][: len(table)] = table


def _swapped_projections(held: Tensors) -> None:
    one, other = "text_projection.weight", "text_filip_projection.weight"
    held[one], held[other] = held[other], held[one]


def _no_post_norm(bound: model.Clip) -> None:
    bound.vision.post_norm = lambda x: x


@pytest.mark.parametrize(
    ("spoil", "seen"),
    [(_short_table, "long"), (_swapped_projections, "long"), (_swapped_projections, "short")],
    ids=["short table for long", "projections swapped", "projections swapped, short"],
)
def test_a_mistaken_tensor_is_seen(spoil: Callable, seen: str) -> None:
    held, given, wanted = small()
    held = {name: tensor.copy() for name, tensor in held.items()}
    spoil(held)
    assert errors(features(SMALL, held, given), wanted)[seen] > 100 * LIMIT


@pytest.mark.parametrize(
    ("place", "name", "slip", "seen"),
    [
        (layers, "quick_gelu", jax.nn.gelu, ("pictures", "short", "long")),
        (jax.nn, "dot_product_attention", {"is_causal": False}, ("short", "long")),
        (jax.nn, "dot_product_attention", {"scale": 1.0}, ("pictures", "short", "long")),
        (jnp, "argmax", lambda x, axis: jnp.full(len(x), x.shape[1] - 1), ("short", "long")),
    ],
    ids=["tanh GELU", "no causal mask", "unscaled queries", "pooling at the last token"],
)
def test_a_slip_is_seen(monkeypatch: pytest.MonkeyPatch, place: object, name: str, slip: object, seen: tuple) -> None:
    held, given, wanted = small()
    right = getattr(place, name)
    wrong = slip if callable(slip) else lambda q, k, v, **options: right(q, k, v, **(options | slip))
    monkeypatch.setattr(place, name, wrong)
    found = errors(features(SMALL, held, given, program(SMALL)), wanted)
    assert all(found[kind] > 100 * LIMIT for kind in seen), found


def test_a_left_out_norm_is_seen() -> None:
    held, given, wanted = small()
    assert errors(features(SMALL, held, given, program(SMALL, _no_post_norm)), wanted)["pictures"] > 100 * LIMIT


# --- properties ----------------------------------------------------------------------------------------------------


def test_what_follows_the_first_end_mark_changes_nothing() -> None:
    held, given = drawn("small")
    other = given.long.copy()
    for row in other:
        row[np.argmax(row == SMALL.end) + 1 :] = 7
    found = features(SMALL, held, given)["long"], features(SMALL, held, given._replace(long=other))["long"]
    np.testing.assert_array_equal(*found)


def test_a_text_may_have_fewer_places() -> None:
    held, given = drawn("small")
    assert (given.long[-1, 1:] == SMALL.end).all()
    texts = jax.jit(lambda values, tokens: bind(SMALL, values).texts(tokens))
    few = texts(params.from_tensors(SMALL, held), given.long[:, :5])
    np.testing.assert_allclose(few[-1], features(SMALL, held, given)["long"][-1], atol=1e-5)


def test_a_picture_does_not_depend_on_its_neighbours() -> None:
    held, given = drawn("small")
    turned = given._replace(pictures=given.pictures[::-1])
    found = features(SMALL, held, given)["pictures"], features(SMALL, held, turned)["pictures"][::-1]
    np.testing.assert_allclose(*found, atol=1e-5)


def test_too_long_a_text_is_refused() -> None:
    held, given = drawn("small")
    with pytest.raises(ValueError, match=r"tokens of a short text must be 1\.\.30, got 60"):
        features(SMALL, held, given._replace(short=given.long))


def test_bfloat16_is_near() -> None:
    held, given = drawn("small")
    values = jax.tree.map(lambda x: x.astype(jnp.bfloat16), params.from_tensors(SMALL, held))
    half = dataclasses.replace(SMALL, dtype="bfloat16")
    found = jax.jit(lambda values, given: bind(half, values).texts(given.long))(values, given)
    assert found.dtype == jnp.bfloat16
    wanted = features(SMALL, held, given)["long"]
    assert np.asarray(cosine(found, wanted)).min() > 0.999


def test_the_cosine_has_no_length_and_knows_nothing() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 5, 8)).astype(np.float32)
    wanted = [float(x @ y / np.sqrt(x @ x) / np.sqrt(y @ y)) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(cosine(a, 7 * b), wanted, rtol=1e-5)
    assert float(cosine(np.zeros(8, np.float32), b[0])) == 0


def test_values_of_bytes() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3), dtype=np.uint8)
    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    np.testing.assert_allclose(pixels(picture), (picture / 255 - mean) / std, atol=1e-6)
