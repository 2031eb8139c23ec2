"""Plans by formula: how near they come to programs that XLA compiled, here and for TPUs, and what they say of GPUs."""

import dataclasses
import functools
import io
import itertools
import json

import jax
import pytest
from rich.console import Console

from configs import data_engine_3b, data_engine_7b, debug_cpu
from perc_jax.config import Config, LoraConfig, MeshConfig, ModelConfig, TextConfig, VisionConfig
from perc_jax.mesh import sharding
from perc_jax.plan import __main__ as plan
from perc_jax.plan import exchanges, forecast, formula, memory, table, topologies
from perc_jax.programs.blueprints import Blueprints

# Wide and long enough that what is counted outweighs what is not.
VISION = VisionConfig(2, 96, 4, 224, (1,), window_size=56)
TEXT = TextConfig(192, 448, 2, 6, 2, 32, 2048, (4, 6, 6))
ALONE = MeshConfig(1, 1, 1)


def config(
    *,
    attention: str = "dense",
    remat: str = "block",
    frozen: tuple[str, ...] = (),
    rank: int = 0,
    trained: tuple[str, ...] = (),
) -> Config:
    """A step of two prompts of 256 tokens with four answers of 64."""
    debug = debug_cpu.get_config()
    stage = debug.stages[1]
    stage = dataclasses.replace(
        stage,
        prompts_per_step=2,
        micro_batches=1,
        group_size=4,
        remat=remat,
        optimizer=dataclasses.replace(stage.optimizer, frozen=frozen),
    )
    lora = LoraConfig(rank, base_dtype="float32", trained=trained)
    return dataclasses.replace(
        debug,
        model=ModelConfig(VISION, TEXT, dtype="float32", attention=attention, lora=lora),
        data=dataclasses.replace(debug.data, image_px=224, max_prompt_tokens=256, max_patches=256),
        rollout=dataclasses.replace(debug.rollout, max_tokens=64),
        stages=(stage,),
        evaluation=dataclasses.replace(debug.evaluation, batch=2),
        mesh=ALONE,
    )


@functools.cache
def both(made: Config, *kinds: str) -> dict[str, tuple[memory.Sizes, memory.Sizes]]:
    """By kind of program, XLA's word on it and the formula's, on one device of this machine."""
    mesh = sharding.make_mesh(made.mesh, jax.devices()[:1])
    blueprints = Blueprints(made, forecast.stand_in_ids(made), mesh)
    found = {}
    for stage, blueprint in forecast.programs(blueprints):
        if blueprint.kind in kinds:
            compiled = memory.sizes(blueprint.compile(), "cpu")
            found[blueprint.kind] = compiled, formula.sizes(blueprint, blueprints, stage, "cpu")[0]
    return found


TEMPORARIES = (0.75, 1.5)  # of the formula to XLA's, at these sizes
WHOLE = 0.2  # by which arguments, results and temporaries together may differ
FOR_TPU = 0.1  # the same of programs at the published sizes, where weights and caches outweigh temporaries


SLOW = pytest.mark.slow
TOWER = ("^vision/",)


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"attention": "blockwise", "frozen": TOWER}, ("update", "decode")),
        ({"attention": "blockwise", "frozen": TOWER, "remat": "dots", "rank": 4}, ("update",)),
        pytest.param({}, ("update", "prefill", "decode", "score", "finish"), marks=SLOW),
        pytest.param({"remat": "none", "frozen": TOWER, "rank": 4}, ("update", "encode"), marks=SLOW),
        pytest.param({"remat": "none"}, ("update",), marks=SLOW),
        pytest.param({"attention": "blockwise", "remat": "dots"}, ("update", "prefill", "score"), marks=SLOW),
    ],
)
def test_the_formula_is_near_what_xla_says_here(changes, kinds):
    found = both(config(**changes), *kinds)
    assert found.keys() == {*kinds}
    for kind, (compiled, by_formula) in found.items():
        low, high = TEMPORARIES
        assert low <= by_formula.temporary / compiled.temporary <= high, (kind, compiled, by_formula)
        # What a program does not read of its arguments XLA leaves out; it exists all the same.
        kept = max(by_formula.arguments, compiled.arguments + compiled.outputs - compiled.aliased)
        whole = kept + compiled.temporary
        assert sum(by_formula) == pytest.approx(whole, rel=WHOLE), (kind, compiled, by_formula)


