"""More prompts than there is room for: slots that hold one group each, entered by the next prompt when one is done.

`Pool` is what lives on the devices: the context and groups of N slots, and what became of all P prompts. `admit` puts
prefilled prompts into free slots, `collect` ends it. Both touch one device's part alone: a prompt stays on the device
that its place in the batch says, so nothing is exchanged and a group never spans hosts.

`Schedule` is the host's side, arithmetic on numbers that all hosts know: who enters next, and where.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from perc_jax.batch import Completions
from perc_jax.rollout.decode import Context, Groups, State


class Pool(NamedTuple):
    """N slots and the completions of P prompts, on one device or over all of them; their ring lies beside it."""

    context: Context
    groups: Groups
    prompt: Int[Array, "N"]  # place of the prompt in the slot, among its device's; their number where the slot is empty
    results: Completions  # [P, G, C], of the prompts whose slots have been entered by others


def empty_pool(context: Context, state: State, prompts: int) -> tuple[Pool, State]:
    """Free slots, from the shapes (`jax.ShapeDtypeStruct`) of what decodes in them, for one device's `prompts`."""
    context, state = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), (context, state))
    groups = state.groups._replace(ended=jnp.ones_like(state.groups.ended))
    slots, *shape = groups.tokens.shape
    results = Completions(
        jnp.zeros((prompts, *shape), jnp.int32),
        jnp.zeros((prompts, *shape), jnp.float32),
        jnp.zeros((prompts, *shape), bool),
        jnp.zeros((prompts, shape[0]), bool),
    )
    return Pool(context, groups, jnp.full(slots, prompts, jnp.int32), results), state


def admit(pool: Pool, context: Context, groups: Groups, first: Int[Array, "1"], places: Int[Array, "1 A"]) -> Pool:
    """Put prefilled prompts `first`, `first` + 1, … into slots; place N: not this one. What was there is kept."""
    slots = len(pool.prompt)
    results = collect(pool)
    target = (pool.context, pool.groups, pool.prompt)
    newcomers = (context, groups, first + jnp.arange(places.shape[1], dtype=jnp.int32))
    for entry, place in enumerate(places[0]):
        at = jnp.minimum(place, slots - 1)

        def put(path: Any, old: Array, new: Array, entry: int = entry, place: Array = place, at: Array = at) -> Array:
            axis = _prompt_axis(path)
            one = jax.lax.slice_in_dim(new, entry, entry + 1, axis=axis)
            kept = jax.lax.dynamic_slice_in_dim(old, at, 1, axis=axis)
            return jax.lax.dynamic_update_slice_in_dim(old, jnp.where(place < slots, one, kept), at, axis=axis)

        target = jax.tree_util.tree_map_with_path(put, target, newcomers)
    return Pool(*target, results)


def collect(pool: Pool) -> Completions:
    """The completions of all prompts that have been in a slot."""
    now = pool.groups.completions()
    return jax.tree.map(lambda old, new: old.at[pool.prompt].set(new, mode="drop"), pool.results, now)


def _prompt_axis(path: Any) -> int:
    """Keys and values have layers before prompts."""
    return int(any(getattr(part, "name", "") in ("keys", "values") for part in path))


class Schedule:
    """Which prompt enters which slot of its device. Devices are taken together: all make the same calls.

    Args:
        devices: data-parallel ones.
        prompts: per device.
        slots: per device.
        ahead: prompts per device that are prefilled at a time.
    """

    def __init__(self, devices: int, prompts: int, slots: int, ahead: int):
        self._prompts, self._slots, self.ahead = prompts, slots, min(ahead, prompts)
        self._next = np.zeros(devices, np.int32)  # prompts that have entered
        self.first = np.zeros(devices, np.int32)  # the first one of those that are to be, or have been, prefilled

    @property
    def waiting(self) -> bool:
        """Whether any prompt has not entered."""
        return bool((self._next < self._prompts).any())

    @property
    def used_up(self) -> bool:
        """Whether a device with waiting prompts has none that is prefilled."""
        return bool(((self._next < self._prompts) & (self._next >= self.first + self.ahead)).any())

    def move_on(self) -> None:
        """Choose what to prefill next: on each device the first that have not entered."""
        self.first = np.minimum(self._next, self._prompts - self.ahead)

    def enter(self, free: Bool[np.ndarray, "N"]) -> Int[np.ndarray, "D A"] | None:
        """Places for prefilled prompts (`slots`: none), taken off `free`; None where no prompt can enter."""
        places = np.full((len(self.first), self.ahead), self._slots, np.int32)
        by_device = free.reshape(len(self.first), self._slots)
        for device, first in enumerate(self.first):
            for entry in range(self._next[device] - first, self.ahead):
                empty = np.flatnonzero(by_device[device])
                if len(empty):
                    places[device, entry] = empty[0]
                    by_device[device, empty[0]] = False
                    self._next[device] += 1
        return places if (places < self._slots).any() else None
