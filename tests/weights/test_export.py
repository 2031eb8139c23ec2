"""perc_jax.export: a checkpoint becomes a folder that transformers opens, whole or not at all; and a run again."""

import contextlib
import dataclasses
import itertools
import json
import os
import shutil
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from etils import epath
from safetensors.numpy import load_file

from configs import smoke_cpu
from perc_jax import export
from perc_jax.batch import WHOLE, TokenIds
from perc_jax.config import PLAIN, Config, EvaluationConfig, to_dict
from perc_jax.environments.playground import Playground
from perc_jax.mesh import sharding
from perc_jax.processes.progress import Progress
from perc_jax.programs.blueprints import Blueprints
from perc_jax.programs.compiled import Programs
from perc_jax.prompt import chat, pretrained, tokenizer
from perc_jax.records.checkpoint import Checkpoints
from perc_jax.records.metrics import CompileCounter, Timer
from perc_jax.records.owner import Owner
from perc_jax.run import beginning, loop, together
from perc_jax.update.update import TrainState
from perc_jax.weights import hf_files, hf_folder, safetensors
from tests.model.cases import random_params, relative, small_config
from tests.weights.exported_runs import asked, our_logits, save_run
from tests.weights.test_weights import same, target

NEEDED = ("tokenizer.json", "tokenizer_config.json", "chat_template.json", "preprocessor_config.json")


def config_with(tied: bool = True, **fields: object) -> Config:
    """The smoke recipe with a smaller model."""
    model = small_config(tied=tied, vocabulary=1024, rope_theta=1e4)
    return dataclasses.replace(smoke_cpu.get_config(), model=model, **fields)


def checkpoint(workdir: Path, config: Config, seed: int = 1) -> dict:
    """Write a run's checkpoint with random parameters."""
    values = random_params(config.model, seed)
    save_run(workdir, config, values)
    return values


def export_one(folder: Path, tied: bool) -> tuple[Config, dict, Path]:
    """A run's config, its parameters, and the folder of them in float32."""
    config = config_with(tied)
    values = checkpoint(folder / "run", config)
    hf_folder.export(str(folder / "run"), str(folder / "out"), dtype="float32")
    return config, values, folder / "out"


@pytest.fixture(scope="module", params=[True, False], ids=["tied", "untied"])
def exported(request, tmp_path_factory) -> tuple[Config, dict, Path]:
    return export_one(tmp_path_factory.mktemp("exported"), request.param)


@pytest.fixture(scope="module")
def tied(tmp_path_factory) -> tuple[Config, dict, Path]:
    return export_one(tmp_path_factory.mktemp("tied"), True)


@pytest.fixture
def transformers(torch):
    return pytest.importorskip("transformers")


def test_what_was_exported_loads_as_it_was(exported):
    config, values, folder = exported
    assert pretrained.model_config(folder, dtype="float32") == config.model
    assert same(safetensors.load_params(folder, config.model, target(config.model, fsdp=8)), values)
    assert pretrained.end_ids(folder) == tokenizer.load("debug.model").ids.ends
    assert pretrained.processor(folder)
    pretrained.check_marks(
        folder, {mark: tokenizer.load("debug.model").encode(mark)[0] for mark in tokenizer.CHAT_MARKS}
    )


def test_transformers_gives_our_logits(exported, transformers):
    import torch

    config, values, folder = exported
    model = transformers.Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype="auto").eval()
    assert model.dtype == torch.float32
    batch, wanted = asked(config.model, model)
    assert relative(our_logits(config.model, values, batch), wanted) <= 1e-4


def test_transformers_reads_the_debug_tokenizer_as_we_do(tied, transformers):
    ours, theirs = tokenizer.load("debug.model"), transformers.AutoTokenizer.from_pretrained(tied[2])
    rng = np.random.default_rng(0)
    pieces = [
        "system",
        "user",
        "<answer>",
        tokenizer.SYSTEM,
        tokenizer.IM_END,
        "syst",
        "the ",
        "row",
        "\n",
        "é",
        "中",
        " ",
        "<",
    ]
    letters = [*"abcdefghij klmnop qrstuvwxyz0123456789.,\t<>{}\\ABCDEé🙂"]
    texts = list(itertools.islice(tokenizer.corpus(), 0, 2000, 10))
    texts += ["".join(rng.choice(parts, 12)) for parts in (pieces, letters) for _ in range(300)]
    for text in texts:
        ids = ours.encode(text)
        assert theirs.encode(text, add_special_tokens=False) == ids, text
        assert theirs.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False) == ours.decode(ids), (
            text
        )
    assert (theirs.eos_token_id, theirs.pad_token_id) == (ours.ids.ends[0], ours.ids.pad)


