"""Accuracy of a model with intervals: on the engines' fresh scenes and on public benchmarks, in one command.

    python -m perc_jax.evaluate --model runs/debug_cpu --suites test_a,test_c,dynamath,mathvista:strict --data data \
        --out runs/debug_cpu/benchmarks

`--model` is the workdir of a run, whose newest checkpoint is asked, or a Hugging Face folder or hub id; with the latter
`--config` names the file that says what the engines' suites ask. A suite is test_a … test_d, the path of a table of
your own, read as the config's `evaluation.tables` or stages read it if they do, or a benchmark, with a mode after a
colon if not that of `--mode` (default: the benchmark's first, mostly `official`). Greedy, or with `--samples K` at a
temperature: avg@K and pass@k. With `--scenes N` each question of a test_a … test_d is asked about N scenes, and the
share that is right in all of them stands beside the average.

`--out` keeps every question, its right answer and the model's answers as they come, one JSON line each in
`<suite>.jsonl`, and the results in `results.json` (with `--out F.json`: the results in F.json, the lines in F.items),
where those of the same model on other suites stay. Interrupted at any moment and started again, the same command goes
on; lines of another model, mode or setting are refused. `perc_jax.compare` compares two such folders. `--blind` asks
everything a second time with a uniform grey picture (RGB 128) of the same size in place of each, and tells how much of
the accuracy needs the picture.
"""

import argparse
import contextlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from perc_jax import benchmarks
from perc_jax.benchmarks import Benchmark, Problem, files
from perc_jax.config import Config, TableConfig
from perc_jax.config.run import TEMPERATURE_OR_GREEDY, TOP_P
from perc_jax.evaluation import compare, scoring
from perc_jax.processes import ends, interrupts
from perc_jax.prompt import pretrained

if TYPE_CHECKING:
    from perc_jax.evaluation.exams import Exam
    from perc_jax.evaluation.subject import Description
    from perc_jax.processes.progress import Progress
    from perc_jax.records.lines import Records

SUITES = ("test_a", "test_b", "test_c", "test_d")
SCENES = 1000  # of an engines' suite, without --limit; each question about --scenes of them
DEFAULTED = ("limit", "batch", "max_tokens", "max_pixels", "tensor")  # whole numbers whose default the model says
MAX_PROMPT_TOKENS = 20_480  # a picture of the greatest published area and 4,096 tokens of text


class Wanted(NamedTuple):
    """A benchmark to ask, its problems and mode."""

    benchmark: Benchmark
    mode: str
    problems: list[Problem]


def main(argv: Sequence[str] | None = None) -> None:
    """Evaluate, print a table, write the results."""
    with ends.told():
        arguments = _parser().parse_args(argv)
        interrupts.leave_with("what was answered is kept" if arguments.out else "")
        wanted = _check(arguments)
        evaluate(arguments, wanted)


