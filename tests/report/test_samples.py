"""Kept samples: what is written reads back, pictures included, and nothing is ever half there."""

import json
from pathlib import Path

import numpy as np
import pytest
from etils import epath
from PIL import Image

from configs.debug_cpu import get_config
from engines.answer import Answer
from perc_jax.data import batches
from perc_jax.prompt.prompt import lay_out, make_prompt
from perc_jax.prompt.tokenizer import load
from perc_jax.report import samples
from perc_jax.rewards.verifier import TIMED_OUT, Verdict

VERDICTS = [Verdict(True, True, "7"), Verdict(False, True, "8"), Verdict(False, False, None), TIMED_OUT]
ENDED = np.array([True, True, False, True])
TEXTS = ["<answer>\\boxed{7}</answer>", "eight", "<b>é\x00</b>", ""]


def shown(number: int, **fields: object) -> samples.Shown:
    rng = np.random.default_rng(number)
    info = batches.SampleInfo(
        f"train/grid/count/1/{number}", "grid", "count", "train", 1, number, False, "How many?", Answer.integer(7)
    )
    picture = rng.integers(0, 256, (28, 56, 3), np.uint8)
    return samples.Shown(info, picture, samples.answers(TEXTS, VERDICTS, ENDED), **fields)


def test_answers_without_rewards_are_worth_their_accuracy():
    answers = samples.answers(TEXTS, VERDICTS, ENDED)
    assert [answer["reward"] for answer in answers] == [1, 0, 0, 0] == [answer["accuracy"] for answer in answers]
    assert [answer["parsed"] for answer in answers] == ["7", "8", None, None]
    assert [answer["well_formed"] for answer in answers] == [True, True, False, False]
    assert [answer["ended"] for answer in answers] == [True, True, False, True]
    assert all(answer["advantage"] is None for answer in answers)


def test_answers_keep_rewards_and_advantages_apart():
    rewards, advantages = np.float32([1.5, 0.5, 0, 0]), np.float32([1, -1, -1, 1])
    answers = samples.answers(TEXTS, VERDICTS, np.ones(4, bool), rewards, advantages)
    assert [answer["reward"] for answer in answers] == [1.5, 0.5, 0, 0]
    assert [answer["advantage"] for answer in answers] == [1, -1, -1, 1]
    assert [answer["accuracy"] for answer in answers] == [1, 0, 0, 0]
    terms = {"accuracy": np.float32([1, 0, 0, 0]), "length": np.float32([0.5, 1, 1, 1])}
    parted = samples.answers(TEXTS, VERDICTS, np.ones(4, bool), rewards, advantages, terms)
    assert [answer["terms"] for answer in parted][:2] == [{"accuracy": 1, "length": 0.5}, {"accuracy": 0, "length": 1}]
    with pytest.raises(ValueError, match="zip"):
        samples.answers(TEXTS[:3], VERDICTS, ENDED)


def test_what_is_written_reads_back(tmp_path):
    pages = [shown(0), shown(1, suite="test_c")]
    samples.write(str(tmp_path), "000008_grpo", pages)
    records = json.loads((tmp_path / "samples" / "000008_grpo.json").read_text())
    assert [record["id"] for record in records] == [page.info.sample_id for page in pages]
    assert [record["suite"] for record in records] == ["train", "test_c"]
    assert {record["gold"] for record in records} == {Answer.integer(7).text()}
    assert [record["answers"] for record in records] == [page.answers for page in pages]
    for record, page in zip(records, pages, strict=True):
        assert (np.asarray(Image.open(tmp_path / "samples" / record["image"])) == page.picture).all()


def test_written_again_it_is_the_same(tmp_path):
    def written():
        samples.write(str(tmp_path), "000008_grpo", [shown(0)])
        return {path.name: path.read_bytes() for path in (tmp_path / "samples").iterdir()}

    assert written() == written()
    assert set(written()) == {"000008_grpo.json", "000008_grpo_0.png"}


def test_several_pictures_stand_side_by_side_and_none_is_none(tmp_path):
    config, rng = get_config(), np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (56, width, 3), np.uint8) for width in (56, 112)]
    for count in range(3):
        prompt = make_prompt(pictures[:count], "What?", tokenizer=load("debug.model"), vision=config.model.vision)
        row = lay_out(prompt, max_tokens=64, max_patches=128, pad=0, vision=config.model.vision)
        sheet = samples.picture(config, row, 0)
        if count == 0:
            assert sheet is None
            continue
        np.testing.assert_array_equal(sheet[:, :56], pictures[0])
        assert sheet.shape[1] == (56, 56 + samples.GAP_PX + 112)[count - 1]
        if count == 2:
            np.testing.assert_array_equal(sheet[:, -112:], pictures[1])
            assert (sheet[:, 56:-112] == 255).all()


def test_a_sample_without_a_picture_is_written_too(tmp_path):
    samples.write(str(tmp_path), "000001_grpo", [shown(0)._replace(picture=None), shown(1)])
    first, second = json.loads((tmp_path / "samples" / "000001_grpo.json").read_text())
    assert first["image"] is None and (tmp_path / "samples" / second["image"]).exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_picture_for_which_a_disk_has_no_room_is_told_by_its_name():
    with pytest.raises(OSError, match="No space left") as found:
        samples._save(epath.Path("/dev/full"), np.zeros((4, 4, 3), np.uint8))
    assert found.value.filename == "/dev/full"