def test_the_chat_template_writes_our_chat(tied, transformers):
    theirs = transformers.AutoTokenizer.from_pretrained(tied[2])

    def theirs_of(question: str, images: int, system: str) -> str:
        content = [{"type": "image"}] * images + [{"type": "text", "text": question}]
        before = [{"role": "system", "content": system}] if system else []
        messages = [*before, {"role": "user", "content": content}]
        return theirs.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)

    for case in (("How many?", 1, ""), ("Which\nis <larger>?", 3, ""), ("No picture", 0, "Be brief.")):
        assert theirs_of(*case) == chat.published(chat.asked(*case))


def test_transformers_opens_the_picture_processor(tied, transformers):
    config, _, folder = tied
    theirs = transformers.AutoImageProcessor.from_pretrained(folder)
    assert theirs.patch_size == config.model.vision.patch_size


def test_files_are_those_of_the_model_the_run_started_from(tmp_path, reference_data):
    published = reference_data / "qwen2_5_vl_7b"
    config = config_with(pretrained=str(published))
    checkpoint(tmp_path / "run", config)
    told = hf_folder.export(str(tmp_path / "run"), str(tmp_path / "out"))
    copied = [file.name for file in published.iterdir() if file.name in hf_folder.COPIED]
    assert len(copied) >= 6
    for name in copied:
        assert (tmp_path / "out" / name).read_bytes() == (published / name).read_bytes(), name
    # The 7B model's config.json would not open these weights.
    assert pretrained.model_config(tmp_path / "out", dtype="float32") == config.model
    assert any("config.json was made" in line and "vision.depth" in line for line in told)
    assert load_file(tmp_path / "out" / safetensors.SINGLE)["model.norm.weight"].dtype == jax.numpy.bfloat16


def test_like_names_the_files_and_must_be_the_same_model(tmp_path, tied):
    config, _, folder = tied
    origin = tmp_path / "origin"
    shutil.copytree(folder, origin)
    stated = json.loads((origin / "config.json").read_text()) | {"initializer_range": 0.123}
    (origin / "config.json").write_text(json.dumps(stated))
    (origin / "chat_template.json").write_text('{"chat_template": "changed"}')
    checkpoint(tmp_path / "run", dataclasses.replace(config, pretrained=str(tmp_path / "gone")))
    with pytest.raises(FileNotFoundError, match="--like names another"):
        hf_folder.export(str(tmp_path / "run"), str(tmp_path / "out"))
    hf_folder.export(str(tmp_path / "run"), str(tmp_path / "out"), like=str(origin))
    assert json.loads((tmp_path / "out" / "config.json").read_text()) == stated | {"torch_dtype": "bfloat16"}
    assert (tmp_path / "out" / "chat_template.json").read_text() == '{"chat_template": "changed"}'
    (origin / "config.json").write_text(json.dumps(stated | {"rms_norm_eps": 1e-5}))
    with pytest.raises(ValueError, match=r"--like: model\.text\.rms_norm_eps must be 1e-05 as in .*origin.*got 1e-06"):
        hf_folder.export(str(tmp_path / "run"), str(tmp_path / "other"), like=str(origin))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["origin", "out", "run"]


def test_the_dtype_is_told_wherever_it_was(tmp_path):
    file = tmp_path / "config.json"
    file.write_text('{"dtype": "x", "text_config": {"dtype": "x", "a": 1}, "vision_config": {"torch_dtype": "x"}}')
    assert json.loads(hf_folder._with_dtype(file, "float32")) == {
        "dtype": "float32", "text_config": {"dtype": "float32", "a": 1}, "vision_config": {"torch_dtype": "float32"},
    }  # fmt: skip


def left_by_a_killed_one(folder: Path, target: str = "out") -> Path:
    """What an export to `target` that was killed a while ago has left in a folder."""
    part = folder / f".{target}.{'0' * 32}.part"
    part.mkdir(parents=True)
    (part / "left.safetensors").write_text("")
    os.utime(part, (time.time() - 60,) * 2)
    return part


