"""What completions have been told so far, on the host: replies in, the arrays of `extend` and of the update out.

numpy only. Worked example, a completion of two turns, 2 and 1 tokens, behind a prompt whose next position is 10, with a
reply of three tokens of text between them: positions 10 11 | 12 13 14 | 15.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from perc_jax.batch import Observations, Observed, Reply

Shape = tuple[int, int]  # tokens and patch slots


class Given(NamedTuple):
    """A reply where it stands."""

    place: int  # of its first token in the completion
    reply: Reply
    slot: int  # of its first patch, among the completion's
    number: int  # of its first picture, likewise


class Transcript:
    """The replies to G completions of each of P prompts."""

    def __init__(self, next_position: Int[np.ndarray, "P"], group: int, merged: int):
        """Begin with completions that have been told nothing.

        Args:
            next_position: of the prompts' first completion tokens.
            group: G.
            merged: patches of a merged token.
        """
        self._first, self._merged = next_position, merged
        self.given: list[list[list[Given]]] = [[[] for _ in range(group)] for _ in next_position]

    def position(self, prompt: int, completion: int, place: int) -> int:
        """The position of the token that will be sampled at a place of the present turn."""
        told = self.given[prompt][completion]
        if not told:
            return int(self._first[prompt]) + place
        last = told[-1]
        return last.reply.next_position + place - last.place - len(last.reply.tokens)

    def add(self, prompt: int, completion: int, place: int, reply: Reply) -> None:
        """Note a reply whose first token has this place."""
        told = self.given[prompt][completion]
        slot = sum(len(one.reply.patch_image) for one in told)
        number = sum(int(one.reply.patch_image.max(initial=-1)) + 1 for one in told)
        told.append(Given(place, reply, slot, number))

    def feature(self, prompt: int, completion: int) -> int:
        """The place of the last reply's first merged token among all of the completion's."""
        told = self.given[prompt][completion]
        return told[-1].slot // self._merged if told else 0

    def as_one(self, prompt: int, completion: int, tokens: Int[np.ndarray, "C"]) -> Reply:
        """A completion from its beginning to its last reply as one reply, of which `tokens` are the sampled ones."""
        told = self.given[prompt][completion]
        last = told[-1]
        length = last.place + len(last.reply.tokens)
        whole = self._laid(prompt, completion, tokens, length)
        pictures = (np.concatenate([getattr(one.reply, name) for one in told]) for name in ("pixels", "patch_rowcol"))
        numbers = np.concatenate([_numbered(one) for one in told])
        return Reply(whole[0], whole[1], last.reply.next_position, whole[2], *pictures, numbers)

    def observed(
        self, tokens: Int[np.ndarray, "P G C"], lengths: Int[np.ndarray, "P G"], patches: int, patch_bytes: int
    ) -> Observed:
        """What the update must know, with room for so many patches of each completion."""
        count, group, most = tokens.shape
        shape = count, group, patches
        found = Observed(
            np.arange(most) < lengths[..., None],
            np.zeros((count, group, 3, most), np.int32),
            np.full(tokens.shape, -1, np.int32),
            np.zeros((*shape, patch_bytes), np.uint8),
            np.zeros((*shape, 2), np.int32),
            np.full(shape, -1, np.int32),
        )
        for p, g in np.ndindex(count, group):
            length = int(lengths[p, g])
            _, positions, slots = self._laid(p, g, tokens[p, g], length)
            found.positions[p, g, :, :length], found.image_slots[p, g, :length] = positions, slots
            for one in self.given[p][g]:
                mine = slice(one.slot, one.slot + len(one.reply.patch_image))
                found.pixels[p, g, mine], found.patch_rowcol[p, g, mine] = one.reply.pixels, one.reply.patch_rowcol
                found.patch_image[p, g, mine] = _numbered(one)
        return found

    def _laid(self, prompt: int, completion: int, tokens: np.ndarray, length: int) -> tuple[np.ndarray, ...]:
        """Tokens, positions [3, length] and image slots of a completion's first places."""
        ids, slots = np.array(tokens[:length], np.int32), np.full(length, -1, np.int32)
        positions = np.arange(length, dtype=np.int32) + np.int32(self._first[prompt])
        positions = np.tile(positions, (3, 1))
        for place, reply, slot, _ in self.given[prompt][completion]:
            end = place + len(reply.tokens)
            ids[place:end], positions[:, place:end] = reply.tokens, reply.positions
            slots[place:end] = np.where(reply.image_slots < 0, -1, reply.image_slots + slot // self._merged)
            positions[:, end:] = np.arange(length - end) + reply.next_position
        return ids, positions, slots


def _numbered(one: Given) -> Int[np.ndarray, "n"]:
    """The pictures of a reply by their number in the completion."""
    own = one.reply.patch_image
    return np.where(own < 0, -1, own + one.number).astype(np.int32)


def fitting(replies: Mapping[tuple[int, int], Reply], shapes: tuple[Shape, ...]) -> int:
    """The place of the smallest of the ascending shapes that holds each of the replies; -1: there is none to hold.

    Raises `ValueError` for a reply that fits none.
    """
    if not replies:
        return -1
    tokens = max(len(reply.tokens) for reply in replies.values())
    patches = max(len(reply.patch_image) for reply in replies.values())
    for place, (most, slots) in enumerate(shapes):
        if tokens <= most and patches <= slots:
            return place
    raise ValueError(f"replies must fit one of the shapes {shapes}, got {tokens} tokens and {patches} patch slots")


def together(
    replies: Mapping[tuple[int, int], Reply], shape: Shape, rows: tuple[int, int], patch_bytes: int, pad: int
) -> Observations:
    """Replies by prompt and row as the arrays of one moment; nothing for the other rows."""
    tokens, patches = shape
    found = Observations(
        np.full((*rows, tokens), pad, np.int32),
        np.zeros((*rows, tokens), bool),
        np.zeros((*rows, 3, tokens), np.int32),
        np.zeros(rows, np.int32),
        np.full((*rows, tokens), -1, np.int32),
        np.zeros((*rows, patches, patch_bytes), np.uint8),
        np.zeros((*rows, patches, 2), np.int32),
        np.full((*rows, patches), -1, np.int32),
    )
    for where, reply in replies.items():
        count, slots = len(reply.tokens), len(reply.patch_image)
        found.tokens[where][:count], found.mask[where][:count] = reply.tokens, True
        found.positions[where][:, :count], found.image_slots[where][:count] = reply.positions, reply.image_slots
        found.next_position[where] = reply.next_position
        found.pixels[where][:slots], found.patch_rowcol[where][:slots] = reply.pixels, reply.patch_rowcol
        found.patch_image[where][:slots] = reply.patch_image
    return found
