"""Every device program of a run before it is compiled: what it computes, on which arrays, laid out how.

A blueprint needs a config, token ids and a mesh; no data, no parameters, and no devices that run: the mesh may be that
of a machine that is not here. `compiled.py` compiles them for a run, `plan/` to say what they will cost.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from perc_jax.batch import Observed, PromptBatch, TokenIds, TrainBatch
from perc_jax.config import Config, StageConfig
from perc_jax.mesh import sharding, shares
from perc_jax.model import abstract_params, init_params, int8, lora
from perc_jax.programs import patterns
from perc_jax.programs.blueprint import Blueprint, laid_out, named_within
from perc_jax.programs.clip import ClipBlueprints, clip_blueprints, clip_params
from perc_jax.programs.rollout import Maker, RolloutBlueprints, Talk
from perc_jax.rollout import maps
from perc_jax.rollout.sampling import Draws
from perc_jax.update.optimizer import make_optimizer, split_frozen
from perc_jax.update.rows import in_buckets
from perc_jax.update.update import (
    TrainState,
    make_encode,
    make_encode_rows,
    make_reference,
    make_score,
    make_update,
)


class UpdateBlueprints(NamedTuple):
    """The programs of a stage's updates."""

    begin: Blueprint
    gradients: dict[int, Blueprint]  # by width of row
    finish: Blueprint
    smaller: dict[tuple[int, int], Blueprint]  # gradients in smaller buckets, by place of the bucket and width


