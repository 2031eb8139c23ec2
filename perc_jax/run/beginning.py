"""How a run begins: what must be there, and its first weights: random, a Hugging Face model's, or another run's."""

import contextlib
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from perc_jax.config import Config, to_dict
from perc_jax.evaluation.suites import SIGHT_NATS, proof_of_sight
from perc_jax.mesh import sharding
from perc_jax.model import lora
from perc_jax.processes import ends
from perc_jax.processes.progress import Progress
from perc_jax.programs.compiled import Programs, Score
from perc_jax.prompt import codebook, pretrained, tokenizer
from perc_jax.records import commits, same
from perc_jax.records.checkpoint import Checkpoints
from perc_jax.records.files import absolute
from perc_jax.run import fitting, place
from perc_jax.run.place import Change, Place
from perc_jax.run.standing import Standing
from perc_jax.weights import growth, hf_folder, safetensors


class First(NamedTuple):
    """Weights, laid out for training, and where they are from."""

    params: Any
    source: str


class Opened(NamedTuple):
    """A run as it stands in its workdir, before anything is compiled."""

    tokens: tokenizer.Tokenizer
    checkpoints: Checkpoints
    place: Place | None  # None: it begins
    changes: list[Change]  # of the config, where it goes on
    position: dict[str, Any]  # of its newest checkpoint
    step: int
    source: str  # of its first weights, in words


@ends.refused()
def open_run(config: Config, workdir: str, *, fetch: bool = True) -> Opened:
    """Look at all that a run needs beside data, and write nothing; all processes must ask.

    Without `fetch` the weights of a hub id are not downloaded, and so not looked at. Raises `ValueError` or `OSError`
    for files that are not there or hold another model, and for a workdir of another run.
    """
    tokens = tokenizer.of(config)
    tokenizer.check_fits(tokens, config.model.text.vocab_size)
    checkpoints = Checkpoints(workdir, config.checkpoint.keep)
    source = config.begin_from or config.pretrained or "random"
    fitting.check(config, fetch=fetch)
    if config.codes.has_map:
        codebook.of(config.codes)
    if newest := checkpoints.check(to_dict(config)):
        found, changes = place.resumed(*newest, to_dict(config))
        return Opened(tokens, checkpoints, found, changes, newest[0], checkpoints.steps()[-1], source)
    if config.begin_from:
        same.check_first(config.begin_from, to_dict(config))
    elif config.pretrained:
        is_here = fetch or Path(config.pretrained).expanduser().is_dir()
        folder = pretrained.folder_of(config.pretrained, weights=is_here, field="pretrained")
        more = growth.of_folder(config, tokens, folder)
        hf_folder.check_same_model(folder, more.before(config.model) if more else config.model, "model")
        if is_here:
            safetensors.check(folder, config.model, more)
    return Opened(tokens, checkpoints, None, [], {}, 0, source)


def is_done(opened: Opened, config: Config, workdir: str) -> bool:
    """Whether a run has nothing left to do: its last stage is over and examined, and nothing of the config is new."""
    if opened.place is None or opened.changes or opened.place.stage < len(config.stages) - 1:
        return False
    stage, position = config.stages[-1], opened.position
    is_over = opened.place.step == stage.steps or Standing(config, position.get("standing")).is_over
    last = place.results(absolute(workdir), len(config.stages), stage.name, opened.step)
    is_examined = last.exists() or not config.evaluation.names
    return is_over and is_examined and not position.get("bad_steps")


def prove_sight(config: Config, programs: Programs, score: Score, params: Any, screen: Progress) -> None:
    """Say by how much another picture moves the model; raises `RuntimeError` where pictures do not reach it."""
    with screen.phase("proving that the model sees"):
        changes = proof_of_sight(config, programs, score, params)
    moves = ", ".join(f"{who}'s by {change:.2g} ({name})" for (who, name), change in changes.items())
    screen.say(f"the model sees: another picture moves log-odds, at least by {SIGHT_NATS}: {moves}")


def weights(config: Config, programs: Programs, screen: Progress) -> First:
    """Read or make them; all processes must ask.

    Raises `ValueError` or `OSError` for files that cannot be used.
    """
    if config.begin_from:
        with screen.phase("reading the weights of the other run"):
            return _of_run(config, programs)
    if config.pretrained:
        folder = pretrained.folder_of(config.pretrained)
        with screen.phase("reading the pretrained weights"):
            more = growth.of_folder(config, tokenizer.of(config), folder)
            params = safetensors.load_params(folder, config.model, programs.params, growth=more, bar=screen.bar)
        return First(programs.with_adapters(params), config.pretrained)
    return First(programs.init_params(), "random")


def _of_run(config: Config, programs: Programs) -> First:
    """The parameters of another run's checkpoint. Where that run has no adapters, this one's are fresh; so are the rows
    of words that this one adds."""
    with contextlib.closing(Checkpoints.named(config.begin_from)) as checkpoints:
        stored = checkpoints.config()
        same.check_first(config.begin_from, to_dict(config))
        has_adapters = bool(stored["model"].get("lora", {}).get("rank"))
        target = final = programs.params if has_adapters else lora.split(programs.params)[0]
        if more := growth.of_run(config, stored):
            target = growth.smaller(target, more, lambda *leaf: sharding.place_of(*leaf, programs.mesh))
        # A base beneath adapters may be stored in another dtype than parameters that were all trained.
        there = target if has_adapters else jax.tree.map(_in_float32, target)
        everywhere = jax.sharding.NamedSharding(programs.mesh, jax.sharding.PartitionSpec())
        step = jax.ShapeDtypeStruct((), jnp.int32, sharding=everywhere)
        state, _ = checkpoints.restore({"params": there, "step": step}, stored)
    params = state["params"]
    if not has_adapters:
        params = jax.tree.map(lambda leaf, wanted: leaf.astype(wanted.dtype), params, target)
    params = growth.grown(params, final, more) if more else params
    if not has_adapters:
        params = programs.with_adapters(params)
    return First(params, f"{commits.named(config.begin_from).workdir}@{int(state['step'])}")


def _in_float32(leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, jnp.float32, sharding=leaf.sharding)
