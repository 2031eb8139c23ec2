"""Samples kept for people to look at: the picture the model saw, its answers, their parse and reward.

`write` puts `samples/<step>_<stage>.json` and its pictures into the workdir; `report` shows them. Pictures are rebuilt
from the bytes that went to the device, so what is shown is what was seen, resizing and padding included.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from etils import epath
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from perc_jax.batch import PromptBatch
from perc_jax.config import Config
from perc_jax.data.batches import SampleInfo
from perc_jax.prompt import image
from perc_jax.records.files import to_json, write_whole
from perc_jax.rewards.verifier import Verdict

GAP_PX = 8  # between the pictures of one prompt


class Shown(NamedTuple):
    """One prompt with its answers."""

    info: SampleInfo
    picture: UInt8[np.ndarray, "h w 3"] | None
    answers: list[dict[str, Any]]
    suite: str = "train"


def picture(config: Config, prompts: PromptBatch, row: int) -> UInt8[np.ndarray, "h w 3"] | None:
    """What a prompt shows, as its patches hold it: its pictures side by side on white; None where it has none."""
    numbers = prompts.patch_image[row]
    shown = [
        image.unpatchify(prompts.pixels[row], prompts.patch_rowcol[row], numbers, config.model.vision, number)
        for number in range(int(numbers.max()) + 1)
    ]
    if not shown:
        return None
    if len(shown) == 1:
        return shown[0]
    widths = [one.shape[1] for one in shown]
    sheet = np.full((max(len(one) for one in shown), sum(widths) + GAP_PX * (len(shown) - 1), 3), 255, np.uint8)
    for one, left in zip(shown, np.cumsum([0, *(width + GAP_PX for width in widths[:-1])]), strict=True):
        sheet[: len(one), left : left + one.shape[1]] = one
    return sheet


def answers(
    texts: Sequence[str],
    verdicts: Sequence[Verdict],
    ended: Bool[np.ndarray, " n"],
    rewards: Float[np.ndarray, " n"] | None = None,
    advantages: Float[np.ndarray, " n"] | None = None,
    terms: Mapping[str, Float[np.ndarray, " n"]] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """JSON-ready answers of one prompt; without rewards, the reward is the accuracy. `terms` are the reward's, and
    their parts, by name."""
    accuracy = [float(verdict.correct) for verdict in verdicts]
    return [
        {
            "text": text,
            "parsed": verdict.parsed,
            "well_formed": verdict.well_formed,
            "accuracy": right,
            "ended": bool(end),
            "reward": float(reward),
            "advantage": None if advantages is None else float(advantages[place]),
            "terms": {name: float(values[place]) for name, values in terms.items()},
        }
        for place, (text, verdict, right, end, reward) in enumerate(
            zip(texts, verdicts, accuracy, ended, accuracy if rewards is None else rewards, strict=True)
        )
    ]


def write(workdir: str, name: str, shown: Sequence[Shown]) -> None:
    """Write one PNG per sample that has pictures, then `samples/<name>.json`, which names them: absent or complete."""
    folder = epath.Path(workdir).expanduser() / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for number, sample in enumerate(shown):
        file = None if sample.picture is None else f"{name}_{number}.png"
        if file:
            with (folder / file).open("wb") as stream:
                Image.fromarray(sample.picture).save(stream, format="PNG")
        info = sample.info
        records.append(
            {
                "id": info.sample_id,
                "suite": sample.suite,
                "engine": info.engine,
                "question_type": info.question_type,
                "level": info.level,
                "question": info.question,
                "gold": info.answer.text(),
                "image": file,
                "answers": sample.answers,
            }
        )
    write_whole(folder / f"{name}.json", to_json(records, indent=1))
