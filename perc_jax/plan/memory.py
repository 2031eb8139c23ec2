"""What a run's programs hold on one device: arguments by what they are, temporaries, and what else lives meanwhile.

The whole step counts, not one program: training parameters and optimizer state stay while completions are decoded; the
decoding parameters are gone when the update runs. `Split` is in bytes on one device; what XLA says of a compiled
program is exact, shares of it by role are those of unpadded arrays, and the padding is its own entry.
"""

import math
from typing import Any, NamedTuple

import jax

from perc_jax.config import StageConfig
from perc_jax.programs.blueprint import Blueprint, kind_of
from perc_jax.programs.blueprints import Blueprints
from perc_jax.programs.rollout import RolloutBlueprints
from perc_jax.rollout.decode import Context, State
from perc_jax.rollout.slots import Pool
from perc_jax.update.optimizer import split_frozen
from perc_jax.update.progress import Progress
from perc_jax.update.update import TrainState

ROLLOUT = (
    "ring",
    "slots",
    "admit",
    "collect",
    "extend",
    "features",
)  # first words of the names of a rollout's programs beside the two


class Split(NamedTuple):
    """Bytes on one device, or what they are proportional to."""

    parameters: float = 0  # of training, and of the reference and the reward's CLIP where there are such
    optimizer: float = 0
    decoding: float = 0  # parameters in the layout of decoding
    cache: float = 0  # keys and values
    batch: float = 0  # prompts with patches, completions, row states
    padding: float = 0  # what the device's tiles add to arguments and results
    gradients: float = 0
    activations: float = 0  # all other temporaries

    @property
    def total(self) -> int:
        """All of it."""
        return int(sum(self))

    def plus(self, other: "Split") -> "Split":
        """Both together."""
        return Split(*(a + b for a, b in zip(self, other, strict=True)))


class Sizes(NamedTuple):
    """What XLA says of one compiled program, bytes on one device."""

    arguments: int
    outputs: int
    aliased: int  # outputs that take an argument's place
    temporary: int


def sizes(compiled: jax.stages.Compiled, platform: str) -> Sizes:
    """Read a compiled program's memory analysis.

    A TPU's is read by its peak, which is what its compiler allocates in all, as its own report says it; what it calls
    temporary counts donated arguments again. A CPU's peak leaves temporaries out.
    """
    memory = compiled.memory_analysis()
    kept = memory.argument_size_in_bytes, memory.output_size_in_bytes, memory.alias_size_in_bytes
    if platform == "tpu":
        return Sizes(*kept, max(0, memory.peak_memory_in_bytes - kept[0] - kept[1] + kept[2]))
    return Sizes(*kept, memory.temp_size_in_bytes)


def arrays(blueprint: Blueprint) -> Split:
    """The program's arguments and its results that are not written over arguments, by role, without padding."""
    roles: dict[str, int] = {}
    kept = [value for place, value in enumerate(blueprint.arguments.items()) if place not in blueprint.donated]
    for name, tree in [*kept, ("outputs", blueprint.outputs)]:
        _add(roles, name, tree, blueprint.name)
    return Split(**roles)


def alive_elsewhere(blueprint: Blueprint, blueprints: Blueprints, stage: StageConfig) -> Split:
    """What the run holds meanwhile that is neither argument nor result of the program."""
    clip = 0 if "clip" in blueprint.arguments else device_bytes(blueprints.clip_params())
    return _of_training(blueprint, blueprints, stage).plus(Split(parameters=clip))


def _of_training(blueprint: Blueprint, blueprints: Blueprints, stage: StageConfig) -> Split:
    """The same, but for the reward's CLIP."""
    state = blueprints.train_state(stage)
    optimizer, reference = device_bytes(state.opt_state), device_bytes(state.reference)
    parameters = device_bytes(blueprints.params) + reference
    prompts = device_bytes(blueprints.prompts(stage.prompts_per_step))
    kind = blueprint.kind
    if kind in ("prefill", "decode") or kind.split()[0] in ROLLOUT:
        whole = Split(parameters=parameters, optimizer=optimizer, batch=prompts if kind != "prefill" else 0)
        return whole.plus(
            _of_rollout(kind, blueprints.rollout(None if blueprint.name.startswith("greedy: ") else stage))
        )
    if kind.split()[0] == "clip":
        return Split(parameters=parameters, optimizer=optimizer, batch=prompts)
    if kind == "publish":
        return Split(parameters=reference, optimizer=optimizer, batch=prompts)
    if kind == "finish":
        return Split(batch=prompts)
    if kind == "score":
        return Split(parameters=reference, optimizer=optimizer, decoding=device_bytes(blueprints.rollout_params))
    if kind == "encode":
        return Split(parameters=reference, optimizer=optimizer)
    if kind in ("update", "reference"):
        return Split(optimizer=optimizer)
    return Split()


