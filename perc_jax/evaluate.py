"""Greedy accuracy of a model on fresh scenes, with intervals: per suite, engine, question type and level.

`python -m perc_jax.evaluate --model runs/debug_cpu --suites test_a,test_c --samples 4000 --out accuracy.json` evaluates
the newest checkpoint of a run. `--model` may also be a Hugging Face folder or hub id; then `--config` names the file
that says what is asked and how (data, evaluation, mesh), and the model in it is replaced.
"""

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perc_jax import cli, interrupts, pretrained
from perc_jax.config import Config, from_dict, to_dict


def main(argv: Sequence[str] | None = None) -> None:
    """Evaluate a run's newest checkpoint, or a published model."""
    parser = argparse.ArgumentParser(prog="python -m perc_jax.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, help="workdir of a run, or a Hugging Face folder or hub id")
    parser.add_argument("--config", default="", help="config file; for a Hugging Face model only")
    parser.add_argument(
        "--suites", default="test_a,test_b,test_c,test_d", help="comma-separated (default: %(default)s)"
    )
    parser.add_argument("--samples", type=int, default=1000, help="questions per suite (default: %(default)s)")
    parser.add_argument("--out", help="JSON file for the results")
    arguments = parser.parse_args(argv)
    interrupts.leave_with("interrupted")
    try:
        suites = tuple(arguments.suites.split(","))
        _check(arguments.model, arguments.config, suites, arguments.samples)
        results = evaluate(arguments.model, suites, arguments.samples, arguments.config)
        for suite, result in results.items():
            low, high = result["ci95"]
            print(f"{suite}  {100 * result['accuracy']:.1f} %  [{100 * low:.1f}, {100 * high:.1f}]  n = {result['n']}")
        if arguments.out:
            from etils import epath

            from perc_jax.files import write_whole

            write_whole(epath.Path(arguments.out).expanduser(), json.dumps(results))
    except (ValueError, OSError) as error:
        cli.fail(str(error))


def _check(model: str, config_file: str, suites: tuple[str, ...], count: int) -> None:
    """Raise `ValueError` for arguments that cannot be, before anything slow is imported."""
    from engines.base import SPLITS

    if count < 1:
        raise ValueError(f"--samples must be >= 1, got {count}")
    unknown = [suite for suite in suites if suite not in SPLITS[1:]]
    if unknown:
        raise ValueError(f"--suites must be of {', '.join(SPLITS[1:])}, got {unknown[0]!r}")
    published = pretrained.is_pretrained(model)
    if published and not config_file:
        what = "a Hugging Face model" if Path(model).expanduser().is_dir() else "no folder here, so taken for a hub id"
        raise ValueError(f"--config must be given with a Hugging Face model, got none; --model {model} is {what}")
    if config_file and not published:
        raise ValueError(f"--config must be left out for a run's workdir, which has its own, got {config_file}")


def evaluate(model: str, suites: tuple[str, ...], count: int, config_file: str = "") -> dict[str, Any]:
    """Results on the first `count` questions of each suite, of a run's newest checkpoint or of a Hugging Face model.

    Raises `ValueError` if there is no sound checkpoint, or model and config do not fit each other; `FileNotFoundError`
    for a model that is not there.
    """
    # Seconds, for which --help and mistakes need not wait.
    from perc_jax import progress, tokenizer, weights
    from perc_jax.checkpoint import Checkpoints
    from perc_jax.programs import Programs
    from perc_jax.reward import Verifier
    from perc_jax.suites import Evaluator

    checkpoints = None if config_file else Checkpoints(model, keep=1)
    if checkpoints is None:
        config = cli.with_model(cli.load_config(config_file), model)
        weights.check(pretrained.folder_of(model), config.model)
    else:
        config = from_dict(Config, checkpoints.config())
    config = dataclasses.replace(
        config,
        evaluation=dataclasses.replace(config.evaluation, suites=suites, samples=(count,) * len(suites), shown=0),
    )
    tokens = tokenizer.load(config.data.tokenizer)
    tokenizer.check_fits(tokens, config.model.text.vocab_size)
    programs = Programs(config, tokens.ids)
    with (
        Verifier(config.verifier_deadline_s, config.verifier_processes) as verifier,
        progress.Progress(config.phase_deadline_s) as screen,
    ):
        if checkpoints is None:
            folder, target = pretrained.folder_of(model), programs.blueprints.rollout_params
            params = weights.load_params(folder, config.model, target, bar=screen.bar)
        else:
            state, _ = checkpoints.restore({"params": programs.params}, to_dict(config))
            params = programs.publish(state["params"])
        results, _ = Evaluator(config, programs, tokens, verifier, screen).suites(params)
    return results


if __name__ == "__main__":
    main()
