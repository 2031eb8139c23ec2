"""The command line of a run: a config file, a published model, and overrides of any field by path.

`parse(sys.argv[1:]) -> (Config, workdir)`, for training `parse_training`. Every bad input ends the program through
`fail`: one line on stderr, exit code 2. All values that break a rule, or name what is not there, are told together in
that line, separated by `; `.
Importing this module loads no jax, so that `--help` and mistakes answer at once.
"""

import contextlib
import dataclasses
import difflib
import importlib.util
import io
import re
import traceback
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, NamedTuple

import tyro

from perc_jax.config import PLAIN, TRACKERS, Config, Start, refuse, to_dict, violations
from perc_jax.processes.ends import fail, reason
from perc_jax.prompt import pretrained
from perc_jax.records import commits, reading, same
from perc_jax.records.files import absolute

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
DEFAULT_CONFIG = CONFIGS / "debug_cpu.py"
PROGRAM = "python -m perc_jax.train"

# What a config file can get wrong by itself; anything else is a bug and keeps its traceback.
CONFIG_ERRORS = (
    *(SyntaxError, ImportError, NameError, AttributeError, TypeError, ValueError),
    *(LookupError, ArithmeticError, AssertionError, OSError, RuntimeError),
)


@dataclass(frozen=True)
class _Draft(Config):
    """A config that is not checked yet, so that all its mistakes can be told together."""

    def __post_init__(self):
        """Check nothing."""


@dataclass(frozen=True)
class _Command:
    """Train a model: run the stages of a config. Started again on the same workdir, a run resumes."""

    settings: Annotated[_Draft, tyro.conf.arg(name=""), tyro.conf.FlagConversionOff]
    config: str = str(DEFAULT_CONFIG)  # Python file that defines get_config() -> Config
    workdir: str = ""  # directory or gs:// path of the outputs; empty: runs/<name>
    model: str = ""  # Hugging Face folder or hub id; its sizes, tokenizer and weights replace the config's
    # Stages of the config by name, with commas: the run has no others, and a grading can stand between two runs
    only: str = ""


@dataclass(frozen=True)
class _Training(_Command):
    """Train a model: run the stages of a config. Started again on the same workdir, a run resumes."""

    # Run whose weights start this one: its workdir, WORKDIR@STEP or WORKDIR@best (sets begin_from)
    origin: Annotated[str, tyro.conf.arg(name="from")] = ""
    # Time after which the run ends with a checkpoint, from the program's beginning on: 45s, 90m, 3h, 1d, 1h30m
    stop_after: str = ""
    # Say what the run would be, compile, hold and draw; write nothing
    dry_run: bool = False
    # Who else is told metrics, config and samples: tensorboard, wandb, trackio; several with commas, or repeated
    track: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    # Steps of which a trace for TensorBoard's profiler is made, by the first host: 10:12, both included
    profile: str = ""
    # How often the run is started again when it ends by a kill, a hang or a failure; on machines without a supervisor
    max_restarts: int = 0

    def start(self) -> Start:
        """How the run is to start."""
        names = (name.strip() for words in self.track for name in words.split(","))
        return Start(self.stop_after, self.dry_run, tuple(names), self.profile, self.max_restarts)


class Training(NamedTuple):
    """What a command line of training asks for."""

    config: Config
    workdir: str
    start: Start


def parse(argv: Sequence[str]) -> tuple[Config, str]:
    """The run that `[--config FILE] [--model M] [--workdir DIR] [--field.sub value …]` describes, and its workdir.

    Raises `SystemExit`: 0 after `--help`, 2 after one line on stderr for a bad config file, model or option, or for all
    values that break a rule or name what is not there.
    """
    return _parse(argv, _Command)[:2]


def parse_training(argv: Sequence[str]) -> Training:
    """The run that the same options ask for, which must be one that can be trained, and how it is to start."""
    return _parse(argv, _Training)


def _parse(argv: Sequence[str], kind: type[_Command]) -> Training:
    """Read and check a command line; raises as `parse`."""
    try:
        return _read(argv, kind)
    except (ValueError, OSError) as error:
        fail(reason(error))


def read_training(argv: Sequence[str]) -> Training:
    """As `parse_training`, but a value that breaks a rule raises `ValueError` or `OSError`."""
    return _read(argv, _Training)


