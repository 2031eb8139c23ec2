"""perc_jax from Python: load a model, ask it, examine it, score replies, train.

    from perc_jax import library

    model = library.load("runs/debug_cpu")                      # or a Hugging Face folder or hub id
    [reply] = library.sample(model, ["board.png"], "How many cells are empty?")
    found = library.evaluate(model, "my.jsonl")                 # accuracy, interval, by kind of answer
    library.score("mathvista", "data/mathvista", {"1": "The answer is B."})
    library.train("configs/tables_cpu.py", workdir="runs/mine", overrides={"seed": 1})

The programs do the same from the command line, with progress and kept answers. What is refused raises `ValueError` or
`OSError` with the program's line.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from perc_jax import benchmarks, cli
from perc_jax.config import TableConfig
from perc_jax.evaluation import scoring

if TYPE_CHECKING:
    from perc_jax.evaluation.answering import Reply
    from perc_jax.evaluation.subject import Description, Subject

MAX_PROMPT_TOKENS = 20_480  # a picture of the greatest published area and 4,096 tokens of text
DEADLINE_S = 3600.0  # without any sign of progress


class Model(NamedTuple):
    """A model that can be asked."""

    described: "Description"
    subject: "Subject"


def load(model: str, config: str = "", *, batch: int = 0, max_tokens: int = 0) -> Model:
    """Load a model onto this machine's devices.

    Args:
        model: workdir of a run (`@step`, `@best`), or a Hugging Face folder or hub id.
        config: config file that says how a Hugging Face model is asked (instruction, answer form).
        batch: prompts per device call, a multiple of the devices (default: as the config evaluates).
        max_tokens: of a reply (default: the config's).
    """
    from perc_jax.evaluation import subject
    from perc_jax.processes.progress import Progress

    described = subject.settle(subject.describe(model, config), batch=batch, max_tokens=max_tokens)
    with Progress(DEADLINE_S, quiet=True) as screen:
        return Model(described, subject.load(described, screen))


def sample(
    model: Model,
    pictures: Sequence[str | Path],
    question: str,
    *,
    samples: int = 1,
    temperature: float = 0.0,
    seed: int = 0,
) -> "list[Reply]":
    """Ask one question about pictures, which stand before it; the run's own instruction is put below it.

    Gives `samples` replies with text, tokens and whether they ended. Raises `ValueError` or `OSError` for a picture
    that cannot be read and for a prompt that is too long.
    """
    from perc_jax.benchmarks import Image
    from perc_jax.data import table_prompts
    from perc_jax.prompt import chat, questions

    reader = model.described.reader(MAX_PROMPT_TOKENS)
    turns = table_prompts.asked(chat.asked(question, len(pictures)), model.described.config.data)
    asked = questions.measure_chat("asked", "asked", turns, [Image(Path(one)) for one in pictures], reader)
    if asked.why_not:
        raise ValueError(asked.why_not)
    count = questions.size(asked.bucket, 1, model.subject.programs.share.of)
    how = {"samples": samples, "temperature": temperature, "seed": seed}
    prompts = questions.rows([asked] * count, reader)
    return model.subject.respondent(**how).sample_k(prompts, [asked.id] * count)[0]


def evaluate(model: Model, table: str | TableConfig, *, limit: int = 0, samples: int = 1) -> dict[str, Any]:
    """Examine a model on a table, greedily, or with several samples at temperature 1.

    A path is read as the model's config reads it, if it does; a `TableConfig` says itself how.

    Gives `n`, `accuracy`, `ci95` (95 % interval), `by` kind of answer, and what was not read, cut or not asked.
    """
    from perc_jax.evaluation import evaluating
    from perc_jax.evaluation.table_exam import TableExam, own_table
    from perc_jax.processes.progress import Progress
    from perc_jax.rewards.verifier import Verifier

    config = model.described.config
    wanted = own_table(config, table) if isinstance(table, str) else table
    reader = model.described.reader(MAX_PROMPT_TOKENS, of_table=True)
    with Verifier.of(config) as verifier, Progress(DEADLINE_S, quiet=True) as screen:
        exam = TableExam(config, wanted, reader, verifier, limit)
        respondent = model.subject.respondent(samples=samples, temperature=float(samples > 1))
        examiner = evaluating.Examiner(model.subject, respondent, screen, samples)
        return evaluating.result(exam, examiner.ask(exam, None), samples)


def score(benchmark: str, problems: str | Path, responses: Mapping[str, str], mode: str = "official") -> dict[str, Any]:
    """Score replies of any system on a public benchmark: totals, interval, each item with the reason.

    Args:
        benchmark: one of `perc_jax.benchmarks.BENCHMARKS`.
        problems: its folder or file.
        responses: a reply for every problem, by id.
        mode: of the benchmark's protocols.
    """
    rules = benchmarks.get(benchmark)
    rules.check_mode(mode)
    return scoring.score(rules, rules.load(Path(problems)), dict(responses), mode)


def train(config: str | Path, *, workdir: str = "", overrides: Mapping[str, Any] | None = None) -> str:
    """Run a config to its end, or go on with it; gives the workdir.

    Args:
        config: a file that defines `get_config`.
        workdir: local or gs://; by default `runs/<name>`.
        overrides: fields by path, as on the command line: `{"stages.1.steps": 50}`.
    """
    given = ["--config", str(config), *(["--workdir", workdir] if workdir else [])]
    for field, value in (overrides or {}).items():
        given += [f"--{field}", *map(str, value if isinstance(value, list | tuple) else [value])]
    asked = cli.read_training(given)
    from perc_jax.programs import patterns
    from perc_jax.run import loop

    patterns.check(asked.config)
    loop.run(*asked)
    return asked.workdir
