"""What is wrong with a user's tables, and what they take: looked at row by row, before any model is there.

`look` gives one finding per row; `report` turns them into what `perc_jax.inspect` prints and stores. A tokenizer is
needed, a model is not.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from perc_jax.config import Config, EnvironmentConfig, TableConfig
from perc_jax.data import buckets, played, table_prompts
from perc_jax.prompt.prompt import CompletionTooLong, PromptTooLong

MOST_NAMED = 20  # of the rows that are wrong in one way
BINS = 12  # of a histogram
WARM_ROWS = 256  # of a table, looked at by a run before it compiles


class Looked(NamedTuple):
    """One row; without `wrong` the rest holds."""

    number: int
    name: str  # file:row
    wrong: str = ""  # file, row, column, rule and value
    tokens: int = 0  # of its prompt, pictures and instruction included
    patches: int = 0  # slots of its pictures
    said: int = 0  # tokens of its gold completion
    pictures: int = 0
    kind: str = ""  # of its answer
    print: str = ""  # digest of chat and pictures
    is_taught: bool = False  # whether supervised steps learn what it says
    has_form: bool = True  # whether that is read as an answer in the config's form


def look(config: Config, wanted: TableConfig, numbers: Iterable[int], is_learned: bool = False) -> list[Looked]:
    """Look at rows of a table, in this process; `is_learned`: a stage of supervised steps says what they say."""
    table, found, environment = table_prompts.opened(wanted), [], played_in(config, wanted)
    for number in numbers:
        name = str(table.where(number))
        try:
            if environment.name == "none":
                info, size = table_prompts.measure(config, table, number, is_learned=is_learned)
            else:
                info, size = played.measure(config, environment, wanted, number)
        except (ValueError, OSError) as error:
            found.append(Looked(number, name, wrong=str(error)))
        else:
            pictures = len(table[number].pictures)
            sizes = (size.tokens, size.patches, size.said, pictures)
            found.append(Looked(number, name, "", *sizes, info.question_type, size.print, is_learned, size.has_form))
    return found


def played_in(config: Config, wanted: TableConfig) -> EnvironmentConfig:
    """The environment of a table's rows: that of the stages that draw it, of a test table the config's own; `none`
    where one of them has none."""
    drawing = [stage.environment for stage in config.stages if wanted in stage.mixture.tables]
    if wanted in config.evaluation.tables:
        drawing.append(config.environment)
    return next((one for one in drawing if one.name == "none"), drawing[0] if drawing else EnvironmentConfig())


def longest_said(config: Config, wanted: TableConfig) -> int:
    """Tokens that a table's row may have the model say, in the supervised stage with the least; 0: in none."""
    learning = [stage for stage in config.stages if stage.kind == "sft" and not stage.plays]
    stages = [stage for stage in learning if wanted in stage.mixture.tables]
    return min(map(config.completion_tokens, stages), default=0)


def report(config: Config, wanted: TableConfig, found: Sequence[Looked], most_said: int) -> dict[str, Any]:
    """Everything about one table, JSON-ready. `most_said`: see `longest_said`."""
    table = table_prompts.opened(wanted)
    good, bad = [row for row in found if not row.wrong], [row for row in found if row.wrong]
    room = {"max_prompt_tokens": config.data.max_prompt_tokens, "max_patches": config.data.max_patches}
    room |= {"max_tokens": most_said} if most_said else {}
    lengths = {"max_prompt_tokens": [row.tokens for row in good], "max_patches": [row.patches for row in good]}
    lengths |= {"max_tokens": [row.said for row in good]}
    units = {"max_patches": config.model.vision.window_patches}
    return {
        "path": wanted.path,
        "reading": table.reading,
        "rows": len(table),
        "looked_at": len(found),
        "wrong": len(bad),
        "wrong_rows": [row.wrong for row in bad[:MOST_NAMED]],
        "kinds": dict(Counter(row.kind for row in good).most_common()),
        "pictures": dict(sorted(Counter(row.pictures for row in good).items())),
        "duplicates": _twice(good),
        "without_form": sum(map(_teaches_another_form, good)),
        "lengths": {name: _spread(values, room.get(name), units.get(name, 1)) for name, values in lengths.items()},
    }


def bucketing(config: Config, found: Mapping[str, Sequence[Looked]]) -> Iterator[str]:
    """What to set `data.buckets` to for these tables' rows, in words and as a line of a config; nothing where it would
    not help."""
    largest = config.data.max_prompt_tokens, config.data.max_patches
    sound = [row for rows in found.values() for row in rows if not row.wrong]
    fits = [row for row in sound if row.tokens <= largest[0] and row.patches <= largest[1]]
    tokens, patches = (np.array([getattr(row, name) for row in fits], int) for name in ("tokens", "patches"))
    best = buckets.propose(tokens, patches, largest, config.model.vision.window_patches)
    if best.buckets and best.buckets != config.data.buckets:
        shares = ", ".join(f"{100 * share:.0f} %" for share in best.shares)
        yield (
            f"data.buckets = {best.buckets} would hold {shares} of the prompts, and leave out up to "
            f"{100 * best.saved:.0f} % of the work on them"
        )


