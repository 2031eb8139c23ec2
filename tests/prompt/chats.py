"""Random chats, and what transformers makes of them."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from perc_jax.prompt.chat import PICTURE, Chat, Shown, Turn

WORDS = [
    "How many",
    " <b>?\n",
    "{{ 7 * 7 }}",
    "\u2581",
    "\U0001f98b",
    "n\u00e4her",
    "\n\n",
    "  ",
    "<image",
    "[1, 2]",
    "\u4e09\u4e2a",
    ".",
]


def chat(rng: np.random.Generator) -> Chat:
    """One to five turns, the last the user's, with no to four pictures in the user's turns."""
    count = int(rng.integers(1, 6))
    roles = [("user", "assistant")[number % 2] for number in range(count)][::-1]
    roles = [{"user": "assistant", "assistant": "user"}[role] for role in roles] if roles[-1] != "user" else roles
    if rng.random() < 0.4:
        roles[0] = "system" if count > 1 else "user"
    parts: list[list[str | Shown]] = [[text(rng)] for _ in roles]
    users = [number for number, role in enumerate(roles) if role == "user"]
    for _ in range(int(rng.integers(5))):
        turn = parts[int(rng.choice(users))]
        turn.insert(int(rng.integers(len(turn) + 1)), PICTURE)
        if rng.random() < 0.6:
            turn.insert(int(rng.integers(len(turn) + 1)), text(rng))
    return tuple(Turn(role, tuple(turn)) for role, turn in zip(roles, parts, strict=True))


def text(rng: np.random.Generator) -> str:
    return "".join(rng.choice(WORDS, int(rng.integers(1, 6))).tolist())


def messages(turns: Chat) -> list[dict[str, Any]]:
    """A chat as transformers' documentation has it: every content in parts."""
    return [
        {
            "role": turn.role,
            "content": [
                {"type": "image"} if part == PICTURE else {"type": "text", "text": part} for part in turn.parts
            ],
        }
        for turn in turns
    ]


def processor(folder: Path) -> Any:
    """transformers' processor of a published folder, without the videos, for which it needs torchvision."""
    from transformers import AutoTokenizer, Qwen2_5_VLProcessor
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    class Pictures(Qwen2_5_VLProcessor):
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> type:
            return type(argument)

    template = json.loads((folder / "chat_template.json").read_text())["chat_template"]
    pictures = Qwen2VLImageProcessorPil.from_pretrained(str(folder))
    return Pictures(pictures, AutoTokenizer.from_pretrained(str(folder)), SimpleNamespace(), chat_template=template)


def ids(theirs: Any, turns: list[dict[str, Any]], pictures: list[np.ndarray]) -> tuple[np.ndarray, list[list[int]]]:
    """Token ids of a chat by transformers, and the grid of each picture."""
    text = theirs.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
    found = theirs(images=pictures or None, text=[text], return_tensors="np")
    return found["input_ids"][0], found["image_grid_thw"].tolist() if pictures else []