def _read(argv: Sequence[str], kind: type[_Command]) -> Training:
    """Read and check a command line. Raises `ValueError` or `OSError` with the line that says what is wrong."""
    path, model, *_ = (_option(argv, name) for name in ("--config", "--model", "--from", "--only"))
    path = path or str(DEFAULT_CONFIG)
    draft = _copy(_Draft, load_config(path))
    draft = with_model(draft, model) if model else draft
    command = _override(kind(settings=draft, config=path), argv)
    draft = _with_only(command.settings, command.only, draft)
    workdir = command.workdir or f"runs/{draft.name}"
    trains = isinstance(command, _Training)
    start = command.start() if trains else PLAIN
    if trains and command.origin:
        draft = dataclasses.replace(draft, begin_from=command.origin)
    begun = "://" in workdir or (Path(workdir).expanduser() / "checkpoints").exists()
    _check(draft, workdir, start, trains, begun)
    config = _settled(_copy(Config, draft), trains)
    if trains:
        absolute(workdir)
    if trains and config.begin_from and not begun:
        same.check_first(config.begin_from, to_dict(config))
    return Training(config, workdir, start)


def _settled(config: Config, trains: bool) -> Config:
    """The config with a vocabulary that holds what its codes add (`vocabulary.settled`)."""
    if not config.codes.tokens:
        return config
    from perc_jax.prompt import vocabulary  # the tokenizers: --help need not wait

    return vocabulary.settled(config, fetch=trains)


def _with_only(config: Config, names: str, before: Config) -> Config:
    """The config with the stages of these names, in its own order. Raises `ValueError` for a name that is none, and for
    a stage that is left out but was given other values than it had `before`: they would be without effect."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = [stage.name for stage in config.stages]
    for name in wanted or [names] * bool(names):
        if name not in known:
            raise ValueError(f"--only must be of the config's stages ({', '.join(known)}), got {name!r}")
    for number, (stage, as_it_was) in enumerate(zip(config.stages, before.stages, strict=True)):
        if wanted and stage.name not in wanted and stage != as_it_was:
            numbers = ", ".join(f"{known.index(name)} {name}" for name in sorted(wanted, key=known.index))
            raise ValueError(
                f"--stages.{number}… must be of a stage that runs, but {stage.name} is left out by --only; "
                f"stages keep the config's numbers: {numbers}"
            )
    kept = tuple(stage for stage in config.stages if stage.name in wanted)
    return dataclasses.replace(config, stages=kept) if wanted else config


def _copy(kind: type[Config], config: Config) -> Config:
    """The same fields as another class."""
    return kind(**{field.name: getattr(config, field.name) for field in dataclasses.fields(config)})


def _check(draft: Config, workdir: str, start: Start, trains: bool, begun: bool) -> None:
    """Raise `ValueError` for everything that is wrong with a command line, and that needs no device to see."""
    from perc_jax.data import sound  # the engines: a second, for which --help need not wait

    refuse(chain(violations(start), violations(draft), sound.violations(draft, trains=trains, begun=begun)))
    _check_trackers(start, workdir)
    steps = sum(stage.steps for stage in draft.stages)
    if start.traced[1] > steps:
        raise ValueError(f"profile must be within the run's steps, 1:{steps}, got {start.profile!r}")


def _check_trackers(start: Start, workdir: str) -> None:
    """Raise `ValueError` for a tracker that is not installed, or that could not keep its files."""
    for name in start.track:
        if importlib.util.find_spec(TRACKERS[name]) is None:
            raise ValueError(f"--track {name} must have the package {TRACKERS[name]}: pip install 'perc_jax[{name}]'")
    if start.track and "://" in workdir:
        raise ValueError(f"--track needs a local --workdir, where trackers keep their files, got {workdir}")


def load_config(path: str | Path) -> Config:
    """The `Config` that a file's `get_config()` returns. `ValueError` names the file and what is wrong with it."""
    path = Path(path)
    if not path.is_file():
        near = difflib.get_close_matches(path.stem, [other.stem for other in sorted(CONFIGS.glob("[!_]*.py"))], n=1)
        hint = f"; did you mean {CONFIGS / near[0]}.py?" if near else ""
        raise ValueError(f"config file {path} does not exist{hint}")
    spec = importlib.util.spec_from_file_location(f"perc_jax_config_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"config file {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    reading.content(path)  # what cannot be read is another mistake than what it says
    try:
        spec.loader.exec_module(module)
        get_config = getattr(module, "get_config", None)
        config = get_config() if callable(get_config) else None
    except CONFIG_ERRORS as error:
        what = error.msg if isinstance(error, SyntaxError) else error
        raise ValueError(f"config file {path}{_line(error, path)}: {type(error).__name__}: {what}") from error
    if get_config is None:
        raise ValueError(f"config file {path} must define get_config() -> Config")
    if not isinstance(config, Config):
        raise ValueError(f"config file {path}: get_config() must return a Config, got {type(config).__name__}")
    return config


def with_model(config: Config, name: str) -> Config:
    """The config with the sizes, the tokenizer and the weights of a Hugging Face folder or hub id.

    What no config.json says (`model.dtype`, `model.attention`) stays. Raises `FileNotFoundError` or `ValueError` for a
    folder that is none or holds another kind of model, or a run.
    """
    if commits.named(name).folder.exists():
        raise ValueError(
            f"--model must be a Hugging Face folder or hub id here, but {name} is a run's workdir: train begins with "
            f"its weights by --from {name}"
        )
    found = pretrained.model_config(pretrained.folder_of(name, weights=False))
    return dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, vision=found.vision, text=found.text),
        data=dataclasses.replace(config.data, tokenizer=name),
        pretrained=name,
    )


