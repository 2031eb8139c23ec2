"""The command line: any field by its path, one clear line for any mistake, no jax before it is needed."""

import dataclasses
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perc_jax import cli
from perc_jax.config import Start
from tests.records.test_commits import committed
from tests.weights.published_folders import SMALL, edit, write_small_files

GOOD = """
from tests.config.test_config import CONFIG

def get_config():
    return CONFIG
"""


@pytest.fixture(scope="module")
def config_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("configs") / "tiny.py", GOOD)


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def complaint(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The one line that a bad command line earns."""
    with pytest.raises(SystemExit) as end:
        cli.parse(argv)
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert err.endswith("\n") and err.count("\n") == 1 and err.startswith("error: ")
    return err.removeprefix("error: ").rstrip("\n")


def test_without_overrides_the_config_is_as_in_the_file(config_file: str) -> None:
    config, workdir = cli.parse(["--config", config_file])
    assert config == cli.load_config(config_file)
    assert workdir == "runs/tiny"


@pytest.mark.parametrize(
    ("argv", "path", "value"),
    [
        ("--stages.1.optimizer.learning-rate 3e-5", "stages.1.optimizer.learning_rate", 3e-5),
        ("--stages.1.optimizer.learning_rate=3e-5", "stages.1.optimizer.learning_rate", 3e-5),
        ("--stages.0.mixture.levels 0 1", "stages.0.mixture.levels", (0, 1)),
        ("--stages.0.optimizer.frozen vision.* embed", "stages.0.optimizer.frozen", ("vision.*", "embed")),
        ("--stages.0.optimizer.frozen", "stages.0.optimizer.frozen", ()),
        ("--stages.1.optimizer.schedule cosine", "stages.1.optimizer.schedule", "cosine"),
        ("--model.text.tie-word-embeddings False", "model.text.tie_word_embeddings", False),
        ("--model.text.mrope-section 4 2 2", "model.text.mrope_section", (4, 2, 2)),
        ("--mesh.fsdp -1", "mesh.fsdp", -1),
        ("--seed=7", "seed", 7),
    ],
)
def test_an_override_changes_its_field_and_no_other(config_file: str, argv: str, path: str, value: object) -> None:
    changed = flat(cli.parse(["--config", config_file, *argv.split()])[0])
    before = flat(cli.load_config(config_file))
    assert changed.pop(path) == value
    before.pop(path)
    assert changed == before


def flat(config: object) -> dict[str, object]:
    """Every field of a config by its dotted path."""

    def look_up(path: str) -> object:
        here = config
        for name in path.split("."):
            here = here[int(name)] if name.isdigit() else getattr(here, name)
        return here

    return {path: look_up(path) for path in cli._paths(config)}


def test_a_run_has_the_stages_that_are_named(config_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    whole = cli.load_config(config_file)
    names = [stage.name for stage in whole.stages]
    assert len(names) > 1
    for only in (names[0], names[-1], ",".join(reversed(names)), f" {names[-1]} ,"):
        config, _ = cli.parse(["--config", config_file, "--only", only])
        wanted = [name for name in names if name in only]
        assert config == dataclasses.replace(
            whole, stages=tuple(stage for stage in whole.stages if stage.name in wanted)
        )
    changed, _ = cli.parse(["--config", config_file, "--stages.1.steps", "3", "--only", names[1]])
    assert [stage.steps for stage in changed.stages] == [3]  # overrides count the config's stages
    line = complaint(capsys, "--config", config_file, "--stages.1.steps", "3", "--only", names[0])
    assert f"--stages.1… must be of a stage that runs, but {names[1]} is left out by --only" in line
    assert f"stages keep the config's numbers: 0 {names[0]}" in line
    line = complaint(capsys, "--config", config_file, "--only", "none")
    assert line == f"--only must be of the config's stages ({', '.join(names)}), got 'none'"


def test_how_a_run_starts_is_asked_beside_its_config(
    config_file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)  # all trackers are installed
    config, workdir, start = cli.parse_training(["--config", config_file, "--stop-after", "90m"])
    assert (config, workdir, start) == (cli.load_config(config_file), "runs/tiny", Start(stop_after="90m"))
    for words in (("--stop-after", "3"), ("--stop-aftr", "3h")):
        with pytest.raises(SystemExit):
            cli.parse_training(["--config", config_file, *words])
    for words in ("--track tensorboard,wandb", "--track tensorboard --track=wandb"):
        assert cli.parse_training(["--config", config_file, *words.split()]).start.track == ("tensorboard", "wandb")
    three, near = capsys.readouterr().err.splitlines()
    assert three == "error: stop_after must be a duration such as 45s, 90m, 3h, 1d or 1h30m, got '3'"
    assert near == "error: unknown option --stop-aftr; did you mean --stop-after?"
    assert "unknown option --stop-after" in complaint(capsys, "--config", config_file, "--stop-after", "3h")


def test_a_tracker_must_be_known_installed_and_have_a_place(
    config_file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "trackio" else name)
    for words, line in (
        ("--track mlflow", "track must be one of tensorboard, wandb, trackio, got ('mlflow',)"),
        ("--track wandb,wandb", "track must not name anything twice, got ('wandb', 'wandb')"),
        ("--track trackio", "--track trackio must have the package trackio: pip install 'perc_jax[trackio]'"),
        (
            "--track wandb --workdir gs://b/r",
            "--track needs a local --workdir, where trackers keep their files, got gs:",
        ),
    ):
        with pytest.raises(SystemExit):
            cli.parse_training(["--config", config_file, *words.split()])
        assert line in capsys.readouterr().err


def test_a_run_to_begin_from_is_checked_unless_the_workdir_has_one(
    config_file: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = committed(tmp_path / "run", 3)
    argv = ["--config", config_file, "--workdir", str(tmp_path / "new"), "--from"]
    assert cli.parse_training([*argv, f"{run}@3"]).config.begin_from == f"{run}@3"
    for words in ((f"{run}@4",), (run, "--model.text.hidden-size", "64"), (str(tmp_path),), ()):
        with pytest.raises(SystemExit) as end:
            cli.parse_training([*argv, *words])
        assert end.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4 and "must have a checkpoint of step 4, it has steps 3" in lines[0]
    assert "model.text.hidden_size must be 32 as in" in lines[1] and "that has checkpoints, got" in lines[2]
    (tmp_path / "new/checkpoints").mkdir(parents=True)
    cli.parse_training([*argv, "a/run/that/is/gone"])  # a resume compares the names


@settings(max_examples=10)
@given(st.floats(min_value=1e-9, max_value=1.0), st.integers(0, 2**32 - 1))
def test_numbers_survive_the_command_line(config_file: str, rate: float, seed: int) -> None:
    argv = ["--config", config_file, "--stages.0.optimizer.learning-rate", repr(rate), "--seed", str(seed)]
    config, _ = cli.parse(argv)
    assert (config.stages[0].optimizer.learning_rate, config.seed) == (rate, seed)


@pytest.mark.parametrize(
    ("argv", "workdir"),
    [("--workdir out", "out"), ("--workdir=gs://b/run", "gs://b/run"), ("--name other", "runs/other")],
)
def test_workdir(config_file: str, argv: str, workdir: str) -> None:
    assert cli.parse(["--config", config_file, *argv.split()])[1] == workdir


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ("--stages.1.optimizer.learning-rat 1", "did you mean --stages.1.optimizer.learning-rate?"),
        ("--rollout.temprature=0.5", "did you mean --rollout.temperature?"),
        ("--learning-rate 1", "did you mean --stages.0.optimizer.learning-rate?"),
        ("--workdri out", "did you mean --workdir?"),
        ("--zzz 1", "unknown option --zzz; --help lists all"),
        ("extra", "unexpected value 'extra'"),
        ("--seed x", "--seed: invalid literal for int()"),
        ("--seed", "Missing value for argument '--seed'"),
        ("--stages.0.kind rl", "invalid choice 'rl' for argument '--stages.0.kind'"),
        ("--data.image-px 100", "data.image_px must be a multiple of 28, got 100"),
        ("--stages.1.mixture.levels 0 12", "stages.1.mixture.levels must be within 0..9, got (0, 12)"),
        ("--config", "--config needs a value"),
        ("--model", "--model needs a value"),
        ("--only", "--only needs a value"),
        ("--only=", "--only needs a value"),
        ("--only ,", "--only must be of the config's stages"),
        ("--config nowhere.py", "config file nowhere.py does not exist"),
    ],
)
def test_a_mistake_earns_one_line(config_file: str, capsys: pytest.CaptureFixture[str], argv: str, words: str) -> None:
    assert words in complaint(capsys, "--config", config_file, *argv.split())


@pytest.mark.parametrize("option", ["--from", "--model", "--only", "--config"])
def test_a_value_that_is_empty_is_none(config_file: str, option: str) -> None:
    """As of a shell's variable that is not set; the run would have other weights, or all stages."""
    for words in ([option, ""], [f"{option}="]):
        with pytest.raises(ValueError, match=f"^{option} needs a value$"):
            cli.read_training(["--config", config_file, *words])


@pytest.mark.parametrize("name", ["run", "run@3", "run@best"])
def test_a_run_as_the_model_is_told_how_it_is_begun_from(config_file: str, tmp_path: Path, name: str) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "config.json").write_text("{}")
    line = f"is a run's workdir: train begins with its weights by --from {tmp_path / name}$"
    with pytest.raises(ValueError, match=line):
        cli.read_training(["--config", config_file, "--model", str(tmp_path / name)])


