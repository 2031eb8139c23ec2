"""What runs need daily, in one chain of whole runs: a time, a resume, the best checkpoint, another run's weights."""

import json

import pytest

from perc_jax.processes import ends
from tests import whole_runs

EVERY = ("--evaluation.every", "2", "--evaluation.blind", "0", "--evaluation.samples", "16", "16", "16", "16")
WATCHED = ("--checkpoint.best", "test_b", "--evaluation.watch", "test_a", "--evaluation.patience", "2")


@pytest.mark.slow
def test_a_run_in_pieces_is_the_whole_run_and_gives_its_best_weights_to_the_next(tmp_path):
    """Nothing is learnt: the first evaluation is the best one, and the warm-up ends after its second."""
    whole, pieces, after, cache = (tmp_path / name for name in ("whole", "pieces", "after", "cache"))
    ended = whole_runs.finished(whole, *EVERY, *WATCHED, cache=cache)
    assert "warmup ends here: test_a has not risen above 0.0 % for 2 evaluations" in ended.err
    for step in (1, 2, 3):
        with whole_runs.train(pieces, *EVERY, *WATCHED, "--stop-after", "1s", cache=cache) as run:
            ended = run.end()
        assert ended.code == ends.STOPPED and whole_runs.steps(pieces)[-1] == step
        kept = f"step {step} is kept, the same command resumes {pieces}"
        assert ended.unspoken() == [f"stopped: after 1s, as --stop-after asked; {kept}"]
    whole_runs.finished(pieces, *EVERY, *WATCHED, cache=cache)
    whole_runs.assert_same(pieces, whole)
    assert [record["stage"] for record in whole_runs.metrics(whole)] == ["warmup"] * 4 + ["grpo"] * 4
    for workdir in (whole, pieces):
        assert json.loads((workdir / "checkpoints/best.json").read_text())["step"] == 2
        assert whole_runs.steps(workdir)[0] == 2 and len(whole_runs.steps(workdir)) == 3
    with whole_runs.train(after, "--from", f"{whole}@best", "--stop-after", "1s", cache=cache) as run:
        assert run.end().code == ends.STOPPED
    assert json.loads((after / "config.json").read_text())["begin_from"] == f"{whole}@best"
    assert json.loads((after / "run.json").read_text())["first weights"] == f"{whole}@2"
    with whole_runs.train(after, "--from", str(whole), cache=cache) as run:
        ended = run.end()
    assert f"begin_from must be '{whole}@best' as in the checkpoints, got '{whole}'" in whole_runs.complaint(ended)