def test_a_table_that_is_trained_beside_adapters_has_a_gradient():
    """XLA's program and the formula's read and write one more of its size, in float32, than with adapters alone."""
    settings = {"attention": "blockwise", "frozen": TOWER, "remat": "dots", "rank": 4}
    alone, beside = (both(config(**settings, trained=names), "update")["update"] for names in ((), ("embed",)))
    table = 4 * TEXT.vocab_size * TEXT.hidden_size
    for before, after in zip(alone, beside, strict=True):
        assert after.arguments - before.arguments == table
    low, high = TEMPORARIES
    assert low <= beside[1].temporary / beside[0].temporary <= high


def with_splash(blueprints: Blueprints) -> Blueprints:
    """As on a TPU, whose kernel is refused on the CPU that stands in for it; shapes are the same."""
    model = dataclasses.replace(blueprints.config.model, attention="splash")
    blueprints.config = dataclasses.replace(blueprints.config, model=model)
    return blueprints


def worked_out(made: Config, devices: int) -> dict[str, int]:
    """By program, all that lives on one device, by formula."""
    plain = dataclasses.replace(made, model=dataclasses.replace(made.model, attention="blockwise"))
    mesh = sharding.make_mesh(made.mesh, jax.devices()[:devices])
    blueprints = with_splash(Blueprints(plain, forecast.stand_in_ids(made), mesh))
    return {
        blueprint.name: forecast.worked_out(blueprints, stage, blueprint).split.total
        for stage, blueprint in forecast.programs(blueprints)
    }


NAMES = ("publish", *(f"perception: {name}" for name in ("prefill", "decode", "update", "finish")), "score")
# tpu_scripts/README.md: what compiled plans need at most on one chip, full fine-tuning, in GiB; of three of them all
# that other programs were found to hold.
PROGRAMS = {
    "3B on v5e:2x4": (13.41, 13.51, 14.82, 12.23, 8.77, 14.26),
    "7B on v6e:2x4": (20.34, 20.91, 23.30, 21.88, 19.34, 21.00),
    "7B on v5p:2x2x1": (40.66, 41.63, 46.58, 41.58, 38.66, 41.68),
}
COMPILED = {
    "3B on v5e:2x4": (data_engine_3b, 8, {}, 15.4),
    "7B on v6e:2x4": (data_engine_7b, 8, {}, 24.1),
    "3B on v6e:2x2": (data_engine_3b, 4, {"micro_batches": 16}, 23.7),
    "7B on v5p:2x2x1": (data_engine_7b, 4, {"tensor": 1}, 48.3),
}


# Of a size with and without `tensor`; in the slow cases fewer devices do the same.
CHOSEN = [
    pytest.param(case, marks=() if case in ("3B on v5e:2x4", "7B on v6e:2x4") else SLOW, id=case) for case in COMPILED
]


@pytest.mark.parametrize("case", CHOSEN)
def test_the_formula_is_near_the_plans_that_were_compiled_for_tpus(case):
    module, devices, changes, gib = COMPILED[case]
    made = module.get_config()
    optimizer = dataclasses.replace(made.stages[0].optimizer, frozen=())
    cut = changes.get("micro_batches", made.stages[0].micro_batches)
    stage = dataclasses.replace(made.stages[0], optimizer=optimizer, micro_batches=cut)
    mesh = dataclasses.replace(made.mesh, tensor=changes.get("tensor", made.mesh.tensor))
    found = worked_out(dataclasses.replace(made, stages=(stage,), mesh=mesh), devices)
    assert max(found.values()) / topologies.GIB == pytest.approx(gib, rel=FOR_TPU)
    for name, compiled in zip(NAMES, PROGRAMS.get(case, ()), strict=False):
        assert found[name] / topologies.GIB == pytest.approx(compiled, rel=FOR_TPU), name


@pytest.fixture(scope="module")
def made() -> dict:
    """A plan for eight GPUs, made here on the eight devices that stand in for them."""
    gpu = dataclasses.replace(config(attention="blockwise"), mesh=MeshConfig())
    stage = dataclasses.replace(gpu.stages[0], prompts_per_step=8)
    gpu = dataclasses.replace(gpu, stages=(stage,), evaluation=dataclasses.replace(gpu.evaluation, batch=8))
    return forecast.make(gpu, topologies.parse("h100:8"), lambda line: None) | {"exact": False}


