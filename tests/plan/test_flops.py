"""Operations by formula against XLA's own count of small models whose loops are unrolled."""

import dataclasses
import functools

import jax
import pytest

from configs import debug_cpu
from perc_jax.batch import TokenIds
from perc_jax.config import (
    ClipConfig,
    ClipTowerConfig,
    Config,
    LoraConfig,
    LossConfig,
    MeshConfig,
    ModelConfig,
    RewardConfig,
    RolloutConfig,
    TermConfig,
    TextConfig,
    VisionConfig,
)
from perc_jax.mesh import sharding
from perc_jax.plan import flops, forecast, topologies
from perc_jax.programs.blueprints import Blueprints

# Wide enough that matrices outweigh what the formulas leave out.
VISION = VisionConfig(3, 256, 4, 320, (1,), window_size=56)
TEXT = TextConfig(256, 512, 2, 8, 2, 32, 512, (4, 6, 6))


def config(*, remat: str = "none", frozen: tuple[str, ...] = (), tied: bool = True, layers: int = 2) -> Config:
    debug = debug_cpu.get_config()
    text = dataclasses.replace(TEXT, tie_word_embeddings=tied, num_hidden_layers=layers)
    stage = debug.stages[1]
    stage = dataclasses.replace(
        stage,
        prompts_per_step=8,
        micro_batches=1,
        group_size=3,
        remat=remat,
        optimizer=dataclasses.replace(stage.optimizer, frozen=frozen),
    )
    return dataclasses.replace(
        debug,
        model=ModelConfig(VISION, text, dtype="float32"),
        stages=(stage,),
        evaluation=dataclasses.replace(debug.evaluation, batch=8),
    )


def counted(blueprint) -> float:
    """XLA's count of the program as it is written, before it is split over devices."""
    lowered = jax.jit(blueprint.function).lower(*blueprint.arguments.values())
    return lowered.cost_analysis()["flops"]


@pytest.fixture(autouse=True)
def _unrolled(monkeypatch):
    """XLA counts a loop's body once, however often it runs."""
    monkeypatch.setattr(jax.lax, "scan", functools.partial(jax.lax.scan, unroll=True))


def blueprints(made: Config) -> Blueprints:
    return Blueprints(made, TokenIds(0, (1, 2), 3, (3, 4), made.model.text.vocab_size))


@pytest.mark.parametrize("layers", [1, 3])
def test_prefill(layers):
    made = config(layers=layers)
    prefill = blueprints(made).rollout(made.stages[0]).prefill
    work = flops.step_work(made, made.stages[0], trains_vision=True)
    assert counted(prefill) == pytest.approx(work.prefill, rel=0.06)


@pytest.mark.parametrize(
    ("remat", "frozen", "tied", "rank", "kl_coef"),
    [
        ("none", (), True, 0, 0.0),
        ("block", (), False, 0, 0.0),
        ("block", ("^vision/",), True, 0, 0.0),
        ("none", ("^vision/",), True, 1, 0.0),
        ("none", ("^vision/",), True, 0, 0.01),
    ],
)
def test_update(remat, frozen, tied, rank, kl_coef):
    made = config(remat=remat, frozen=frozen, tied=tied)
    [stage] = made.stages
    made = dataclasses.replace(
        made, stages=(dataclasses.replace(stage, loss=dataclasses.replace(stage.loss, kl_coef=kl_coef)),)
    )
    made = dataclasses.replace(made, model=dataclasses.replace(made.model, lora=LoraConfig(rank)))
    work = flops.step_work(made, made.stages[0], trains_vision=not frozen)
    [gradient] = blueprints(made).update(made.stages[0]).gradients.values()
    # Without a mesh in force, it is the rows of one device of eight.
    assert 8 * counted(gradient) == pytest.approx(work.update, rel=0.08)


def test_later_parts_of_a_rollout_pass_forward_once_more():
    """As the reference policy of a KL term does, but not the first of k parts."""
    made = config()
    stage, reference = made.stages[0], LossConfig(kl_coef=0.01)

    def work(**fields):
        return flops.step_work(made, dataclasses.replace(stage, **fields), trains_vision=True)

    for updates in (2, 4):
        more, once, whole = work(updates_per_rollout=updates), work(), work(loss=reference)
        share = 1 - 1 / updates
        assert more.update - once.update == pytest.approx(share * (whole.update - once.update), rel=1e-9)
        useful = whole.useful_update - once.useful_update
        assert useful > 0 and more.useful_update - once.useful_update == pytest.approx(share * useful, rel=1e-9)


def test_lengths_in_place_of_full_buckets():
    """Rows that are full are those of the plan; what is shorter costs less, pictures alone too."""
    made = config()
    [stage], data = made.stages, made.data
    full = flops.Lengths(data.max_prompt_tokens, made.completion_tokens(stage), data.max_patches)

    def work(**changes: float) -> flops.Work:
        return flops.step_work(made, stage, trains_vision=True, lengths=full._replace(**changes))

    plain = flops.step_work(made, stage, trains_vision=True)
    assert work()._replace(decode=0.0) == plain._replace(decode=0.0)
    assert work().decode == pytest.approx(plain.decode, rel=0.25)  # by what is read, not by the rings that hold it
    for name in ("prompt", "completion", "patches"):
        less = work(**{name: getattr(full, name) / 2})
        assert less.update < work().update and less.decode <= work().decode
    assert work(completion=0.0).decode == 0.0


