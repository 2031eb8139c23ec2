"""What a run is: the sections of the other files, its stages in order, and how it samples, evaluates and stores.

A config file defines `get_config() -> Config`. The command line overrides any field by its path
(`--rollout.max-tokens 24`, `--stages.1.optimizer.learning-rate 3e-5`). A config that exists is sound: making one checks
all rules of all sections, and its `ValueError` names every field that breaks one, with rule and value (`rules.py`).
"""

import dataclasses
import itertools
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from perc_jax.config.clip import ClipConfig
from perc_jax.config.codes import AuxiliaryConfig, CodesConfig
from perc_jax.config.data import REASONED, DataConfig, TableConfig
from perc_jax.config.environment import EnvironmentConfig
from perc_jax.config.model import ModelConfig
from perc_jax.config.reward import TermConfig
from perc_jax.config.rules import (
    Sound,
    Violation,
    anything,
    at_least,
    check,
    distinct,
    each,
    file_name,
    make_plain,
    one_of,
    or_zero,
    unless,
    within,
)
from perc_jax.config.stage import StageConfig

SUITES = ("test_a", "test_b", "test_c", "test_d")
# Logits spread over some 20: at 10 hardly one token is likelier than another, at 0.01 there is only one.
TEMPERATURE = within(0.01, 10)
TOP_P = within(0.01, 1)
SHORTEST_RING = 128  # columns; decoding on a shorter one is hardly faster
TEMPERATURE_OR_GREEDY = or_zero(TEMPERATURE)