def test_a_plan_for_gpus_says_that_it_is_by_formula_and_compiles_nothing(made, monkeypatch):
    assert made["by"] == "formula" and "H100" in made["source"] and made["fits"]
    assert all(program["compile_s"] == 0 and program["memory"]["total"] > 0 for program in made["programs"])
    assert json.loads(json.dumps(made)) == made
    out = io.StringIO()
    monkeypatch.setattr(table, "Console", lambda **options: Console(file=out, **options))
    table.show(made)
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 120
    assert "all that lives counted, by formula" in text and "by formula: nothing was compiled" in text
    assert "NVIDIA H100 data sheet" in text and "XLA_CLIENT_MEM_FRACTION=0.95" in text
    assert "exchanges at the link's rate" in text and "compiled in" not in text


def test_exchanges_of_gpus_follow_from_the_weights(made):
    programs = {program["name"]: program for program in made["programs"]}
    (gathered,) = programs["publish"]["collectives"]
    assert gathered["total_bytes"] == 4 * made["parameters"]
    assert programs["grpo: decode"]["collectives"] == []  # each device decodes its own rows with whole weights
    by_kind = {one["kind"]: one["total_bytes"] for one in programs["grpo: update"]["collectives"]}
    assert by_kind["all-gather"] == 2 * 4 * made["parameters"] and by_kind["reduce-scatter"] == 4 * made["parameters"]
    seconds = made["stages"][0]["exchange_s"]
    assert seconds["update"] == pytest.approx(3 * 4 * made["parameters"] * 7 / 8 / 450e9)


def test_a_tensor_group_adds_up_twice_a_layer_and_token():
    made = dataclasses.replace(config(attention="blockwise"), mesh=MeshConfig(1, 1, 2))
    blueprints = Blueprints(made, forecast.stand_in_ids(made), sharding.make_mesh(made.mesh, jax.devices()[:2]))
    [stage] = made.stages
    decode = blueprints.rollout(stage).decode[64]
    (found,) = exchanges.exchanges(decode, blueprints, stage)
    assert found == ("all-reduce", True, 4, 4 * 8 * 192 * 4.0)  # 2 layers twice, 2 x 4 rows, width, float32


def test_one_gpu_exchanges_nothing_and_more_of_them_hold_less():
    totals = []
    for count in (1, 8):
        gpu = dataclasses.replace(config(attention="blockwise"), mesh=MeshConfig())
        stage = dataclasses.replace(gpu.stages[0], prompts_per_step=8)
        gpu = dataclasses.replace(gpu, stages=(stage,), evaluation=dataclasses.replace(gpu.evaluation, batch=8))
        blueprints = Blueprints(gpu, forecast.stand_in_ids(gpu), sharding.make_mesh(gpu.mesh, jax.devices()[:count]))
        of_stages = [(stage, program) for stage, program in forecast.programs(blueprints)]
        if count == 1:
            assert not any(exchanges.exchanges(program, blueprints, stage) for stage, program in of_stages)
        totals.append([forecast.worked_out(blueprints, *one).split.total for one in of_stages])
    for one, two in itertools.pairwise(totals):
        assert all(more > fewer for more, fewer in zip(one, two, strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--topology b900:8", "error: --topology must begin with one of v4, v5e, v5p, v6e, tpu7x, cpu, h100, h200"),
        ("--topology h100:3", "error: --topology h100 must have 1, 2, 4 or 8 GPUs, or whole nodes of 8, got 'h100:3'"),
        ("--topology l40s:16", "error: --topology l40s must have 1, 2, 4 or 8 GPUs of one node, got 'l40s:16'"),
        ("--topology a100:2x4", "error: --topology a100 must have 1 dimensions like a100:8, got 'a100:2x4'"),
        (
            "--topology h100:8 --model.attention splash",
            "error: model.attention must be 'dense' or 'blockwise' on gpu devices, got 'splash'",
        ),
    ],
)
def test_a_mistake_is_one_line(arguments, message, capsys, monkeypatch):
    monkeypatch.setattr(topologies, "environment", lambda *_, **__: {})  # jax has been imported here
    with pytest.raises(SystemExit) as end:
        plan.main(arguments.split())
    said = capsys.readouterr().err.strip().splitlines()
    assert end.value.code == 2 and len(said) == 1 and said[0].startswith(message)
