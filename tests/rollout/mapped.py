"""A vocabulary with maps for tests, and their grammar token by token, in plain Python."""

import numpy as np

from perc_jax.batch import MapIds, TokenIds

MAP = MapIds(start=20, first=30, count=12, end=50, length=3)
IDS = TokenIds(pad=0, ends=(1, 2), image=3, forbidden=(3, 4), vocab_size=60, map=MAP)


def walked(tokens, sampled, ids: MapIds = MAP) -> list[int]:
    """The place in a map of each token of one completion."""
    written, found = None, []
    for token, is_mine in zip(tokens, sampled, strict=True):
        if not is_mine:
            written = None
        found.append(-1 if written is None else len(written))
        if is_mine and token == ids.start:
            written = []
        elif is_mine and written is not None and len(written) < ids.length and token in _codes(ids):
            written.append(token)
        else:
            written = None
    return found


def allowed(place: int, ids: TokenIds = IDS) -> list[int]:
    """What can be drawn at a place."""
    codes, end = set(_codes(ids.map)), {ids.map.end}
    words = set(range(ids.vocab_size)) - set(ids.forbidden)
    return sorted(words - codes - end if place < 0 else codes if place < ids.map.length else end)


def count_maps(tokens: np.ndarray, mask: np.ndarray) -> tuple[int, int]:
    """How many maps of sampled completions [..., C] are whole and how many are cut; all must be one or the other."""
    whole = cut = 0
    flat = tokens.reshape(-1, tokens.shape[-1]), mask.reshape(-1, mask.shape[-1])
    for row, sampled in zip(*flat, strict=True):
        places = walked(row, sampled)
        for column in np.flatnonzero(sampled):
            assert row[column] in allowed(places[column]), (row.tolist(), column)
        whole += ((row == MAP.end) & sampled).sum()
        cut += ((row == MAP.start) & sampled).sum() - ((row == MAP.end) & sampled).sum()
    return int(whole), int(cut)


def _codes(ids: MapIds) -> range:
    return range(ids.first, ids.first + ids.count)