def _parser() -> argparse.ArgumentParser:
    parser = ends.Parser(
        prog="python -m perc_jax.evaluate",
        description=__doc__.splitlines()[0],
        epilog=f"benchmarks: {', '.join(benchmarks.BENCHMARKS)}",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--model", required=True, help="workdir of a run or WORKDIR@STEP or @best, or a Hugging Face folder or hub id")
    add("--config", default="", help="config file of the engines' suites; for a Hugging Face model only")
    add(
        "--suites",
        default=",".join(SUITES),
        help="suites, tables and benchmarks, comma-separated (default: %(default)s)",
    )
    add("--data", default="", help="folder with a folder per benchmark, or one benchmark's; without it: from the hub")
    add("--mode", default="", help="protocol of the benchmarks (default: each one's first)")
    add("--limit", type=int, help=f"first questions of each suite (default: {SCENES} scenes, all problems)")
    add("--scenes", type=int, default=1, help="that each question of the engines is asked about (default: %(default)s)")
    add("--samples", type=int, default=1, help="answers per question (default: %(default)s)")
    add("--temperature", type=float, help="0 is greedy (default: 0, or 1 with several samples)")
    add("--top-p", type=float, default=1.0, help="share that the likeliest tokens have (default: all are drawn from)")
    add("--seed", type=int, default=0, help="of the random draws (default: %(default)s)")
    add("--batch", type=int, help="questions per device call (default: the config's evaluation.batch)")
    add("--max-tokens", type=int, help="of an answer (default: the config's rollout.max_tokens)")
    add("--max-pixels", type=int, help="area above which a picture is reduced (default: the model's)")
    add("--max-prompt-tokens", type=int, default=MAX_PROMPT_TOKENS, help="longer prompts are not asked, and counted")
    add("--tensor", type=int, help="devices that share a prompt (default: the config's mesh.tensor)")
    add("--blind", action="store_true", help="also ask without the pictures: uniform grey in their place")
    add("--out", default="", help="folder, or JSON file, for results and answers")
    return parser


def _check(arguments: argparse.Namespace) -> list[str | Wanted | TableConfig]:
    """What is asked, in order; `ValueError` or `OSError` for what cannot be, before anything slow is imported."""
    if arguments.temperature is None:
        arguments.temperature = 0.0 if arguments.samples == 1 else 1.0
    wrong = TEMPERATURE_OR_GREEDY(arguments.temperature)
    rules = [
        ("--scenes", 1 <= arguments.scenes <= SCENES, f"must be within 1..{SCENES}", arguments.scenes),
        ("--samples", arguments.samples >= 1, "must be >= 1", arguments.samples),
        ("--temperature", not wrong, wrong, arguments.temperature),
        ("--temperature", arguments.samples == 1 or arguments.temperature > 0, "must be > 0 with several samples", 0.0),
        ("--top-p", not TOP_P(arguments.top_p), TOP_P(arguments.top_p), arguments.top_p),
        ("--seed", 0 <= arguments.seed < 2**32, "must be within 0..4294967295", arguments.seed),
        ("--max-prompt-tokens", arguments.max_prompt_tokens >= 1, "must be >= 1", arguments.max_prompt_tokens),
        ("--out", "://" not in arguments.out, "must be a local path: answers are appended to it", arguments.out),
    ]
    for name in DEFAULTED:
        value = getattr(arguments, name)
        rules.append((f"--{name.replace('_', '-')}", value is None or value >= 1, "must be >= 1", value))
    for option, holds, rule, value in rules:
        if not holds:
            raise ValueError(f"{option} {rule}, got {value!r}")
    for name in DEFAULTED:  # from here on 0 stands for what was not given
        setattr(arguments, name, getattr(arguments, name) or 0)
    asked = [_wanted(name, arguments) for name in arguments.suites.split(",")]
    names = [one.path if isinstance(one, TableConfig) else _name(one) for one in asked]
    if len(set(names)) < len(names):
        raise ValueError(f"--suites must name each suite once, got {arguments.suites}")
    is_suite = any(isinstance(one, str) for one in asked)
    if arguments.scenes > 1 and not is_suite:
        raise ValueError(f"--scenes must be 1 without a suite of the engines, got {arguments.scenes}")
    if is_suite and not arguments.config and pretrained.is_pretrained(arguments.model):
        what = "a Hugging Face model" if Path(arguments.model).expanduser().is_dir() else "taken for a hub id"
        raise ValueError(f"--config must be given for suites of the engines, got none; {arguments.model} is {what}")
    return asked


def _name(asked: str | Wanted | TableConfig) -> str:
    """How results call it."""
    if isinstance(asked, TableConfig):
        return asked.label
    return asked if isinstance(asked, str) else asked.benchmark.name


def _wanted(name: str, arguments: argparse.Namespace) -> str | Wanted | TableConfig:
    """An engines' suite, a table, or a benchmark with its problems. Raises `ValueError` or `OSError`."""
    if name in SUITES:
        return name
    if set(name) & set("/.") or Path(name).exists():
        return TableConfig(name)  # how it is read, the model's config may say
    name, _, mode = name.partition(":")
    if name not in benchmarks.BENCHMARKS:
        known = ", ".join((*SUITES, *benchmarks.BENCHMARKS))
        raise ValueError(f"--suites must be of {known}, or tables' paths, got {name!r}")
    benchmark = benchmarks.get(name)
    mode = mode or arguments.mode or next(iter(benchmark.modes))
    benchmark.check_mode(mode)
    folder = Path(arguments.data).expanduser() / name if arguments.data else benchmark.download()
    alone = len([one for one in arguments.suites.split(",") if one not in SUITES]) == 1
    if arguments.data and not folder.exists() and alone:
        folder = folder.parent
    problems = [problem for problem in benchmark.load(folder) if benchmark.counts(problem, mode)]
    return Wanted(benchmark, mode, problems[: arguments.limit or len(problems)])


def _places(out: str) -> tuple[Path, Path]:
    """The file of the results and the folder of the answers."""
    path = Path(out).expanduser()
    return (path, path.with_suffix(".items")) if path.suffix == ".json" else (path / "results.json", path)


def evaluate(arguments: argparse.Namespace, asked: Sequence[str | Wanted | TableConfig]) -> dict[str, Any]:
    """Results by suite, which the first host also prints and writes; empty on the others.

    Raises `ValueError` if there is no sound checkpoint, or model, config and devices do not fit each other, or kept
    answers or results are of another evaluation; `FileNotFoundError` for a model that is not there; `RuntimeError` for
    a model that does not see.
    """
    # Seconds, for which --help and mistakes need not wait.
    import jax
    from etils import epath

    from perc_jax.evaluation import evaluating, subject
    from perc_jax.processes import progress
    from perc_jax.records.files import to_json, write_whole
    from perc_jax.run import together

    together.connect()
    sizes = {"batch": arguments.batch, "max_tokens": arguments.max_tokens, "tensor": arguments.tensor}
    described = subject.describe(arguments.model, arguments.config)
    described = subject.settle(described, **sizes, samples=arguments.samples)
    first = jax.process_index() == 0
    asked = _as_the_run_reads(asked, described.config)
    before = _kept(arguments.out, list(map(_name, asked)), described.fingerprint) if first and arguments.out else {}
    with contextlib.ExitStack() as opened, ends.at_once():
        screen = opened.enter_context(progress.Progress(described.config.phase_deadline_s, quiet=not first))
        exams = _exams(arguments, asked, described, screen, opened)
        kept = {
            (exam.name, blind): opened.enter_context(_records(arguments, exam.head(), blind, described))
            for exam in exams
            for blind in (False, True)[: 1 + arguments.blind]
            if first and arguments.out
        }
        model = subject.load(described, screen)
        how = {"samples": arguments.samples, "temperature": arguments.temperature, "seed": arguments.seed}
        how["top_p"] = arguments.top_p
        examiner = evaluating.Examiner(model, model.respondent(**how), screen, arguments.samples)
        results = examiner.results(exams, kept, arguments.blind)
    if not first:
        return {}
    print("\n".join(table(results)))
    if arguments.out:
        write_whole(epath.Path(_places(arguments.out)[0]), to_json(before | results, ensure_ascii=False) + "\n")
    return results


def _kept(out: str, asked: Collection[str], model: str) -> dict[str, Any]:
    """What the file of results has, of which that on suites that are asked is to be replaced; `model`: a fingerprint.

    Raises `ValueError` for a file that holds something else, and for results on other suites of another model.
    """
    from perc_jax.records import lines

    file, folder = _places(out)
    content = files.read_json(file) if file.exists() else {}
    if not isinstance(content, dict) or not all(isinstance(one, dict) and "n" in one for one in content.values()):
        raise ValueError(f"{file} must hold results by suite, for more to be added; give another --out")
    for name in sorted(content.keys() - set(asked)):
        answers = folder / f"{name}.jsonl"
        its = lines.read(answers)[0].get("model") if answers.exists() else "not known, its answers are gone"
        if its != model:
            raise ValueError(f"{file} has results on {name} of model {its}, this one is {model}; give another --out")
    return content


def _as_the_run_reads(asked: Sequence[str | Wanted | TableConfig], config: Config) -> list[str | Wanted | TableConfig]:
    """The same, with tables as the model's config reads them. Raises `ValueError` for two of one name."""
    from perc_jax.evaluation.table_exam import own_table

    found = [own_table(config, one.path) if isinstance(one, TableConfig) else one for one in asked]
    names = [_name(one) for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"--suites must have different names, got {', '.join(twice)} twice")
    return found


def _exams(
    arguments: argparse.Namespace,
    asked: Sequence[str | Wanted | TableConfig],
    described: "Description",
    screen: "Progress",
    opened: contextlib.ExitStack,
) -> "list[Exam]":
    """What is asked as exams; the sizes of their pictures are read now."""
    from perc_jax.benchmarks.symbolic import Comparer
    from perc_jax.evaluation.exams import BenchmarkExam, SuiteExam
    from perc_jax.evaluation.table_exam import TableExam
    from perc_jax.rewards.verifier import Verifier

    config, bounds = described.config, {"max_pixels": arguments.max_pixels}
    reader = described.reader(arguments.max_prompt_tokens, **bounds)
    of_table = described.reader(arguments.max_prompt_tokens, of_table=True, **bounds)
    compare = opened.enter_context(Comparer())
    if not all(isinstance(one, Wanted) for one in asked):
        verifier = opened.enter_context(Verifier.of(config))
    exams = []
    for one in asked:
        if isinstance(one, str):
            count = (arguments.limit or SCENES // arguments.scenes) * arguments.scenes
            exams.append(SuiteExam(config, one, count, verifier, arguments.scenes))
        elif isinstance(one, TableConfig):
            with screen.phase(f"reading {one.label}"):
                exams.append(TableExam(config, one, of_table, verifier, arguments.limit))
        else:
            with screen.phase(f"reading {one.benchmark.name}"):
                exams.append(BenchmarkExam(one.benchmark, one.problems, one.mode, reader, compare))
    return exams


def _records(
    arguments: argparse.Namespace, head: Mapping[str, Any], blind: bool, described: "Description"
) -> "Records":
    """The file of an exam's answers, which belong to a model and to how it is asked."""
    from perc_jax.records.lines import Records

    config = described.config
    asked = {
        "model": described.fingerprint,
        **head,
        "blind": blind,
        "samples": arguments.samples,
        "temperature": arguments.temperature,
        "seed": arguments.seed if arguments.temperature else None,  # greedy answers have none
        "max_tokens": config.rollout.max_tokens,
        "dtype": config.model.dtype,
    }
    asked |= {"top_p": arguments.top_p} if arguments.top_p < 1 else {}
    name = f"{head['suite']}.blind.jsonl" if blind else f"{head['suite']}.jsonl"
    return Records(_places(arguments.out)[1] / name, asked)


def table(results: Mapping[str, Any]) -> list[str]:
    """Write results as lines: each suite's accuracy, its counts, its groups, and what the pictures are worth."""
    lines = []
    for name, found in results.items():
        mode = f" ({found['mode']})" if "mode" in found else ""
        lines.append(scoring.line(name + mode, found))
        for k, share in found.get("pass_at", {}).items():
            lines.append(scoring.line(f"  pass@{k}", share))
        counts = {"unparsed": "unparsed", "cut": "cut at the longest answer", "timed_out": "timed out"}
        counts |= {"not_asked": "not asked: do not fit"}
        several = {name: f" of {found['responses']:,} answers" for name in ("unparsed", "cut") if "responses" in found}
        lines += [
            f"  {label:30} {found[field]:6}{several.get(field, '')}" for field, label in counts.items() if found[field]
        ]
        lines += scoring.lines_of(found.get("summary", {}), "  ")
        if "blind" in found:
            lines.append(scoring.line("  without the picture", found["blind"]))
            lines.append("  " + compare.line("what it is worth", found["picture"]))
    return lines


if __name__ == "__main__":
    main()