@pytest.mark.parametrize("workdir", ["s3://b/run", "gs:/b/run"])
def test_a_workdir_elsewhere_is_refused(config_file: str, workdir: str) -> None:
    with pytest.raises(ValueError, match=f"^{workdir} must be a local path or gs://BUCKET/…$"):
        cli.read_training(["--config", config_file, "--workdir", workdir])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1", "must define get_config() -> Config"),
        ("def get_config():\n    return 3", "get_config() must return a Config, got int"),
        ("def get_config(:", "line 1: SyntaxError"),
        ("def get_config():\n    return {}['sizes']", "line 2: KeyError: 'sizes'"),
        ("def get_config():\n    return 1 / 0", "line 2: ZeroDivisionError"),
        ("def get_config():\n    return nothing", "line 2: NameError: name 'nothing' is not defined"),
        ("import nothing_of_this_name", "line 1: ModuleNotFoundError"),
        (
            "from perc_jax.config import RolloutConfig\ndef get_config():\n    return RolloutConfig(tokens=3)",
            "line 3: TypeError",
        ),
    ],
)
def test_a_bad_config_file_earns_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    path = write(tmp_path / "bad.py", text)
    line = complaint(capsys, "--config", path)
    assert words in line and path in line


# Values that mean nothing, each with the field that must be named; all need no device to see.
SENSELESS = """
--stages.1.optimizer.learning-rate -1 | --stages.1.optimizer.learning-rate inf | --stages.1.optimizer.learning-rate nan
--stages.0.optimizer.b1 2 | --stages.0.optimizer.b2 -0.5 | --stages.0.optimizer.eps -1
--stages.0.optimizer.weight-decay -3 | --stages.0.optimizer.max-grad-norm 0 | --stages.0.optimizer.max-grad-norm -1
--stages.0.optimizer.warmup-steps -3 | --stages.0.optimizer.warmup-steps 9999 | --stages.0.optimizer.frozen [
--rollout.temperature 0 | --rollout.temperature -1 | --rollout.temperature nan
--rollout.max-mismatch nan | --rollout.max-mismatch -1 | --data.max-prompt-tokens -1 | --data.max-patches 0
--stages.1.reward.terms.0.weight nan | --stages.1.reward.terms.0.weight -5000 | --data.image-px 0 | --data.image-px -28
--verifier-deadline-s -1 | --verifier-deadline-s 0 | --phase-deadline-s nan | --verifier-processes 0
--mesh.tensor 0 | --mesh.fsdp 0 | --model.text.hidden-size -4 | --model.vision.num-heads 0 | --name ../../evil
--model.text.num-key-value-heads 0 | --model.vision.patch-size 0 | --seed -1 | --seed 4294967296 | --data.workers -1
--stages.0.mixture.engines cub | --stages.0.mixture.types grid.sice | --stages.0.mixture.levels 9
--data.tokenizer nowhere.model | --data.tokenizer /nowhere/tokenizer | --pretrained /nowhere/model/at/all
--evaluation.suites test_e | --evaluation.samples 0 0 0 0 | --evaluation.hard-levels 10 | --checkpoint.keep 0
"""


