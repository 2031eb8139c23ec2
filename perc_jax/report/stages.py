"""At which step each stage of a run ends: as planned, or as it did where patience with it was at its end."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple


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


class Asked(NamedTuple):
    """An evaluation, as far as patience goes."""

    stage: str
    step: int
    suites: Mapping[str, Mapping[str, Any]]


def given_up(config: Mapping[str, Any], asked: Sequence[Asked]) -> dict[str, int]:
    """The last step of each stage that ended because `evaluation.watch` had not risen for `evaluation.patience`
    evaluations, as `run.standing` counts them: above what the stage began with or has reached since.

    Args:
        config: of the run, JSON-ready; may be empty.
        asked: its evaluations, by step.
    """
    evaluation = config.get("evaluation", {})
    watch, patience = evaluation.get("watch", ""), evaluation.get("patience", 0)
    found, stage, last, highest, waited = {}, None, None, None, 0
    for one in asked if watch and patience else ():
        accuracy = one.suites.get(watch, {}).get("accuracy")
        if accuracy is None:
            continue
        if one.stage != stage:
            stage, highest, waited = one.stage, last, 0
        last, waited = accuracy, 0 if highest is None or accuracy > highest else waited + 1
        highest = accuracy if not waited else highest
        if waited >= patience:
            found[stage] = one.step
    return found
