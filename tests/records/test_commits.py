"""Which checkpoint a name means, and whether its weights can begin another run."""

import json
from pathlib import Path

import pytest
from etils import epath

from perc_jax.config import CodebookConfig, CodesConfig, to_dict
from perc_jax.prompt import pretrained
from perc_jax.records import commits, same
from tests.config.test_config import CONFIG


def committed(workdir: Path, *steps: int, config: object = CONFIG, stage: str = "rl") -> str:
    """A run that has records of checkpoints and nothing else."""
    for step in steps:
        record = {"step": step, "position": {"stage": stage, "step": step}, "config": to_dict(config)}
        commits.write(epath.Path(workdir) / "checkpoints", step, json.loads(commits.canonical(record)))
    return str(workdir)


def test_a_name_means_the_newest_checkpoint_that_of_a_step_or_the_best(tmp_path):
    run = committed(tmp_path / "run", 2, 4, 10)
    assert commits.named(run).steps() == [2, 4, 10]
    assert commits.named(f"{run}@4").steps() == [4]
    commits.mark_best(commits.named(run).folder, {"step": 2, "suite": "test_a", "accuracy": 0.5})
    assert commits.named(f"{run}@best").steps() == [2]
    assert commits.named("far/run@12") == ("far/run", "12")
    assert commits.named("me@home/run") == ("me@home/run", "")


def test_a_checkpoint_that_is_not_there_is_told_with_those_that_are(tmp_path):
    run = committed(tmp_path / "run", 2, 10)
    with pytest.raises(ValueError, match=rf"^{run} must have a checkpoint of step 4, it has steps 2, 10$"):
        commits.named(f"{run}@4").steps()
    with pytest.raises(
        ValueError, match=rf"^{run} must have a best checkpoint \(checkpoint.best\), it has steps 2, 10$"
    ):
        commits.named(f"{run}@best").steps()
    commits.mark_best(commits.named(run).folder, {"step": 4})  # which is gone
    with pytest.raises(ValueError, match="must have a best checkpoint"):
        commits.named(f"{run}@best").steps()
    commits.mark_best(commits.named(run).folder, None)
    assert commits.best(commits.named(run).folder) is None


def test_a_workdir_whose_own_name_ends_so_is_itself(tmp_path):
    assert commits.named(committed(tmp_path / "run@3", 7)).steps() == [7]


def changed(path: str, value: object) -> dict:
    config = json.loads(json.dumps(to_dict(CONFIG)))
    here, *names = config, *path.split(".")
    for name in names[:-1]:
        here = here[name]
    here[names[-1]] = value
    return config


LORA = {"rank": 4, "alpha": 8.0, "targets": ["text"], "base_dtype": "bfloat16"}


@pytest.mark.parametrize(
    ("path", "value"),
    [("model.dtype", "float32"), ("model.attention", "blockwise"), ("seed", 7), ("name", "x"), ("model.lora", LORA)],
)
def test_weights_of_the_same_model_can_begin_a_run(tmp_path, path, value):
    """Also where the new run puts fresh adapters on them."""
    run = committed(tmp_path, 3)
    same.check_first(run, changed(path, value))
    same.check_first(f"{run}@3", changed(path, value))


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("model.text.hidden_size", 64, "must be 32 as in"),
        ("model.vision.depth", 3, "must be 2 as in"),
        ("model.text.rope_theta", 5.0, "must be 1000000.0 as in"),
        ("data.tokenizer", "other.model", "must be 'debug.model' as in"),
    ],
)
def test_others_cannot(tmp_path, path, value, rule):
    with pytest.raises(ValueError, match=rf"^{path} {rule} {tmp_path}, got {value!r}$"):
        same.check_first(committed(tmp_path, 3), changed(path, value))


def test_adapters_go_on_as_they_are_or_not_at_all():
    stored = changed("model.lora", LORA)
    same.check_weights(stored, changed("model.lora", LORA), "a")
    with pytest.raises(
        ValueError, match=r"^model.lora must be that of a, whose adapters export merges for --model; got"
    ):
        same.check_weights(stored, changed("seed", 1), "a")
    with pytest.raises(ValueError, match=r"^model.lora.rank must be 4 as in a, got 8$"):
        same.check_weights(stored, changed("model.lora", LORA | {"rank": 8}), "a")


def adding(places, rows=1024, **fields):
    """A config that adds words: a map's 14, and so many places; in a vocabulary of that many rows."""
    codes = json.loads(json.dumps(to_dict(CodesConfig("depth", CodebookConfig(2, 12, map_px=16), "some", places))))
    return changed("model.text.vocab_size", rows) | {"codes": codes} | fields


def test_what_a_run_adds_to_the_vocabulary_comes_behind_what_the_other_has_added():
    older = changed("seed", 1)
    del older["codes"]  # of a version that could add nothing
    for stored, wanted in (
        (older, adding(0, 1152)),
        (adding(3, 1152), adding(3, 1152)),
        (adding(3, 1152), adding(200, 1280)),
        (adding(3, 1152), adding(9, 1152)),
        (adding(3, 1152), adding(3, 1152, codes=None)),
    ):
        same.check_weights(stored, wanted, "a")
    for stored, wanted, told in (
        (
            adding(3, 1152),
            adding(2, 1152),
            r"codes must begin with the 17 tokens that a adds, .* to <PIXEL_2>",
        ),
        (adding(0, 1152), adding(3, 1024), r"model\.text\.vocab_size must be 1152 as in a, got 1024"),
        (adding(3, 1152), adding(3, 1280), r"model\.text\.vocab_size must be 1152 as in a, got 1280"),
        (older, changed("model.text.vocab_size", 1152), r"model\.text\.vocab_size must be 1024 as in a, got 1152"),
    ):
        with pytest.raises(ValueError, match=f"^{told}"):
            same.check_weights(stored, wanted, "a")


def test_a_run_goes_on_with_the_words_that_it_has(tmp_path):
    older = changed("seed", CONFIG.seed)
    del older["codes"]
    same.check_run(older, to_dict(CONFIG), epath.Path(tmp_path))
    same.check_run(adding(3), adding(3), epath.Path(tmp_path))
    for stored, wanted, told in (
        (older, adding(3), "codes.map must be 'none' as in"),
        (adding(3), adding(4), "codes.places must be 3 as in"),
    ):
        with pytest.raises(ValueError, match=f"^{told}"):
            same.check_run(stored, wanted, epath.Path(tmp_path))


def test_what_is_no_run_or_has_only_damaged_records_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^begin_from must be the workdir of a run that has checkpoints, got"):
        same.check_first(str(tmp_path / "nowhere"), to_dict(CONFIG))
    run = committed(tmp_path, 3, 5)
    (tmp_path / "checkpoints/5/commit.json").write_text("{}")
    same.check_first(run, to_dict(CONFIG))  # by the older one
    (tmp_path / "checkpoints/3/commit.json").write_text("{}")
    with pytest.raises(ValueError, match=r"^begin_from must be"):
        same.check_first(run, to_dict(CONFIG))


def test_no_hub_id_is_taken_for_a_checkpoints_name_nor_the_other_way_round():
    for name in ("runs/debug_cpu@best", "runs/debug_cpu@12"):
        assert not pretrained.is_pretrained(name)
    assert commits.named("Qwen/Qwen2.5-VL-3B-Instruct").which == ""
