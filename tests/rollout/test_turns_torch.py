"""Turns through `extend` are what transformers' Qwen2.5-VL in torch says of the whole conversation as one prompt."""

import numpy as np

from tests.model.cases import IMAGE_ID, Built, Case, build, random_params, random_tensors, small_config
from tests.rollout.conversing import IDS, Play

CONFIG = small_config()
CASE = Case(CONFIG, [[3, (8, 6), 4], [2, (6, 4), 1, (4, 4), 3], [5]], 22, 64)
GROUP, MOST = 4, 64
NAMES, KEY = np.array([5, 8, 3], np.uint32), np.array([0, 7], np.uint32)


def pictures(whole: Built, prompt: int, told: list[Built]) -> tuple[list[np.ndarray], list[tuple[int, int]]]:
    """Values and grids of a conversation's pictures, in their order."""
    own = [i for i, owner in enumerate(whole.owners) if owner == prompt]
    values, grids = [whole.pixels[i] for i in own], [whole.grids[i] for i in own]
    for built in told:
        values, grids = values + built.pixels, grids + built.grids
    return values, grids


def test_turns_are_the_whole_conversation_for_the_published_model(torch):
    from tests.model.torch_reference import make_model

    built, model = build(CASE, seed=3), make_model(CONFIG, random_tensors(CONFIG, seed=1))
    how = {"group": GROUP, "most": MOST, "turn_tokens": 7, "segment": 5, "ring": 72, "shapes": ((5, 0), (24, 112))}
    play, counted = Play(CONFIG, **how), set()
    found, told = play(random_params(CONFIG, seed=1), built.batch, NAMES, KEY)
    never = torch.tensor([*IDS.forbidden, *range(IDS.vocab_size, CONFIG.text.vocab_size)])
    for p, g in np.ndindex(len(NAMES), GROUP):
        length, mask = int(found.observed.present[p, g].sum()), built.batch.mask[p]
        tokens = np.concatenate([built.batch.tokens[p, mask], found.tokens[p, g, :length]])
        replies = [play.script(int(NAMES[p]), g, turn, CONFIG) for turn in range(len(told.given[p][g]))]
        values, grids = pictures(built, p, replies)
        counted.add(sum(len(one.pixels) for one in replies))
        given = {
            "input_ids": torch.tensor(tokens[None]).long(),
            "mm_token_type_ids": torch.tensor(tokens[None] == IMAGE_ID).int(),
        }
        seen = {"image_grid_thw": torch.tensor([(1, *grid) for grid in grids])} if grids else {}
        positions, _ = model.model.get_rope_index(**given, **seen)
        ours = np.concatenate([built.batch.positions[p][:, mask], found.observed.positions[p, g, :, :length]], axis=1)
        np.testing.assert_array_equal(positions[:, 0].numpy(), ours)
        if grids:
            seen["pixel_values"] = torch.tensor(np.concatenate(values))
        with torch.no_grad():
            logits = model(**given, **seen).logits[0]
        logits[:, never] = -torch.inf
        before = logits[mask.sum() - 1 : -1].log_softmax(-1).numpy()
        wanted = np.take_along_axis(before, found.tokens[p, g, :length, None], axis=1)[:, 0]
        sampled = found.mask[p, g, :length]
        np.testing.assert_allclose(found.logprobs[p, g, :length][sampled], wanted[sampled], atol=1e-5)
    assert {0, 1, 3} <= counted
