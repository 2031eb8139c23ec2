"""Small Hugging Face folders for tests, on the debug tokenizer; with random weights where a test asks for them."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

from perc_jax.config import ModelConfig, TextConfig, VisionConfig
from perc_jax.prompt.tokenizer import load
from perc_jax.weights import hf_files

PIECES = Path(str(resources.files("perc_jax"))) / "assets" / "debug.model"
VISION = VisionConfig(
    depth=3, hidden_size=64, num_heads=2, intermediate_size=80, fullatt_block_indexes=(1,), window_size=56
)
TEXT = TextConfig(
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    vocab_size=1040,  # more than the tokenizer has, as published
    mrope_section=(2, 3, 3),
)
SMALL = ModelConfig(VISION, TEXT, dtype="float32")


def write_small_files(folder: Path, config: ModelConfig = SMALL) -> Path:
    """Everything but weights, in the published (4.x) form."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = load("debug.model")
    files = hf_files.config_file(config, tokens, "float32") | hf_files.piece_files(PIECES)
    for name, text in (files | hf_files.processing_files(config.vision, tokens.ids)).items():
        (folder / name).write_text(text)
    return folder


def edit(file: Path, **changes: Any) -> None:
    """Change fields of a JSON file; `None` removes one."""
    values = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({name: value for name, value in values.items() if value is not None}))