def _spread(values: Sequence[int], room: int | None, unit: int) -> dict[str, Any]:
    """A length's quantiles and histogram, the share that fits, and the room that all and 99 % of the rows need."""
    if not values:
        return {}
    ordered = sorted(values)

    def at(share: float) -> int:
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1 if share else 0)]

    found: dict[str, Any] = {name: at(share) for name, share in QUANTILES.items()}
    found["histogram"] = _histogram(ordered)
    found["all_need"], found["most_need"] = (-(-at(share) // unit) * unit for share in (1.0, 0.99))
    if room is not None:
        found |= {"room": room, "fit_share": sum(value <= room for value in values) / len(values)}
    return found


QUANTILES = {"least": 0.0, "median": 0.5, "p99": 0.99, "most": 1.0}


def _histogram(ordered: Sequence[int]) -> list[tuple[int, int, int]]:
    """First value, last value and count of each bin, of ascending values."""
    width = max(1, -(-(ordered[-1] - ordered[0] + 1) // BINS))
    counts = Counter((value - ordered[0]) // width for value in ordered)
    begins = [ordered[0] + place * width for place in range(max(counts) + 1)]
    return [(begin, begin + width - 1, counts[place]) for place, begin in enumerate(begins)]


def _twice(rows: Sequence[Looked]) -> dict[str, Any]:
    """Rows with the chat and pictures of an earlier one."""
    groups = _groups(rows)
    repeats = [group for group in groups.values() if len(group) > 1]
    named = [f"{group[1].name} asks what {group[0].name} asks" for group in repeats]
    return {"count": sum(len(group) - 1 for group in repeats), "rows": named[:MOST_NAMED]}


def _groups(rows: Iterable[Looked]) -> dict[str, list[Looked]]:
    groups: dict[str, list[Looked]] = defaultdict(list)
    for row in rows:
        groups[row.print].append(row)
    return groups


def overlap(train: Mapping[str, Sequence[Looked]], test: Mapping[str, Sequence[Looked]]) -> list[dict[str, Any]]:
    """For each pair of a training and a test table the test rows that are trained on too."""
    found = []
    for name, rows in test.items():
        for other, trained in train.items():
            seen = _groups(row for row in trained if not row.wrong)
            both = [row for row in rows if not row.wrong and row.print in seen]
            if both:
                lines = [f"{row.name} asks what {seen[row.print][0].name} asks" for row in both[:MOST_NAMED]]
                found.append({"test": name, "train": other, "count": len(both), "rows": lines})
    return found


def advice(name: str, one: Mapping[str, Any]) -> Iterator[str]:
    """What to do about a table, a line each."""
    for field, spread in one["lengths"].items():
        share = spread.get("fit_share", 1.0)
        if share < 1:
            what, path = (
                ("prompts are", f"data.{field}") if field != "max_tokens" else ("answers are", "their max_tokens")
            )
            yield (
                f"{name}: {100 * (1 - share):.1f} % of the {what} longer than {path} = {spread['room']}; "
                f"{spread['most_need']} holds 99 %, {spread['all_need']} all"
            )
    if one["without_form"]:
        yield f"{name}: {one['without_form']} learned rows say nothing that data.answer_form reads as an answer"
    if one["duplicates"]["count"]:
        yield f"{name}: {one['duplicates']['count']} rows repeat an earlier one"


def before_run(config: Config, say: Callable[[str], None]) -> None:
    """Look at the tables of a config before it compiles, all rows of those that are asked, some of those that are
    trained on, and `say` the warnings. Raises what `check` raises."""
    trained = dict.fromkeys(table for stage in config.stages for table in stage.mixture.tables)
    found = [check(config, table, longest_said(config, table), every=False) for table in trained]
    found += [check(config, table, 0, every=True) for table in config.evaluation.tables]
    for line in filter(None, found):
        say(f"warning: {line}")


def check(config: Config, wanted: TableConfig, most_said: int, every: bool) -> str:
    """Look at a table before a run compiles: at rows evenly from all of it, or at every one.

    Gives a warning, empty for none. Raises `ValueError` for a test table (`every`) with a row that is wrong or does not
    fit, and for a training table of whose rows looked at none can be used.
    """
    table = table_prompts.opened(wanted)
    step = 1 if every else max(1, len(table) // WARM_ROWS)
    found = look(config, wanted, range(0, len(table), step), most_said > 0)
    wrong = [row.wrong or _too_long(config, row, most_said) for row in found]
    wrong = [line for line in wrong if line]
    formless = [row.name for row in found if _teaches_another_form(row)]
    if wrong and (every or len(wrong) == len(found)):
        raise ValueError(f"table {table.name}: {wrong[0]}" + (f"; and {len(wrong) - 1} more" if len(wrong) > 1 else ""))
    lines, of = [], f"of {len(found)} rows of table {table.name} that were looked at"
    if wrong:
        lines.append(f"{len(wrong)} {of} cannot be used, the first: {wrong[0]}")
    if formless:
        form = f"data.answer_form = {config.data.answer_form}"
        lines.append(f"{len(formless)} {of} teach what is no answer by {form}, the first: {formless[0]}")
    return "; ".join([*lines, "python -m perc_jax.inspect tells all"]) if lines else ""


def _teaches_another_form(row: Looked) -> bool:
    """Whether supervised steps learn a text of it that earns nothing in the form that the config asks for."""
    return row.is_taught and not row.wrong and not row.has_form


def _too_long(config: Config, row: Looked, most_said: int) -> str:
    """Why a row does not fit; empty if it does."""
    data = config.data
    if row.tokens > data.max_prompt_tokens or row.patches > data.max_patches:
        return str(PromptTooLong(row.name, row.tokens, data.max_prompt_tokens, row.patches, data.max_patches))
    if 0 < most_said < row.said:
        return str(CompletionTooLong(f"the answer of {row.name} must fit max_tokens = {most_said}, got {row.said}"))
    return ""
