"""Whether the patterns of a config match parameters of its model. Names alone: no device, nothing is compiled."""

import re
from collections.abc import Iterator

from perc_jax.config import Config, Violation, refuse
from perc_jax.model import low_rank, params

NAMED = 5  # parameters that a message gives as examples


def check(config: Config) -> None:
    """Raise `ValueError` for every pattern that matches nothing, and for a stage in which all is frozen."""
    refuse(violations(config))


def violations(config: Config) -> Iterator[Violation]:
    """What is wrong with the patterns of a config whose other values are sound."""
    names = [leaf.path for leaf in params.table(config.model)]
    lora, trained = config.model.lora, names
    if lora.rank:
        able = [name for name in names if name.endswith("/kernel") and re.search(low_rank.GROUPS["all"], name)]
        groups = {target: _matching(low_rank.GROUPS.get(target, target), able) for target in lora.targets}
        yield from _unmatched("model.lora.targets", "text, merger, all or a linear map", groups, able)
        adapted = sorted({name.removesuffix("kernel") for found in groups.values() for name in found})
        trained = [name + adapter for name in adapted for adapter in low_rank.ADAPTERS]
        names, trained = names + trained, [*trained, *lora.whole]
    for number, stage in enumerate(config.stages):
        field, patterns = f"stages.{number}.optimizer.frozen", stage.optimizer.frozen
        found = {pattern: _matching(pattern, names) for pattern in patterns}
        yield from _unmatched(field, "a parameter", found, names)
        frozen = {name for matched in found.values() for name in matched}
        if trained and frozen.issuperset(trained):
            yield Violation(field, "must leave something to train", patterns)


def _matching(pattern: str, names: list[str]) -> list[str]:
    return [name for name in names if re.search(pattern, name)]


def _unmatched(field: str, what: str, found: dict[str, list[str]], names: list[str]) -> Iterator[Violation]:
    """The patterns that match nothing."""
    such = ", ".join(names[:: max(1, len(names) // NAMED)][:NAMED])
    for pattern, matched in found.items():
        if not matched:
            yield Violation(field, f"must match {what} (such as {such})", pattern)
