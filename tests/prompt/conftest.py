"""What transformers says of chats, for the tests that compare with it."""

from types import SimpleNamespace

import numpy as np
import pytest

from perc_jax.prompt.tokenizer import load
from tests.prompt import chats


@pytest.fixture(scope="module")
def published_model(reference_data):
    pytest.importorskip("transformers")
    folder = reference_data / "qwen2_5_vl_7b"
    return load(str(folder)), chats.processor(folder)


@pytest.fixture(scope="module")
def rope_index(torch):
    """transformers' positions of the ids of one prompt."""
    modeling = pytest.importorskip("transformers.models.qwen2_5_vl.modeling_qwen2_5_vl")
    kind = modeling.Qwen2_5_VLModel
    config = SimpleNamespace(vision_config=SimpleNamespace(spatial_merge_size=2, tokens_per_second=2))
    stub = SimpleNamespace(config=config)
    stub.get_vision_position_ids = lambda *args, **kwargs: kind.get_vision_position_ids(stub, *args, **kwargs)

    def call(tokens: np.ndarray, grids: list[list[int]], image_id: int) -> tuple[np.ndarray, int]:
        ids = torch.from_numpy(tokens.astype(np.int64))[None]
        found, delta = kind.get_rope_index(
            stub,
            ids,
            (ids == image_id).int(),
            image_grid_thw=torch.tensor(grids) if grids else None,
            attention_mask=torch.ones_like(ids),
        )
        return found[:, 0].numpy(), int(delta.ravel()[0])

    return call
