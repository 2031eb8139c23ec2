"""The containers that cross stages, and the key of dimension letters.

**P** prompts, **G** group (completions per prompt), **S** prompt tokens, **C** completion tokens, **N** patch slots,
**M** = N/4 merged tokens, **E** observed tokens (of an environment's replies), **V** vocabulary, **D** width, **F** MLP
width, **H** heads, **K** KV heads, **hd** head width, **L** layers, **B** = 588 bytes per patch (3 channels x 14 x 14),
**X** = 1176 values made of them (both frames).

Host and device share these and nothing else. Arrays are numpy on the host and jax on the device, with the same shapes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from jaxtyping import Bool, Float, Int, UInt8

Array = Any  # numpy on the host, jax on the device: this module imports neither

# OpenAI CLIP's statistics of the channels, as preprocessor_config.json of Qwen2.5-VL names them: a byte stands for the
# value (byte / 255 - mean) / std.
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


class PromptBatch(NamedTuple):
    """P prompts with their images, padded to one bucket: everything the model reads.

    Prompts are *left*-padded, so the last prompt token is always column S-1. Patches stand in window order: each
    attention window fills its own run of (window_size / patch_size)^2 slots, real patches first, so that windowed
    attention is dense over [windows, slots]. The four patches of a merge unit are adjacent: patch slots 4m..4m+3 make
    merged token m. Worked example, one 8x12-patch image with 64-slot windows: window 0 fills slots 0..63, window 1 (8x4
    patches) slots 64..95, slots 96..127 are padding; merged tokens 0..23 are real.
    """

    tokens: Int[Array, "P S"]
    mask: Bool[Array, "P S"]  # True at real tokens
    positions: Int[Array, "P 3 S"]  # M-RoPE: temporal, height, width
    next_position: Int[Array, "P"]  # position of the first completion token, on all three axes
    image_slots: Int[Array, "P S"]  # merged token that replaces this placeholder, -1 at text
    pixels: UInt8[Array, "P N B"]  # channel, row, column; `model.pixels` makes values of them
    patch_rowcol: Int[Array, "P N 2"]  # row and column of the patch in its image
    patch_image: Int[Array, "P N"]  # number of the image in its prompt, -1 at padding
    # What a vision tower that is not trained makes of the pixels, once they have been through it: then nobody reads
    # the pixels any more.
    features: Float[Array, "P M D"] | None = None

    def within(self, bucket: tuple[int, int]) -> "PromptBatch":
        """The same prompts in a smaller bucket (tokens, patch slots) that holds them: less padding, nothing else."""
        (tokens, patches), slots = bucket, self.patch_image.shape[1]
        features = self.features
        return PromptBatch(
            tokens=self.tokens[:, -tokens:],
            mask=self.mask[:, -tokens:],
            positions=self.positions[:, :, -tokens:],
            next_position=self.next_position,
            image_slots=self.image_slots[:, -tokens:],
            pixels=self.pixels[:, :patches],
            patch_rowcol=self.patch_rowcol[:, :patches],
            patch_image=self.patch_image[:, :patches],
            features=features if features is None else features[:, : patches * features.shape[1] // slots],
        )


class Reply(NamedTuple):
    """What an environment says to one completion at the end of a turn, as the model reads it, on the host: e tokens
    and its pictures in n patch slots, windows whole. Its first token follows the end token that was sampled, its last
    one stands before the next that is."""

    tokens: Int[Array, "e"]
    positions: Int[Array, "3 e"]  # M-RoPE, counted from the beginning of the prompt
    next_position: int  # of the token sampled next, on all three axes
    image_slots: Int[Array, "e"]  # merged token of these pictures that replaces this placeholder, -1 at text
    pixels: UInt8[Array, "n B"]
    patch_rowcol: Int[Array, "n 2"]
    patch_image: Int[Array, "n"]  # number of the picture in this reply, -1 at padding


class Ended(NamedTuple):
    """A turn that a completion has ended, on the host: what an environment replies to."""

    prompt: int
    completion: int
    tokens: Sequence[int]  # sampled in this turn; the last is an end mark, unless the turn was cut
    position: int  # of the next token, on all axes
    room: int  # places left in the completion


class Observations(NamedTuple):
    """The replies to all completions at one moment, right-padded to one shape; fields as those of `Reply`.

    A completion that gets none now has a mask of nothing but False, and -1 in all of `patch_image`.
    """

    tokens: Int[Array, "P G E"]
    mask: Bool[Array, "P G E"]  # True at real tokens
    positions: Int[Array, "P G 3 E"]
    next_position: Int[Array, "P G"]
    image_slots: Int[Array, "P G E"]  # of the completion's own pictures of this moment
    pixels: UInt8[Array, "P G N B"]
    patch_rowcol: Int[Array, "P G N 2"]
    patch_image: Int[Array, "P G N"]


class Observed(NamedTuple):
    """What an update must know of completions in which replies stand between sampled turns.

    Their tokens stand among those of the completion, where its mask is False. Worked example, two turns with a text of
    three tokens between them, s sampled, o observed: places s s o o o s s, mask 1 1 0 0 0 1 1, present 1 1 1 1 1 1 1.
    Pictures of all replies to a completion stand one after the other in its own patch slots.
    """

    present: Bool[Array, "P G C"]  # True at sampled and observed tokens: up to the completion's length
    positions: Int[Array, "P G 3 C"]
    image_slots: Int[Array, "P G C"]  # merged token of the completion's own pictures, -1 at text
    pixels: UInt8[Array, "P G N B"]
    patch_rowcol: Int[Array, "P G N 2"]
    patch_image: Int[Array, "P G N"]  # number of the picture in its completion, -1 at padding
    # What a vision tower that is not trained made of the pixels in the rollout: then nobody reads them any more.
    features: Float[Array, "P G M D"] | None = None


class Completions(NamedTuple):
    """What the sampler returns: G completions of each prompt, right-padded."""

    tokens: Int[Array, "P G C"]
    logprobs: Float[Array, "P G C"]  # float32, of the sampled token under the sampling distribution
    mask: Bool[Array, "P G C"]  # True at sampled tokens: up to and including the end token, but for observed ones
    ended: Bool[Array, "P G"]  # False where the completion was cut at C tokens, or a turn of it at its own limit
    observed: Observed | None = None  # of a stage with an environment


class TrainBatch(NamedTuple):
    """What an update reads. For SFT, G is 1, advantages are 1 and logprobs are 0."""

    prompts: PromptBatch
    tokens: Int[Array, "P G C"]
    mask: Bool[Array, "P G C"]  # tokens that carry loss
    logprobs: Float[Array, "P G C"]  # the sampler's
    advantages: Float[Array, "P G"]
    reference: Float[Array, "P G C"] | None = None  # the reference policy's; the update itself fills it in
    # The trainer's own before the first of several updates on a rollout; the update itself fills it in.
    old: Float[Array, "P G C"] | None = None
    # Tokens of the prompt that carry loss too, of SFT: what the assistant said before its last turn.
    said: Bool[Array, "P S"] | None = None
    observed: Observed | None = None  # of a stage with an environment


class Share(NamedTuple):
    """Which rows of every batch a process brings: those of the data-parallel units that its devices are part of.

    A unit is the devices that compute the same rows: one, or a tensor group, which may span processes; these bring the
    same rows, and the first of them counts. Worked example, four processes of one device, tensor 2, batches of four:
    processes 0 and 1 bring rows 0 and 1, processes 2 and 3 rows 2 and 3; processes 0 and 2 count.
    """

    units: tuple[int, ...] = (0,)  # ascending
    of: int = 1  # units of all processes
    process: int = 0
    first: int = 0  # of the processes that bring the same rows
    sharers: int = 1  # how many they are; the same for every process

    @property
    def is_first(self) -> bool:
        """Whether what this process finds counts, and not what another finds for the same rows."""
        return self.process == self.first

    def rows(self, total: int) -> list[int]:
        """This process's rows of a batch of `total`, a multiple of the units, in ascending order."""
        each = total // self.of
        return [unit * each + row for unit in self.units for row in range(each)]

    def total(self, rows: int) -> int:
        """Rows of the batch of which this process brings so many."""
        return rows // len(self.units) * self.of


WHOLE = Share()  # of a process that is alone


class MapIds(NamedTuple):
    """The ids with which a map is written, and how it must be: the mark, `length` codes, the other mark."""

    start: int
    first: int  # of the codes, which follow each other
    count: int  # of the codes
    end: int
    length: int


class TokenIds(NamedTuple):
    """The token ids that have a meaning to the device programs."""

    pad: int
    ends: tuple[int, ...]  # each of them ends a completion
    image: int  # the placeholder that image features replace
    forbidden: tuple[int, ...]  # never sampled: placeholders and vision marks
    vocab_size: int  # ids from here on exist in the model only (its vocabulary is padded) and are never sampled
    map: MapIds | None = None  # of a run that samples maps whole; None: nothing holds of codes
