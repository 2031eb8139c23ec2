"""What a CLIP reads, made on the host: pictures as bytes of the model's size, texts as tokens of the model's length.

In: pictures and texts as they are. Out: arrays for the device, and what was done to a text. The model's sizes come with
the caller; a Hugging Face folder of it gives the tokenizer. No device, no torch.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt8
from PIL import Image

from perc_jax.batch import MEAN, STD
from perc_jax.prompt.tokenizer import Opening, published
from perc_jax.records import reading

TOWERS = {"vision": "vision_config", "text": "text_config"}  # and their parts of config.json
ACTIVATION, EPS = "quick_gelu", 1e-5
BICUBIC = 3  # PIL's number of the filter


class Texts(NamedTuple):
    """n texts as tokens."""

    tokens: Int[np.ndarray, "n T"]  # int32: begin mark, text, end mark, and end marks to the end
    cut: Bool[np.ndarray, " n"]  # had more tokens than there is room for, and lost those at its end
    empty: Bool[np.ndarray, " n"]  # has no token but the marks


def square(picture: Image.Image | UInt8[np.ndarray, "H W 3"], side: int) -> UInt8[np.ndarray, "side side 3"]:
    """Stretch a picture of any mode to side x side px, RGB: Pillow's bicubic filter, aspect not kept, as FG-CLIP does.

    Pillow's RGB drops transparency and shows the colours below it. The array can only be read.
    """
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    return np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC))


class ClipTokenizer:
    """The tokenizer of a CLIP's folder, through transformers, for texts of `length` tokens with both marks.

    Raises `ValueError` for files that it cannot be made of, or whose marks are not `begin` and `end`.
    """

    def __init__(self, folder: Path, *, length: int, begin: int, end: int):
        file = folder / "tokenizer_config.json"
        if not file.is_file():
            raise FileNotFoundError(f"clip folder {folder} must hold a {file.name}, found none")
        with Opening(file):
            # Longer texts than the file allows are cut here, without a warning each.
            self._tokenizer = published("CLIPTokenizer").from_pretrained(str(folder), model_max_length=2**31)
        found = self._tokenizer.bos_token_id, self._tokenizer.eos_token_id
        if found != (begin, end):
            raise ValueError(f"{file}: bos_token and eos_token must have the ids {begin} and {end}, got {found}")
        self._length, self._begin, self._end = length, begin, end

    def __call__(self, texts: Sequence[str], *, keep_marks: bool = False) -> Texts:
        """Tokenise texts, which are lower-cased.

        A mark that is written out in a text, `<|endoftext|>`, is taken for the mark: a text that has one would end
        there. They are left out, unless `keep_marks`.
        """
        marks = (self._begin, self._end)
        found = self._tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []
        inner = [ids if keep_marks else [one for one in ids if one not in marks] for ids in found]
        room = self._length - len(marks)
        tokens = np.full((len(inner), self._length), self._end, np.int32)
        tokens[:, 0] = self._begin
        for row, ids in zip(tokens, inner, strict=True):
            row[1 : 1 + len(ids[:room])] = ids[:room]
        lengths = np.array([len(ids) for ids in inner], int)
        return Texts(tokens, lengths > room, lengths == 0)


def heads(folder: Path) -> dict[str, int]:
    """Heads of the towers where config.json tells them; `clip.params` knows what they are where it does not.

    Raises `ValueError` that names file, field, rule and value for a model or a processor of another kind.
    """
    file = folder / "config.json"
    values = _read(file)
    _only(file, "model_type", values.get("model_type"), "clip")
    found = {}
    for tower, name in TOWERS.items():
        part = values.get(name) or {}
        if not isinstance(part, dict):
            raise ValueError(f"{file}: {name} must be an object, got {part!r}")
        _only(file, f"{name}.hidden_act", part.get("hidden_act", ACTIVATION), ACTIVATION)
        _only(file, f"{name}.layer_norm_eps", part.get("layer_norm_eps", EPS), EPS)
        if count := part.get("num_attention_heads"):
            found[tower] = count
    _check_processor(folder / "preprocessor_config.json")
    return found


def _check_processor(file: Path) -> None:
    """Whether pictures are to be made as they are made here; a folder without the file says nothing else."""
    values = _read(file) if file.is_file() else {}
    for name, ours in (("image_mean", MEAN), ("image_std", STD)):
        _only(file, name, values.get(name, list(ours)), list(ours))
    _only(file, "resample", values.get("resample", BICUBIC), BICUBIC)


def _read(file: Path) -> dict[str, Any]:
    text = reading.text(file)
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:  # bad JSON, brackets without an end
        raise ValueError(f"{file} must be JSON: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{file} must be a JSON object, got a {type(values).__name__}")
    return values


def _only(file: Path, name: str, value: object, wanted: object) -> None:
    if value != wanted:
        raise ValueError(f"{file}: {name} must be {wanted!r}, got {value!r}")
