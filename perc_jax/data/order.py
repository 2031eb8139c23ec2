"""The order of a finite list that is drawn from without end: each epoch a permutation of its own, alike everywhere."""

import hashlib
import json
from collections.abc import Hashable

from engines.base import make_rng

ROUNDS = 4  # of the shuffle's cipher
PROBED = 16  # places that a digest looks at


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


def order_of(fingerprint: str, length: int) -> str:
    """Digest of the order in which a list is drawn, by its first places.

    Another content, another length, and another rule of making fingerprints or places of them, in another version of
    this package or of those that it calls, give another digest (but by a chance of 1 in 2 ** 24 for lists of two).
    """
    places = [place_in_list((), fingerprint, length, count, draft) for draft in (0, 1) for count in range(PROBED)]
    return hashlib.sha256(json.dumps(places).encode()).hexdigest()[:16]
