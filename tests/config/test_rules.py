"""The rules of a config: every field has one, none lets a senseless value through, all mistakes are told together."""

import contextlib
import copy
import dataclasses
import json
import math
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from perc_jax import cli
from perc_jax.config import (
    Config,
    EnvironmentConfig,
    RewardConfig,
    TermConfig,
    Violation,
    check,
    from_dict,
    to_dict,
    violations,
)
from perc_jax.config.reward import OF_FUNCTIONS, OPTIONS
from perc_jax.config.rules import fields_of
from tests.config.right import OF_NO_TYPE, OTHERS, RIGHT, TRIED
from tests.config.test_config import CONFIG, GRPO

SHIPPED = {path.stem: cli.load_config(path) for path in sorted(cli.CONFIGS.glob("[!_]*.py"))}
NEEDED = {"sections": {"headings": ("Answer:",)}, "ending": {"part": "steps"}}
TERMS = tuple(TermConfig(term, **NEEDED.get(term, {})) for term in (*OPTIONS, "my.py:score"))
JIGSAW = EnvironmentConfig("jigsaw", turn_tokens=2, shapes=((6, 16),), view_px=56)
WITH_TERMS = dataclasses.replace(
    CONFIG,
    evaluation=dataclasses.replace(CONFIG.evaluation, blind=0),
    stages=(dataclasses.replace(GRPO, reward=RewardConfig(terms=TERMS, control="random"), environment=JIGSAW),),
)
OF_TERMS = {name for names in (*OPTIONS.values(), OF_FUNCTIONS) for name in names}


