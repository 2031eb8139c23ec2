"""A whole run whose reward asks a CLIP: killed and resumed it is the same run, and a bad folder ends it in one line."""

import json
from pathlib import Path

import pytest

from perc_jax.config import ClipConfig
from perc_jax.rewards.fits import REASONS
from tests import whole_runs
from tests.clip.cases import SMALL, write, write_tokenizer

STEPS = ("--stages.0.steps", "1", "--stages.1.steps", "3", "--checkpoint.every", "1")
REST = ("--evaluation.samples", "16", "16", "16", "16", "--evaluation.blind", "0")


def settings(folder: Path, clip: ClipConfig, vocabulary: int) -> tuple[str, ...]:
    """The command line that rewards nothing but the description's cosine."""
    sizes = {name: getattr(clip, name) for name in ("projection", "image_px", "patch_px", "positions")}
    sizes |= {"long-positions": clip.long_positions, "vocabulary": vocabulary, "folder": folder}
    for kind, tower in (("vision", clip.vision), ("text", clip.text)):
        sizes |= {f"{kind}.{name}": getattr(tower, name) for name in ("width", "hidden", "layers", "heads")}
    words = [word for name, value in sizes.items() for word in (f"--clip.{name.replace('_', '-')}", str(value))]
    return (*words, "--stages.1.reward.terms.0.term", "clip", *STEPS, *REST)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_run_that_asks_a_clip_is_the_same_when_it_is_killed(tmp_path: Path) -> None:
    folder, cache = tmp_path / "clip", tmp_path / "cache"
    vocabulary = write_tokenizer(folder)
    write(folder, ClipConfig(**{**SMALL.__dict__, "vocabulary": vocabulary}))
    asked = settings(folder, SMALL, vocabulary)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole_runs.finished(whole, *asked, control="none", cache=cache)
    with whole_runs.train(parts, *asked, control="none", cache=cache) as run:
        run.wait_for(lambda: whole_runs.lines(parts) == 3 and 2 in whole_runs.steps(parts))
        run.kill()
    whole_runs.finished(parts, *asked, control="none", cache=cache)
    whole_runs.assert_same(parts, whole)
    last = whole_runs.metrics(whole)[-1]
    assert last["rollout/reward"] == last["rollout/reward/clip"] > 0 and last["train/recompiles"] == 0
    assert {f"rollout/faults/clip/{reason}" for reason in REASONS} < last.keys()
    (folder / "config.json").write_text(json.dumps({"model_type": "siglip"}))
    with whole_runs.train(tmp_path / "other", *asked, cache=cache) as run:
        line = whole_runs.complaint(run.end())
    assert line == f"{folder}/config.json: model_type must be 'clip', got 'siglip'"
