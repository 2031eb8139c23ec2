"""A model that answers: parameters laid out for decoding, one answer token by token, or k answers to many prompts.

Both are the run's own sampler (`rollout`), so that an answer seen here is one that training could have drawn. One
answer is decoded in segments of one token; the host reads token t while the device computes token t + 1. `Respondent`
serves `evaluate` and `grade`: it takes batches of prompts, data-parallel over the mesh, and compiles once per bucket.
"""

import dataclasses
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding

from perc_jax.batch import Completions, PromptBatch, TokenIds
from perc_jax.config import Config, MeshConfig, ModelConfig
from perc_jax.mesh import sharding
from perc_jax.model import abstract_params, lora
from perc_jax.programs.blueprints import Blueprints
from perc_jax.programs.compiled import Programs, Sampler
from perc_jax.prompt.tokenizer import Tokenizer
from perc_jax.records.checkpoint import Checkpoints
from perc_jax.rollout.decode import Context, State, make_rollout
from perc_jax.rollout.sampling import Draws
from perc_jax.weights import safetensors

COLUMNS = 64  # completions are decoded in buffers of a multiple of this many tokens
DENSE_LENGTH = 2048  # prompt tokens or patches above which scores are no longer held all at once


class Reply(NamedTuple):
    """One of the k answers to a prompt."""

    text: str
    tokens: int
    ended: bool  # False where it was cut at the longest answer


class Sampled(NamedTuple):
    """One token of an answer, its log-probability under the sampling distribution, and whether it is an end token."""

    token: int
    logprob: float
    is_end: bool


def decoding_mesh(kv_heads: int) -> Mesh:
    """As many of this process's devices as can share one prompt: each gets whole key/value heads."""
    devices = jax.local_devices()
    count = max(n for n in range(1, len(devices) + 1) if kv_heads % n == 0)
    return sharding.make_mesh(MeshConfig(replica=1, fsdp=1, tensor=count), devices[:count])


def attention_way(tokens: int, patches: int) -> str:
    """How to compute attention over a prompt of that many tokens and patch slots on this machine."""
    if max(tokens, patches) <= DENSE_LENGTH:
        return "dense"
    return "splash" if jax.default_backend() == "tpu" else "blockwise"


def published_params(folder: Path, config: ModelConfig, mesh: Mesh, bar: safetensors.Bar | None = None) -> Any:
    """The parameters of a Hugging Face folder in `config.dtype`; raises what `weights.load_params` raises."""
    return safetensors.load_params(folder, config, _target(config, mesh, config.dtype), bar=bar)


def trained_params(workdir: str, stored: dict, config: ModelConfig, mesh: Mesh) -> Any:
    """The parameters of a run's newest sound checkpoint in `config.dtype`; `stored` is its config as it was saved.

    Adapters are merged into them. Raises `ValueError` if there is no such checkpoint.
    """
    target = _target(config, mesh)
    state, _ = Checkpoints.named(workdir).restore({"params": target}, stored)
    layout = jax.tree.map(lambda leaf: leaf.sharding, lora.split(target)[0])
    merge = jax.jit(lambda params: lora.merge(params, config.lora, config.dtype), out_shardings=layout)
    return merge(state["params"])


def _target(config: ModelConfig, mesh: Mesh, dtype: str = "") -> Any:
    """Where all parameters lie, in a dtype or in that of training."""
    params = abstract_params(config)
    layout = sharding.rollout_shardings(params, mesh)
    return jax.tree.map(
        lambda leaf, where: jax.ShapeDtypeStruct(leaf.shape, dtype or leaf.dtype, sharding=where), params, layout
    )


