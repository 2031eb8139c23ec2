"""The network is what plain loops say it is, and its gradients are those of the paper, worked out by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perc_jax.codes import abstract_params, bind, from_tensors, init_params, nearest, to_tensors
from perc_jax.config import CodebookConfig
from perc_jax.prompt.codebook import shapes
from tests.codes.cases import CASES, SMALL, by_hand, maps, tensors

LIMIT = 1e-5
BY_HAND = [name for name in CASES if name != "perception tokens"]  # loops over 320 x 320 pixels take minutes


@functools.partial(jax.jit, static_argnums=0)
def said(config: CodebookConfig, params: dict, given: jax.Array) -> tuple:
    """States, codes, and what is restored."""
    model = bind(config, params)
    codes = model.codes(given)
    return model.encode(given), codes, model.restore(codes)


@pytest.mark.parametrize("config", CASES.values(), ids=CASES.keys())
def test_names_and_shapes_are_those_of_the_host(config: CodebookConfig) -> None:
    flat = {"/".join(str(step.key) for step in path): leaf for path, leaf in _leaves(abstract_params(config))}
    assert {name.replace("/", "."): leaf.shape for name, leaf in flat.items()} == shapes(config)
    assert {leaf.dtype for leaf in flat.values()} == {np.dtype(np.float32)}


def _leaves(tree: dict) -> list:
    return jax.tree_util.tree_flatten_with_path(tree)[0]


@pytest.mark.parametrize("name", BY_HAND)
def test_it_says_what_plain_loops_say(name: str) -> None:
    config = CASES[name]
    held, given = tensors(config), maps(config)
    states, codes, restored = said(config, from_tensors(held), given)
    for row, one in enumerate(given):
        wanted = by_hand(config, held, one)
        np.testing.assert_allclose(states[row], wanted.states, atol=LIMIT)
        np.testing.assert_array_equal(codes[row], wanted.codes.ravel())
        np.testing.assert_allclose(restored[row], wanted.restored, atol=LIMIT)


def test_every_weight_moves_what_is_restored_or_which_codes() -> None:
    held, given = tensors(SMALL), maps(SMALL)
    before = said(SMALL, from_tensors(held), given)
    for name in held:
        after = said(SMALL, from_tensors({**held, name: held[name] + np.float32(0.5)}), given)
        assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True)), name


def test_tensors_come_back_from_parameters() -> None:
    held = tensors(SMALL)
    again = to_tensors(from_tensors(held))
    assert list(again) == sorted(held)
    for name, tensor in held.items():
        np.testing.assert_array_equal(again[name], tensor, name)


def test_a_code_depends_on_its_own_cell_alone() -> None:
    held, given = tensors(SMALL), maps(SMALL, 1)
    other = given.copy()
    other[0, :8, 8:] = 1 - other[0, :8, 8:]  # the upper right of 2 x 2 cells
    first, second = (np.asarray(said(SMALL, from_tensors(held), one)[0][0]) for one in (given, other))
    changed = (first != second).any(axis=-1)
    assert changed.tolist() == [[False, True], [False, False]]


def test_a_map_does_not_depend_on_its_neighbours() -> None:
    held, given = tensors(SMALL), maps(SMALL)
    forth, back = (said(SMALL, from_tensors(held), one) for one in (given, given[::-1]))
    for one, other in zip(forth, back, strict=True):
        np.testing.assert_allclose(one, other[::-1], atol=LIMIT)


def test_of_equally_near_codes_the_first_is_taken() -> None:
    book = jnp.array([[4.0, 0.0], [0.0, 2.0], [0.0, -2.0], [0.0, 2.0]])
    states = jnp.array([[0.0, 0.0], [0.0, 3.0], [0.0, -1.0], [4.0, 4.0]])
    assert nearest(states, book).tolist() == [1, 1, 2, 0]  # (4, 4) is 16 from the first and 20 from the second


# --- gradients -----------------------------------------------------------------------------------------------------


@functools.partial(jax.jit, static_argnums=(0, 3))
def of_loss(config: CodebookConfig, params: dict, given: jax.Array, part: str) -> dict:
    """The gradient of one of the losses."""
    return jax.grad(lambda params: getattr(bind(config, params).loss(given), part))(params)


def test_the_losses_are_means_of_squares() -> None:
    held, given = tensors(SMALL), maps(SMALL)
    found = jax.jit(lambda params: bind(SMALL, params).loss(given))(from_tensors(held))
    hand = [by_hand(SMALL, held, one) for one in given]
    error = np.mean([np.square((one - said.restored) / held["scale"]) for one, said in zip(given, hand, strict=True)])
    distance = np.mean([np.square(said.states - held["book"][said.codes]) for said in hand])
    np.testing.assert_allclose(found.reconstruction, error, rtol=LIMIT)
    np.testing.assert_allclose(found.codebook, distance, rtol=LIMIT)
    np.testing.assert_allclose(found.commitment, distance, rtol=LIMIT)
    np.testing.assert_allclose(found.total, error + (1 + SMALL.commitment) * distance, rtol=LIMIT)
    assert found.codes.tolist() == [said.codes.ravel().tolist() for said in hand]


def test_the_gradient_passes_straight_through_the_codes() -> None:
    """The encoder's gradient of the whole loss is that of its states with the decoder's gradient at the codes, and
    2 commitment (states - codes) / count, as cotangents."""
    params, given = from_tensors(tensors(SMALL)), maps(SMALL)

    @jax.jit
    def by_parts(params: dict) -> tuple:
        """The decoder's gradient at the codes, the pull of the commitment, and the encoder's gradient of both."""
        model = bind(SMALL, params)
        states = model.encode(given)
        vectors = params["book"][nearest(states, params["book"])]
        wanted = (given - params["mean"]) / params["scale"]
        at_codes = jax.grad(lambda vectors: jnp.mean(jnp.square(wanted - model.decoder(vectors))))(vectors)
        pull = 2 * SMALL.commitment * (states - vectors) / states.size
        _, back = jax.vjp(lambda encoder: bind(SMALL, params | {"encoder": encoder}).encode(given), params["encoder"])
        return at_codes, pull, back(at_codes + pull)[0]

    at_codes, pull, hand = by_parts(params)
    found = of_loss(SMALL, params, given, "total")["encoder"]
    assert float(jnp.abs(at_codes).max()) > 1e-4 and float(jnp.abs(pull).max()) > 1e-4  # both count
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found, hand)


def test_codes_are_drawn_to_their_states_alone() -> None:
    """Each code moves by 2 (code - state) / count of the states that took it; one that none took stays."""
    params, given = from_tensors(tensors(SMALL)), maps(SMALL, 5)
    states = np.asarray(said(SMALL, params, given)[0]).reshape(-1, SMALL.width)
    taken = np.asarray(nearest(jnp.asarray(states), params["book"]))
    hand = np.zeros_like(params["book"])
    for state, code in zip(states, taken, strict=True):
        hand[code] += 2 * (params["book"][code] - state) / states.size
    assert len({*taken.tolist()}) not in (1, SMALL.codes)
    for part in ("total", "codebook"):
        np.testing.assert_allclose(of_loss(SMALL, params, given, part)["book"], hand, atol=1e-6)


def test_what_a_loss_does_not_move() -> None:
    params, given = from_tensors(tensors(SMALL)), maps(SMALL)
    still = {
        "reconstruction": ("book", "mean", "scale"),
        "codebook": ("encoder", "decoder", "mean", "scale"),
        "commitment": ("book", "decoder", "mean", "scale"),
    }
    for part, names in still.items():
        found = of_loss(SMALL, params, given, part)
        moved = {name for name, leaves in found.items() if any(np.any(leaf) for leaf in jax.tree.leaves(leaves))}
        assert moved == params.keys() - {*names}, part


def test_free_of_codes_it_is_a_plain_autoencoder() -> None:
    params, given = from_tensors(tensors(SMALL)), maps(SMALL)
    wanted = (given - params["mean"]) / params["scale"]

    def plain(params: dict) -> jax.Array:
        model = bind(SMALL, params)
        return jnp.mean(jnp.square(wanted - model.decoder(model.encoder(wanted))))

    free, hand = (
        jax.value_and_grad(loss)(params)
        for loss in (lambda params: bind(SMALL, params).loss(given, free=True).total, plain)
    )
    still = {"mean": np.zeros_like(params["mean"]), "scale": np.zeros((), np.float32)}
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), free, (hand[0], hand[1] | still))
    assert not np.any(free[1]["book"]) and free[0] > 0


def test_fresh_parameters_depend_on_the_key_alone() -> None:
    made = [to_tensors(jax.jit(init_params, static_argnums=0)(SMALL, jax.random.key(seed))) for seed in (0, 0, 1)]
    assert all(np.array_equal(made[0][name], made[1][name]) for name in made[0])
    assert not np.array_equal(made[0]["book"], made[2]["book"])
