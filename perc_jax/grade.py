"""Difficulty as a model has it: k sampled answers to each question of the engines, of a table, or of a benchmark.

    python -m perc_jax.grade --model runs/debug_cpu --source engines --levels 0,1,2 --rollouts 8 --out runs/grade.jsonl
    python -m perc_jax.grade --model runs/mine --source my.jsonl --temperature 1.2 --top-p 0.99 --out runs/rows.jsonl
    python -m perc_jax.grade --model Qwen/Qwen2.5-VL-3B-Instruct --source mathvista --data data --out mathvista.jsonl

`--model` is the workdir of a run, whose newest checkpoint is asked, or a Hugging Face folder or hub id. `--source` is
`engines`, with `--types`, `--levels` and `--questions` of each; the path of a table, read as the config's stages or its
`evaluation.tables` do if one of them does; or the name of a benchmark, with the folder of its files in `--data`
(default: from the hub). With a Hugging Face model, `--config` names the file that says how engines and tables are
asked.

`--out F.jsonl` keeps every question with its answers, one line each, as it comes; begun again, the same command goes
on. `F.json` beside it gets pass rates with intervals for every type and level, PeBR-R1's buckets (easy: all answers
right, hard: none) with their questions, and a fit of each type's difficulty. F.jsonl is what a run's
`mixture.curriculum.grade` takes for engines; with a `difficulty` a mixture's or a table's `grade` takes it, to draw
those questions alone.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perc_jax import benchmarks
from perc_jax.config import Config
from perc_jax.config.run import TEMPERATURE, TOP_P
from perc_jax.processes import ends, interrupts
from perc_jax.prompt import pretrained

if TYPE_CHECKING:
    from perc_jax.evaluation.exams import Exam
    from perc_jax.evaluation.subject import Description
    from perc_jax.processes.progress import Progress
    from perc_jax.rewards.verifier import Verifier

ENGINES = "engines"
MAX_PROMPT_TOKENS = 20_480  # of a benchmark's question


def main(argv: Sequence[str] | None = None) -> None:
    """Grade, print a table, write the results."""
    with ends.told():
        arguments = _parser().parse_args(argv)
        interrupts.leave_with("what was answered is kept, the same command goes on")
        _check(arguments)
        grade(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = ends.Parser(prog="python -m perc_jax.grade", description=__doc__.splitlines()[0], allow_abbrev=False)
    add = parser.add_argument
    add("--model", required=True, help="workdir of a run or WORKDIR@STEP or @best, or a Hugging Face folder or hub id")
    add("--config", default="", help="config file of how engines are asked; for a Hugging Face model only")
    add("--source", default=ENGINES, help=f"engines (default), a table, or one of {', '.join(benchmarks.BENCHMARKS)}")
    add("--data", default="", help="folder of the benchmark's files (default: from the hub)")
    add("--types", default="", help="engines or question types as engine.type, comma-separated (default: all)")
    add("--levels", default="0,1,2,3,4,5,6,7,8,9", help="levels, comma-separated (default: %(default)s)")
    add("--questions", type=int, default=8, help="of each type at each level (default: %(default)s)")
    add("--limit", type=int, help="first questions of a table or a benchmark (default: all)")
    add("--rollouts", type=int, default=8, help="answers per question (default: %(default)s)")
    add("--temperature", type=float, default=1.0, help="of the sampling (default: %(default)s)")
    add("--top-p", type=float, default=1.0, help="share that the likeliest tokens have (default: all are drawn from)")
    add("--seed", type=int, default=0, help="of the sampling (default: %(default)s)")
    add("--batch", type=int, help="questions per device call (default: by the config's evaluation.batch)")
    add("--max-tokens", type=int, help="of an answer (default: the config's rollout.max_tokens)")
    add("--out", required=True, help="file of JSON lines; the results go beside it, into .json")
    return parser


def _check(arguments: argparse.Namespace) -> None:
    """Raise `ValueError` for what cannot be, before anything slow is imported."""
    for name, least in (("questions", 1), ("rollouts", 1), ("limit", 1), ("batch", 1), ("max_tokens", 1)):
        value = getattr(arguments, name)
        if value is not None and value < least:
            raise ValueError(f"--{name.replace('_', '-')} must be >= {least}, got {value}")
    if not 0 <= arguments.seed < 2**32:
        raise ValueError(f"--seed must be within 0..4294967295, got {arguments.seed}")
    for name in ("limit", "batch", "max_tokens"):  # from here on 0 stands for what was not given
        setattr(arguments, name, getattr(arguments, name) or 0)
    if words := TEMPERATURE(arguments.temperature):
        raise ValueError(f"--temperature {words}, got {arguments.temperature}")
    if words := TOP_P(arguments.top_p):
        raise ValueError(f"--top-p {words}, got {arguments.top_p}")
    if not arguments.out.endswith(".jsonl") or "://" in arguments.out:
        raise ValueError(f"--out must be a local file that ends in .jsonl, got {arguments.out!r}")
    if arguments.source not in (ENGINES, *benchmarks.BENCHMARKS) and not _is_path(arguments.source):
        known = ", ".join((ENGINES, *benchmarks.BENCHMARKS))
        raise ValueError(f"--source must be one of {known}, or the path of a table, got {arguments.source!r}")
    if arguments.source == ENGINES and not arguments.config and pretrained.is_pretrained(arguments.model):
        raise ValueError(f"--config must be given to ask {arguments.model} the engines' questions, got none")


def grade(arguments: argparse.Namespace) -> dict[str, Any]:
    """Ask and sum up; the summary is also printed and written. Raises what `evaluate.evaluate` raises."""
    # Seconds, for which --help and mistakes need not wait.
    import contextlib

    import jax
    from etils import epath

    from perc_jax.evaluation import evaluating, grading, subject
    from perc_jax.processes import progress
    from perc_jax.records.files import to_json, write_whole
    from perc_jax.records.lines import Records
    from perc_jax.rewards.verifier import Verifier
    from perc_jax.run import together

    together.connect()
    sizes = {"batch": arguments.batch, "max_tokens": arguments.max_tokens, "samples": arguments.rollouts}
    described = subject.settle(subject.describe(arguments.model, arguments.config), **sizes)
    config = described.config
    first, out = jax.process_index() == 0, Path(arguments.out).expanduser()
    with contextlib.ExitStack() as opened, ends.at_once():
        screen = opened.enter_context(progress.Progress(config.phase_deadline_s, quiet=not first))
        verifier = opened.enter_context(Verifier.of(config))
        exam = _exam(arguments, described, verifier, screen, opened)
        how = {"samples": arguments.rollouts, "temperature": arguments.temperature, "seed": arguments.seed}
        how |= {"top_p": arguments.top_p} if arguments.top_p < 1 else {}
        asked = {"model": described.fingerprint, **exam.head(), **how, "max_tokens": config.rollout.max_tokens}
        records = opened.enter_context(Records(out, asked)) if first else None
        model = subject.load(described, screen)
        found = evaluating.Examiner(model, model.respondent(**how), screen, arguments.rollouts).ask(exam, records)
    result = {"model": arguments.model, "source": arguments.source, "temperature": arguments.temperature}
    result |= grading.summary(list(found.values()), arguments.rollouts)
    if first:
        print("\n".join(grading.lines(result)))
        write_whole(epath.Path(out.with_suffix(".json")), to_json(result) + "\n")
    return result


def _exam(
    arguments: argparse.Namespace, described: "Description", verifier: "Verifier", screen: "Progress", opened: Any
) -> "Exam":
    """What is asked."""
    from perc_jax.benchmarks.symbolic import Comparer
    from perc_jax.evaluation.exams import BenchmarkExam
    from perc_jax.evaluation.table_exam import TableExam, own_table

    if arguments.source == ENGINES:
        return _engines(arguments, described.config, verifier, screen)
    if arguments.source not in benchmarks.BENCHMARKS:
        with screen.phase(f"reading {arguments.source}"):
            table = own_table(described.config, arguments.source, is_graded=True)
            reader = described.reader(MAX_PROMPT_TOKENS, of_table=True)
            return TableExam(described.config, table, reader, verifier, arguments.limit)
    benchmark = benchmarks.get(arguments.source)
    folder = Path(arguments.data).expanduser() if arguments.data else benchmark.download()
    below = folder / benchmark.name
    problems = benchmark.load(below if below.is_dir() else folder)
    mode = next(iter(benchmark.modes))
    with screen.phase(f"reading {benchmark.name}"):
        chosen = problems[: arguments.limit or len(problems)]
        reader = described.reader(MAX_PROMPT_TOKENS)
        return BenchmarkExam(benchmark, chosen, mode, reader, opened.enter_context(Comparer()))


def _engines(arguments: argparse.Namespace, config: Config, verifier: "Verifier", screen: "Progress") -> "Exam":
    """Questions of types at levels."""
    from perc_jax.data import streams
    from perc_jax.evaluation import grading

    cells = grading.cells_asked([name for name in arguments.types.split(",") if name], _levels(arguments.levels))
    with screen.phase("looking for questions that fit"):
        unfit = {cell: why for cell in cells if (why := streams.why_unfit(config, cell))}
    if len(unfit) == len(cells):
        raise ValueError(f"--types must name questions that this model can be asked, none is: {unfit[cells[0]]}")
    if unfit:
        screen.say(f"left out: {len(unfit)} of {len(cells)} types at levels, whose questions do not fit this model")
    return grading.CellsExam(config, [cell for cell in cells if cell not in unfit], arguments.questions, verifier)


def _is_path(source: str) -> bool:
    return bool(set(source) & set("/.")) or Path(source).exists()


def _levels(text: str) -> list[int]:
    """The levels that a list names. Raises `ValueError`."""
    levels = [int(word) if word.isdigit() else -1 for word in text.split(",")]
    if not all(0 <= level <= 9 for level in levels):
        raise ValueError(f"--levels must be whole numbers within 0..9, comma-separated, got {text!r}")
    return list(dict.fromkeys(levels))


if __name__ == "__main__":
    main()