@pytest.mark.parametrize("stale", [False, True])
def test_a_folder_is_whole_or_absent(tmp_path, monkeypatch, stale):
    checkpoint(tmp_path / "run", config_with())
    before = sorted(path.name for path in tmp_path.iterdir())
    if stale:
        left_by_a_killed_one(tmp_path)

    def full(*_: object, **__: object) -> list[str]:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(hf_folder.safetensors, "save_params", full)
        with pytest.raises(OSError, match="No space left"):
            hf_folder.export(str(tmp_path / "run"), str(tmp_path / "out"))
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    (tmp_path / "out").mkdir()  # an empty folder may be there
    hf_folder.export(str(tmp_path / "run"), str(tmp_path / "out"))
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == sorted([*NEEDED, "config.json", "generation_config.json", safetensors.SINGLE])


def test_a_link_and_a_mount_point_are_written_into(tmp_path, monkeypatch):
    checkpoint(tmp_path / "run", config_with())
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    left_by_a_killed_one(tmp_path / "real", "real")
    moved, replace = [], os.replace

    def of_a_mount_point(one: Path, other: Path) -> None:
        if Path(other) == tmp_path / "real":
            raise OSError(16, "Device or resource busy", str(other))
        moved.append(Path(other).name)
        replace(one, other)

    monkeypatch.setattr(hf_folder.whole.os, "replace", of_a_mount_point)
    hf_folder.export(str(tmp_path / "run"), str(tmp_path / "link"))
    names = sorted(path.name for path in (tmp_path / "real").iterdir())
    assert names == sorted([*NEEDED, "config.json", "generation_config.json", safetensors.SINGLE])
    assert (tmp_path / "link").is_symlink() and moved[-1] == "config.json" and len(moved) == len(names)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real", "run"]


