"""The device programs of a rollout before they are compiled, for a closed set of shapes.

With room for all prompts there are a prefill and, for each length of the ring, a decode; between neighbouring lengths a
program that moves the ring. With fewer slots than prompts, the prefill takes a window of each device's prompts, and
three more programs keep the pool: an empty one, one with newcomers, and the completions in the end. With an environment
there is, for each shape of replies and length of the ring, a program that runs them.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from perc_jax.batch import Observations, PromptBatch, TokenIds
from perc_jax.config import EnvironmentConfig, ModelConfig, RolloutConfig
from perc_jax.mesh import sharding
from perc_jax.programs.blueprint import Blueprint, laid_out, named_within
from perc_jax.rollout.decode import in_step, make_rollout, resize, standing, widened
from perc_jax.rollout.extend import Moves, make_extend, with_features
from perc_jax.rollout.sampling import Draws
from perc_jax.rollout.slots import Pool, admit, collect, empty_pool

MOST_APART = 16  # layers that a CPU decodes one by one: a program as long takes as much longer to compile


def layers_apart(model: ModelConfig, mesh: Mesh) -> bool:
    """Whether decoding takes its layers one by one, each a copy of its weights, keys and values in a segment."""
    return mesh.devices.flat[0].platform == "cpu" and model.text.num_hidden_layers <= MOST_APART


class Talk(NamedTuple):
    """What replies to a stage's completions, and whether what its vision tower makes of their pictures is kept."""

    environment: EnvironmentConfig
    keeps_features: bool

    @property
    def most_slots(self) -> int:
        """Patch slots of a completion's pictures, with room for those of a reply behind the last."""
        return self.environment.patches + self.environment.shapes[-1][1]

    def whole_shapes(self, most: int) -> tuple[tuple[int, int], ...]:
        """Shapes of completions of at most so many tokens that are run again, whole."""
        few, each = self.environment.pictures // 2, self.environment.shapes[-1][1]
        half = ((most // 2, few * each),) if few else ()
        return *half, (most, self.environment.patches)


class TalkBlueprints(NamedTuple):
    """What `conversing.Conversing` compiles and calls besides.

    `extend`: `rollout params, context, state, replies, moves, features -> state, features, standing` by the place of
    the replies' shape and the length of the ring; consumes state and features. `nothing`: `-> features` of all prompts;
    None where the vision tower is trained, and features are none.
    """

    extend: dict[tuple[int, int], Blueprint]
    nothing: Blueprint | None
    shapes: tuple[tuple[int, int], ...]  # of replies: tokens and patch slots
    patches: int  # slots of all pictures of a completion
    merged: int  # patches of a merged token
    patch_bytes: int
    ids: TokenIds


class RolloutBlueprints(NamedTuple):
    """What `generation.Generation` compiles and calls.

    `prefill`: `rollout params, prompts, names, key, step -> context, state`; with slots also the first prompt of each
    device's window, and `-> context, groups` of that window.
    `decode`: `rollout params, context, state -> state, standing` by length of the ring; consumes the state.
    `resize`: `state -> state` by lengths from and to.
    `pool`: `-> pool, state`; `pool, context, groups, first, places -> pool`; `pool -> completions`. None: room for all.
    """

    prefill: Blueprint
    decode: dict[int, Blueprint]
    resize: dict[tuple[int, int], Blueprint]
    pool: tuple[Blueprint, Blueprint, Blueprint] | None
    config: RolloutConfig  # as far as these programs follow it
    prompts: int
    slots: int  # prompts that there is room for
    group_size: int
    rows: int  # completions of a prompt that are decoded at a time
    devices: int  # that the prompts are split over
    smaller: tuple[Blueprint, ...] = ()  # prefills of prompts that all fit a smaller bucket, ascending
    talk: TalkBlueprints | None = None  # of a stage with an environment


class Maker:
    """Makes the blueprints of rollouts for a model and a mesh."""

    def __init__(self, model: ModelConfig, ids: TokenIds, mesh: Mesh):
        self._model, self._ids, self._mesh = model, ids, mesh
        self._devices = mesh.shape["replica"] * mesh.shape["fsdp"]
        self._context, self._state = sharding.rollout_specs()
        self._pool = Pool(self._context, self._state.groups, sharding.ROWS, sharding.ROWS)

    def make(
        self,
        name: str,
        config: RolloutConfig,
        prompts: PromptBatch,
        params: Any,
        *,
        group_size: int,
        draws: Draws,
        buckets: Sequence[tuple[int, int]] = (),
        talk: Talk | None = None,
    ) -> RolloutBlueprints:
        """The programs for one shape of prompts, and parameters as they are laid out for decoding.

        Prompts that fit one of the smaller `buckets` (tokens, patch slots) are prefilled there; decoding finds all in
        the one shape. `talk`: what replies to completions, if anything does.
        """
        count, rings, talks = len(prompts.tokens), rings_of(config, talk), _talks(group_size, config, draws, talk)
        prefill, decode = make_rollout(
            self._model,
            self._ids,
            max_tokens=config.max_tokens,
            segment_tokens=config.segment_tokens,
            ring=rings[0],
            kv_dtype=config.kv_dtype,
            apart=layers_apart(self._model, self._mesh),
            **talks,
        )

        def keyed(params, prompts, names, key, step, bucket=None):
            within = prompts.within(bucket) if bucket else prompts
            context, state = prefill(params, within, names, jax.random.fold_in(key, step))
            return widened(context, prompts.mask.shape[1]), state

        arguments = {
            "rollout_params": params,
            "prompts": prompts,
            "names": jax.ShapeDtypeStruct((count,), jnp.uint32, sharding=prompts.tokens.sharding),
            "key": self._same((2,), jnp.uint32),
            "step": self._same((), jnp.int32),
        }
        slots = config.slots if 0 < config.slots < count else 0
        room = jax.eval_shape(lambda *given: keyed(*_first(slots or count, *given)), *arguments.values())
        context, state = self._laid_out(room, (self._context, self._state))
        name = f"{name}: "
        ahead, pool = min(config.prefill_prompts, count // self._devices), None

        def prefilled(bucket: tuple[int, int] | None) -> Blueprint:
            own = f"{name}prefill" if bucket is None else named_within(f"{name}prefill", bucket)
            function = functools.partial(keyed, bucket=bucket)
            if slots:
                return self._windowed(own, function, arguments, ahead)
            return Blueprint(own, function, arguments, (context, state), self._mesh)

        first = prefilled(None)
        if slots:
            pool = self._pooled(name, first, context, state, count)
        states = {
            ring: self._laid_out(jax.eval_shape(functools.partial(resize, ring=ring), state), self._state)
            for ring in rings
        }
        return RolloutBlueprints(
            first,
            {
                ring: self._decode(_decode_name(name, ring, rings), decode, params, context, states[ring])
                for ring in rings
            },
            self._resizes(name, states),
            pool,
            config,
            count,
            slots or count,
            group_size,
            talks["rows"],
            self._devices,
            tuple(map(prefilled, buckets)),
            talk and self._talk(name, talk, count, params, context, states, talks),
        )

    def _talk(
        self, name: str, talk: Talk, count: int, params: Any, context: Any, states: dict[int, Any], how: dict[str, Any]
    ) -> TalkBlueprints:
        """The programs by which completions of `count` prompts are replied to, on each length of the ring."""
        rows, vision = next(iter(states.values())).groups.at.shape, self._model.vision
        merged, group, most = vision.spatial_merge_size**2, context.random_keys.shape[1], talk.most_slots
        room, nothing = (count, group, most // merged, self._model.text.hidden_size), None
        features = self._of_rows(room, self._model.dtype) if talk.keeps_features else None
        if talk.keeps_features:
            zeros = functools.partial(jnp.zeros, room, jnp.dtype(self._model.dtype))
            nothing = Blueprint(f"{name}features", zeros, {}, features, self._mesh)
        whole = rows[1] < group
        shapes = talk.whole_shapes(states[max(states)].groups.tokens.shape[2]) if whole else talk.environment.shapes
        moves = Moves(*(self._of_rows(shape, kind) for shape, kind in _moves(rows, group, rows[0] < count)))
        run, by_rows = make_extend(self._model, self._ids, **how), [sharding.ROWS] * 4
        if self._mesh.shape["tensor"] == 1:
            kinds = (PartitionSpec(), self._context, self._state, *by_rows[:2])
            run = self._on_each_device(run, kinds, (self._state, sharding.ROWS))
        keep = self._on_each_device(with_features, tuple(by_rows), sharding.ROWS)

        def told(
            params: Any, context: Any, state: Any, replies: Any, moves: Any, features: Any
        ) -> tuple[Any, Any, Any]:
            state, seen = run(params, context, state, replies, moves)
            if features is not None and seen is not None:
                features = keep(features, seen, replies.mask, moves)
            return state, features, standing(state)

        def one(shape: tuple[int, int], ring: int) -> Blueprint:
            state, replies = states[ring], self._replies(rows, shape)
            given = (params, context, state, replies, moves, features)
            names = ("rollout_params", "context", "state", "replies", "moves", "features")
            seen = self._laid_out(jax.eval_shape(standing, state), PartitionSpec())
            named = f"{name}extend {shape[0]}x{shape[1]}" + f" on {ring}" * (ring < max(states))
            arguments = dict(zip(names, given, strict=True))
            return Blueprint(named, told, arguments, (state, features, seen), self._mesh, donated=(2, 5))

        pairs = ((place, ring) for place in range(len(shapes)) for ring in states if ring > shapes[place][0])
        programs = {(place, ring): one(shapes[place], ring) for place, ring in pairs}
        return TalkBlueprints(
            programs, nothing, shapes, talk.environment.patches, merged, vision.patch_bytes, self._ids
        )

    def _replies(self, rows: tuple[int, int], shape: tuple[int, int]) -> Observations:
        """The layout of replies to so many rows of prompts."""
        (tokens, patches), whole = shape, self._of_rows
        return Observations(
            whole((*rows, tokens), jnp.int32),
            whole((*rows, tokens), jnp.bool_),
            whole((*rows, 3, tokens), jnp.int32),
            whole(rows, jnp.int32),
            whole((*rows, tokens), jnp.int32),
            whole((*rows, patches, self._model.vision.patch_bytes), jnp.uint8),
            whole((*rows, patches, 2), jnp.int32),
            whole((*rows, patches), jnp.int32),
        )

    def _of_rows(self, shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, jnp.dtype(dtype), sharding=NamedSharding(self._mesh, sharding.ROWS))

    def _windowed(self, name: str, keyed: Callable, arguments: dict[str, Any], ahead: int) -> Blueprint:
        """The prefill of a window of each device's prompts."""

        def own_window(prompts, names, first):
            return jax.tree.map(lambda x: jax.lax.dynamic_slice_in_dim(x, first[0], ahead), (prompts, names))

        window = self._on_each_device(own_window, (sharding.ROWS,) * 3, sharding.ROWS)

        def some(params, prompts, names, key, step, first):
            context, state = keyed(params, *window(prompts, names, first), key, step)
            return context, state.groups

        arguments = {**arguments, "first": self._same((self._devices,), jnp.int32)}
        newcomers = jax.eval_shape(some, *arguments.values())
        outputs = self._laid_out(newcomers, (self._context, self._state.groups))
        return Blueprint(name, some, arguments, outputs, self._mesh)

    def _decode(self, name: str, decode: Callable, params: Any, context: Any, state: Any) -> Blueprint:
        """One segment; what the host needs to know of it comes along."""
        if self._mesh.shape["tensor"] == 1:
            # Every device decodes its own rows on its own: nothing is exchanged, and none waits for another's rows.
            decode = self._on_each_device(decode, (PartitionSpec(), self._context, self._state), self._state)

        def segment(params, context, state):
            state = in_step(decode(params, context, state))
            return state, standing(state)

        arguments = {"rollout_params": params, "context": context, "state": state}
        told = self._laid_out(jax.eval_shape(standing, state), PartitionSpec())
        return Blueprint(name, segment, arguments, (state, told), self._mesh, donated=(2,))

    def _resizes(self, name: str, states: dict[int, Any]) -> dict[tuple[int, int], Blueprint]:
        """Programs between neighbouring lengths of the ring, both ways."""
        found, rings = {}, list(states)
        for small, large in itertools.pairwise(rings):
            for old, new in ((small, large), (large, small)):
                move = functools.partial(resize, ring=new)
                given = {"state": states[old]}
                found[old, new] = Blueprint(f"{name}ring {old} to {new}", move, given, states[new], self._mesh)
        return found

    def _pooled(
        self, name: str, prefill: Blueprint, context: Any, state: Any, count: int
    ) -> tuple[Blueprint, Blueprint, Blueprint]:
        """The programs that keep the pool."""
        local = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(leaf.sharding.shard_shape(leaf.shape), leaf.dtype), (context, state)
        )
        start = self._on_each_device(lambda: empty_pool(*local, count // self._devices), (), (self._pool, self._state))
        pool, state = self._laid_out(jax.eval_shape(start), (self._pool, self._state))
        newcomers, rows = prefill.outputs, sharding.ROWS
        enter = self._on_each_device(admit, (self._pool, self._context, rows, rows, rows), self._pool)
        ahead = len(newcomers[1].begun) // self._devices
        given = {
            "pool": pool,
            "context": newcomers[0],
            "groups": newcomers[1],
            "first": self._same((self._devices,), jnp.int32),
            "places": self._same((self._devices, ahead), jnp.int32),
        }
        end = self._on_each_device(collect, (self._pool,), rows)
        return (
            Blueprint(f"{name}slots", start, {}, (pool, state), self._mesh),
            Blueprint(f"{name}admit", enter, given, pool, self._mesh, donated=(0,)),
            Blueprint(f"{name}collect", end, {"pool": pool}, pool.results, self._mesh),
        )

    def _on_each_device(self, function: Callable, inputs: Any, outputs: Any) -> Callable:
        return jax.shard_map(function, mesh=self._mesh, in_specs=inputs, out_specs=outputs, check_vma=False)

    def _laid_out(self, tree: Any, specs: Any) -> Any:
        return laid_out(tree, jax.tree.map(lambda spec: NamedSharding(self._mesh, spec), specs))

    def _same(self, shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(self._mesh, PartitionSpec()))


def rings_of(config: RolloutConfig, talk: Talk | None) -> tuple[int, ...]:
    """Lengths of the ring, ascending. Where completions wait in their rows for replies, there is room for the columns
    of a segment that go by meanwhile."""
    if talk is None:
        return config.rings
    first, *_, last = (config.rings[0], *config.rings)
    shortest = -(-(last + config.segment_tokens) // (last // first))
    return tuple(ring // first * shortest for ring in config.rings)


def _talks(group_size: int, config: RolloutConfig, draws: Draws, talk: Talk | None) -> dict[str, Any]:
    """What decoding and replying must agree on."""
    rows, turn_tokens = min(config.rows or group_size, group_size), talk.environment.turn_tokens if talk else 0
    return {"group_size": group_size, "rows": rows, "draws": draws, "turn_tokens": turn_tokens}


def _moves(rows: tuple[int, int], group: int, has_slots: bool) -> tuple[tuple[tuple[int, ...], Any], ...]:
    """Shapes and dtypes of `Moves`."""
    found = ((rows[0], group), jnp.bool_), (rows, jnp.int32), (rows, jnp.int32)
    return (*found, (rows[:1], jnp.int32)) if has_slots else found


def _first(count: int, params: Any, prompts: PromptBatch, names: Any, key: Any, step: Any) -> tuple[Any, ...]:
    """The arguments of a prefill with that many prompts."""
    return params, *jax.tree.map(lambda x: x[:count], (prompts, names)), key, step


def _decode_name(name: str, ring: int, rings: tuple[int, ...]) -> str:
    """The longest ring has no number."""
    return f"{name}decode" if ring == rings[-1] else f"{name}decode {ring}"
