"""How well a description fits its pictures: from a CLIP's cosine to a reward, and what had none to give.

The term `clip` of PeBR-R1 (`pebr_1.py`): min(1, cosine / threshold). As published an empty description earns what its
cosine says, a written end mark ends the text for CLIP, and a negative cosine costs; ours gives 0 for the first and the
last, and leaves marks out. The cosines are made on the device (`programs/clip.py`, `run/fitting.py`).
"""

import re

import numpy as np
from jaxtyping import Bool, Float, Int

from perc_jax.config import TermConfig
from perc_jax.rewards.callers import Marks
from perc_jax.rewards.descriptions import below
from perc_jax.rewards.forms import BLANKS

REASONS = (  # of what is counted, by completion
    "no_picture",  # the prompt has none: worth 0
    "empty",  # nothing is described: worth 0, unless as published
    "not_finite",  # CLIP gave NaN or infinity: worth 0
    "cut",  # the description is longer than CLIP reads
    "unseen",  # the prompt has more pictures than CLIP looks at
)


def description(text: str, term: TermConfig) -> str:
    """What a completion says of its pictures.

    The whole text; or what stands below `section`, a line of its own that is there once, up to the next heading; or, as
    published, what stands between the first `section` and the first `until` behind it, in any case and anywhere, and
    nothing where one of the two is missing.
    """
    if not term.section:
        return text.strip(BLANKS)
    if not term.until:
        return below(text, term.section)
    begin, end = (re.compile(re.escape(heading), re.IGNORECASE) for heading in (term.section, term.until))
    opened = begin.search(text)
    closed = opened and end.search(text, opened.end())
    return text[opened.end() : closed.start()].strip(BLANKS) if closed else ""


def value(
    cosine: Float[np.ndarray, " n"],
    term: TermConfig,
    *,
    empty: Bool[np.ndarray, " n"],
    cut: Bool[np.ndarray, " n"],
    pictures: Int[np.ndarray, " n"],
    looked_at: int,
) -> Marks:
    """Give the term's value and its part, the bare cosine (0 where there is none), for n completions.

    Args:
        cosine: of each, NaN and infinity included.
        term: with its threshold.
        empty: whether nothing is described.
        cut: whether the description was longer than CLIP reads.
        pictures: of each completion's prompt.
        looked_at: of them, at most.
    """
    blind = pictures == 0
    empty = empty & ~blind
    broken = ~np.isfinite(cosine) & ~blind & ~(empty & (not term.as_published))
    nothing = blind | broken | (empty & (not term.as_published))
    kept = np.where(nothing, 0.0, cosine.astype(np.float64))
    worth = np.minimum(1.0, kept / term.threshold)
    worth = worth if term.as_published else np.maximum(0.0, worth)
    counts = (blind, empty, broken, cut, pictures > looked_at)
    faults = {reason: int(found.sum()) for reason, found in zip(REASONS, counts, strict=True)}
    return Marks(np.stack([worth, kept], axis=1), faults, ())