@pytest.mark.parametrize("is_there", [False, True])
def test_two_that_write_one_folder_do_not_meet(tmp_path, is_there):
    out = tmp_path / "out"
    if is_there:
        out.mkdir()
    with hf_folder.whole.written(epath.Path(out), "config.json") as first:
        (first / "config.json").write_text("first")
        os.utime(first, (time.time() - 60,) * 2)  # it lives, however old
        assert hf_folder.whole.is_free(epath.Path(out)) == (not is_there)
        with hf_folder.whole.written(epath.Path(tmp_path / "out.b"), "config.json") as other:
            (other / "config.json").write_text("other")
        with contextlib.suppress(OSError), hf_folder.whole.written(epath.Path(out), "config.json") as second:
            assert second != first and (first / "config.json").read_text() == "first"
            raise OSError("it fails")
    assert [path.read_text() for path in out.iterdir()] == ["first"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.b"]


def ends(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, *argv: str) -> tuple[int, str]:
    """Exit code and standard error of the program."""
    monkeypatch.setattr(export.interrupts, "leave_with", lambda _: None)
    with pytest.raises(SystemExit) as stop:
        export.main(argv)
    return stop.value.code, capsys.readouterr().err


def test_bad_input_is_one_line(tmp_path, capsys, monkeypatch):
    full = tmp_path / "full"
    full.mkdir()
    (full / "precious").write_text("")
    code, said = ends(capsys, monkeypatch, "--checkpoint", str(tmp_path / "none"), "--out", str(full))
    assert code == 2 and said == f"error: --out must be a folder that is empty or does not exist, got {full}\n"
    code, said = ends(capsys, monkeypatch, "--checkpoint", str(tmp_path / "none"), "--out", str(tmp_path / "new"))
    assert code == 2 and "must hold a checkpoint, found none" in said and said.count("\n") == 1
    assert [path.name for path in full.iterdir()] == ["precious"] and not (tmp_path / "new").exists()


@pytest.mark.parametrize("out", ["new", "gs://bucket/new"])
def test_ctrl_c_says_what_stays(tmp_path, monkeypatch, out):
    """On gs:// there may be files, which the next export would not write over."""
    said = []
    monkeypatch.setattr(export.interrupts, "leave_with", said.append)
    with pytest.raises(SystemExit):
        export.main(["--model", str(tmp_path / "none"), "--out", out])
    rest = f"; remove what is in {out} before the next export" if "://" in out else ""
    assert said == [f"nothing was exported{rest}"]


def test_a_model_that_hugging_face_cannot_express():
    config = config_with().model
    odd = dataclasses.replace(config, text=dataclasses.replace(config.text, num_attention_heads=2))
    with pytest.raises(ValueError, match=r"text\.head_dim must be 32 in a Hugging Face folder"):
        hf_files.config_file(odd, tokenizer.load("debug.model"), "float32")


def starting(config: Config, folder: Path) -> Config:
    """A config that starts from a folder and does one step, which changes nothing."""
    still = dataclasses.replace(config.stages[0], name="still", steps=1, prompts_per_step=8, remat="none")
    still = dataclasses.replace(still, optimizer=dataclasses.replace(still.optimizer, learning_rate=0.0))
    return dataclasses.replace(
        config,
        pretrained=str(folder),
        stages=(still,),
        evaluation=EvaluationConfig(suites=(), samples=(), hard_levels=(), batch=8),
        data=dataclasses.replace(config.data, workers=0, max_patches=1024, max_prompt_tokens=256),
    )


class Uncompiled(Programs):
    """Programs of a run without the programs."""

    def __init__(self, config: Config, ids: TokenIds, around: object):
        self.mesh = sharding.make_mesh(config.mesh)
        self.blueprints = Blueprints(config, ids, self.mesh)
        self.params, self.share = target(config.model, fsdp=8), WHOLE

    @property
    def table(self) -> list:
        return []

    def stage(self, _stage: object) -> "Uncompiled":
        return self

    def scorer(self) -> None:
        """Nothing is asked of it here."""

    def begin(self, state: TrainState) -> TrainState:
        return state

    def with_adapters(self, base: dict) -> dict:
        return base

    def init_params(self) -> None:
        raise AssertionError("random parameters were asked for")

    @property
    def state(self) -> TrainState:
        place = jax.sharding.NamedSharding(self.mesh, jax.sharding.PartitionSpec())
        step, key = (jax.ShapeDtypeStruct(*what, sharding=place) for what in (((), np.int32), ((2,), np.uint32)))
        return TrainState(self.params, (), step, key)


def begin(config: Config, workdir: Path) -> tuple[TrainState, bool]:
    """The state a run begins with, and whether it is a checkpoint's."""
    with Progress(600.0, quiet=True) as screen, CompileCounter() as compiles, Playground(config) as playground:
        opened = beginning.open_run(config, str(workdir))
        owner, now = Owner(str(workdir)), time.monotonic()
        heart = together.heart(str(workdir), screen)
        run = loop.Run(config, str(workdir), screen, Timer(), compiles, owner, heart, PLAIN, now, opened, playground)
        with contextlib.closing(run):
            state, _ = run._restore()
            return (state, True) if state else (run._fresh(), False)


def test_a_run_starts_from_a_folder_and_resumes_without_it(tmp_path, tied, monkeypatch):
    monkeypatch.setattr(loop, "Programs", Uncompiled)
    config, values, folder = tied
    origin = tmp_path / "origin"
    shutil.copytree(folder, origin)
    config = starting(config, origin)
    state, resumed = begin(config, tmp_path / "run")
    assert not resumed and same(state.params, values)
    checkpoints = Checkpoints(str(tmp_path / "run"), keep=1)
    trained = jax.tree.map(lambda leaf: leaf + 1, state.params)
    checkpoints.save(1, state._replace(params=trained), {"stage": 0, "step": 1, "data": 8}, to_dict(config))
    checkpoints.close()
    shutil.rmtree(origin)
    state, resumed = begin(config, tmp_path / "run")
    assert resumed and same(state.params, trained)


def test_a_run_refuses_another_model_or_no_weights_before_it_compiles(tmp_path, tied, monkeypatch):
    monkeypatch.setattr(loop, "Programs", lambda *_, **__: pytest.fail("compiled"))
    config, _, folder = tied
    origin = tmp_path / "origin"
    shutil.copytree(folder, origin)
    config = starting(config, origin)
    other = dataclasses.replace(config.model, text=dataclasses.replace(config.model.text, rope_theta=1e6))
    with pytest.raises(
        ValueError, match=r"model\.text\.rope_theta must be 10000\.0 as in .*config\.json, got 1000000\.0"
    ):
        begin(dataclasses.replace(config, model=other), tmp_path / "run")
    (origin / safetensors.SINGLE).unlink()
    with pytest.raises(FileNotFoundError, match=r"must hold model\.safetensors"):
        begin(config, tmp_path / "run")


@pytest.mark.slow
def test_from_a_folder_through_a_run_to_a_folder_every_byte_is_the_same(tmp_path, tied):
    config, _, folder = tied
    loop.run(starting(config, folder), str(tmp_path / "run"))
    hf_folder.export(str(tmp_path / "run"), str(tmp_path / "out"), dtype="float32")
    before, after = (load_file(place / safetensors.SINGLE) for place in (folder, tmp_path / "out"))
    assert {name: x.tobytes() for name, x in after.items()} == {name: x.tobytes() for name, x in before.items()}
    assert (tmp_path / "out" / "config.json").read_text() == (folder / "config.json").read_text()
