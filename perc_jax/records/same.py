"""Whether what a checkpoint holds is what a run needs: its config for a run that goes on, its weights for a new one."""

import contextlib
import json
from typing import Any

from etils import epath

from perc_jax.config import CodesConfig, from_dict, to_dict
from perc_jax.records import commits


def first_difference(stored: Any, wanted: Any, path: str = "") -> tuple[str, Any, Any] | None:
    """Find the first field in which two JSON-ready trees differ: its path, the stored and the wanted value."""
    if isinstance(stored, dict) and isinstance(wanted, dict):
        for key in [*wanted, *(key for key in stored if key not in wanted)]:
            below = first_difference(stored.get(key), wanted.get(key), f"{path}.{key}" if path else key)
            if below:
                return below
        return None
    return None if stored == wanted else (path, stored, wanted)


def check_run(stored: dict, wanted: dict, workdir: epath.Path) -> None:
    """Raise `ValueError` for a workdir of another model, tokenizer, added vocabulary or seed."""

    def identity(config: dict) -> dict:
        return _model(config) | {"seed": config.get("seed")}

    # Through JSON, since there tuples are lists.
    if found := first_difference(identity(stored), identity(json.loads(json.dumps(wanted)))):
        path, theirs, ours = found
        raise ValueError(f"{path} must be {theirs!r} as in the checkpoints of {workdir}, got {ours!r}")


def check_first(run: str, config: dict) -> None:
    """Raise `ValueError` unless a new run can begin with the weights of another (`RUN`, `RUN@12`, `RUN@best`)."""
    choice = commits.named(run)
    for step in reversed(choice.steps()):
        with contextlib.suppress(commits.Damaged):
            return check_weights(commits.read(choice.folder, step)["config"], config, run)
    raise ValueError(f"begin_from must be the workdir of a run that has checkpoints, got {run!r}")


def check_weights(stored: dict, wanted: dict, run: str) -> None:
    """Raise `ValueError` unless a new run can begin with the weights of another.

    They must be of the same model and tokenizer; adapters must be the same too, unless the other run has none: then the
    new one's are fresh. What the other run adds to the vocabulary must be added first, what comes behind is fresh.
    """
    theirs, ours = _model(stored), _model(json.loads(json.dumps(wanted)))
    for one in (theirs, ours):
        one["model"].pop("dtype", None)  # of what is computed; parameters in training are float32
    before, later = (from_dict(CodesConfig, config.get("codes") or {}).tokens for config in (stored, wanted))
    if later and later[: len(before)] != before:
        raise ValueError(
            f"codes must begin with the {len(before)} tokens that {run} adds, {before[0]} to {before[-1]}; "
            f"got {len(later)}, {later[0]} to {later[-1]}"
        )
    ours["codes"] = theirs["codes"]
    if len(later) > len(before) and ours["model"]["text"]["vocab_size"] > theirs["model"]["text"]["vocab_size"]:
        ours["model"]["text"]["vocab_size"] = theirs["model"]["text"]["vocab_size"]
    if "lora" not in theirs["model"]:
        ours["model"].pop("lora", None)
    elif "lora" not in ours["model"]:
        raise ValueError(f"model.lora must be that of {run}, whose adapters export merges for --model; got none")
    if found := first_difference(theirs, ours):
        path, its, mine = found
        raise ValueError(f"{path} must be {its!r} as in {run}, got {mine!r}")


def check_leaves(stored: dict, wanted: dict[str, Any], folder: epath.Path) -> None:
    """Raise `ValueError` for a state whose leaves are missing from a checkpoint or have another shape or dtype."""
    for path, leaf in wanted.items():
        if path not in stored:
            raise ValueError(f"checkpoint {folder} must hold the leaf {path}, which this run needs; it does not")
        ours = [str(leaf.dtype), list(leaf.shape)]
        if stored[path] != ours:
            raise ValueError(f"leaf {path} must be {stored[path]} as in checkpoint {folder}, got {ours}")


def _model(config: dict) -> dict:
    """What makes a config's weights what they are."""
    model = dict(config.get("model") or {})
    model.pop("attention", None)  # how scores are computed is the machine's affair
    if not model.get("lora", {}).get("rank"):  # without adapters, what they would be is nothing
        model.pop("lora", None)
    else:
        model["lora"] = {"trained": []} | model["lora"]  # of a checkpoint that knows nothing of it
    added = json.loads(json.dumps(to_dict(CodesConfig()))) | (config.get("codes") or {})
    codes = {"map": added["map"], "places": added["places"]}
    if added["map"] != "none":
        codes["codebook"] = {"codes": added["codebook"]["codes"]}
    return {"model": model, "data": {"tokenizer": config.get("data", {}).get("tokenizer")}, "codes": codes}
