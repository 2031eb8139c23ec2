"""Tables as the peers' own preprocessing writes them, and the messages that the peers make of their rows.

EasyR1 reads hiyouga/geometry3k as it is: `problem`, `answer`, `images`. verl's `data_preprocess/geo3k.py` makes
`prompt`, `reward_model` and `extra_info` of it, and its `RLHFDataset` cuts the content at the marks. TRL's
`examples/scripts/grpo_vlm.py` adds a conversational `prompt` and keeps the other columns, and its trainer puts the
pictures before the first user text. ms-swift and LLaMA-Factory write JSON with paths beside the file.
"""

import io
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

INSTRUCTION = " The final answer MUST BE put in \\boxed{}."
SYSTEM = "First think, then answer."


class Written(NamedTuple):
    """A table of a peer, and what is to be read from it."""

    path: Path
    reading: str  # the beginning of it
    messages: list[list[dict[str, Any]]]  # of each row, as the peer hands them to transformers
    pictures: list[list[np.ndarray]]
    answers: list[str]


def picture(number: int) -> np.ndarray:
    side = 56 + 28 * (number % 3)
    return np.random.default_rng(number).integers(0, 256, (side, 84, 3), dtype=np.uint8)


def png(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture(number)).save(file, "PNG")
    return file.getvalue()


def feature(number: int) -> dict[str, Any]:
    """What the image feature of `datasets` stores."""
    return {"bytes": png(number), "path": None}


def parquet(path: Path, rows: list[dict[str, Any]], **options: Any) -> Path:
    import pyarrow
    from pyarrow import parquet as pq

    pq.write_table(pyarrow.Table.from_pylist(rows), path, **options)
    return path


def cut(text: str) -> list[dict[str, str]]:
    """A text at its marks: how EasyR1 and verl do it."""
    parts = [part for part in re.split("(<image>)", text) if part]
    return [{"type": "image"} if part == "<image>" else {"type": "text", "text": part} for part in parts]


PROBLEMS = [
    ("<image>Find x in the figure.", "3", 1),
    ("Is <image> larger than <image>, or the same?", "larger", 2),
    ("What is 3 + 4?", "7", 0),
]


def _numbers() -> list[list[int]]:
    return [[10 * row + number for number in range(count)] for row, (_, _, count) in enumerate(PROBLEMS)]


def easyr1(folder: Path) -> Written:
    rows = [
        {"images": [feature(number) for number in own], "problem": problem, "answer": answer}
        for own, (problem, answer, _) in zip(_numbers(), PROBLEMS, strict=True)
    ]
    path = parquet(folder / "train-00000-of-00001.parquet", rows, row_group_size=2)
    messages = [[{"role": "user", "content": cut(problem)}] for problem, _, _ in PROBLEMS]
    return _written(path, "as EasyR1 writes it: chat in problem, pictures in images", messages)


def verl(folder: Path) -> Written:
    rows = [
        {
            "data_source": "hiyouga/geometry3k",
            "prompt": [{"role": "user", "content": problem + INSTRUCTION}],
            "images": [feature(number) for number in own],
            "ability": "math",
            "reward_model": {"style": "rule", "ground_truth": answer},
            "extra_info": {"split": "train", "index": row, "answer": answer, "question": problem},
        }
        for row, (own, (problem, answer, _)) in enumerate(zip(_numbers(), PROBLEMS, strict=True))
    ]
    path = parquet(folder / "train.parquet", rows)
    messages = [[{"role": "user", "content": cut(problem + INSTRUCTION)}] for problem, _, _ in PROBLEMS]
    return _written(path, "as verl writes it: chat in prompt, pictures in images", messages)


def trl(folder: Path) -> Written:
    texts = ["Find x in the figure.", "How many?", "Which colour?"]
    rows = [
        {
            "image": feature(row),
            "problem": text,
            "solution": f"$ {row} $",
            "original_answer": str(row),
            "prompt": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}],
        }
        for row, text in enumerate(texts)
    ]
    messages = [
        [
            {"role": "system", "content": [{"type": "text", "text": SYSTEM}]},
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]},
        ]
        for text in texts
    ]
    path = parquet(folder / "train.parquet", rows)
    answers = [f"$ {row} $" for row in range(3)]
    pictures = [[picture(row)] for row in range(3)]
    return Written(path, "as TRL writes it: chat in prompt, pictures in image", messages, pictures, answers)


def _talks() -> list[list[tuple[str, str]]]:
    return [
        [("system", SYSTEM), ("user", "<image>What is it?"), ("assistant", "A cube."), ("user", "Its colour?")],
        [("user", "Compare <image> and <image>."), ("assistant", "The first is darker."), ("user", "Sure?")],
        [("user", "Hello")],
    ]


def _files(folder: Path) -> list[list[str]]:
    """The pictures' paths, relative to the table."""
    (folder / "pictures").mkdir()
    paths = []
    for own in ([0], [10, 11], []):
        paths.append([f"pictures/{number}.png" for number in own])
        for number in own:
            (folder / f"pictures/{number}.png").write_bytes(png(number))
    return paths


def ms_swift(folder: Path) -> Written:
    """JSON lines with `messages`; rows without pictures have no `images`; `solution` for the rewards."""
    rows = []
    for row, (talk, paths) in enumerate(zip(_talks(), _files(folder), strict=True)):
        messages = [{"role": role, "content": text} for role, text in talk]
        rows.append({"messages": messages, **({"images": paths} if paths else {}), "solution": str(row)})
    path = folder / "data.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    return _talked(path, "as ms-swift, LLaMA-Factory writes it: chat in messages", ["0", "1", "2"])


def llama_factory(folder: Path) -> Written:
    """A list of JSON in the ShareGPT form; what the assistant says last is learned."""
    roles = {"system": "system", "user": "human", "assistant": "gpt"}
    rows = []
    for talk, paths in zip(_talks(), _files(folder), strict=True):
        turns = [{"from": roles[role], "value": text} for role, text in talk]
        rows.append({"conversations": [*turns, {"from": "gpt", "value": f"{len(rows)}."}], "images": paths})
    path = folder / "mllm.json"
    path.write_text(json.dumps(rows, indent=2, ensure_ascii=False))
    return _talked(path, "as LLaMA-Factory (ShareGPT) writes it: chat in conversations", ["0.", "1.", "2."])


def _talked(path: Path, reading: str, answers: list[str]) -> Written:
    messages = [[{"role": role, "content": cut(text)} for role, text in talk] for talk in _talks()]
    return Written(path, reading, messages, [[picture(0)], [picture(10), picture(11)], []], answers)


def _written(path: Path, reading: str, messages: list[list[dict[str, Any]]]) -> Written:
    pictures = [[picture(number) for number in own] for own in _numbers()]
    return Written(path, reading, messages, pictures, [answer for _, answer, _ in PROBLEMS])


PEERS = [easyr1, verl, trl, ms_swift, llama_factory]
