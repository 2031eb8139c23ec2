"""What devices exchange in a run's programs, by formula, and how long that takes at their link's published rate.

Weights are stored in parts over `fsdp` and gathered where they are used, in the dtype of the activations: in an update
layer by layer for the forward pass and again for the backward pass, whose gradients go home in parts; whole where they
are published for decoding. The axis `tensor` adds up what each of its devices makes of its heads and of its part of an
MLP: twice a layer and pass. Nothing else travels, but numbers too small to count.
"""

import jax

from perc_jax.config import StageConfig
from perc_jax.plan import memory
from perc_jax.plan.flops import CACHE_BYTES as ITEM_BYTES
from perc_jax.plan.hlo import Exchange
from perc_jax.plan.topologies import Topology
from perc_jax.programs.blueprint import Blueprint
from perc_jax.programs.blueprints import Blueprints

# Of what a collective delivers, how much passes each device's link when n of them take part: times (n - 1) / n.
PASSES = {"all-gather": 1.0, "reduce-scatter": 1.0, "all-reduce": 2.0}


def exchanges(blueprint: Blueprint, blueprints: Blueprints, stage: StageConfig) -> list[Exchange]:
    """The collectives of one program on one device, per call; those of `decode` per token."""
    return [*_gathered(blueprint, blueprints, stage), *_added_up(blueprint, blueprints, stage)]


def step_seconds(blueprints: Blueprints, stage: StageConfig, topology: Topology) -> dict[str, float]:
    """Seconds of a step's exchanges by `rollout` and `update`, one after the other, if none is hidden behind work."""
    if topology.devices == 1:
        return {"rollout": 0.0, "update": 0.0}

    def seconds(blueprint: Blueprint) -> float:
        return sum(_seconds(one, blueprints, topology) for one in exchanges(blueprint, blueprints, stage))

    update = blueprints.update(stage)
    parts = blueprints.parts(stage)
    found = {"rollout": 0.0, "update": parts * seconds(update.gradients[max(update.gradients)])}
    if stage.kind == "grpo":
        rollout = blueprints.rollout(stage)
        columns = (rollout.config.max_tokens - 1) * -(-rollout.prompts // rollout.slots)
        columns *= -(-rollout.group_size // rollout.rows)
        prefills = rollout.prompts / (rollout.prefill.outputs[0].mask.shape[0])
        decode = rollout.decode[max(rollout.decode)]
        found["rollout"] = seconds(blueprints.publish()) + prefills * seconds(rollout.prefill)
        found["rollout"] += columns * seconds(decode)
    return found


def _seconds(one: Exchange, blueprints: Blueprints, topology: Topology) -> float:
    mesh = blueprints.mesh.shape
    among = mesh["tensor"] if one.kind == "all-reduce" else mesh["fsdp"]
    return one.total_bytes * PASSES[one.kind] * (among - 1) / among / topology.link


def _gathered(blueprint: Blueprint, blueprints: Blueprints, stage: StageConfig) -> list[Exchange]:
    """Weights on their way to where they are used, and gradients on their way back."""
    mesh, kind = blueprints.mesh.shape, blueprint.kind
    if mesh["fsdp"] == 1 or kind not in ("update", "publish", "score"):
        return []
    config = blueprints.config
    item, layers = ITEM_BYTES[config.model.dtype], config.model.text.num_hidden_layers
    whole = {name: _numbers(blueprints.params[name]) / mesh["tensor"] for name in ("text", "vision")}
    if kind != "update":
        size = item * sum(whole.values())
        return [Exchange("all-gather", False, layers, size)]
    trained = {name: _numbers(memory.trained(blueprints, stage)[name]) / mesh["tensor"] for name in whole}
    looks = blueprint.arguments["batch"].prompts.features is None
    used = 2 * whole["text"] + looks * (2 if trained["vision"] else 1) * whole["vision"]
    found = [Exchange("all-gather", False, 2 * layers, item * used)]
    words = memory.trained(blueprints, stage)["text"]
    tables = _numbers([words["embed"], words.get("head")]) / mesh["tensor"]  # all that has gradients beside adapters
    learnt = tables if config.model.lora.rank else sum(trained.values())
    return [*found, Exchange("reduce-scatter", False, layers, item * learnt)] if learnt else found


def _added_up(blueprint: Blueprint, blueprints: Blueprints, stage: StageConfig) -> list[Exchange]:
    """What the devices of a tensor group add up."""
    mesh, kind = blueprints.mesh.shape, blueprint.kind
    model = blueprints.config.model
    if mesh["tensor"] == 1 or kind not in ("update", "score", "prefill", "decode"):
        return []
    length = blueprints.config.data.max_prompt_tokens
    passes = 1
    if kind == "update":
        width = blueprint.function.keywords["width"]
        tokens = blueprint.arguments["rows"].shape[1] * (length + width)
        passes = 3 if stage.remat == "block" else 2
    elif kind == "score":
        count, _, own = blueprint.arguments["tokens"].shape
        tokens = count // blueprints.rows * (length + own)
    elif kind == "prefill":
        tokens = blueprint.outputs[0].mask.shape[0] // blueprints.rows * length
    else:
        count, rows = blueprint.arguments["state"].groups.at.shape
        tokens = count // blueprints.rows * rows
    runs = 2 * passes * model.text.num_hidden_layers
    size = runs * tokens * model.text.hidden_size * ITEM_BYTES[model.dtype]
    return [Exchange("all-reduce", kind == "decode", runs, float(size))]


def _numbers(tree: object) -> float:
    return float(sum(leaf.size for leaf in jax.tree.leaves(tree)))
