"""Samples kept for people to look at: the picture the model saw, its answers, their parse and reward.

`write` puts `samples/<step>_<stage>.json` and its pictures into the workdir; `report` shows them. Pictures are rebuilt
from the bytes that went to the device, so what is shown is what was seen, resizing and padding included.
"""

import hashlib
import io
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
from perc_jax.environments.talks import Exchange
from perc_jax.prompt import image
from perc_jax.prompt.tokenizer import Tokenizer
from perc_jax.records.files import named, to_json, write_whole
from perc_jax.rewards.verifier import Verdict

GAP_PX = 8  # between the pictures of one prompt
DIGITS = 4  # of log-probabilities


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


def turns(exchanges: Sequence[Exchange], logprobs: Float[np.ndarray, " n"], tokens: Tokenizer) -> list[dict[str, Any]]:
    """JSON-ready turns of one conversation, but for the pictures, of which `write` makes files.

    Args:
        exchanges: what was said, and what was given in return.
        logprobs: of all sampled tokens of all turns, in order.
        tokens: say what each token is.
    """
    found, at = [], 0
    for one in exchanges:
        each = logprobs[at : at + len(one.tokens)].tolist()
        at += len(one.tokens)
        said = [[tokens.decode([token]), round(p, DIGITS)] for token, p in zip(one.tokens, each, strict=True)]
        parts = one.returned.parts if one.returned else ()
        words = "".join(part for part in parts if isinstance(part, str))
        shown = list(one.returned.pictures) if one.returned else []
        found.append({"text": one.text, "tokens": said, "returned": words, "pictures": shown})
    return found


def write(workdir: str, name: str, shown: Sequence[Shown]) -> None:
    """Write one PNG per sample that has pictures and those that its conversations return, then `samples/<name>.json`,
    which names them: absent or complete."""
    folder = epath.Path(workdir).expanduser() / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for number, sample in enumerate(shown):
        file = None if sample.picture is None else f"{name}_{number}.png"
        if file:
            _save(folder / file, sample.picture)
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
                "answers": _filed(sample.answers, folder, f"{name}_{number}"),
            }
        )
    write_whole(folder / f"{name}.json", to_json(records, indent=1))


def _filed(answers: Sequence[dict[str, Any]], folder: epath.Path, name: str) -> list[dict[str, Any]]:
    """The answers with files in place of the pictures that were returned in conversations; equal ones share a file."""
    files: dict[bytes, str] = {}
    filed = []
    for answer in answers:
        told = []
        for turn in answer.get("turns", ()):
            names = []
            for shown in turn["pictures"]:
                key = hashlib.sha256(repr(shown.shape).encode() + shown.tobytes()).digest()
                if key not in files:
                    files[key] = f"{name}_{len(files)}.png"
                    _save(folder / files[key], shown)
                names.append(files[key])
            told.append(turn | {"pictures": names})
        filed.append(answer | {"turns": told} if told else answer)
    return filed


def _save(path: epath.Path, shown: UInt8[np.ndarray, "h w 3"]) -> None:
    content = io.BytesIO()
    Image.fromarray(shown).save(content, format="PNG")
    with named(path):
        path.write_bytes(content.getvalue())  # at once: on gs:// it is whole, or not there