def make_answer(
    config: ModelConfig, ids: TokenIds, mesh: Mesh, *, max_tokens: int, draws: Draws
) -> Callable[[Any, PromptBatch, int], Iterator[Sampled]]:
    """Build `answer(params, prompt, seed)`: the completion of one prompt (P = 1, numpy), token by token.

    It ends with an end token or after `max_tokens`. Both programs are compiled at the first
    token of the first prompt of a size.
    """
    columns = -(-max_tokens // COLUMNS) * COLUMNS
    prefill, decode = make_rollout(config, ids, group_size=1, max_tokens=columns, draws=draws, segment_tokens=1)
    layout = jax.tree.map(lambda spec: NamedSharding(mesh, spec), sharding.rollout_specs())

    def first(*arguments: Any) -> tuple[Context, State, Any]:
        context, state = prefill(*arguments)
        return context, state, _newest(state)

    def following(params: Any, context: Context, state: State) -> tuple[State, Any]:
        state = decode(params, context, state)
        return state, _newest(state)

    first = jax.jit(first, out_shardings=(*layout, None))
    following = jax.jit(following, donate_argnums=2, out_shardings=(layout[1], None))

    def answer(params: Any, prompt: PromptBatch, seed: int) -> Iterator[Sampled]:
        rows, key = np.zeros(1, np.uint32), np.array([0, seed], np.uint32)
        inputs = sharding.same_to_mesh((prompt, rows, key), mesh)
        with jax.set_mesh(mesh):
            context, state, newest = first(params, *inputs)
        for left in range(max_tokens, 0, -1):
            ahead = None
            if left > 1:
                with jax.set_mesh(mesh):
                    ahead = following(params, context, state)
            token, logprob, is_end = (value.item() for value in jax.device_get(newest))
            yield Sampled(token, logprob, is_end)
            if is_end or ahead is None:
                return
            state, newest = ahead

    return answer


def _newest(state: State) -> tuple[Any, Any, Any]:
    """Token and log-probability of the column sampled last, and whether the completion has ended."""
    groups = state.groups
    column = groups.length[0, 0] - 1
    return groups.tokens[0, 0, column], groups.logprobs[0, 0, column], groups.ended[0, 0]


class Respondent:
    """Asks a model whole batches of prompts: k answers each, greedy or sampled.

    Args:
        config: sizes, decoding (`rollout.max_tokens`) and mesh; its stages are not looked at.
        programs: their mesh and their table of compiled programs are used.
        params: laid out for decoding (`programs.publish`, `programs.blueprints.rollout_params`).
        tokens: the model's tokenizer.
        samples: k.
        temperature, top_p: as in `Draws`; 0 is greedy.
        seed: of the draws.
    """

    def __init__(
        self,
        config: Config,
        programs: Programs,
        params: Any,
        tokens: Tokenizer,
        *,
        samples: int = 1,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
    ):
        self._config = dataclasses.replace(config, stages=())
        self._programs, self._params, self._tokens = programs, params, tokens
        self._samples, self._draws, self._seed = samples, Draws(temperature, top_p), seed
        self._samplers: dict[tuple[int, int, int], Sampler] = {}

    def sample_k(self, prompts: PromptBatch, ids: Sequence[str]) -> list[list[Reply]]:
        """Give k replies to each of this host's prompts; an id's replies depend on nothing but the id and the seed.

        Prompts of a new shape (P, S, N) compile two programs. P over all hosts must be a multiple of the
        data-parallel devices (`programs.blueprints.rows`).
        """
        names = np.array([zlib.crc32(name.encode()) for name in ids], np.uint32)
        return replies(self._sampler(prompts)(self._params, prompts, names, seed=self._seed), self._tokens)

    def first_logprobs(self, prompts: PromptBatch) -> np.ndarray:
        """The log-probability [P] of each prompt's first token, without decoding."""
        return self._sampler(prompts).first_logprobs(self._params, prompts)

    def _sampler(self, prompts: PromptBatch) -> Sampler:
        shape = self._programs.share.total(len(prompts.tokens)), prompts.tokens.shape[1], prompts.pixels.shape[1]
        if shape not in self._samplers:
            count, tokens, patches = shape
            bucket = dataclasses.replace(
                self._config,
                model=dataclasses.replace(
                    self._config.model, attention=way_here(self._config.model.attention, tokens, patches)
                ),
                data=dataclasses.replace(self._config.data, max_prompt_tokens=tokens, max_patches=patches, buckets=()),
                evaluation=dataclasses.replace(self._config.evaluation, batch=count),
            )
            blueprints = Blueprints(bucket, self._tokens.ids, self._programs.mesh)
            name = f"{count} x {self._samples} answers, {tokens} tokens, {patches} patches"
            pair = blueprints.sampling(name, count, self._samples, self._draws)
            self._samplers[shape] = Sampler(self._programs, pair)
        return self._samplers[shape]


def way_here(way: str, tokens: int, patches: int) -> str:
    """A config's way of attention, or another where this machine or a bucket of that size does not allow it."""
    if (way == "dense" and max(tokens, patches) > DENSE_LENGTH) or (way == "splash" and jax.default_backend() != "tpu"):
        return attention_way(tokens, patches)
    return way


def replies(completions: Completions, tokens: Tokenizer) -> list[list[Reply]]:
    """The texts of P x G completions, prompt by prompt."""
    return [
        [
            Reply(tokens.decode(row[kept].tolist()), int(kept.sum()), bool(done))
            for row, kept, done in zip(rows, keep, ended, strict=True)
        ]
        for rows, keep, ended in zip(completions.tokens, completions.mask, completions.ended, strict=True)
    ]