def test_a_tensor_group_does_the_towers_work_and_clips_on_each_of_its_devices():
    """XLA's count of one device, and the seconds that a plan gives: they halve with data-parallel devices alone."""
    made, ids = config(frozen=("^vision/",)), TokenIds(0, (1, 2), 3, (3, 4), TEXT.vocab_size)

    def encoded(fsdp: int, tensor: int) -> float:
        mesh = sharding.make_mesh(MeshConfig(fsdp=fsdp, tensor=tensor), jax.devices()[: fsdp * tensor])
        return Blueprints(made, ids, mesh).encode(made.stages[0]).compile().cost_analysis()["flops"]

    assert encoded(2, 2) == pytest.approx(encoded(2, 1), rel=0.02) and encoded(4, 1) < 0.6 * encoded(2, 1)
    reward = RewardConfig((TermConfig("accuracy"), TermConfig("clip")))
    for frozen in ((), ("^vision/",)):
        made = config(frozen=frozen)
        [stage] = made.stages
        made = dataclasses.replace(
            made, stages=(dataclasses.replace(stage, reward=reward),), rollout=RolloutConfig(1, short_rings=())
        )
        work = flops.step_work(made, made.stages[0], trains_vision=not frozen)
        topology = topologies.parse("v5e:2x4")
        for tensor in (1, 2):
            one = dataclasses.replace(made, mesh=MeshConfig(tensor=tensor))
            found = forecast._speeds(Blueprints(one, ids), one.stages[0], topology)["ceiling"]
            seconds, tower = topology.chip.flops * 8, tensor - 1  # once more on the other device of a group
            assert found["clip_s"] == pytest.approx(tensor * work.clip / seconds)
            assert found["update_s"] == pytest.approx((work.update + tower * work.tower_update) / seconds)
            assert found["rollout_s"] == pytest.approx((work.prefill + tower * work.tower_prefill) / seconds)
        assert work.tower_prefill > 0 and (work.tower_update > 0) == (not frozen)


@pytest.mark.parametrize(("rank", "kl_coef", "updates"), [(0, 0.0, 1), (0, 0.01, 2), (1, 0.01, 1)])
def test_the_towers_part_is_what_a_larger_tower_adds(rank, kl_coef, updates):
    made = config()
    [stage] = made.stages
    stage = dataclasses.replace(
        stage, loss=dataclasses.replace(stage.loss, kl_coef=kl_coef), updates_per_rollout=updates
    )

    def work(depth: int) -> flops.Work:
        sizes = dataclasses.replace(VISION, depth=depth)
        model = dataclasses.replace(made.model, vision=sizes, lora=LoraConfig(rank))
        return flops.step_work(dataclasses.replace(made, model=model), stage, trains_vision=True)

    small, large = work(3), work(6)
    assert large.update - small.update == pytest.approx(large.tower_update - small.tower_update)
    assert large.prefill - small.prefill == pytest.approx(large.tower_prefill - small.tower_prefill)
    assert 0 < small.tower_update < small.update and 0 < small.tower_prefill < small.prefill


def test_a_decoded_column():
    """The loop over columns stays one loop, whose body is counted once: one column, on each of eight devices."""
    made = config()
    [decode] = blueprints(made).rollout(made.stages[0]).decode.values()
    column = flops.decode_traffic(made, 8, 3, 1).flops
    assert 8 * counted(decode) == pytest.approx(column, rel=0.12)


def test_sharing_the_prompt_saves_and_never_costs():
    made = config(remat="none")
    work = flops.step_work(made, made.stages[0], trains_vision=True)
    assert work.update < work.useful_update and work.prefill + work.decode < work.useful_rollout
    alone = dataclasses.replace(made.stages[0], kind="sft", group_size=1)
    assert flops.step_work(made, alone, trains_vision=True).useful_rollout == 0


def test_decoding_reads_every_weight_but_the_tower_and_the_embedding_once():
    made = config(tied=False)
    params = blueprints(made).params["text"]
    kernels = [leaf.size for leaf in jax.tree.leaves(params) if leaf.ndim >= 2 and min(leaf.shape[-2:]) > 3]
    wanted = 4 * (sum(kernels) - params["embed"]["embedding"].size)
    found = flops.decode_traffic(made, 8, 3, 1)
    assert found.weight_bytes == pytest.approx(wanted, rel=0.01)
    tokens = 8 * (made.data.max_prompt_tokens + 3 * made.rollout.max_tokens)
    assert found.cache_bytes == tokens * 2 * 2 * 2 * 32 * 4  # keys and values x layers x KV heads x width x float32
    half = flops.decode_traffic(made, 8, 3, 2)
    assert half.cache_bytes * 2 == found.cache_bytes and half.weight_bytes * 2 == found.weight_bytes


def test_a_rewards_clip():
    """Each picture once, a text for every completion and term."""
    made = config()
    tower = ClipTowerConfig(width=128, hidden=512, layers=2, heads=2)
    clip = ClipConfig("x", tower, tower, projection=64, image_px=112, patch_px=14, pictures=2, at_once=64)
    [stage] = made.stages

    def asks(count: int) -> Config:
        terms = tuple(TermConfig("clip", name=f"clip{number}") for number in range(count))
        reward = RewardConfig((TermConfig("accuracy"), *terms))
        return dataclasses.replace(made, clip=clip, stages=(dataclasses.replace(stage, reward=reward),))

    pictures, texts = (counted(program) for program in blueprints(asks(1)).clip(asks(1).stages[0]).largest)
    for count in (0, 1, 2):
        work = flops.step_work(asks(count), asks(count).stages[0], trains_vision=True)
        wanted = pictures + count * texts if count else 0
        assert work.clip == pytest.approx(wanted, rel=0.06)