def apart(options: str) -> list[list[str]]:
    """Command lines of as many of these as hide no other: reading one takes a quarter of a second."""
    found: list[list[str]] = []
    for words in (words.strip() for line in options.split("\n") if line for words in line.split("|")):
        place = _place(words)
        free = [others for others in found if place not in map(_place, others)]
        (free[0] if free else found.append([]) or found[-1]).append(words)
    return found


def _place(words: str) -> str:
    """The field that is given, or the mixture that it belongs to, of which the first mistake is told."""
    option = words.split()[0]
    return option.rpartition(".")[0] if ".mixture." in option else option


@pytest.mark.parametrize("given", apart(SENSELESS), ids=len)
def test_a_senseless_value_is_named_before_any_device(
    config_file: str, capsys: pytest.CaptureFixture[str], given: list[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.parse_training(["--config", config_file, *" ".join(given).split()])
    line = capsys.readouterr().err
    assert end.value.code == 2 and line.count("\n") == 1 and line.startswith("error: ")
    parts = line.removeprefix("error: ").split("; ")
    for option, value, *_ in map(str.split, given):
        told = [part for part in parts if part.startswith(option[2:].replace("-", "_"))]
        assert told and " must " in told[0] and ", got " in told[0], option
        assert value.lstrip("-") in told[0].replace("'", ""), option


def test_all_mistakes_of_a_command_line_are_told_in_one_line(
    config_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [
        "--rollout.temperature",
        "0",
        "--stages.1.mixture.engines",
        "grid",
        "cub",
        "--seed",
        "-1",
        "--mesh.tensor=0",
    ]
    line = complaint(capsys, "--config", config_file, *argv)
    fields = [part.split()[0] for part in line.split("; ")]
    assert fields == [
        "rollout.temperature",
        "stages.1.mixture.weights",
        "mesh.tensor",
        "seed",
        "stages.1.mixture.engines",
    ]


def test_a_misspelt_shipped_config_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    assert f"did you mean {cli.DEFAULT_CONFIG}?" in complaint(capsys, "--config", "configs/debug_cup.py")


def test_a_colour_terminal_changes_no_message() -> None:
    box = "\x1b[31m╭─\x1b[0m Error ─╮\n\x1b[31m│\x1b[0m Error parsing --seed: no │\n│ number │\n│ ──── │\n│ more │"
    assert cli._first_paragraph(box) == "--seed: no number"


def test_help_lists_every_field_with_its_comment(config_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.parse(["--config", config_file, "--help"])
    shown = capsys.readouterr().out
    assert end.value.code == 0
    for path in cli._paths(cli.load_config(config_file)):
        assert f"--{path}".replace("_", "-") in shown
    assert "Parts of an update" in shown


def test_a_published_model_replaces_sizes_tokenizer_and_weights(config_file: str, tmp_path: Path) -> None:
    folder = str(write_small_files(tmp_path / "model"))
    given = cli.load_config(config_file)
    config, _ = cli.parse(["--model", folder, "--config", config_file])
    assert (config.model.vision, config.model.text) == (SMALL.vision, SMALL.text)
    assert config.model.dtype == given.model.dtype == "bfloat16"  # what no config.json says stays
    assert (config.data.tokenizer, config.pretrained) == (folder, folder)
    rest = dataclasses.replace(
        config, model=given.model, data=dataclasses.replace(config.data, tokenizer="debug.model"), pretrained=""
    )
    assert rest == given


def test_a_vocabulary_grows_by_what_is_added_to_it(config_file: str, tmp_path: Path) -> None:
    folder = str(write_small_files(tmp_path / "model"))
    argv, more = ["--config", config_file, "--model", folder], ["--codes.places", "50"]
    for read in (cli.parse, cli.parse_training):
        assert read(argv)[0].model.text.vocab_size == 1040
        assert read([*argv, *more])[0].model.text.vocab_size == 1152
        hub = [*argv, "--model.text.vocab-size", "151936", "--data.tokenizer", "Qwen/Qwen2.5-VL-3B-Instruct"]
        assert read([*hub, "--codes.places", "500"])[0].model.text.vocab_size == 152_192


def test_overrides_go_before_the_published_model(config_file: str, tmp_path: Path) -> None:
    folder = str(write_small_files(tmp_path / "model"))
    options = ["--model.text.num-hidden-layers", "1", "--data.tokenizer", "debug.model", "--model.dtype", "float32"]
    config, _ = cli.parse(["--config", config_file, *options, f"--model={folder}", "--pretrained", ""])
    assert config.model.text == dataclasses.replace(SMALL.text, num_hidden_layers=1)
    assert (config.model.dtype, config.data.tokenizer, config.pretrained) == ("float32", "debug.model", "")


def test_a_model_that_is_none_earns_one_line(
    config_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "got 'nowhere'" in complaint(capsys, "--config", config_file, "--model", "nowhere")
    assert "must hold a config.json" in complaint(capsys, "--config", config_file, "--model", str(tmp_path))
    edit(write_small_files(tmp_path) / "config.json", rms_norm_eps=None)
    line = complaint(capsys, "--config", config_file, "--model", str(tmp_path))
    assert line == f"{tmp_path / 'config.json'}: rms_norm_eps must be given, got None"


def test_paths_name_leaves_only() -> None:
    from tests.config.test_config import CONFIG

    paths = list(cli._paths(CONFIG))
    assert len(paths) == len(set(paths))
    assert {"seed", "mesh.fsdp", "stages.1.mixture.photo_share"} <= set(paths)
    assert not {field.name for field in dataclasses.fields(CONFIG)} & {"model", "stages"} & set(paths)


def test_the_command_line_loads_no_jax() -> None:
    code = "import sys, perc_jax.cli; sys.exit(bool({'jax', 'flax', 'transformers', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