@dataclass(frozen=True)
class RolloutConfig:
    """How completions are sampled."""

    max_tokens: Annotated[int, at_least(1)]  # C
    # Columns decoded between two looks of the host at which rows are done.
    segment_tokens: Annotated[int, at_least(1)] = 128
    # Lengths of the ring of generated keys and values on the way to max_tokens: a segment runs on the shortest one that
    # holds the longest unfinished completion. Each must divide the next, the last one max_tokens. Empty: a quarter of
    # max_tokens, a quarter of that, … while it is whole and holds a segment and 128 columns. Halves would save more
    # time, but moving from one ring to the next holds both.
    short_rings: Annotated[tuple[int, ...], each(at_least(1))] = ()
    # The rest is for training's rollouts; evaluation decodes all prompts of a batch at once in the model's dtype.
    # Prompts decoded at a time over all devices, the others wait for a free place; 0: all of a step.
    slots: Annotated[int, at_least(0)] = 0
    # Completions of a prompt decoded at a time; one that ends makes room for the next; 0: the group.
    rows: Annotated[int, at_least(0)] = 0
    prefill_prompts: Annotated[int, at_least(1)] = 1  # waiting prompts that a device prefills at a time
    kv_dtype: Literal["model", "int8"] = "model"  # of keys and values; int8 halves bfloat16's memory and traffic
    # Of the language model's layers, int8 with a scale per output; needs `loss.sampler_weight` "always".
    weights: Literal["model", "int8"] = "model"
    temperature: Annotated[float, TEMPERATURE] = 1.0  # of GRPO's rollouts; SFT learns at 1, evaluation is greedy
    # The likeliest tokens that together have this probability are drawn from; 1: all. See `rollout/sampling.py`.
    top_p: Annotated[float, TOP_P] = 1.0
    # Mean |p_sampler - p_trainer| above which the run stops; 1 lets everything pass.
    max_mismatch: Annotated[float, within(0, 1, open_low=True)] = 0.05

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        if sound("max_tokens", "short_rings", "segment_tokens"):
            divide = all(y % x == 0 and x < y for x, y in itertools.pairwise(self.rings))
            rule = f"must each divide the next and the last max_tokens ({self.max_tokens})"
            yield from unless(divide, "short_rings", rule, self.short_rings)

    @property
    def rings(self) -> tuple[int, ...]:
        """All lengths of the ring, ascending."""
        rings = [*self.short_rings, self.max_tokens]
        least = max(self.segment_tokens, SHORTEST_RING)
        while not self.short_rings and rings[0] % 4 == 0 and rings[0] // 4 >= least:
            rings.insert(0, rings[0] // 4)
        return tuple(rings)


@dataclass(frozen=True)
class EvaluationConfig:
    """Which fresh scenes and which tables are asked before and after each stage."""

    suites: Annotated[tuple[str, ...], each(one_of(*SUITES)), distinct] = SUITES  # fresh questions of the engines
    samples: Annotated[tuple[int, ...], each(at_least(1))] = (1000, 1000, 1000, 1000)  # per suite
    # Test tables, asked whole or as far as their `limit`; all rows must fit the run's prompts.
    tables: tuple[TableConfig, ...] = ()
    # Of test_c: above every trained level.
    hard_levels: Annotated[tuple[int, ...], each(within(0, 9))] = (3, 4)
    batch: Annotated[int, at_least(1)] = 128  # prompts per device call
    # Steps of a stage between two evaluations within it; 0: only between stages.
    every: Annotated[int, at_least(0)] = 0
    # First questions of the first suite that are asked again without the picture.
    blind: Annotated[int, at_least(0)] = 200
    # Suite by which a stage may end early; empty: none.
    watch: Annotated[str, anything] = ""
    patience: Annotated[int, at_least(0)] = 0  # evaluations of it without a rise that end a stage; 0: none do
    # Samples per evaluation kept with picture and answer for the report.
    shown: Annotated[int, at_least(0)] = 12

    @property
    def names(self) -> tuple[str, ...]:
        """Those of all suites and tables that are asked, in order."""
        return (*self.suites, *(table.label for table in self.tables))

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        if sound("suites", "samples"):
            count = len(self.suites)
            yield from unless(len(self.samples) == count, "samples", f"must have {count} entries", self.samples)
        if sound("suites", "hard_levels"):
            named = bool(self.hard_levels) or "test_c" not in self.suites
            yield from unless(named, "hard_levels", "must not be empty for test_c", self.hard_levels)
        if sound("tables"):
            names = [*SUITES, *(table.label for table in self.tables)]
            twice = sorted({name for name in names if names.count(name) > 1})
            yield from unless(not twice, "tables", "must have names of their own (give one a `name`)", twice)
        if sound("suites", "tables", "watch"):
            known = self.watch in ("", *self.names)
            yield from unless(known, "watch", "must be one of evaluation.suites or a table's name", self.watch)
        if sound("patience", "watch", "every") and self.patience:
            yield from unless(bool(self.watch), "watch", "must name a suite where patience is > 0", self.watch)
            yield from unless(self.every > 0, "every", "must be > 0 where patience is", self.every)


@dataclass(frozen=True)
class MeshConfig:
    """Devices along each mesh axis; fsdp = -1 takes what is left."""

    replica: Annotated[int, at_least(1)] = 1  # whole copies
    fsdp: Annotated[int, at_least(-1)] = -1  # parts of weights; -1: all devices left
    tensor: Annotated[int, at_least(1)] = 1  # devices that compute one row
    # Where the three above stand as they are: whole copies on a CPU, each on some of its cores. One small model's
    # operations are too short to be shared out among many cores; copies need not wait for each other. See `take_cores`.
    cpu_replicas: Annotated[int, within(1, 64)] = 1

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What is between the bounds."""
        yield from unless(self.fsdp != 0, "fsdp", "must be -1 or >= 1", self.fsdp)


@dataclass(frozen=True)
class CheckpointConfig:
    """When the run's state is written."""

    every: Annotated[int, at_least(1)] = 50  # steps; each stage's end is written too
    keep: Annotated[int, at_least(1)] = 3  # of the newest
    # Suite whose best checkpoint is kept besides, as WORKDIR@best; empty: none. See evaluation.every.
    best: Annotated[str, anything] = ""


@dataclass(frozen=True)
class Config:
    """A whole run."""

    name: Annotated[str, file_name]  # of the run and its folder
    model: ModelConfig  # its sizes
    data: DataConfig  # how prompts are made
    rollout: RolloutConfig  # how answers are sampled
    stages: tuple[StageConfig, ...]  # one after the other
    evaluation: EvaluationConfig = EvaluationConfig()  # before, within, after stages
    mesh: MeshConfig = MeshConfig()  # where arrays lie
    checkpoint: CheckpointConfig = CheckpointConfig()  # when they are written
    # The model of the reward's term `clip`; nobody looks at it where none asks.
    clip: ClipConfig = dataclasses.field(default=ClipConfig())
    codes: CodesConfig = dataclasses.field(default=CodesConfig())  # what is added to the vocabulary
    # Hugging Face folder or hub id whose weights start the run; empty: random ones
    pretrained: Annotated[str, anything] = ""
    # Another run whose weights start this one in their place: its workdir for the newest checkpoint, or WORKDIR@STEP,
    # WORKDIR@best; `--from` sets it
    begin_from: Annotated[str, anything] = ""
    seed: Annotated[int, within(0, 2**32 - 1)] = 0  # of the first weights, of all draws, of all samples
    # A completion whose verification takes longer earns 0 and is counted; it takes milliseconds, and all wait for it.
    verifier_deadline_s: Annotated[float, within(0.01, 600)] = 2.0
    verifier_processes: Annotated[int, at_least(1)] = 1  # that verify answers side by side
    # That a process of a user's reward function may write to; beyond, its calls fail and it is replaced.
    verifier_memory_gib: Annotated[float, within(0.01, 4096)] = 4.0
    samples_every: Annotated[int, at_least(1)] = 25  # grpo steps between kept rollout samples
    # Local or gs:// folder of compiled programs, for the next start; empty: ~/.cache/perc_jax/programs; none: not kept
    cache: Annotated[str, anything] = ""
    # A phase that takes longer dumps all stacks and ends the run, resumable.
    phase_deadline_s: Annotated[float, within(1, 7 * 24 * 3600)] = 1800.0  # a week: nobody watches

    def __post_init__(self):
        """Make every value of every section a plain one, and check every rule."""
        make_plain(self)
        check(self)

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans sections."""
        if not isinstance(self.stages, tuple):
            return
        if sound("model.vision", "data"):
            yield from self._pictures()
        if sound("mesh.tensor", "model.text.num_key_value_heads"):
            heads, tensor = self.model.text.num_key_value_heads, self.mesh.tensor
            rule = f"must divide the model's {heads} key/value heads"
            yield from unless(heads % tensor == 0, "mesh.tensor", rule, tensor)
        stages = {f"stages.{i}": stage for i, stage in enumerate(self.stages) if isinstance(stage, StageConfig)}
        if sound(*(f"{path}.name" for path in stages)):
            names = [stage.name for stage in stages.values()]
            yield from unless(len(set(names)) == len(names), "stages", "must have different names", names)
        if sound("checkpoint.best", "evaluation.suites", "evaluation.tables"):
            best, rule = self.checkpoint.best, "must be one of evaluation.suites or a table's name"
            yield from unless(best in ("", *self.evaluation.names), "checkpoint.best", rule, best)
        asks_hard = sound("evaluation.suites") and "test_c" in self.evaluation.suites
        if asks_hard and sound("evaluation.hard_levels", *(f"{path}.mixture.levels" for path in stages)):
            trained = [max(stage.mixture.levels) for stage in stages.values() if stage.mixture.engines]
            hard, highest = self.evaluation.hard_levels, max(trained, default=0)
            rule = f"must be above the trained level {highest}"
            yield from unless(not trained or min(hard, default=10) > highest, "evaluation.hard_levels", rule, hard)
        if sound("evaluation.blind", *(f"{path}.environment" for path in stages)):
            blind, rule = self.evaluation.blind, "must be 0 with an environment, whose pictures would be seen"
            yield from unless(not blind or self.environment.name == "none", "evaluation.blind", rule, blind)
        for path, stage in stages.items():
            yield from self._stage(sound, path, stage)

    @property
    def environment(self) -> EnvironmentConfig:
        """What the suites are asked in: the environment of the last stage that has one."""
        played = [stage.environment for stage in self.stages if isinstance(stage, StageConfig) and stage.plays]
        return played[-1] if played else EnvironmentConfig()

    @property
    def asks_clip(self) -> bool:
        """Whether a stage's reward asks a CLIP."""
        return any(stage.reward.clip_terms for stage in self.stages)

    @property
    def measured(self) -> tuple[TermConfig, ...]:
        """What a test's replies are measured by beside accuracy: the terms of the stages' rewards, the first of each
        name, but those of a CLIP and of endings that the suites' environment does not have."""
        found: dict[str, TermConfig] = {}
        for stage in self.stages:
            for term in stage.reward.terms if stage.kind == "grpo" else ():
                ends = term.term != "ending" or term.part in self.environment.parts
                if ends and term.term not in ("accuracy", "format", "clip"):
                    found.setdefault(term.label, dataclasses.replace(term, weight=1.0))
        return tuple(found.values())

    def completion_tokens(self, stage: StageConfig) -> int:
        """C: the longest completion that a stage learns from."""
        return stage.max_tokens or self.rollout.max_tokens

    def _pictures(self) -> Iterator[Violation]:
        """Whether pictures and buckets fit the model's patches."""
        data, vision, unit = self.data, self.model.vision, self.model.vision.merged_px
        rule = f"must be a multiple of {vision.window_patches}"
        yield from unless(data.max_patches % vision.window_patches == 0, "data.max_patches", rule, data.max_patches)
        whole = all(patches % vision.window_patches == 0 for _, patches in data.buckets)
        yield from unless(
            whole,
            "data.buckets",
            f"must have patches that are each a multiple of {vision.window_patches}",
            data.buckets,
        )
        if data.image_px % unit:
            yield Violation("data.image_px", f"must be a multiple of {unit}", data.image_px)

    def _written(self, path: str, auxiliary: AuxiliaryConfig) -> Iterator[Violation]:
        """Whether the vocabulary has what a stage writes before answers."""
        before, boxed = auxiliary.before, auxiliary.boxed
        rule = "must not be map without codes.map"
        yield from unless(before != "map" or self.codes.has_map, f"{path}.auxiliary.before", rule, before)
        rule = "must not be boxes without codes.places"
        yield from unless(before != "boxes" or self.codes.places > 0, f"{path}.auxiliary.before", rule, before)
        rule = "must be empty without codes.places"
        yield from unless(not boxed or self.codes.places > 0, f"{path}.auxiliary.boxed", rule, boxed)

    def _stage(self, sound: Sound, path: str, stage: StageConfig) -> Iterator[Violation]:
        """Whether a stage fits the rollouts."""
        if not sound("rollout.max_tokens"):
            return
        most = self.rollout.max_tokens
        if sound("data.answer_form", f"{path}.kind") and stage.kind == "sft":
            form = self.data.answer_form
            rule = f"must have no part for reasoning: the engines' answers of {path} have none"
            drawn = stage.mixture.engines if sound(f"{path}.mixture.engines") else ()
            yield from unless(form not in REASONED or not drawn, "data.answer_form", rule, form)
        if sound(f"{path}.auxiliary", "codes"):
            yield from self._written(path, stage.auxiliary)
        if sound(f"{path}.auxiliary", f"{path}.environment") and stage.plays:
            before, rule = stage.auxiliary.before, "must be none with an environment, which shows conversations"
            yield from unless(before == "none", f"{path}.auxiliary.before", rule, before)
        if stage.plays and sound("data", "model.vision", f"{path}.environment", f"{path}.mixture"):
            own = f"{path}.environment"
            yield from stage.environment.of_run(own, self.data, self.model.vision)
            yield from stage.environment.of_mixture(path, stage.mixture)
            turn, rule = stage.environment.turn_tokens, f"must be within rollout.max_tokens ({most})"
            yield from unless(turn <= most, f"{own}.turn_tokens", rule, turn)
            shapes, rule = stage.environment.shapes, f"must have fewer tokens than rollout.max_tokens ({most})"
            yield from unless(shapes[-1][0] < most, f"{own}.shapes", rule, shapes)
        if sound("rollout.weights", f"{path}.kind", f"{path}.loss.sampler_weight"):
            weighed, rule = stage.loss.sampler_weight, "must be 'always' where rollout.weights is 'int8'"
            is_free = stage.kind != "grpo" or self.rollout.weights == "model" or weighed == "always"
            yield from unless(is_free, f"{path}.loss.sampler_weight", rule, weighed)
        if sound(f"{path}.loss.overlong_tokens"):
            tail, rule = stage.loss.overlong_tokens, f"must be within rollout.max_tokens ({most})"
            yield from unless(tail <= most, f"{path}.loss.overlong_tokens", rule, tail)
        if sound(f"{path}.row_widths", f"{path}.group_size", f"{path}.max_tokens"):
            widths, whole = stage.row_widths, stage.group_size * self.completion_tokens(stage)
            rule = f"must be below group_size x {'' if stage.max_tokens else 'rollout.'}max_tokens ({whole})"
            yield from unless(max(widths, default=0) < whole, f"{path}.row_widths", rule, widths)


def untrainable(config: Config) -> Iterator[Violation]:
    """What can be measured and planned but not trained: groups with nothing to compare."""
    for number, stage in enumerate(config.stages):
        if stage.kind == "grpo":
            size = stage.group_size
            yield from unless(size != 1, f"stages.{number}.group_size", "must be >= 2 for grpo", size)


def to_dict(config: object) -> dict:
    """Turn a config section into JSON-ready plain data."""
    return dataclasses.asdict(config)


def from_dict(section: type, data: Mapping[str, Any]) -> Any:
    """Build a config section from what `to_dict` gave, also after a round trip through JSON.

    Raises `ValueError` for an unknown or missing field and for values that break a rule.
    """
    built = _built(section, data)
    check(built)
    return built


def _built(section: type, data: Mapping[str, Any]) -> Any:
    if upgraded := getattr(section, "upgraded", None):
        data = upgraded(data)
    types = typing.get_type_hints(section)
    needed = {field.name for field in dataclasses.fields(section) if field.default is dataclasses.MISSING}
    for name in (data.keys() - types.keys()) | (needed - data.keys()):
        raise ValueError(f"{section.__name__} must have the fields of this version, got {name!r} too many or too few")

    def value(kind: Any, raw: Any) -> Any:
        if dataclasses.is_dataclass(kind) and isinstance(raw, Mapping):
            return _built(kind, raw)
        if typing.get_origin(kind) is tuple and isinstance(raw, list | tuple):
            item = typing.get_args(kind)[0]
            return tuple(value(item, entry) for entry in raw)
        return raw

    return section(**{name: value(types[name], raw) for name, raw in data.items()})
