"""Whether what a config names exists: engines, question types, tokenizer, weights, files. No device; nothing is
downloaded but tables of the hub, whose columns are looked at.

`perc_jax.config` holds the rules that need nothing but numbers; these need the engines or the disk. They are asked
together, before anything slow is imported (`cli.parse`), so a value that breaks another rule may be met here.
"""

import difflib
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import engines
from perc_jax.config import Config, MixtureConfig, StageConfig, Violation, rules, unless, untrainable
from perc_jax.data import table_prompts
from perc_jax.data.curriculum import Cell, graded_cells
from perc_jax.data.listed import of_mixture
from perc_jax.data.tables.table import Table
from perc_jax.environments.detail import hidden_types
from perc_jax.prompt import codebook, pretrained, tokenizer
from perc_jax.rewards.callers import complaints
from perc_jax.rewards.terms import by_column, is_function

LEVELS = range(10)
ENGINE_COLUMNS = ("facts",)  # that engines' rows have for a reward
EVERY_ROW = ("id", "question", "gold")  # what every row has


def violations(config: Config, *, trains: bool = True, begun: bool = False) -> Iterator[Violation]:
    """All that a run of this config would not find or could not draw.

    Args:
        config: of any values of the right types.
        trains: whether it is to be trained here, not only measured or planned: its files must be there.
        begun: whether it has checkpoints: then first weights and gradings have done their part.
    """
    if not config.stages:
        yield Violation("stages", "must not be empty", config.stages)
    drawable = True
    for number, stage in enumerate(config.stages):
        found = list(_mixture(stage.mixture, f"stages.{number}.mixture", config.data.image_px))
        found += _hidden(stage, f"stages.{number}", config.data.image_px) if not found else ()
        drawable = drawable and not found
        yield from found
    if drawable and config.data.image_px > 0:
        yield from _suites(config)
    if trains:
        yield from _room(config)
        yield from untrainable(config)
        yield from _files(config, begun)


