"""Which groups an update computes together and how wide their rows are: lengths in, one `Plan` out; numpy only.

In a row `[prompt | completion 1 | … | completion G]` completions stand close together, so only the row's end is padded:
up to one of the stage's `row_widths`, for which programs are compiled before step 0. Groups of similar length share a
micro-batch: each device sorts its own groups, and the n-th longest of all devices are computed together, so that no
group leaves the device that sampled it.

A group whose advantages are all zero adds exactly nothing to the gradient. Micro-batches that would hold only such
groups are left out; the shortest of them fill up the last one that is not.

Worked example: one device, completions of 70, 20, 50 and 30 tokens in all, widths 32, 64 and 96, two micro-batches:
groups 0 and 2 in rows of 96, groups 3 and 1 in rows of 32. If only group 3 has signal: groups 3 and 1 in rows of 32.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int


class MicroBatch(NamedTuple):
    """Groups that are computed together."""

    width: int  # W: completion tokens of a row
    rows: Int[np.ndarray, "D n"]  # of each data-parallel device, by their place among its own rows


class Plan(NamedTuple):
    """An update's micro-batches; with several updates per rollout, those of each."""

    updates: tuple[tuple[MicroBatch, ...], ...]
    padding_share: float  # places of all rows, prompts included, that hold no token
    skipped_share: float  # groups that are in no micro-batch


def lengths(mask: Bool[np.ndarray, "P G C"]) -> Int[np.ndarray, "P G"]:
    """Tokens of each completion up to the last one that carries loss."""
    return np.max(np.where(mask, np.arange(1, mask.shape[2] + 1), 0), axis=2, initial=0)


def plan(
    prompt_tokens: Int[np.ndarray, "P"],
    completion_tokens: Int[np.ndarray, "P"],
    has_signal: Bool[np.ndarray, "P"],
    *,
    devices: int,
    prompt_width: int,
    widths: tuple[int, ...],
    micro_batches: int,
    updates: int = 1,
) -> Plan:
    """Plan the updates of P groups, P / `devices` on each data-parallel device, from their tokens over all hosts.

    `has_signal`: the groups that must be computed; of each update one micro-batch is, at least. With several updates
    per rollout, groups u, u + updates, … make update u. `widths` in ascending order.
    """
    own_prompts, own, signal = (
        of_all.reshape(devices, -1) for of_all in (prompt_tokens, completion_tokens, has_signal)
    )
    count, parts, tokens = own.shape[1] // (micro_batches * updates), [], 0
    for update in range(updates):
        places = np.arange(update, own.shape[1], updates)
        needed = max(1, -(-signal[:, places].sum(axis=1).max() // count)) * count
        chosen = places[np.argsort(np.where(signal, -1, own)[:, places], axis=1, kind="stable")[:, :needed]]
        by_length = np.argsort(-np.take_along_axis(own, chosen, axis=1), axis=1, kind="stable")
        order = np.take_along_axis(chosen, by_length, axis=1)
        together = [order[:, first : first + count] for first in range(0, needed, count)]
        longest = [int(np.take_along_axis(own, rows, axis=1).max()) for rows in together]
        parts.append(
            tuple(MicroBatch(_fitting(most, widths), rows) for most, rows in zip(longest, together, strict=True))
        )
        tokens += int(np.take_along_axis(own_prompts + own, order, axis=1).sum())
    micros = [micro for part in parts for micro in part]
    places = sum(micro.rows.size * (prompt_width + micro.width) for micro in micros)
    return Plan(tuple(parts), 1 - tokens / places, 1 - sum(micro.rows.size for micro in micros) / own.size)


def _fitting(tokens: int, widths: tuple[int, ...]) -> int:
    return next(width for width in widths if width >= tokens)
