"""The programs that score descriptions, on eight devices: what they say is what the model says, however it is cut."""

import dataclasses
from collections.abc import Callable

import jax
import numpy as np
import pytest

from configs.smoke_cpu import get_config
from perc_jax.clip import bind, params
from perc_jax.config import ClipConfig, Config, MeshConfig, RewardConfig, TermConfig
from perc_jax.mesh import sharding
from perc_jax.plan import forecast, memory
from perc_jax.programs.blueprint import Blueprint
from perc_jax.programs.blueprints import Blueprints
from perc_jax.programs.clip import ClipPrograms, Looked, clip_blueprints, clip_params
from perc_jax.prompt import tokenizer
from perc_jax.run import rehearsal
from tests.clip.cases import SMALL, tensors
from tests.model.cases import compiled

PROMPTS, GROUP, PICTURES = 8, 3, 2
CLIP = dataclasses.replace(SMALL, pictures=PICTURES, at_once=2)


def config(clip: ClipConfig = CLIP) -> Config:
    """The smoke recipe with a reward that asks a CLIP."""
    smoke = get_config()
    sft, grpo = smoke.stages
    reward = RewardConfig((TermConfig("accuracy"), TermConfig("clip", 0.4)))
    grpo = dataclasses.replace(grpo, prompts_per_step=PROMPTS, group_size=GROUP, row_widths=(), reward=reward)
    return dataclasses.replace(smoke, stages=(sft, grpo), clip=clip)


def inputs(seed: int = 0):
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 256, (PROMPTS, PICTURES, 32, 32, 3), dtype=np.uint8)
    real = np.arange(PICTURES) < (np.arange(PROMPTS) % 3)[:, None]  # 0, 1, 2 pictures
    tokens = rng.integers(0, CLIP.begin, (PROMPTS, GROUP, CLIP.long_positions)).astype(np.int32)
    tokens[..., 40:] = CLIP.end
    return pictures, real, tokens


@compiled
def features(pictures: np.ndarray, tokens: np.ndarray) -> tuple[jax.Array, jax.Array]:
    """What the model makes of them."""
    model = bind(CLIP, params.from_tensors(CLIP, tensors(CLIP)))
    return model.pictures(pictures.reshape(-1, 32, 32, 3)), model.texts(tokens.reshape(PROMPTS * GROUP, -1))


def wanted(pictures: np.ndarray, real: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """The mean over real pictures of the cosine, by numpy."""
    seen, read = (np.asarray(one, np.float64) for one in features(pictures, tokens))
    seen, read = seen.reshape(PROMPTS, PICTURES, -1), read.reshape(PROMPTS, GROUP, -1)
    seen, read = (one / np.linalg.norm(one, axis=-1, keepdims=True) for one in (seen, read))
    cosines = np.einsum("pke,pge->pgk", seen, read)
    return (cosines * real[:, None]).sum(axis=2) / np.maximum(1, real.sum(axis=1))[:, None]


@pytest.mark.parametrize("mesh", [MeshConfig(replica=2, fsdp=2, tensor=2), MeshConfig(fsdp=8)], ids=["2x2x2", "8"])
def test_scores_are_the_mean_over_pictures(mesh: MeshConfig) -> None:
    devices = sharding.make_mesh(mesh)
    programs = ClipPrograms(clip_blueprints(CLIP, config().stages[1], devices), lambda program: program.compile())
    held = params.from_tensors(CLIP, tensors(CLIP))
    on_mesh = jax.tree.map(lambda leaf, where: jax.device_put(leaf, where.sharding), held, clip_params(CLIP, devices))
    pictures, real, tokens = inputs()
    looked = programs.look(on_mesh, pictures, real)
    for turn in range(2):  # pictures once, texts as often as one likes
        found = sharding.rows_to_host(programs.read(on_mesh, looked, np.roll(tokens, turn, axis=1), 41))
        assert found.dtype == np.float32
        np.testing.assert_allclose(np.roll(found, -turn, axis=1), wanted(pictures, real, tokens), atol=1e-5)
    assert (found[~real.any(axis=1)] == 0).all()
    # Texts of any length take the shortest program that holds them, and say the same there.
    for length in (2, *(one + more for one in CLIP.text_lengths for more in (0, 1) if one + more <= CLIP.text_tokens)):
        short = np.where(np.arange(CLIP.text_tokens) < length - 1, tokens, CLIP.end)
        calls = [sharding.rows_to_host(programs.read(on_mesh, looked, short, n)) for n in (length, CLIP.text_tokens)]
        np.testing.assert_allclose(calls[0], wanted(pictures, real, short), atol=1e-5)
        np.testing.assert_allclose(*calls, atol=1e-6)


def test_lengths_are_halves_of_the_longest() -> None:
    assert ClipConfig().text_lengths == (248, 124, 62, 31)
    assert ClipConfig(long_positions=0).text_lengths == (77, 39, 20, 10)
    assert dataclasses.replace(SMALL, long_positions=0, positions=5).text_lengths == (5,)
    used: list[int] = []

    def compiled(program: Blueprint) -> Callable[..., np.ndarray]:
        def call(*given: object) -> np.ndarray:
            used.append(given[-1].shape[-1])
            return np.zeros((PROMPTS, GROUP), np.float32)

        return call

    large = dataclasses.replace(ClipConfig(), pictures=PICTURES)
    programs = ClipPrograms(clip_blueprints(large, config().stages[1], sharding.make_mesh(MeshConfig())), compiled)
    looked = Looked(np.zeros((PROMPTS, PICTURES, 1), np.float32), np.ones((PROMPTS, PICTURES), bool))
    for needed in (2, 31, 32, 124, 125, 248):
        programs.read((), looked, np.zeros((PROMPTS, GROUP, 248), np.int32), needed)
    assert used == [31, 31, 62, 124, 248, 248]


def test_a_run_lists_them_only_where_they_are_asked_for() -> None:
    asks = config()
    ids = tokenizer.load(asks.data.tokenizer).ids
    names = [program.name for program in rehearsal.listed(asks, ids, fresh=True).found]
    stage = asks.stages[1].name
    some = [f" of {length} tokens" for length in CLIP.text_lengths[1:]]
    assert [name for name in names if "clip" in name] == [
        f"{stage}: clip pictures",
        *(f"{stage}: clip texts{which}" for which in ("", *some)),
    ]
    none = dataclasses.replace(asks, stages=(asks.stages[0],))
    blueprints = Blueprints(none, ids)
    assert blueprints.clip(none.stages[0]) is None and blueprints.clip_params() == ()


def test_its_weights_lie_there_all_the_time() -> None:
    """Every program of a run is planned with them, and counts them once."""
    asks = config()
    none = dataclasses.replace(asks.stages[1], reward=RewardConfig())
    ids = tokenizer.load(asks.data.tokenizer).ids
    held: list[dict[str, int]] = []
    for made in (asks, dataclasses.replace(asks, stages=(asks.stages[0], none))):
        blueprints = Blueprints(made, ids)
        found = {}
        for stage, program in forecast.programs(blueprints):
            split = memory.arrays(program).plus(memory.alive_elsewhere(program, blueprints, stage))
            found[program.name] = split.parameters
        held.append(found)
    with_it, without = held
    clip = memory.device_bytes(Blueprints(asks, ids).clip_params())
    assert {name: with_it[name] - size for name, size in without.items()} == dict.fromkeys(without, clip)
    more = with_it.keys() - without.keys()
    assert {with_it[name] for name in more} == {with_it[f"{none.name}: update"]} and len(more) == 2
