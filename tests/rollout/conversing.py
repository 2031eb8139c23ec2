"""Conversations for tests: replies with pictures drawn at random, and each conversation as one fresh prompt.

A reply is written as `tests.model.cases` writes prompts: an int is that many text tokens, a pair an image.
"""

import jax
import numpy as np

from perc_jax.batch import Completions, PromptBatch, Reply, TokenIds
from perc_jax.config import ModelConfig
from perc_jax.rollout.decode import make_rollout
from perc_jax.rollout.extend import Moves, make_extend, with_features
from perc_jax.rollout.sampling import Draws
from perc_jax.rollout.transcript import Transcript, fitting, together
from tests.model.cases import Built, build, compiled, fitted

# Of sixty tokens ten end a turn: turns have about six tokens.
IDS = TokenIds(pad=0, ends=(1, 2, *range(7, 15)), image=3, forbidden=(3, 4), vocab_size=60)
# What is told at the end of each turn, by the completion's number modulo four; then it is over.
SCRIPTS = (
    ([4], [2, (4, 4), 3]),
    ([1, (4, 6), 2, (2, 2), 3], [3, (8, 4), 2]),
    (),
    ([2, (2, 6), 1, (4, 2), 1, (6, 6), 2],),
)


def drawn(config: ModelConfig, parts: list, seed: int) -> Built:
    """One reply, laid out as a prompt of its own without any padding."""
    return build(fitted(config, [parts], padding=0, windows=0), seed)


def reply(built: Built, start: int) -> Reply:
    """The reply of which the first token has this position."""
    row = jax.tree.map(lambda x: x[0], built.batch)
    return Reply(
        row.tokens, row.positions + start, int(row.next_position) + start, row.image_slots,
        row.pixels, row.patch_rowcol, row.patch_image,
    )  # fmt: skip


class Play:
    """Conversations by compiled programs: a prefill, segments, and a moment whenever no row is live."""

    def __init__(
        self, config: ModelConfig, *, group: int, most: int, turn_tokens: int, segment: int, ring: int,
        shapes: tuple, rows: int = 0, temperature: float = 1.0, scripts: tuple = SCRIPTS, ids: TokenIds = IDS,
        kv_dtype: str = "model",
    ):  # fmt: skip
        draws, self.rows = Draws(temperature), rows or group
        self.config, self.group, self.most, self.shapes, self.scripts = config, group, most, shapes, scripts
        how = {"group_size": group, "draws": draws, "turn_tokens": turn_tokens, "rows": rows}
        prefill, decode = make_rollout(
            config, ids, max_tokens=most, segment_tokens=segment, ring=ring, kv_dtype=kv_dtype, **how
        )
        self.prefill, self.decode = compiled(prefill), compiled(decode)
        self.extend, self.with_features = compiled(make_extend(config, ids, **how)), compiled(with_features)

    def script(self, name: int, completion: int, turn: int, config: ModelConfig) -> Built | None:
        """What is told at the end of a turn, if anything."""
        parts = self.scripts[(name + completion) % len(self.scripts)]
        seed = 1000 * name + 10 * completion + turn
        return drawn(config, parts[turn], seed) if turn < len(parts) else None

    def __call__(self, params, batch: PromptBatch, names: np.ndarray, key: np.ndarray):
        """Play; gives completions on the host and their transcript."""
        context, state = self.prefill(params, batch, names, key)
        count = len(names)
        told = Transcript(np.asarray(batch.next_position), self.group, 4)
        merged = self.shapes[-1][1] // 4 * 4
        features = np.zeros((count, self.group, merged, self.config.text.hidden_size), np.float32)
        ready, seen = {}, set()
        over = np.zeros((count, self.group), bool)
        while True:
            while np.asarray(state.groups.unfinished()).any():
                state = self.decode(params, context, state)
            groups = jax.device_get(state.groups)
            for p, g in np.argwhere(groups.turns.waiting & np.asarray(state.groups.open())).tolist():
                turn, length = len(told.given[p][g]), int(groups.length[p, g])
                if (p, g) in ready or over[p, g]:
                    continue
                said = self.script(int(names[p]), g, turn, self.config)
                one = said and reply(said, told.position(p, g, length))
                if one is None or length + len(one.tokens) >= self.most:
                    over[p, g] = True
                else:
                    told.add(p, g, length, one)
                    ready[p, g] = one
            if not ready:
                break
            at, given = np.array(groups.at), {}
            if self.rows < self.group:
                at[:] = self.group
                for p, g in list(ready):
                    if free := np.flatnonzero(at[p] == self.group).tolist():
                        at[p, free[0]] = g
                        given[p, free[0]] = told.as_one(p, g, groups.tokens[p, g])
                        del ready[p, g]
            else:
                given, ready = ready, {}
            shape = self.shapes[fitting(given, self.shapes)]
            arrays = together(given, shape, at.shape, batch.pixels.shape[-1], IDS.pad)
            first = np.zeros(at.shape, np.int32)
            if self.rows == self.group:
                first[:] = [[told.feature(p, g) for g in range(self.group)] for p in range(count)]
            seen.add(shape)
            moves = Moves(over, at, first)
            state, looked = self.extend(params, context, state, arrays, moves)
            if looked is not None:
                features = self.with_features(features, looked, arrays.mask, moves)
        groups = jax.device_get(state.groups)
        observed = told.observed(groups.tokens, groups.length, self.shapes[-1][1] * 3, batch.pixels.shape[-1])
        observed = observed._replace(features=np.asarray(features)[:, :, : observed.pixels.shape[2] // 4])
        self.seen = seen
        return Completions(groups.tokens, groups.logprobs, groups.mask, over, observed), told


def as_prompts(batch: PromptBatch, completions: Completions, pad: int = 0) -> PromptBatch:
    """Each conversation as a prompt of its own, P * G rows, left-padded as prompts are; its pictures behind those of
    its prompt, which fill whole merged tokens."""
    observed, (count, group, most) = completions.observed, completions.tokens.shape
    each = jax.tree.map(lambda x: np.repeat(np.asarray(x), group, axis=0), batch)
    own = jax.tree.map(lambda x: x.reshape(count * group, *x.shape[2:]), observed)
    tokens = completions.tokens.reshape(count * group, most)
    merged = each.pixels.shape[1] // 4
    slots = np.where(own.image_slots >= 0, own.image_slots + merged, -1)
    pictures = 1 + each.patch_image.max(axis=1, keepdims=True, initial=-1)
    whole = PromptBatch(
        tokens=np.concatenate([each.tokens, tokens], axis=1),
        mask=np.concatenate([each.mask, own.present], axis=1),
        positions=np.concatenate([each.positions, own.positions], axis=2),
        next_position=each.next_position,
        image_slots=np.concatenate([each.image_slots, slots], axis=1),
        pixels=np.concatenate([each.pixels, own.pixels], axis=1),
        patch_rowcol=np.concatenate([each.patch_rowcol, own.patch_rowcol], axis=1),
        patch_image=np.concatenate(
            [each.patch_image, np.where(own.patch_image < 0, -1, own.patch_image + pictures)], axis=1
        ),
    )
    shift = most - own.present.sum(axis=1)
    for row, by in enumerate(shift):
        for x in (whole.tokens, whole.mask, whole.positions, whole.image_slots):
            x[row] = np.roll(x[row], by, axis=-1)
    return whole
