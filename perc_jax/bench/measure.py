"""One measurement after the other: ours and the peer in turns, medians, and what follows from them."""

import os
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from perc_jax.batch import Completions
from perc_jax.bench import figures, machines, peers
from perc_jax.bench.cases import TOKENIZER, Case, draw, drawn_ids
from perc_jax.bench.figures import Times
from perc_jax.bench.machines import Machine
from perc_jax.bench.ours import Ours, Sampled, Seconds
from perc_jax.bench.peer_service import Spent
from perc_jax.config import Config
from perc_jax.mesh import sharding
from perc_jax.plan import memory
from perc_jax.processes.progress import Progress
from perc_jax.programs.blueprints import Blueprints
from perc_jax.prompt import tokenizer

PARTS = {"rollout": ("rollout",), "update": ("update",), "step": ("rollout", "update", "step")}  # timed apart
DEADLINE_S = 3600.0  # of one phase: a slow peer on a slow machine


class Settings(NamedTuple):
    """What is asked of every case."""

    what: str
    repeats: int
    against: str  # empty: no peer
    peer_passes: tuple[str, ...]
    seed: int
    mean_tokens: int = 0  # of completions that end where the model draws an end; 0: all have C tokens


def run(cases: Sequence[Config], settings: Settings) -> list[dict[str, Any]]:
    """Measure every case, showing progress.

    Raises `RuntimeError` if the peer or the device failed.
    """
    with Progress(DEADLINE_S) as screen:
        if settings.what == "memory":
            with screen.bar("compiling updates", len(cases)) as advance:
                return [_memory(case, screen, advance) for case in cases]
        sharding.take_cores(cases[0].mesh)
        load = os.getloadavg()[0]  # by others: nothing was measured yet, which would add to it
        with screen.phase("measuring the machine's peak"):
            machine = machines.look()
        with screen.bar("measuring", len(cases) * settings.repeats) as advance:
            return [_measure(case, settings, machine, screen, advance) | {"load": load} for case in cases]


def _memory(config: Config, screen: Progress, advance: Any) -> dict[str, Any]:
    """What a gradient of the case will hold on one device; it is compiled and not run."""
    ids = drawn_ids(tokenizer.load(TOKENIZER), config.model.text.vocab_size)
    with screen.phase(f"compiling with {_words(config)}"):
        gradients = Blueprints(config, ids).update(config.stages[0]).gradients
        compiled = gradients[max(gradients)].compile()  # of one micro-batch, in the rows that hold any completions
    advance()
    sizes = memory.sizes(compiled, jax.devices()[0].platform)
    return {
        "what": "memory",
        "config": config.name,
        "shape": shape(config),
        "device": jax.devices()[0].device_kind,
        "state_bytes": sizes.arguments,
        "temporary_bytes": sizes.temporary,
        "peak_bytes": sizes.arguments + sizes.outputs - sizes.aliased + sizes.temporary,
    }


def _measure(config: Config, settings: Settings, machine: Machine, screen: Progress, advance: Any) -> dict[str, Any]:
    """One case."""
    ids = drawn_ids(tokenizer.load(TOKENIZER), config.model.text.vocab_size, settings.mean_tokens)
    case = draw(config, config.stages[0], settings.seed)
    with screen.phase(f"compiling for {_words(config)}"):
        ours = Ours(config, ids, case.batch, settings.seed, is_calm=settings.mean_tokens > 0)
    with screen.phase("our first rollout"):
        sampled, _ = ours.rollout()
    if not settings.mean_tokens and not sampled.on_host.mask.all():
        raise RuntimeError("a completion ended early: an end token was sampled that must not be")
    with _peer(settings, ours, case, sampled.on_host, screen) as peer:
        said = peer.ask("agreement") if peer else {}
        with screen.phase("warming up"):
            _ours(ours, settings.what, sampled)
            ours.prefill_s()
            if peer:
                peer.ask(settings.what)
        before = ours.compiles.count
        times = Times(*({part: [] for part in PARTS[settings.what]} for _ in range(2)), [])
        for _ in range(settings.repeats):
            with screen.phase("ours"):
                _note(times.ours, _ours(ours, settings.what, sampled))
                times.prefill.append(ours.prefill_s())
            if peer:
                with screen.phase("the peer"):
                    _note(times.peer, peer.ask(settings.what))
            advance()
        recompiles = ours.compiles.count - before
        said |= peer.ask("memory") if peer else {}
    ours.compiles.close()
    found = _result(ours, settings, machine, times, sampled.on_host.mask.sum(axis=2))
    return found | {
        "recompiles": recompiles,
        "peer": {"name": settings.against, **said} if peer else None,
    }