def sections(config: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every section of a config and the path of its fields."""
    yield path, config
    for name in fields_of(type(config)):
        value = getattr(config, name)
        if dataclasses.is_dataclass(value):
            yield from sections(value, f"{path}{name}.")
        elif isinstance(value, tuple):
            for number, one in enumerate(value):
                if dataclasses.is_dataclass(one):
                    yield from sections(one, f"{path}{name}.{number}.")


def leaves(section: object) -> dict[str, tuple[Any, bool]]:
    """The fields of a section that are no sections: type, and whether a rule stands with it."""
    found = {}
    for name, annotation in fields_of(type(section)).items():
        kind, *rules = typing.get_args(annotation) if typing.get_origin(annotation) is Annotated else (annotation,)
        items = typing.get_args(kind) if typing.get_origin(kind) is tuple else (kind,)
        if not dataclasses.is_dataclass(items[0]):
            found[name] = kind, bool(rules)
    return found


def tries(kind: Any) -> Iterator[tuple[Any, Any]]:
    """What a field of a type is tried with, and the entry that stands for it in `RIGHT`."""
    yield from ((value, None) for value in OF_NO_TYPE)
    if typing.get_origin(kind) is Literal:
        yield from ((value, None) for value in ("unknown", "", 3))
    elif typing.get_origin(kind) is tuple:
        item, *more = typing.get_args(kind)
        length = 1 if more == [...] else 1 + len(more)
        yield from ((value, None) for value in ("x", 3, (None,) * length, ((),) * length, *[(0,) * 9][length < 2 :]))
        yield (), ()
        yield from (((value,) * length, value) for value in TRIED[item])
        yield from (((value,) * length, None) for value in OTHERS[item])
    else:
        yield from ((value, value) for value in TRIED[kind])
        yield from ((value, None) for value in (*OTHERS[kind], (), ("x",)))


@contextlib.contextmanager
def holding(section: object, name: str, value: object) -> Iterator[None]:
    """A section with any value in a field, which no constructor would take."""
    before = getattr(section, name)
    object.__setattr__(section, name, value)
    yield
    object.__setattr__(section, name, before)


def depends(section: object, name: str, value: object) -> bool:
    """Whether a value's being right depends on what else the config says."""
    if isinstance(section, TermConfig):
        return name in OF_TERMS and name not in OPTIONS.get(section.term, OF_FUNCTIONS)
    if type(section).__name__ == "StageConfig":
        return name == "accuracy_band" and section.kind == "sft"
    if type(section).__name__ == "CurriculumConfig":
        return name == "grade" and section.kind == "stratified"
    if type(section).__name__ == "MixtureConfig":
        return name in ("engines", "weights") and value == ()  # there are tables, or not
    if type(section).__name__ != "EvaluationConfig":
        return False
    return value == () if name == "samples" else name == "hard_levels" and value in ((), (0,))  # engines draw, or not


def judged(config: Config, path: str, section: object) -> Iterator[tuple[str, Any, list[Violation]]]:
    """Every try of every field of a section that is answered as it should not be."""
    for field, (kind, _) in leaves(section).items():
        right = RIGHT[type(section).__name__][field]
        for value, entry in tries(kind):
            is_right = entry is not None and any(entry == one and type(entry) is type(one) for one in right)
            with holding(section, field, value):
                found = [v for v in violations(section, "section") if field in v.field]
                if not is_right and not found:  # what a section alone may be, a config may not
                    found = [v for v in violations(config) if v.field.startswith(path) and field in v.field]
            if not depends(section, field, value) and is_right == bool(found):
                yield f"{path}{field}", value, found


UNLIKE = ("debug_cpu", "data_engine_3b", "tables_cpu", "geo3k_7b")  # of the others each is like one of these


@pytest.mark.parametrize("names", [UNLIKE, pytest.param(tuple(SHIPPED), marks=pytest.mark.slow)], ids=["unlike", "all"])
def test_no_field_of_a_shipped_config_takes_a_senseless_value(names: tuple[str, ...]) -> None:
    seen, wrong = [], []
    for config in map(copy.deepcopy, (*(SHIPPED[name] for name in names), WITH_TERMS)):
        for path, section in sections(config):
            if section not in seen:
                seen.append(copy.deepcopy(section))
                wrong += judged(config, path, section)
    assert not wrong, wrong


def test_no_value_of_a_field_brings_down_the_rules_between_fields() -> None:
    config = copy.deepcopy(CONFIG)
    for _, section in sections(config):
        for field, (kind, _) in leaves(section).items():
            for value in [value for value, entry in tries(kind) if entry is not None or value is None]:
                with holding(section, field, value):
                    list(violations(config))


@pytest.mark.parametrize("section", [section for _, section in sections(CONFIG)], ids=lambda s: type(s).__name__)
def test_every_field_has_a_rule_and_every_rule_a_field(section: object) -> None:
    found = leaves(section)
    assert found.keys() == RIGHT[type(section).__name__].keys()
    for name, (kind, has_rule) in found.items():
        assert has_rule or kind is bool or typing.get_origin(kind) is Literal, f"{name} must have a rule"


def test_all_mistakes_are_told_together() -> None:
    data = to_dict(CONFIG)
    data["model"]["vision"]["num_heads"] = 0
    data["model"]["text"]["hidden_size"] = -4
    data["stages"][1]["optimizer"]["learning_rate"] = math.nan
    data["stages"][1]["loss"]["overlong_tokens"] = 9
    data["rollout"]["temperature"] = 0.0
    data["stages"][0]["prompts_per_step"] = 0
    data["name"] = "../../evil"
    with pytest.raises(ValueError) as error:
        from_dict(Config, data)
    assert str(error.value).split("; ") == [
        "name must be at most 100 letters, digits, '.', '_' and '-', of which the first is a letter or a digit, "
        "got '../../evil'",
        "model.vision.num_heads must be >= 1, got 0",
        "model.text.hidden_size must be >= 1, got -4",
        "rollout.temperature must be within 0.01..10, got 0.0",
        "stages.0.prompts_per_step must be >= 1, got 0",
        "stages.1.optimizer.learning_rate must be a finite number, got nan",
        "stages.1.loss.overlong_tokens must be within rollout.max_tokens (8), got 9",
    ]


def test_a_section_that_is_none_is_named() -> None:
    for path, value in (("model", None), ("stages", None), ("stages", (3,)), ("evaluation", {})):
        config = copy.deepcopy(CONFIG)
        object.__setattr__(config, path, value)
        found = list(violations(config))
        assert [v.field for v in found] in ([path], [f"{path}.0"]), found


def test_a_violation_reads_as_field_rule_and_value() -> None:
    assert str(Violation("rollout.temperature", "must be > 0", 0.0)) == "rollout.temperature must be > 0, got 0.0"


def test_a_sound_config_is_let_through() -> None:
    check(CONFIG)
    for config in SHIPPED.values():
        check(config)


def of_numpy(kind: Any, value: Any) -> Any:
    """The value as a user's code may have computed it: numpy's scalars, lists in place of tuples."""
    if typing.get_origin(kind) is tuple:
        item = typing.get_args(kind)[0]
        return [of_numpy(item, one) for one in value]
    scalars = {int: np.int64, float: np.float64, str: np.str_}
    return scalars[kind](value) if kind in scalars else value


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_lists_and_numpy_numbers_become_tuples_and_numbers(name):
    """In every field of every section: the config is the same, can be a key, and is written as JSON."""
    right = SHIPPED[name]
    found = copy.deepcopy(right)
    for _, section in sections(found):
        for field, (kind, _) in leaves(section).items():
            object.__setattr__(section, field, of_numpy(kind, getattr(section, field)))
    found.__post_init__()  # no constructor's: these tests check what those are given
    assert found == right and hash(found) == hash(right)
    assert repr(found) == repr(right) and json.dumps(to_dict(found)) == json.dumps(to_dict(right))


@pytest.mark.parametrize(
    ("section", "field", "value", "words"),
    [
        ("rollout", "temperature", np.float32(0.5), ""),
        ("data", "workers", np.float32(1), r"data\.workers must be a whole number"),
        ("data", "workers", np.int8(-1), r"data\.workers must be >= 0, got -1$"),
        ("rollout", "temperature", np.float32("nan"), r"rollout\.temperature must be a finite number"),
        ("rollout", "short_rings", [np.int64(0)], r"rollout\.short_rings must be >= 1, got \(0,\)"),
    ],
)
def test_what_numpy_gives_is_held_to_the_same_rules(section, field, value, words):
    config = copy.deepcopy(CONFIG)
    object.__setattr__(getattr(config, section), field, value)
    with pytest.raises(ValueError, match=words) if words else contextlib.nullcontext():
        config.__post_init__()
    assert words or type(getattr(getattr(config, section), field)) is float
