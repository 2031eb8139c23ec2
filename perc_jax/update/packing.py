"""Which groups an update computes together and how wide their rows are: lengths in, one `Plan` out; numpy only.

In a row `[prompt | completion 1 | … | completion G]` completions stand close together, so only the row's end is padded:
up to one of the stage's `row_widths`, for which programs are compiled before step 0. Groups whose prompts need the same
of the run's buckets, and among these groups of similar length, share a micro-batch: each device sorts its own groups,
and the n-th of all devices are computed together, so that no group leaves the device that sampled it. So buckets leave
what is drawn, and in which step it is learned, as they are: only the order within a step's sum is another one.

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
    bucket: int = -1  # of the prompts, by its place among the run's shapes; the largest is the last


class Plan(NamedTuple):
    """An update's micro-batches; with several updates per rollout, those of each."""

    updates: tuple[tuple[MicroBatch, ...], ...]
    padding_share: float  # places of all rows, prompts included, that hold no token
    skipped_share: float  # groups that are in no micro-batch


def in_turn(buckets: Int[np.ndarray, "P"], devices: int, parts: int) -> list[MicroBatch]:
    """Prompts that a step's work on pictures alone takes together: those of the same bucket, the largest first."""
    own = buckets.reshape(devices, -1)
    order = np.argsort(-own, axis=1, kind="stable")
    together = np.split(order, parts, axis=1)
    return [MicroBatch(0, rows, int(np.take_along_axis(own, rows, axis=1).max())) for rows in together]


def lengths(mask: Bool[np.ndarray, "P G C"]) -> Int[np.ndarray, "P G"]:
    """Tokens of each completion up to the last one that carries loss."""
    return np.max(np.where(mask, np.arange(1, mask.shape[2] + 1), 0), axis=2, initial=0)


def plan(
    prompt_tokens: Int[np.ndarray, "P"],
    completion_tokens: Int[np.ndarray, "P"],
    has_signal: Bool[np.ndarray, "P"],
    buckets: Int[np.ndarray, "P"] | None = None,
    *,
    devices: int,
    prompt_width: int | tuple[int, ...],
    widths: tuple[int, ...],
    micro_batches: int,
    updates: int = 1,
) -> Plan:
    """Plan the updates of P groups, P / `devices` on each data-parallel device, from their tokens over all hosts.

    `has_signal`: the groups that must be computed; of each update one micro-batch is, at least. With several updates
    per rollout, groups u, u + updates, … make update u. `widths` in ascending order. `buckets`: the smallest that holds
    each prompt, by its place among those of `prompt_width` tokens; none: there is but one.
    """
    buckets = np.full_like(prompt_tokens, -1) if buckets is None else buckets
    own_prompts, own, signal, bucket = (
        of_all.reshape(devices, -1) for of_all in (prompt_tokens, completion_tokens, has_signal, buckets)
    )
    prompt_widths = prompt_width if isinstance(prompt_width, tuple) else (prompt_width,)
    count, parts, tokens = own.shape[1] // (micro_batches * updates), [], 0
    for update in range(updates):
        places = np.arange(update, own.shape[1], updates)
        needed = max(1, -(-signal[:, places].sum(axis=1).max() // count)) * count
        chosen = places[np.argsort(np.where(signal, -1, own)[:, places], axis=1, kind="stable")[:, :needed]]
        by_length = np.lexsort([-np.take_along_axis(of_all, chosen, axis=1) for of_all in (own, bucket)], axis=1)
        order = np.take_along_axis(chosen, by_length, axis=1)
        together = [order[:, first : first + count] for first in range(0, needed, count)]
        longest, largest = (
            [int(np.take_along_axis(of_all, rows, axis=1).max()) for rows in together] for of_all in (own, bucket)
        )
        parts.append(tuple(map(MicroBatch, [_fitting(most, widths) for most in longest], together, largest)))
        tokens += int(np.take_along_axis(own_prompts + own, order, axis=1).sum())
    micros = [micro for part in parts for micro in part]
    places = sum(micro.rows.size * (prompt_widths[micro.bucket] + micro.width) for micro in micros)
    return Plan(tuple(parts), 1 - tokens / places, 1 - sum(micro.rows.size for micro in micros) / own.size)


def _fitting(tokens: int, widths: tuple[int, ...]) -> int:
    return next(width for width in widths if width >= tokens)
