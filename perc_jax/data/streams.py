"""What a stage, a suite or a grading draws, as streams of batches.

A stage's data position is one integer: prompts consumed, over all hosts. The sample at position i is a pure function of
(run seed, stage name, i): that name is hashed into a Philox key which draws engine, level, photograph and a 62-bit
engine index, so stages and seeds share no index, and nothing depends on hosts, workers or what was drawn before. With a
curriculum, the shares of the batch's phase take the place of the mixture's weights, and a worker waits for them
(`curriculum.Phases`).

A mixture of engines and tables shares its positions out by weight (`mixed`); a table's rows come in an order that is
new each epoch (`tabled`). So do engines' questions of one difficulty, of which a file of `perc_jax.grade` has so many
(`listed`).

A prompt that does not fit its bucket, or whose gold answer does not fit a training completion, is replaced by the next
draft of the same position, counted, and named in the batch.
"""

from collections import defaultdict
from typing import NamedTuple

import engines
from perc_jax.batch import WHOLE, Share
from perc_jax.config import Config, MixtureConfig, StageConfig, TableConfig
from perc_jax.data import table_prompts
from perc_jax.data.batches import Batches, Chained, Rows, Stream
from perc_jax.data.curriculum import Cell, InTurn, Phases, types_of
from perc_jax.data.engines import Draw
from perc_jax.data.listed import of_mixture
from perc_jax.data.mixed import Drawn, Mixed
from perc_jax.data.played import Played
from perc_jax.data.sound import is_asked
from perc_jax.data.tabled import Tabled

FEW_SAMPLES = 256  # of a suite: they are drawn in the seconds that a worker takes to start


class _Part(NamedTuple):
    """Questions of a mixture that are drawn alike: any of the levels with any of the types."""

    engine: str
    levels: tuple[int, ...]
    types: tuple[str, ...]  # empty: all that the split may ask


def stream(
    config: Config,
    stage: StageConfig,
    position: int = 0,
    *,
    share: Share = WHOLE,
    phases: Phases | None = None,
    steps: int | None = None,
    drawn: Drawn | None = None,
) -> Stream:
    """Stream a stage's batches from a position (prompts consumed, over all hosts): enough for all rounds of the `steps`
    that are left (default: of those that the stage would have left at that position).

    `phases` are those of a stratified curriculum; without them the mixture is drawn as it is. `drawn` is what
    `drawn_at` gives; without it the mixture's weights have been the same all along. A host gets the rows of its share
    of every batch. Raises `ValueError` if the data-parallel units do not divide P, or if an engine of the
    mixture has no question that is legible at one of its levels.
    """
    source = _source(config, stage, phases, drawn or Drawn(weights_of(stage.mixture)))
    count = stage.prompts_per_step
    _check_rows(f"stages[{stage.name}].prompts_per_step", count, share)
    by_position = max(0, stage.steps * stage.max_rounds * count - position) // count
    batches = by_position if steps is None else steps * stage.max_rounds
    return Stream(
        Batches(source, position, position + batches * count, count, share), config.data.workers, config.data.prefetch
    )


def weights_of(mixture: MixtureConfig) -> dict[str, float]:
    """The weights of a mixture's sources in their order: of all engines together, under no name, then of the tables."""
    engines_too = {"": sum(mixture.weights)} if mixture.engines else {}
    return engines_too | {table.label: table.weight for table in mixture.tables}


def drawn_at(config: Config, stage: StageConfig, position: int, before: Drawn | None) -> Drawn:
    """How a stage's sources stand at a position that it goes on from, where `before` says how they stood until then;
    None: as they do now."""
    weights = weights_of(stage.mixture)
    return (before or Drawn(weights)).become(_key(config, stage), weights, position)


def _key(config: Config, stage: StageConfig) -> tuple[str, int, str]:
    return "mixture", config.seed, stage.name


def _source(config: Config, stage: StageConfig, phases: Phases | None, counted: Drawn) -> Rows:
    """The rows of a stage's mixture by position."""
    mixture, key, lesson = stage.mixture, _key(config, stage), table_prompts.Lesson.of(config, stage)
    tables: tuple[Rows, ...] = tuple(Tabled(config, table, (*key, table.label), lesson) for table in mixture.tables)
    drawn: Draw | Rows | None = _drawn(config, stage, phases) if mixture.engines else None
    if stage.plays:
        tables = tuple(Played(config, stage.environment, table, lesson) for table in tables)
        drawn = drawn and Played(config, stage.environment, drawn, lesson)
    if drawn and not tables and (mixture.difficulty == "all" or not counted.since):
        return drawn  # by position, which is its count too
    if mixture.difficulty != "all":  # a list is gone through by count, as tables are
        drawn, tables = None, (drawn, *tables)
    return Mixed(counted.shares(key), drawn, tables, has_gold=lesson is not None)


def _drawn(config: Config, stage: StageConfig, phases: Phases | None) -> Draw:
    """The engines' samples of a mixture."""
    mixture, size_px = stage.mixture, config.data.image_px
    chosen = [(name, weight) for name, weight in zip(mixture.engines, mixture.weights, strict=True) if weight > 0]
    for name, _ in chosen:
        missing = [level for level in mixture.levels if not is_asked(name, "train", level, size_px)]
        if missing:
            raise ValueError(f"mixture.levels of {name} must be legible at data.image_px = {size_px}, got {missing}")
    return Draw(
        config=config,
        key=_key(config, stage),
        split="train",
        engines=tuple(name for name, _ in chosen),
        weights=tuple(weight for _, weight in chosen),
        levels=(mixture.levels,) * len(chosen),
        types=tuple(types_of(name, mixture.types) for name, _ in chosen),
        photo_share=mixture.photo_share,
        pointing=mixture.pointing,
        max_gold=config.completion_tokens(stage),
        batch=stage.prompts_per_step,
        chooser=phases,
        listed=None if mixture.difficulty == "all" else of_mixture(mixture, size_px),
        played=stage.environment,
        written=stage.auxiliary,
        positions=stage.steps * stage.max_rounds * stage.prompts_per_step,
    )


