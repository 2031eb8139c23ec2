"""Runs that differ in their seed alone, as one: what a comparison says of several seeds.

A metric is the mean of the runs at the steps that all of them have. An accuracy is the mean over runs and questions;
its interval draws the questions anew, each with all its seeds (percentile bootstrap), and so says nothing of other
seeds: what each seed says by itself is kept beside.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from perc_jax.report.differences import compare, same_asked, units_of
from perc_jax.report.page import Evaluation, Run
from perc_jax.statistics import gain_interval, share_interval


class Setting(NamedTuple):
    """The runs of one config, in the order of their seeds."""

    name: str
    runs: tuple[Run, ...]


class Difference(NamedTuple):
    """Accuracy after minus before on equal questions."""

    value: float
    ci95: tuple[float, float]
    each: tuple[float, ...] = ()  # of each seed that both have, where these are settings
    seeds: tuple[str, ...] = ()  # those seeds, where a setting has others too


def settings(runs: Sequence[Run]) -> list[Setting]:
    """Group runs by all of their config but the seed, in the order in which they are given.

    Runs that began with the weights of others (`begin_from`) are alike where those others are.
    """
    groups: dict[str, list[Run]] = {}
    for run in runs:
        alike = [_but_seed(run.config, bool(run.origins)), *(_but_seed(origin, True) for origin in run.origins)]
        groups.setdefault(json.dumps(alike, sort_keys=True), []).append(run)
    ordered = [tuple(sorted(group, key=lambda run: run.config.get("seed", 0))) for group in groups.values()]
    names = [_name(group) for group in ordered]
    if len(set(names)) < len(names):
        names = [", ".join(run.name for run in group) for group in ordered]
    return [Setting(name, group) for name, group in zip(names, ordered, strict=True)]


def _but_seed(config: Mapping[str, Any], is_origin_known: bool) -> dict[str, Any]:
    """A config without its seed; without the folder of the run that it began with, where that run is known."""
    without = {"seed", "begin_from"} if is_origin_known else {"seed"}
    return {name: value for name, value in config.items() if name not in without}


def by_seed(runs: Sequence[Run]) -> dict[str, Run]:
    """A setting's runs by their seed: `3`, and `3 (2)` for a second one of that seed."""
    found: dict[str, Run] = {}
    for run in runs:
        seed = str(run.config.get("seed", 0))
        before = sum(name.split()[0] == seed for name in found)
        found[f"{seed} ({before + 1})" if before else seed] = run
    return found


def _name(group: Sequence[Run]) -> str:
    """What the names of the folders have in common: `uniform` of `uniform_0` and `uniform_1`."""
    names = [run.name for run in group]
    if len(names) == 1:
        return names[0]
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return "".join(letters[0] for letters in alike).rstrip("_-. 0123456789") or ", ".join(names)


def mean_run(setting: Setting) -> Run:
    """A setting as a run; each of its results holds its runs' own at `by_seed`."""
    records: dict[int, list[dict]] = {}
    evaluations: dict[tuple, list[Evaluation]] = {}
    for run in setting.runs:
        for record in run.records:
            records.setdefault(record["step"], []).append(record)
        for evaluation in run.evaluations:
            evaluations.setdefault((evaluation.order, evaluation.stage, evaluation.step), []).append(evaluation)
    n, seeds = len(setting.runs), list(by_seed(setting.runs))
    return setting.runs[0]._replace(
        name=setting.name,
        records=[_mean_record(step, each) for step, each in sorted(records.items()) if len(each) == n],
        evaluations=[
            each[0]._replace(suites=_mean_suites([evaluation.suites for evaluation in each], seeds))
            for _, each in sorted(evaluations.items())
            if len(each) == n
        ],
    )


def _mean_record(step: int, each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean of every number that all records have."""
    names = [name for name in each[0] if all(isinstance(record.get(name), int | float) for record in each)]
    return {name: float(np.mean([record[name] for record in each])) for name in names} | {"step": step}


def _mean_suites(each: Sequence[Mapping[str, dict]], seeds: Sequence[str]) -> dict[str, dict]:
    """The mean result of every suite that all runs answered in full, asked the same; `seeds` of the runs in order."""
    found = {}
    for suite in each[0]:
        results = [suites[suite] for suites in each if suite in suites]
        answers = [result.get("correct", []) for result in results]
        alike = len({len(one) for one in answers}) == 1 and same_asked(*results)
        if len(results) == len(each) and answers[0] and alike:
            found[suite] = {
                "n": len(answers[0]),
                "accuracy": float(np.mean(answers)),
                "ci95": share_interval(np.mean(answers, axis=0), np.random.default_rng(0), units_of(*results)),
                "by_seed": dict(zip(seeds, results, strict=True)),
            }
    return found


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference | None:
    """Compare two results of one suite, of runs or of means over seeds, of which those count that both have.

    None where the questions differ, or no seed is in both.
    """
    if "by_seed" not in before or "by_seed" not in after:
        paired = compare(before, after)
        return paired and Difference(paired.difference, paired.ci95)
    sides = before["by_seed"], after["by_seed"]
    common = [seed for seed in sides[0] if seed in sides[1]]
    if not common or before["n"] != after["n"]:
        return None
    if not same_asked(*sides[0].values(), *sides[1].values()):
        return None
    one, two = (np.array([side[seed]["correct"] for seed in common], float) for side in sides)
    gains = two - one
    units = units_of(*(side[seed] for side in sides for seed in common))
    ci95 = gain_interval(gains.mean(axis=0), np.random.default_rng(0), units)
    are_all = len(common) == len(sides[0]) == len(sides[1])
    return Difference(float(gains.mean()), ci95, tuple(gains.mean(axis=1).tolist()), () if are_all else tuple(common))