def _room(config: Config) -> Iterator[Violation]:
    """Whether the pictures that a run draws fit its buckets."""
    data, vision = config.data, config.model.vision
    drawing = [stage for stage in config.stages if stage.mixture.engines]
    if not any(not stage.plays for stage in drawing):  # an environment's own rules hold what it shows
        return
    if min(data.image_px, vision.window_size, vision.patch_size, vision.spatial_merge_size) < 1:
        return  # another rule's affair
    patches = math.ceil(data.image_px / vision.window_size) ** 2 * vision.window_patches
    rule = f"must hold the {patches} of a picture of {data.image_px} px in whole windows"
    yield from unless(data.max_patches >= patches, "data.max_patches", rule, data.max_patches)
    tokens = (data.image_px // vision.merged_px) ** 2
    rule = f"must hold more than the {tokens} of a picture of {data.image_px} px"
    yield from unless(data.max_prompt_tokens > tokens, "data.max_prompt_tokens", rule, data.max_prompt_tokens)


def is_asked(engine: str, split: str, level: int, size_px: int) -> bool:
    """Whether an engine has a question for every index; test_d asks held-out and trained types in turn."""
    types = engines.candidates(engine, split=split, level=level, size_px=size_px)
    return {t.held_out for t in types} == {True, False} if split == "test_d" else bool(types)


def _drawn(mixture: MixtureConfig) -> list[str]:
    """The engines that a mixture draws and that exist."""
    weighed = dict(zip(mixture.engines, mixture.weights, strict=False))  # another rule asks for one weight each
    return [name for name in mixture.engines if name in engines.ENGINES and weighed.get(name, 1.0) > 0]


def _levels(levels: Iterable[int]) -> list[int]:
    return [level for level in levels if level in LEVELS]


def _mixture(mixture: MixtureConfig, path: str, size_px: int) -> Iterator[Violation]:
    """Engines and types that exist, and questions that can be read at the size of the pictures."""
    drawn, unread = _drawn(mixture), set()
    for name in mixture.engines:
        if name not in engines.ENGINES:
            yield Violation(f"{path}.engines", f"must be of {', '.join(engines.ENGINES)}", name)
    levels = _levels(mixture.levels) if size_px > 0 else []  # another rule has its say about such sizes
    for name in drawn:
        if missing := [level for level in levels if not is_asked(name, "train", level, size_px)]:
            unread.add(name)
            yield Violation(f"{path}.levels", f"must be legible for {name} at data.image_px = {size_px}", missing)
    known = {f"{e.name}.{t.name}": t for e in engines.ENGINES.values() for t in e.types if not t.held_out}
    for name in mixture.types:
        engine = name.partition(".")[0]
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            yield Violation(f"{path}.types", f"must name trained types as engine.type{hint}", name)
        elif engine not in drawn:
            yield Violation(f"{path}.types", "must be of engines that the mixture draws", name)
        elif engine not in unread and mixture.curriculum.kind == "none":  # a curriculum leaves out what is not legible
            missing = [level for level in levels if known[name].min_size_px[level] > size_px]
            rule = f"must be legible at levels {missing} and data.image_px = {size_px}"
            yield from unless(not missing, f"{path}.types", rule, name)


def _hidden(stage: StageConfig, path: str, size_px: int) -> Iterator[Violation]:
    """Questions that can be read in the detail of a sheet only, of every engine and level that is drawn."""
    environment, mixture = stage.environment, stage.mixture
    if environment.name != "inspect" or environment.side < 1:
        return
    shown_px = environment.view_px // environment.side
    for name in _drawn(mixture):
        for level in _levels(mixture.levels):
            found = hidden_types(name, split="train", level=level, cell_px=size_px, shown_px=shown_px)
            wanted = [kind for kind in mixture.types if kind.startswith(f"{name}.")]
            if not any(not wanted or f"{name}.{kind}" in wanted for kind in found):
                rule = (
                    f"must hide a type of {name} at level {level}: legible at data.image_px = {size_px}, not at "
                    f"view_px / side = {shown_px}"
                )
                yield Violation(f"{path}.environment.view_px", rule, environment.view_px)


def _files(config: Config, begun: bool) -> Iterator[Violation]:
    """What is read from the disk or the hub; of a run that has begun, only what it still needs."""
    yield from _tokenizer(config)
    yield from _functions(config)
    yield from _tables(config)
    yield from _listed(config)
    yield from _codes(config)
    if begun:
        return
    if config.pretrained and not _is_model(config.pretrained):
        yield Violation("pretrained", "must be a folder with a config.json or a hub id (owner/name)", config.pretrained)
    for number, stage in enumerate(config.stages):
        if stage.mixture.curriculum.grade:
            yield from _grade(stage.mixture, f"stages.{number}.mixture.curriculum.grade")


def _tables(config: Config) -> Iterator[Violation]:
    """Tables: their files are found and indexed, and their columns recognised."""
    found = {f"evaluation.tables.{place}": table for place, table in enumerate(config.evaluation.tables)}
    for number, stage in enumerate(config.stages):
        for place, table in enumerate(stage.mixture.tables):
            found[f"stages.{number}.mixture.tables.{place}"] = table
    readable = {}
    for path, table in found.items():
        try:
            readable[path] = table_prompts.opened(table)
        except (ValueError, OSError) as error:
            yield Violation(f"{path}.path", f"must be a table that can be read ({error})", table.path)
    if len(readable) < len(found):
        return
    for number, stage in enumerate(config.stages):
        tables = [one for path, one in readable.items() if path.startswith(f"stages.{number}.")]
        yield from _columns(config, stage, f"stages.{number}.reward.terms", tables)


def _codes(config: Config) -> Iterator[Violation]:
    """The codebook that maps are written with: it is there, of this map and of these sizes; and who has maps."""
    for number, stage in enumerate(config.stages):
        drawn = _drawn(stage.mixture)
        for name in stage.auxiliary.boxed:
            known = {f"{engine}.{kind.name}" for engine in drawn for kind in engines.ENGINES[engine].types}
            rule = "must name types of engines that the mixture draws, as engine.type"
            yield from unless(name in known, f"stages.{number}.auxiliary.boxed", rule, name)
        if stage.auxiliary.before == "map" and not any(engines.ENGINES[name].maps for name in drawn):
            rule = f"must be of an engine that has maps: {', '.join(n for n, e in engines.ENGINES.items() if e.maps)}"
            yield Violation(f"stages.{number}.mixture.engines", rule, stage.mixture.engines)
    if config.codes.has_map and not any(rules.violations(config.codes)):
        try:
            codebook.of(config.codes)
        except (ValueError, OSError) as error:
            yield Violation("codes.folder", f"must be a codebook of these settings ({error})", config.codes.folder)


def _listed(config: Config) -> Iterator[Violation]:
    """Engines' questions of one difficulty: the file that names them has some."""
    for number, stage in enumerate(config.stages):
        if stage.mixture.difficulty != "all" and stage.mixture.grade and config.data.image_px > 0:
            try:
                of_mixture(stage.mixture, config.data.image_px)
            except (ValueError, OSError) as error:
                words = error.strerror if isinstance(error, OSError) else error
                rule = f"must be a file of perc_jax.grade that fits ({words})"
                yield Violation(f"stages.{number}.mixture.grade", rule, stage.mixture.grade)


def _columns(config: Config, stage: StageConfig, path: str, tables: Sequence[Table]) -> Iterator[Violation]:
    """The columns that a stage's reward reads: one of its sources must have each. Rows without are counted."""
    asked = {place: name for place, term in enumerate(stage.reward.terms) if (name := by_column(term))}
    if stage.kind != "grpo" or not asked:
        return
    of_engines = ENGINE_COLUMNS + ("map",) * config.codes.has_map
    known = dict.fromkeys(of_engines if stage.mixture.engines else ())
    for table in tables:
        known |= {name: None for row in table.samples() for name in row if name not in table.columns.used()}
    for place, name in asked.items():
        rule = f"must be a column of what the stage draws ({', '.join(known)})"
        is_there = name in known or name in EVERY_ROW or any(_has(table, name) for table in tables)
        yield from unless(is_there, f"{path}.{place}.column", rule, name)


def _has(table: Table, column: str) -> bool:
    """Whether any row of a table has a column beside its prompt."""
    return column not in table.columns.used() and any(True for _ in table.having(column))


def _functions(config: Config) -> Iterator[Violation]:
    """Users' reward functions: each file is imported once, in a process of its own."""
    found = {
        f"stages.{number}.reward.terms.{place}.term": term.term
        for number, stage in enumerate(config.stages)
        for place, term in enumerate(stage.reward.terms)
        if is_function(term)
    }
    said = complaints(list(dict.fromkeys(found.values())))
    yield from (Violation(path, said[name], name) for path, name in found.items() if said[name])


def _grade(mixture: MixtureConfig, path: str) -> Iterator[Violation]:
    """A file of `perc_jax.grade` with questions of the mixture."""
    grade = mixture.curriculum.grade
    try:
        counts = graded_cells(Path(grade))
    except OSError as error:
        yield Violation(path, f"must be a file that can be read ({error.strerror})", grade)
    except ValueError as error:
        yield Violation(path, f"must be lines of perc_jax.grade ({error})", grade)
    else:
        if not any(_holds(mixture, cell) for cell in counts):
            yield Violation(path, "must hold questions of the mixture's engines, types and levels", grade)


def _holds(mixture: MixtureConfig, cell: Cell) -> bool:
    wanted = [name for name in mixture.types if name.startswith(f"{cell.engine}.")]
    is_wanted = not wanted or f"{cell.engine}.{cell.question_type}" in wanted
    return cell.engine in _drawn(mixture) and cell.level in mixture.levels and is_wanted


def _suites(config: Config) -> Iterator[Violation]:
    """A question for every suite, at the size of the pictures."""
    size_px = config.data.image_px
    drawn = {name for stage in config.stages for name in _drawn(stage.mixture)}
    trained = sorted({level for stage in config.stages for level in _levels(stage.mixture.levels)})
    if config.stages and not any(stage.mixture.engines for stage in config.stages):
        rule = "must be empty where no stage draws from engines; evaluation.tables names test tables"
        yield from unless(not config.evaluation.suites, "evaluation.suites", rule, config.evaluation.suites)
        return
    for suite in config.evaluation.suites:
        levels = _levels(config.evaluation.hard_levels) if suite == "test_c" else trained
        if drawn and levels and not any(is_asked(e, suite, x, size_px) for e in drawn for x in levels):
            rule = f"must have a question that is legible at data.image_px = {size_px} and levels {levels}"
            yield Violation("evaluation.suites", rule, suite)


def _tokenizer(config: Config) -> Iterator[Violation]:
    """A tokenizer that is there; one of the package's kind is opened, and its ids must be the model's."""
    name, added = config.data.tokenizer, () if any(rules.violations(config.codes)) else config.codes.tokens
    if not name.endswith(".model"):
        if name.strip() and not _is_model(name):
            rule = "must be a .model file, a folder with a config.json, or a hub id (owner/name)"
            yield Violation("data.tokenizer", rule, name)
        return
    try:
        size = tokenizer.load(name, added).vocab_size
    except FileNotFoundError:
        yield Violation("data.tokenizer", "must be a file or an asset of perc_jax", name)
    except (ValueError, RuntimeError) as error:  # the latter is sentencepiece's
        yield Violation("data.tokenizer", f"must be a SentencePiece model with the chat marks ({error})", name)
    else:
        grows = added and (config.pretrained or config.begin_from)  # enlarged when its weights are read
        if 0 < config.model.text.vocab_size < size and not grows:
            rule = f"must be at least the tokenizer's {size}" + f", {len(added)} of codes among them" * bool(added)
            yield Violation("model.text.vocab_size", rule, config.model.text.vocab_size)


def _is_model(name: str) -> bool:
    """Whether a name can mean a Hugging Face model or tokenizer: a folder as they are kept, or a hub id."""
    folder = Path(name).expanduser()
    return (folder / "config.json").is_file() if folder.exists() else pretrained.is_pretrained(name)
