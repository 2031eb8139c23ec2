"""At which step each stage of a run ends: as planned, or as it did where patience with it was at its end."""

from collections.abc import Iterable, Mapping
from typing import Any


def ends(config: Mapping[str, Any], seen: Mapping[str, int]) -> dict[str, int]:
    """The global step of each stage's end by its name; of a stage whose successor has begun it is its last step.

    Args:
        config: of the run, JSON-ready; may be empty.
        seen: the last step known of each stage that has begun.
    """
    found, done, stages = {}, 0, config.get("stages", ())
    for place, stage in enumerate(stages):
        name, is_over = stage["name"], any(later["name"] in seen for later in stages[place + 1 :])
        done = seen[name] if is_over and name in seen else done + stage["steps"]
        found[name] = done
    return found


def of_records(config: Mapping[str, Any], records: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The same by the lines of `metrics.jsonl`."""
    return ends(config, {record["stage"]: record["step"] for record in records})
