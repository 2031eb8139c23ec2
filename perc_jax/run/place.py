"""Where a run stands, and what of its config may be another one when it goes on.

All that decides the rest of a run is the config and what a checkpoint holds:

    state/       params, opt_state (moments, the schedule's count, its own count of gradients that were not finite),
                 step (names every draw of a rollout), key, reference (of a stage with a KL term)
    position     stage, by name; step, done in it; bad_steps, in a row up to this one
                 standing: the best evaluation so far, and how long a stage has not risen
    of the data  data (prompts drawn), shares (weights of the mixture's sources, since when, rows of each before that),
                 barren (steps in a row without signal), curriculum (tally and open phases)
    config       as it was; the stage's settings are those under its name

Everything else (workers, prefetched batches, metrics in flight, evaluations) follows from these or is only looked at.

A resumed run may differ in what `FREE` lists for the run, in what `FREE_IN_STAGE` lists for the stage that it is in,
and in all that is still to come: stages after this one may be changed, added, removed. What differs is written to
`changes.json` with the step from which on it holds, `[{"step", "field", "was", "now"}, …]`, and said on the screen.
All else is refused: stages that are done stay as they were, in their order and under their names.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
from etils import epath

from perc_jax.config import RewardConfig, StageConfig
from perc_jax.records import reading
from perc_jax.records.files import is_part, write_whole
from perc_jax.report.runs import step_of

FILE = "changes.json"
MAX_BAD_STEPS = 5  # consecutive steps with a non-finite gradient after which the run stops
FREE = (  # of a run: what the machine is, what is only looked at, what a prompt and a completion may cost
    *("name", "mesh", "checkpoint", "evaluation", "rollout"),
    "model",  # whether it is the same one has been asked before: `Checkpoints.check`
    *("data.workers", "data.prefetch", "data.max_prompt_tokens", "data.max_patches", "data.buckets"),
    *("clip", "samples_every", "verifier_deadline_s", "verifier_processes", "verifier_memory_gib"),
    *("cache", "phase_deadline_s"),
)
FREE_IN_STAGE = (  # but not what its data position counts in, nor what the optimizer's state is of
    *("steps", "mixture", "reward", "loss", "max_rounds", "accuracy_band", "micro_batches", "row_widths", "remat"),
    *("turns", "max_tokens"),
    *(f"optimizer.{name}" for name in ("learning_rate", "warmup_steps", "schedule", "b1", "b2", "eps")),
    *("optimizer.weight_decay", "optimizer.max_grad_norm"),
)


class Place(NamedTuple):
    """Where a run stands."""

    stage: int
    step: int  # steps done in this stage


class Change(NamedTuple):
    """A field of the config that is another one from a step on."""

    field: str
    was: Any
    now: Any


class Streak:
    """Counts steps in a row whose gradient was not finite, and ends a run that has only such steps."""

    def __init__(self, bad_steps: int = 0):
        self.bad_steps = bad_steps

    def count(self, is_finite: bool, step: int) -> None:
        """Note a step; raises `RuntimeError` after too many."""
        self.bad_steps = 0 if is_finite else self.bad_steps + 1
        if self.bad_steps >= MAX_BAD_STEPS:
            raise RuntimeError(
                f"the gradient was not finite for {self.bad_steps} steps up to step {step}; "
                "checkpoints from before these steps are kept"
            )

    def finish(self, step: int, sound: Sequence[int]) -> None:
        """End a run whose last steps taught nothing otherwise than well; raises `RuntimeError`.

        A gradient that is not finite changes no parameter, so the weights are those of the last good step; but what
        brought it about is still there, and whoever reads the exit code should know.

        Args:
            step: the run's last.
            sound: steps of the checkpoints that nothing speaks against, oldest first.
        """
        if self.bad_steps:
            kept = f"the newest sound checkpoint is of step {sound[-1]}" if sound else "there is no sound checkpoint"
            raise RuntimeError(
                f"the gradient was not finite in the last {self.bad_steps} steps, up to step {step}: "
                f"nothing was learned from them; {kept}"
            )


def resumed(position: Mapping[str, Any], stored: Mapping[str, Any], config: dict) -> tuple[Place, list[Change]]:
    """Find a checkpoint's place in a config, and what has changed since.

    Args:
        position: of the checkpoint.
        stored: its config, JSON-ready.
        config: the run's, JSON-ready.

    Raises:
        ValueError: something differs that may not.
    """
    stored = {"begin_from": ""} | stored  # of a version that could not
    upgraded = {**stored, "stages": [_upgraded(stage) for stage in stored["stages"]]}
    wanted, stored = (json.loads(json.dumps(one)) for one in (config, upgraded))  # there tuples are lists
    old, new = ([stage["name"] for stage in one["stages"]] for one in (stored, wanted))
    place = Place(old.index(position["stage"]), position["step"])
    so_far = old[: place.stage + 1]
    if new[: place.stage + 1] != so_far:
        raise ValueError(f"stages must begin with {', '.join(so_far)} as in the checkpoints, got {', '.join(new)}")
    changes = [] if old == new else [Change("stages", old, new)]
    sections = [{name: value for name, value in one.items() if name != "stages"} for one in (stored, wanted)]
    changes += _allowed(differences(*sections), FREE)
    later = {stage["name"]: stage for stage in stored["stages"]}
    for index, stage in enumerate(wanted["stages"]):
        found = differences(later.get(stage["name"], {}), stage)
        is_now, prefix = index == place.stage, f"stages[{stage['name']}]."
        if is_now:
            _check_stage(stage, later[stage["name"]], place.step)
        changes += _allowed(found, FREE_IN_STAGE if is_now else ("",) * (index > place.stage), prefix)
    return place, changes


def _upgraded(stage: Mapping[str, Any]) -> dict[str, Any]:
    """A stored stage and its reward as this version writes them."""
    stage = StageConfig.upgraded(stage)
    return {**stage, **({"reward": RewardConfig.upgraded(stage["reward"])} if "reward" in stage else {})}


def _check_stage(stage: Mapping[str, Any], before: Mapping[str, Any], done: int) -> None:
    """Refuse values of the stage's free fields that its state cannot have."""
    name = f"stages[{stage['name']}]"
    if stage["steps"] < done:
        raise ValueError(f"{name}.steps must be >= {done}, which are done, got {stage['steps']}")
    was, now = (one["loss"].get("kl_coef", 0.0) for one in (before, stage))
    if bool(was) != bool(now):
        raise ValueError(f"{name}.loss.kl_coef must be {'> 0' if was else '0'} as in the checkpoints, got {now}")