def of_table(
    config: Config, wanted: TableConfig, start: int = 0, *, share: Share = WHOLE, lenient: bool = False
) -> Batches:
    """A table's rows from `start` on, in its order, in batches of `evaluation.batch`. None is left out, and one that
    does not fit is a `ValueError` when it is drawn; if `lenient`, another row stands in its place."""
    count, batch = len(table_prompts.opened(wanted)), config.evaluation.batch
    _check_rows("evaluation.batch", batch, share)
    rows: Rows = Tabled(config, wanted, ("suite", wanted.label), split="test", in_order=True, is_whole=not lenient)
    if config.environment.name != "none":
        rows = Played(config, config.environment, rows, is_whole=not lenient)
    return Batches(rows, start, count, batch, share)


def of_suite(
    config: Config, name: str, count: int, start: int = 0, *, share: Share = WHOLE, scenes: int = 1
) -> Batches:
    """Samples `start` to `count` of a test set, the same for every run seed, in batches of `evaluation.batch`.

    test_a asks what the stages train, as often as they draw it (each stage counts alike), test_b the same on
    photographs, test_c asks `evaluation.hard_levels`, test_d held-out types and looks. Levels at which an engine asks
    nothing legible are left out. With several `scenes` each question is asked about so many, one after the other
    (`engines.variants`); which questions are asked does not depend on it. Raises `ValueError` if nothing is left, or if
    the units do not divide the batch.
    """
    asked = _asked(config, name)
    asking = [stage.mixture.pointing for stage in config.stages if stage.mixture.engines]
    draw = Draw(
        config=config,
        key=("suite", name),
        split=name,
        engines=tuple(part.engine for part in asked),
        weights=tuple(asked.values()),
        levels=tuple(part.levels for part in asked),
        types=tuple(part.types for part in asked),
        photo_share=1.0 if name == "test_b" else 0.0,
        pointing=sum(asking) / max(1, len(asking)),
        max_gold=0,
        batch=(batch := config.evaluation.batch),
        played=config.environment,
        scenes=scenes,
    )
    _check_rows("evaluation.batch", batch, share)
    rows = Played(config, config.environment, draw) if config.environment.name != "none" else draw
    return Batches(rows, start, count, batch, share)


def exam(config: Config, *parts: Batches) -> Stream:
    """Stream suites and tables, one after the other. A few samples are drawn in this process: a worker would not have
    started by then."""
    chained = Chained(parts)
    workers = config.data.workers if len(chained) * config.evaluation.batch > FEW_SAMPLES else 0
    return Stream(chained, workers, config.data.prefetch)


def grading(
    config: Config,
    cells: tuple[Cell, ...],
    count: int,
    start: int = 0,
    *,
    share: Share = WHOLE,
) -> Stream:
    """Stream samples `start` to `count` of a grading: fresh training scenes of the cells in turn, for every run seed
    the same, in batches of `evaluation.batch`. Raises `ValueError` if the units do not divide the batch."""
    batch = config.evaluation.batch
    _check_rows("evaluation.batch", batch, share)
    batches = Batches(_grading(config, cells), start, count, batch, share)
    return Stream(batches, config.data.workers, config.data.prefetch)


def why_unfit(config: Config, cell: Cell) -> str:
    """Why no question of a cell can be asked in the config's buckets and pictures; empty if one can."""
    size_px = config.data.image_px
    asked = engines.candidates(cell.engine, split="train", level=cell.level, size_px=size_px)
    if cell.question_type not in {t.name for t in asked}:
        return f"not legible at {size_px} px"
    try:
        _grading(config, (cell,)).row(0)
    except ValueError as error:
        return str(error)
    return ""


def _grading(config: Config, cells: tuple[Cell, ...]) -> Draw:
    return Draw(
        config=config,
        key=("grade",),
        split="train",
        engines=(),
        weights=(),
        levels=(),
        types=(),
        photo_share=0.0,
        max_gold=0,
        batch=config.evaluation.batch,
        chooser=InTurn(cells),
    )


def _asked(config: Config, name: str) -> dict[_Part, float]:
    """What a suite asks, in the engines' order: each stage's parts with their shares, those of several added up.

    Only so does an engine ask the types and levels that go together, where stages differ in them.
    """
    shares: dict[_Part, float] = defaultdict(float)
    size_px, tried = config.data.image_px, set()
    for stage in config.stages:
        mixture = stage.mixture
        levels = config.evaluation.hard_levels if name == "test_c" else sorted(set(mixture.levels))
        tried |= set(levels)
        for engine, weight in zip(mixture.engines, mixture.weights, strict=True):
            legible = tuple(x for x in levels if weight > 0 and is_asked(engine, name, x, size_px))
            if legible:
                part = _Part(engine, legible, types_of(engine, mixture.types))
                shares[part] += weight / sum(mixture.weights)
    if not shares:
        raise ValueError(f"{name} must have a legible question at {size_px} px, got none at levels {sorted(tried)}")
    order = list(engines.ENGINES)
    return {part: shares[part] for part in sorted(shares, key=lambda part: order.index(part.engine))}


def _check_rows(field: str, count: int, share: Share) -> None:
    if count % share.of:
        raise ValueError(f"{field} must be a multiple of the {share.of} data-parallel devices, got {count}")
