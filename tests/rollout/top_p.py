"""How far the nucleus's log-probabilities are from those of the whole distribution, and what finding it costs.

`python -m tests.rollout.top_p` measures both on this machine, over Qwen2.5-VL's vocabulary at PeBR-R1's temperature and
top-p. A trainer that does not know of top-p takes the whole distribution's log-probability of a token that was drawn
from the nucleus; the log-ratio of the two is what it is off by.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from perc_jax.batch import TokenIds
from perc_jax.rollout import sampling
from perc_jax.rollout.sampling import Draws

VOCABULARY, ROWS = 151_936, 8
DRAWS = Draws(temperature=1.2, top_p=0.99)
IDS = TokenIds(pad=151_643, ends=(151_645, 151_643), image=151_655, forbidden=(151_655,), vocab_size=VOCABULARY)
REPEATS = 15
LOGPROBS = jax.jit(sampling.sampling_logprobs, static_argnames=("draws", "ids"))


class Off(NamedTuple):
    """|log-ratio| of whole distribution and nucleus, over tokens as the nucleus gives them, and tokens in it."""

    mean: float
    largest: float
    kept: float  # tokens, mean over rows


def logits(kind: str, rows: int = ROWS, seed: int = 0) -> Float[Array, "rows V"]:
    """Logits of one kind: `flat` and `wide` are normal of deviation 1 and 4; `ranked` falls with the logarithm of a
    token's rank, as words' counts do; `peaked` has one token above that, of 98 % at T 1.2, `certain` one of 99.98 %."""
    rng = np.random.default_rng(seed)
    if kind in ("flat", "wide"):
        found = rng.normal(size=(rows, VOCABULARY)) * {"flat": 1, "wide": 4}[kind]
    else:
        ranks = np.log(np.arange(1, VOCABULARY + 1))
        found = np.stack([rng.permutation(-1.6 * ranks) for _ in range(rows)])
        if kind != "ranked":
            found[:, 0] = {"peaked": 6, "certain": 12}[kind]
    return jnp.array(found, jnp.float32)


KINDS = ("flat", "wide", "ranked", "peaked", "certain")


def off(scores: Float[Array, "rows V"], draws: Draws = DRAWS, ids: TokenIds = IDS) -> Off:
    """What the whole distribution is off by."""
    whole = np.asarray(LOGPROBS(scores, draws=draws._replace(top_p=1.0), ids=ids), np.float64)
    drawn = np.asarray(LOGPROBS(scores, draws=draws, ids=ids), np.float64)
    kept = drawn > sampling.FORBIDDEN / 2
    gap = np.where(kept, np.abs(whole - drawn), 0)
    return Off(float((np.exp(drawn) * gap).sum(axis=1).mean()), float(gap.max()), float(kept.sum(axis=1).mean()))


def by_sorting(logprobs: Float[Array, "*n V"], top_p: float) -> Float[Array, "*n"]:
    """`sampling.nucleus` by sorting the vocabulary."""
    descending = -jnp.sort(-logprobs, axis=-1)
    before = jnp.cumsum(jnp.exp(descending), axis=-1) - jnp.exp(descending)
    return jnp.min(jnp.where(before < top_p, descending, jnp.inf), axis=-1)


def seconds(calls: dict[str, Callable[[], Array]]) -> dict[str, float]:
    """The median of each call's seconds, all in turn."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(REPEATS + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            jax.block_until_ready(call())
            if repeat:  # the first compiles
                found[name].append(time.perf_counter() - start)
    return {name: float(np.median(times)) for name, times in found.items()}


def main() -> None:
    """Print both."""
    print(f"top-p {DRAWS.top_p}, temperature {DRAWS.temperature}, {VOCABULARY:,} tokens; -ln top-p", end=" ")
    print(f"{-np.log(DRAWS.top_p):.5f}\nlogits     mean    largest  tokens kept")
    for kind in KINDS:
        found = off(logits(kind))
        print(f"{kind:8} {found.mean:.5f}  {found.largest:.5f}  {found.kept:,.0f}")
    logprobs = jax.nn.log_softmax(logits("ranked") / DRAWS.temperature)
    halving, sorting = (
        jax.jit(lambda x: sampling.nucleus(x, DRAWS.top_p)),
        jax.jit(lambda x: by_sorting(x, DRAWS.top_p)),
    )
    softmax = jax.jit(jax.nn.log_softmax)
    times = seconds(
        {
            "halving": lambda: halving(logprobs),
            "sorting": lambda: sorting(logprobs),
            "log_softmax alone": lambda: softmax(logprobs),
        }
    )
    print(f"float32 [{ROWS}, {VOCABULARY}], median of {REPEATS}, ms:", end=" ")
    print(", ".join(f"{name} {1e3 * time_s:.1f}" for name, time_s in times.items()))


if __name__ == "__main__":
    main()
