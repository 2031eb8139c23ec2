"""What holds of words that a run adds to a tokenizer, whatever kind it is."""

from collections.abc import Collection, Sequence
from pathlib import Path

from perc_jax.batch import MapIds
from perc_jax.config import CodesConfig


def check(names: Sequence[str], marks: Collection[str]) -> None:
    """Raise `ValueError` for names that no tokenizer can be given: empty, named twice, or of `marks`."""
    for wrong, rule in (
        ([name for name in names if not name.strip()], "not be empty"),
        ([name for name in names if names.count(name) > 1] if len(set(names)) < len(names) else [], "be named once"),
        ([name for name in names if name in marks], "not be a chat mark"),
    ):
        if wrong:
            raise ValueError(f"an added token must {rule}, got {wrong[0]!r}")


def refuse_words(where: Path, words: Sequence[str]) -> None:
    """Raise `ValueError` if there are any: words of a vocabulary are parts of other text too, which would be torn."""
    if words:
        raise ValueError(f"an added token must not be a word of {where} already, got {words[0]!r}")


def map_ids(ids: Sequence[int], codes: CodesConfig) -> MapIds:
    """How a map is written, from the ids of `codes.tokens`. Raises `ValueError` unless those of its codes follow each
    other."""
    start, *numbers, end = ids[: codes.codebook.codes + 2]
    if numbers != [*range(numbers[0], numbers[0] + len(numbers))]:
        raise ValueError(f"codes.map must have codes whose ids follow each other in the tokenizer, got {codes.map!r}")
    return MapIds(start, numbers[0], len(numbers), end, codes.codebook.length)