class Blueprints:
    """The blueprints of a run's programs on a mesh (default: all devices of this machine)."""

    def __init__(self, config: Config, ids: TokenIds, mesh: Mesh | None = None):
        patterns.check(config)
        maps.check(ids)
        self.config, self.ids = config, ids
        self._draws = Draws(config.rollout.temperature, config.rollout.top_p)
        self.mesh = sharding.make_mesh(config.mesh) if mesh is None else mesh
        sharding.check_heads(self.mesh, config.model.text.num_key_value_heads)
        platform = self.mesh.devices.flat[0].platform
        if config.model.attention == "splash" and platform != "tpu":
            raise ValueError(f"model.attention must be 'dense' or 'blockwise' on {platform} devices, got 'splash'")
        shares.of_mesh(self.mesh)  # raises where processes would share rows unevenly
        self.rows = self.mesh.shape["replica"] * self.mesh.shape["fsdp"]
        params = abstract_params(config.model)
        self.params = laid_out(params, sharding.state_shardings(params, self.mesh))
        plain, _ = lora.split(params)
        self.rollout_params = laid_out(plain, sharding.rollout_shardings(plain, self.mesh), config.model.dtype)
        self.sampler_params = self.rollout_params  # of training's rollouts
        if config.rollout.weights == "int8":
            kept = int8.shapes(self.rollout_params)
            self.sampler_params = laid_out(kept, sharding.rollout_shardings(kept, self.mesh))
        self._maker = Maker(config.model, ids, self.mesh)
        self._check_rows("evaluation.batch", config.evaluation.batch)
        self._check_rows("rollout.slots", config.rollout.slots)
        for stage in config.stages:
            parts = self.parts(stage)
            field = f"stages[{stage.name}].prompts_per_step / micro_batches"
            field += " / updates_per_rollout" * (stage.updates_per_rollout > 1)
            self._check_rows(field, stage.prompts_per_step // parts)

    def init(self) -> Blueprint:
        """`seed -> params`, random, laid out for training."""

        def init(seed):
            return init_params(self.config.model, jax.random.PRNGKey(seed))

        return Blueprint("init", init, {"seed": self._same((), jnp.uint32)}, self.params, self.mesh)

    def adapters(self) -> Blueprint:
        """`seed -> adapters`: those of `init` alone, for a base that comes from elsewhere."""

        def init(seed):
            return lora.split(init_params(self.config.model, jax.random.PRNGKey(seed)))[1]

        outputs = lora.split(self.params)[1]
        return Blueprint("adapters", init, {"seed": self._same((), jnp.uint32)}, outputs, self.mesh)

    def publish(self) -> Blueprint:
        """`params -> rollout params`: the training parameters in the dtype and layout of decoding, adapters merged."""
        return self._publish("publish", self.rollout_params)

    def publish_for_sampling(self) -> Blueprint | None:
        """`params -> sampler params`, where training's rollouts keep weights otherwise than evaluation; else None."""
        is_same = self.sampler_params is self.rollout_params
        return None if is_same else self._publish("rollout: publish", self.sampler_params)

    def _publish(self, name: str, targets: Any) -> Blueprint:
        def moved(target: jax.ShapeDtypeStruct, parts: lora.Parts, scale: jax.ShapeDtypeStruct | None) -> Any:
            def one(parts: lora.Parts) -> Any:
                if scale is None:
                    return _placed(lora.weight(parts, self.config.model.lora, target.dtype), target)
                weight, steps = int8.rounded(lora.weight(parts, self.config.model.lora, "float32"))
                return _placed(weight, target), _placed(steps, scale)

            # Layer by layer: gathering a whole stack at once would need its memory twice.
            return jax.lax.map(one, parts) if len(target.shape) == 3 else one(parts)

        def publish(targets: Any, parts: Any) -> Any:
            found = {}
            for name, below in parts.items():
                scale = targets.get(int8.SCALE) if name == "kernel" else None
                found[name] = (
                    publish(targets[name], below) if isinstance(below, dict) else moved(targets[name], below, scale)
                )
                if scale is not None:
                    found[name], found[int8.SCALE] = found[name]
            return found

        return Blueprint(
            name, lambda params: publish(targets, lora.parts(params)), {"params": self.params}, targets, self.mesh
        )

    def optimizer(self, stage: StageConfig) -> Blueprint:
        """`params -> fresh optimizer state` of a stage."""
        optimizer = self._optimizer(stage)
        state = self._opt_state(stage)
        return Blueprint(f"{stage.name}: optimizer", optimizer.init, {"params": self.params}, state, self.mesh)

    def update(self, stage: StageConfig) -> UpdateBlueprints:
        """The programs of a stage's updates, see `update.Update`; the last two write over what they get."""
        optimizer = self._optimizer(stage)
        update = make_update(self.config.model, stage, self.ids, optimizer, self._draws)
        state, batch = self.train_state(stage), self.stage_batch(stage)
        one = self._same((), jnp.int32)
        counted = {"params": state.params, "mask": batch.mask, "advantages": batch.advantages, "part": one}
        counted |= {"said": batch.said} if stage.learns_history else {}
        with jax.set_mesh(self.mesh):
            progress = jax.eval_shape(update.begin, *counted.values())
            _, metrics = jax.eval_shape(update.finish, state, progress, one)
        progress = laid_out(progress, sharding.progress_shardings(progress, self.mesh))
        count = stage.prompts_per_step // (self.rows * self.parts(stage))
        arguments = {
            "params": state.params,
            "reference": state.reference,
            "progress": progress,
            "batch": batch,
            "rows": self._rows((self.rows, count), jnp.int32),
        }
        if progress.old is not None:
            arguments["phase"] = one
        widths = self.widths(stage)

        def gradient(width: int, bucket: tuple[int, int] | None = None) -> Blueprint:
            name = f"{stage.name}: update" + f" {width}" * (width < widths[-1])
            function = functools.partial(update.gradient, width=width, bucket=bucket)
            name = named_within(name, bucket) if bucket else name
            return Blueprint(name, function, arguments, progress, self.mesh, donated=(2,))

        places = [(place, width) for place in range(len(self.config.data.buckets)) for width in widths]
        smaller = {(place, width): gradient(width, self.config.data.buckets[place]) for place, width in places}
        finish = {"state": state, "progress": progress, "steps": one}
        return UpdateBlueprints(
            Blueprint(f"{stage.name}: begin", update.begin, counted, progress, self.mesh),
            {width: gradient(width) for width in widths},
            Blueprint(
                f"{stage.name}: finish",
                update.finish,
                finish,
                (state, self._everywhere(metrics)),
                self.mesh,
                donated=(0,),
            ),
            smaller,
        )

    def widths(self, stage: StageConfig) -> tuple[int, ...]:
        """The places for a group's completions for which a stage's update is compiled, ascending."""
        return *stage.row_widths, stage.group_size * self.config.completion_tokens(stage)

    def reference(self, stage: StageConfig) -> Blueprint | None:
        """`params -> reference` for a stage with a KL term: what the stage trains, as it is when the stage begins."""
        if not stage.loss.kl_coef:
            return None
        keep, kept = make_reference(self.config.model, stage.optimizer.frozen), self.train_state(stage).reference
        return Blueprint(f"{stage.name}: reference", keep, {"params": self.params}, kept, self.mesh)

    def score(self) -> Blueprint:
        """`params, prompts, tokens -> logprobs [P, 1, C]`: the trainer's forward pass over given completions."""
        score = make_score(self.config.model, self.ids, self._draws)
        batch = self.train_batch(self.config.evaluation.batch, 1, self.config.rollout.max_tokens)
        arguments = {"params": self.params, "prompts": batch.prompts, "tokens": batch.tokens}
        return Blueprint("score", score, arguments, batch.logprobs, self.mesh)

    def rollout(self, stage: StageConfig | None) -> RolloutBlueprints:
        """The programs that sample a stage's rollouts; for None the greedy ones of evaluation, with G = 1."""
        if stage is None:
            played = self.config.environment
            talk = None if played.name == "none" else Talk(played, keeps_features=False)
            return self.sampling("greedy", self.config.evaluation.batch, 1, Draws(temperature=0.0), talk)
        rollout, prompts = self.config.rollout, self.prompts_of(stage)
        return self._maker.make(
            stage.name,
            rollout,
            prompts,
            self.sampler_params,
            group_size=stage.group_size,
            draws=self._draws,
            buckets=self.config.data.buckets,
            talk=Talk(stage.environment, self.encode(stage) is not None) if stage.plays else None,
        )

    def sampling(self, name: str, count: int, group: int, draws: Draws, talk: Talk | None = None) -> RolloutBlueprints:
        """The programs for any number of prompts, all decoded at once, and completions of each."""
        plain = dataclasses.replace(self.config.rollout, slots=0, rows=0, kv_dtype="model", weights="model")
        how = {"group_size": group, "draws": draws, "talk": talk}
        return self._maker.make(name, plain, self.prompts(count), self.rollout_params, **how)

    def train_state(self, stage: StageConfig) -> TrainState:
        """The layout of everything that training changes."""
        reference: Any = ()
        if stage.loss.kl_coef:
            kept = jax.eval_shape(make_reference(self.config.model, stage.optimizer.frozen), self.params)
            reference = laid_out(kept, sharding.state_shardings(kept, self.mesh))
        opt_state = self._opt_state(stage)
        return TrainState(self.params, opt_state, self._same((), jnp.int32), self._same((2,), jnp.uint32), reference)

    def stage_batch(self, stage: StageConfig) -> TrainBatch:
        """The layout of what a stage's update reads."""
        batch = self.train_batch(stage.prompts_per_step, stage.group_size, self.config.completion_tokens(stage))
        said = self._rows(batch.prompts.mask.shape, jnp.bool_) if stage.learns_history else None
        return batch._replace(prompts=self.prompts_of(stage), said=said, observed=self._observed(stage, batch))

    def _observed(self, stage: StageConfig, batch: TrainBatch) -> Observed | None:
        """The layout of what an environment adds to completions; None where a stage's have none, or are gold."""
        if not stage.plays or stage.kind != "grpo":
            return None
        (count, group, length), patches, vision = (
            batch.tokens.shape,
            stage.environment.patches,
            self.config.model.vision,
        )
        features = None
        if self.encode(stage) is not None:
            most = Talk(stage.environment, True).most_slots // vision.spatial_merge_size**2
            features = (count, group, most, self.config.model.text.hidden_size)
            features = self._rows(features, jnp.dtype(self.config.model.dtype))
        return Observed(
            self._rows((count, group, length), jnp.bool_),
            self._rows((count, group, 3, length), jnp.int32),
            self._rows((count, group, length), jnp.int32),
            self._rows((count, group, patches, vision.patch_bytes), jnp.uint8),
            self._rows((count, group, patches, 2), jnp.int32),
            self._rows((count, group, patches), jnp.int32),
            features,
        )

    def train_batch(self, count: int, group: int, length: int) -> TrainBatch:
        """The layout of `count` prompts with `group` completions of `length` tokens each."""
        shape = (count, group, length)
        return TrainBatch(
            self.prompts(count),
            self._rows(shape, jnp.int32),
            self._rows(shape, jnp.bool_),
            self._rows(shape, jnp.float32),
            self._rows(shape[:2], jnp.float32),
        )

    def prompts(self, count: int) -> PromptBatch:
        """The layout of `count` prompts in the config's bucket."""
        tokens, patches = self.config.data.max_prompt_tokens, self.config.data.max_patches
        shapes = PromptBatch(
            tokens=((tokens,), jnp.int32),
            mask=((tokens,), jnp.bool_),
            positions=((3, tokens), jnp.int32),
            next_position=((), jnp.int32),
            image_slots=((tokens,), jnp.int32),
            pixels=((patches, self.config.model.vision.patch_bytes), jnp.uint8),
            patch_rowcol=((patches, 2), jnp.int32),
            patch_image=((patches,), jnp.int32),
        )
        return PromptBatch(*[self._rows((count, *shape), dtype) for shape, dtype in shapes[:-1]])

    def prompts_of(self, stage: StageConfig) -> PromptBatch:
        """The layout of a stage's prompts on their way through a step: with their features where they are reused."""
        prompts, program = self.prompts(stage.prompts_per_step), self.encode(stage)
        return prompts if program is None else prompts._replace(features=program.outputs)

    def encode(self, stage: StageConfig) -> Blueprint | None:
        """`params, prompts -> features`, for a rollout and the updates on it, where the stage leaves the tower alone.

        None where it trains the tower, and for sft, where the update alone looks at a picture.
        """
        if stage.kind != "grpo" or jax.tree.leaves(split_frozen(self.params, stage.optimizer.frozen)[0]["vision"]):
            return None
        prompts, model = self.prompts(stage.prompts_per_step), self.config.model
        merged = self.config.data.max_patches // model.vision.spatial_merge_size**2
        features = self._rows((stage.prompts_per_step, merged, model.text.hidden_size), jnp.dtype(model.dtype))
        arguments = {"params": self.params, "prompts": prompts}
        return Blueprint(f"{stage.name}: encode", make_encode(model), arguments, features, self.mesh)

    def clip(self, stage: StageConfig) -> ClipBlueprints | None:
        """The programs that score a stage's descriptions, where its reward asks for that."""
        if stage.kind != "grpo" or not stage.reward.clip_terms:
            return None
        return clip_blueprints(self.config.clip, stage, self.mesh)

    def clip_params(self) -> Any:
        """The layout of the reward's CLIP; nothing where no stage asks one."""
        return clip_params(self.config.clip, self.mesh) if self.config.asks_clip else ()

    def encode_some(self, stage: StageConfig) -> tuple[Blueprint, ...]:
        """`params, prompts, features, rows -> features`, written over, for each of all buckets, where there are several
        and `encode` is called for; before them `-> features` of nothing. Empty: there is one bucket, or no call."""
        whole, shapes = self.encode(stage), self.config.data.shapes
        if whole is None or len(shapes) == 1:
            return ()
        features, some = whole.outputs, make_encode_rows(self.config.model)
        rows = self._rows((self.rows, stage.prompts_per_step // (self.rows * self.parts(stage))), jnp.int32)
        arguments = whole.arguments | {"features": features, "rows": rows}
        made = [
            Blueprint(
                named_within(whole.name, shape) if shape != shapes[-1] else whole.name,
                functools.partial(some, bucket=shape),
                arguments,
                features,
                self.mesh,
                donated=(2,),
            )
            for shape in shapes
        ]
        nothing = functools.partial(jnp.zeros, features.shape, features.dtype)
        return Blueprint(f"{stage.name}: features", nothing, {}, features, self.mesh), *made

    def bucketing(self, stage: StageConfig) -> Blueprint | None:
        """`mask, patch_image -> place of the smallest bucket that holds each prompt`, the same on all devices; None
        where there is one bucket."""
        prompts, shapes = self.prompts(stage.prompts_per_step), self.config.data.shapes
        if len(shapes) == 1:
            return None
        arguments = {"mask": prompts.mask, "patch_image": prompts.patch_image}
        places = self._same((stage.prompts_per_step,), jnp.int32)
        return Blueprint(
            f"{stage.name}: buckets", functools.partial(in_buckets, shapes=shapes), arguments, places, self.mesh
        )

    @staticmethod
    def parts(stage: StageConfig) -> int:
        """Into how many parts the prompts of a step are cut for its updates."""
        return stage.micro_batches * stage.updates_per_rollout

    def _optimizer(self, stage: StageConfig) -> optax.GradientTransformation:
        whole = self.config.model.lora.whole
        return make_optimizer(stage.optimizer, stage.steps, self.params, stage.updates_per_rollout, whole)

    def _opt_state(self, stage: StageConfig) -> Any:
        optimizer = self._optimizer(stage)
        state = jax.eval_shape(optimizer.init, self.params)
        return laid_out(state, sharding.state_shardings(state, self.mesh))

    def _check_rows(self, field: str, prompts: int) -> None:
        if prompts % self.rows:
            raise ValueError(f"{field} must be a multiple of the {self.rows} data-parallel devices, got {prompts}")

    def _rows(self, shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(self.mesh, sharding.ROWS))

    def _everywhere(self, tree: Any) -> Any:
        return jax.tree.map(lambda leaf: self._same(leaf.shape, leaf.dtype), tree)

    def _same(self, shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(self.mesh, PartitionSpec()))


def _placed(weight: jax.Array, target: jax.ShapeDtypeStruct) -> jax.Array:
    """One layer's weight where the stack of them is wanted."""
    spec = PartitionSpec(*target.sharding.spec[-weight.ndim :]) if weight.ndim else PartitionSpec()
    return jax.lax.with_sharding_constraint(weight, spec)