def _allowed(found: Sequence[Change], free: Sequence[str], prefix: str = "") -> list[Change]:
    """The changes under their whole names; `ValueError` for one that is neither free nor below a field that is."""
    for field, was, now in found:
        if not any(field == name or field.startswith(f"{name}.") or not name for name in free):
            raise ValueError(f"{prefix}{field} must be {was!r} as in the checkpoints, got {now!r}")
    return [Change(f"{prefix}{field}", was, now) for field, was, now in found]


def differences(was: Any, now: Any, path: str = "") -> list[Change]:
    """The fields in which two JSON-ready trees differ; a field that only one of them knows is another version's."""
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now) and _are_sections(was + now):
        was, now = ({str(number): one for number, one in enumerate(many)} for many in (was, now))
    if not (isinstance(was, dict) and isinstance(now, dict)):
        return [] if was == now else [Change(path, was, now)]
    shared = [name for name in now if name in was]
    return [found for name in shared for found in differences(was[name], now[name], f"{path}.{name}".lstrip("."))]


def _are_sections(entries: list[Any]) -> bool:
    return bool(entries) and all(isinstance(entry, dict) for entry in entries)


def note(folder: epath.Path, step: int, changes: Sequence[Change]) -> None:
    """Write what has changed at a step after what changed before it; changes of later steps were given up."""
    file = folder / FILE
    before = json.loads(reading.text(file)) if file.exists() else []
    kept = [entry for entry in before if entry["step"] < step]
    now = kept + [{"step": step} | change._asdict() for change in changes]
    if now != before:
        write_whole(file, json.dumps(now, indent=1))


def results(folder: epath.Path, order: int, name: str, step: int) -> epath.Path:
    """Where a workdir keeps what the suites said: before the first stage (order 0) or in and after the `order`-th."""
    return folder / "eval" / f"{order}_{name}_{step:06d}.json"


def remove_after(folder: epath.Path, step: int) -> None:
    """Remove what later steps left in `eval/`, `samples/` or `curriculum/`, by the step in each file's name, and what
    is not written to its end: nobody but the run writes there."""
    if jax.process_index() == 0 and folder.exists():
        for file in folder.iterdir():
            left_at = step_of(folder.name, file.name)
            if is_part(file.name) or (left_at is not None and left_at > step):
                file.unlink()
