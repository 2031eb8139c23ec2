"""From seconds to figures: rates, shares of the machine's peak and bandwidth, ratios. Arithmetic on plain numbers."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from perc_jax.bench.machines import Machine
from perc_jax.bench.peer_service import Spent
from perc_jax.config import Config
from perc_jax.plan import flops

INSIDE = {"rollout": ("rollout",), "update": ("update",), "step": ("rollout", "update")}  # whose work a part is


class Times(NamedTuple):
    """What each repeat took by part, ours and the peer's (none without one), and seconds of our prefill alone."""

    ours: dict[str, list[Spent]]
    peer: dict[str, list[Spent]]
    prefill: list[float | None]


def parts(
    config: Config, machine: Machine, times: Times, *, trains_vision: bool, tokens: int
) -> dict[str, dict[str, Any]]:
    """The figures of every part that was measured, under the names that the module `bench` explains.

    `tokens` of all completions; where they have different lengths, shares of the peak are not told (None).
    """
    stage = config.stages[0]
    work = flops.step_work(config, stage, trains_vision=trains_vision)
    executed = {"rollout": work.prefill + work.decode, "update": work.update}
    useful = {"rollout": work.useful_rollout, "update": work.useful_update}
    completions = stage.prompts_per_step * stage.group_size
    found, is_full = {}, tokens == completions * config.rollout.max_tokens
    for part, spent in times.ours.items():
        seconds = median(spent)
        own = {name: sum(kind[x] for x in INSIDE[part]) for name, kind in (("executed", executed), ("useful", useful))}
        found[part] = {
            "seconds": seconds,
            "samples_per_s": completions / seconds,
            "tokens_per_s": tokens / seconds,
            "executed_flops": own["executed"],
            "useful_flops": own["useful"],
            "mfu": own["executed"] / seconds / (machine.flops * machine.count) if is_full else None,
            "useful_mfu": own["useful"] / seconds / (machine.flops * machine.count) if is_full else None,
            "bandwidth_use": None,
            **_beside(spent, times.peer.get(part, ())),
            "spent": spent,
        }
    return found


def _beside(ours: Sequence[Spent], theirs: Sequence[Spent]) -> dict[str, Any]:
    """Ratios of medians, by the clock and by processor time, and what they rest on."""
    if not theirs:
        return {"ratio_to_peer": None}
    return {
        "ratio_to_peer": median(theirs) / median(ours),
        "processor_ratio_to_peer": median(theirs, 1) / median(ours, 1),
        "peer_seconds": median(theirs),
        "peer_spent": theirs,
    }


def median(spent: Sequence[Spent], kind: int = 0) -> float:
    """The median of seconds (0) or of processor seconds (1)."""
    return statistics.median(each[kind] for each in spent)


def bandwidth_use(config: Config, machine: Machine, mesh: Mapping[str, int], decode_s: float) -> float:
    """Share of a copy's speed at which decoding reads weights and cache, both whole at every column."""
    stage = config.stages[0]
    rows = stage.prompts_per_step // (mesh["replica"] * mesh["fsdp"])
    traffic = flops.decode_traffic(config, rows, stage.group_size, mesh["tensor"])
    columns = config.rollout.max_tokens - 1  # the first comes from the prefill
    return (traffic.weight_bytes + traffic.cache_bytes) * columns / decode_s / machine.bandwidth


def row_tokens(shape: Mapping[str, int]) -> tuple[int, int]:
    """Tokens of a micro-batch's rows: with prompts once per group, and once per completion."""
    prompt, length = shape["prompt_tokens"], shape["max_tokens"]
    group, prompts = shape["group_size"], shape["prompts"] // shape["micro_batches"]
    return prompts * (prompt + group * length), prompts * group * (prompt + length)
