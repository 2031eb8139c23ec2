"""The order of a finite list that is drawn from without end: each epoch a permutation of its own, alike everywhere."""

import hashlib
import json
from collections.abc import Hashable

from engines.base import make_rng

ROUNDS = 4  # of the shuffle's cipher


def place_in_list(key: tuple[Hashable, ...], fingerprint: str, length: int, count: int, draft: int) -> int:
    """The place in a list that a count's draft is. `count // length` is the epoch, in which the first drafts are all
    places, each once; later drafts, which stand in for what cannot be used, are any.

    Args:
        key: of the run, the stage and the list, JSON-ready.
        fingerprint: of the list's content.
        length: of the list.
        count: rows drawn from it before.
        draft: of that count.
    """
    from grain.experimental import index_shuffle  # loads JAX, which whoever only looks at data does without

    if draft:
        return int(make_rng(*key, fingerprint, count, draft).integers(length))
    epoch, place = divmod(count, length)
    name = json.dumps([*key, fingerprint, epoch]).encode()
    seed = int.from_bytes(hashlib.blake2b(name, digest_size=4).digest(), "little")
    return index_shuffle(place, max_index=length - 1, seed=seed, rounds=ROUNDS)