@contextmanager
def _peer(
    settings: Settings, ours: Ours, case: Case, completions: Completions, screen: Progress
) -> Iterator[peers.Peer | None]:
    if not settings.against:
        yield None
        return
    with peers.folder(ours, case, completions, settings.seed, settings.peer_passes) as folder:
        with screen.phase("starting the peer"):
            peer = peers.start(settings.against, folder)
        try:
            yield peer
        finally:
            peer.close()


def _ours(ours: Ours, what: str, sampled: Sampled) -> Seconds:
    if what == "rollout":
        return ours.rollout()[1]
    return ours.update(sampled) if what == "update" else ours.step()


def _note(into: dict[str, list[Spent]], seconds: Seconds) -> None:
    for part, listed in into.items():
        listed.append(seconds[part])


def _result(
    ours: Ours, settings: Settings, machine: Machine, times: Times, lengths: Int[np.ndarray, "P G"]
) -> dict[str, Any]:
    """Everything that follows from the times and the completions' lengths; keys as the module `bench` says."""
    config, blueprints = ours.config, ours.programs.blueprints
    trains_vision = bool(jax.tree.leaves(memory.trained(blueprints, ours.stage)["vision"]))
    parts = figures.parts(config, machine, times, trains_vision=trains_vision, tokens=int(lengths.sum()))
    prefill_s = None if None in times.prefill else statistics.median(times.prefill)
    if "rollout" in parts and prefill_s is not None and not settings.mean_tokens:
        decode_s = parts["rollout"]["seconds"] - prefill_s
        parts["rollout"]["bandwidth_use"] = figures.bandwidth_use(config, machine, ours.programs.mesh.shape, decode_s)
    asked = parts[settings.what]
    if settings.what == "step":  # it is decoding's
        asked["bandwidth_use"] = parts["rollout"]["bandwidth_use"]
    return {
        "what": settings.what,
        "config": config.name,
        "shape": shape(config),
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(ours.programs.params)),
        "dtype": config.model.dtype,
        "device": machine.kind,
        "devices": machine.count,
        "threads": peers.threads(),
        "machine": machine._asdict(),
        **{name: value for name, value in asked.items() if not name.endswith("spent")},
        "prefill_s": prefill_s,
        "peak_bytes": _peak_bytes(ours),
        "compile_s": sum(program.compile_s for program in ours.programs.table),
        "repeats": settings.repeats,
        "lengths": {"mean": float(lengths.mean()), "longest": int(lengths.max())},
        "parts": parts,
    }


def _peak_bytes(ours: Ours) -> int:
    """What the device says; where it does not, the largest program's arguments, results and temporaries."""
    said = machines.device_peak_bytes()
    if said:
        return said
    platform = jax.devices()[0].platform
    sizes = [memory.sizes(program.call, platform) for program in ours.programs.table]
    return max(x.arguments + x.outputs - x.aliased + x.temporary for x in sizes)


def shape(config: Config) -> dict[str, int]:
    """The letters S, C, G, P by their names, and N."""
    stage = config.stages[0]
    return {
        "prompt_tokens": config.data.max_prompt_tokens,
        "max_tokens": config.rollout.max_tokens,
        "group_size": stage.group_size,
        "prompts": stage.prompts_per_step,
        "patches": config.data.max_patches,
        "micro_batches": stage.micro_batches,
    }


def _words(config: Config) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in list(shape(config).items())[:4])