def _of_rollout(kind: str, rollout: RolloutBlueprints) -> Split:
    """What a rollout holds beside one of its programs' arguments and results."""
    seen = Split()  # what a tower that is not trained makes of the pictures of replies
    if rollout.talk and rollout.talk.nothing and kind.split()[0] not in ("extend", "features"):
        seen = Split(batch=device_bytes(rollout.talk.nothing.outputs) if rollout.pool or kind != "prefill" else 0)
    return seen.plus(_of_sampling(kind, rollout))


def _of_sampling(kind: str, rollout: RolloutBlueprints) -> Split:
    """The same, but for what is kept of the pictures of replies."""
    decoding = device_bytes(rollout.prefill.arguments["rollout_params"])
    if kind.startswith("ring"):
        context = rollout.decode[max(rollout.decode)].arguments["context"]
        return arrays(rollout.prefill._replace(arguments={"context": context}, outputs=())).plus(
            Split(decoding=decoding)
        )
    if rollout.pool is None:
        return Split()
    start, *_, collect = rollout.pool
    newcomers = arrays(rollout.prefill._replace(arguments={}))
    if kind == "prefill":
        return arrays(start)
    if kind == "decode" or kind.startswith("extend"):
        return newcomers.plus(arrays(collect._replace(arguments={})))
    return Split(decoding=decoding).plus(newcomers if kind == "slots" else Split())


def split(blueprint: Blueprint, measured: Sizes, elsewhere: Split, gradients: int) -> Split:
    """Everything on one device while a compiled program runs."""
    own = arrays(blueprint)
    counted = measured.arguments + measured.outputs - measured.aliased
    gradients = min(gradients, measured.temporary)
    own = own._replace(
        padding=max(0, counted - own.total),
        gradients=own.gradients + gradients,
        activations=measured.temporary - gradients,
    )
    return own.plus(elsewhere)


def trained(blueprints: Blueprints, stage: StageConfig) -> Any:
    """The parameters that a stage trains, None in the place of the others."""
    return split_frozen(blueprints.params, stage.optimizer.frozen, blueprints.config.model.lora.whole)[0]


def device_bytes(tree: Any) -> int:
    """Bytes of one device's part of abstract arrays that carry their layout."""
    return sum(math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _add(roles: dict[str, int], name: str, tree: Any, program: str) -> None:
    """Add a tree's bytes to the roles of what it holds."""
    if isinstance(tree, TrainState):
        found = {
            "parameters": (tree.params, tree.reference),
            "optimizer": tree.opt_state,
            "batch": (tree.step, tree.key),
        }
    elif isinstance(tree, Progress):
        found = {"gradients": tree.gradient, "batch": tree._replace(gradient=None)}
    elif isinstance(tree, Context | State):
        cache = (tree.keys, tree.values)
        found = {"cache": cache, "batch": tree._replace(keys=None, values=None)}
    elif isinstance(tree, Pool) or (isinstance(tree, tuple) and not hasattr(tree, "_fields")):
        for part in tree:
            _add(roles, name, part, program)
        return
    else:
        found = {_role(name, program): tree}
    for role, part in found.items():
        roles[role] = roles.get(role, 0) + device_bytes(part)


def _role(name: str, program: str) -> str:
    """The role of an argument by its name, of a result by its program's."""
    results = {"init": "parameters", "publish": "decoding", "optimizer": "optimizer", "reference": "parameters"}
    if name == "outputs":
        return results.get(kind_of(program), "batch")
    held = dict.fromkeys(("params", "clip", "reference"), "parameters") | {"rollout_params": "decoding"}
    return held.get(name, "batch")