def _option(argv: Sequence[str], name: str) -> str:
    """The value of an option that is read before the others; empty if not given. Raises `ValueError` for one that is
    given without a value, or with an empty one."""
    value = ""
    for place, word in enumerate(argv):
        if word == name:
            value = "".join(argv[place + 1 : place + 2])
        elif word.startswith(f"{name}="):
            value = word.removeprefix(f"{name}=")
        else:
            continue
        if not value or value.startswith("--"):
            raise ValueError(f"{name} needs a value")
    return value


def _override(default: _Command, argv: Sequence[str]) -> _Command:
    """The command with all that the command line gives; `ValueError` says what cannot be."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            command, unknown = tyro.cli(
                type(default),
                prog=PROGRAM,
                default=default,
                config=(tyro.conf.FlagCreatePairsOff,),
                args=list(argv),
                return_unknown_args=True,
            )
    except SystemExit as end:
        if not end.code:  # --help
            raise
        raise ValueError(_first_paragraph(complaint.getvalue())) from end
    if unknown:
        raise ValueError(_unknown(unknown[0], default))
    return command


def _unknown(word: str, command: _Command) -> str:
    """What to say about an option that no field has, or about a word that belongs to no option."""
    if not word.startswith("--"):
        return f"unexpected value {word!r}"
    name = word.partition("=")[0].replace("_", "-")
    own = ("config", "workdir", "model", "only")
    own += ("from", *_paths(command.start())) if isinstance(command, _Training) else ()
    known = [f"--{path}".replace("_", "-") for path in (*own, *_paths(command.settings))]
    # A forgotten section is as likely as a slip of the finger: compare whole paths, then the last word of each.
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    if not near:
        tails = {option.lstrip("-").rpartition(".")[2]: option for option in reversed(known)}
        ends = difflib.get_close_matches(name.lstrip("-").rpartition(".")[2], list(tails), n=1)
        near = [tails[end] for end in ends]
    return f"unknown option {name}" + (f"; did you mean {near[0]}?" if near else "; --help lists all")


def _paths(section: object, prefix: str = "") -> Iterator[str]:
    """The dotted path of every field below a section that can be given; items of a tuple of sections go by their
    number, so of an empty one there is none."""
    for name, kind in typing.get_type_hints(type(section)).items():
        path, value = prefix + name, getattr(section, name)
        if dataclasses.is_dataclass(value):
            yield from _paths(value, f"{path}.")
        elif typing.get_origin(kind) is tuple and dataclasses.is_dataclass(typing.get_args(kind)[0]):
            for number, item in enumerate(value):
                yield from _paths(item, f"{path}.{number}.")
        else:
            yield path


def _first_paragraph(box: str) -> str:
    """The message of tyro's multi-line box: its text up to the first rule, without the frame.

    Where the locale knows ASCII only, there is no frame, and the title stands above a rule of its own.
    """
    plain = re.sub(r"\x1b\[[0-9;]*m", "", box)  # colours, on a terminal
    lines = [line.strip("│ ") for line in plain.splitlines() if line.startswith("│")]
    if not lines:
        lines = [line.strip() for line in plain.splitlines()]
        lines = lines[1 + next((place for place, line in enumerate(lines) if line and not line.strip("-")), -1) :]
    rules = [place for place, line in enumerate(lines) if line and not line.strip("─-")]
    text = " ".join(lines[: rules[0]] if rules else lines) or plain
    text = text.removeprefix("Error parsing ")
    return re.sub(r"^(_Command|_Training|settings|start): |^(settings|start)\.", "", text)


def _line(error: Exception, path: Path) -> str:
    """` line N` of a config file at which an error arose, or nothing."""
    if isinstance(error, SyntaxError):
        return f" line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).resolve() == path.resolve()]
    return f" line {lines[-1]}" if lines else ""
