"""Prompts: positions and chat ids as Hugging Face's, rows that are whole, what does not fit is refused."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.answer import Answer
from perc_jax.batch import PromptBatch
from perc_jax.config import DataConfig, VisionConfig
from perc_jax.prompt import prompt as prompts
from perc_jax.prompt.chat import asked, chat_text, published
from perc_jax.prompt.image import patchify, unpatchify
from perc_jax.prompt.tokenizer import IMAGE_PAD, VIDEO_PAD, VISION_END, VISION_START, load
from perc_jax.rewards.forms import Form, read, shortest

VISION = VisionConfig(
    depth=1, hidden_size=64, num_heads=2, intermediate_size=8, fullatt_block_indexes=(), window_size=56
)
DATA = DataConfig(tokenizer="debug.model", image_px=112, max_prompt_tokens=128, max_patches=320, instruction="")
TOKENIZER = load("debug.model")
UNITS = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=3)


def picture(units: tuple[int, int], seed: int = 0) -> np.ndarray:
    size = (max(units[0], 2) * 28, max(units[1], 2) * 28, 3)  # from 56 px on, nothing is resized
    return np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)


def make(pictures: list[np.ndarray], question: str = "How many?", data: DataConfig = DATA) -> PromptBatch:
    return prompts.make_row("p1", pictures, question, tokenizer=TOKENIZER, data=data, vision=VISION)


def test_worked_example():
    cut = [patchify(np.zeros((112, 168, 3), np.uint8), VISION)]
    image = TOKENIZER.ids.image
    tokens, positions, slots, after = prompts.expand([20, 21, 22, image, 23], cut, image, 2)
    assert tokens.tolist() == [20, 21, 22, *[image] * 24, 23]
    assert positions[:, :4].tolist() == [[0, 1, 2, 3]] * 3
    assert positions[:, 9].tolist() == [3, 4, 3] and positions[:, 26].tolist() == [3, 6, 8]
    assert positions[:, -1].tolist() == [9, 9, 9] and after == 10
    assert slots[:3].tolist() == [-1] * 3 and sorted(slots[3:27]) == list(range(24))


@pytest.fixture(scope="module")
def rope_index(torch):
    modeling = pytest.importorskip("transformers.models.qwen2_5_vl.modeling_qwen2_5_vl")
    kind = modeling.Qwen2_5_VLModel
    config = SimpleNamespace(vision_config=SimpleNamespace(spatial_merge_size=2, tokens_per_second=2))
    stub = SimpleNamespace(config=config)
    stub.get_vision_position_ids = lambda *args, **kwargs: kind.get_vision_position_ids(stub, *args, **kwargs)

    def call(tokens: np.ndarray, mask: np.ndarray, grids: list[list[int]]):
        ids = torch.from_numpy(tokens.astype(np.int64))
        is_image = (ids == TOKENIZER.ids.image).int()
        positions, delta = kind.get_rope_index(
            stub, ids, is_image, image_grid_thw=torch.tensor(grids), attention_mask=torch.from_numpy(mask).long()
        )
        return positions.numpy(), delta.numpy()

    return call


def test_positions_equal_the_published_ones(rope_index):
    """320 prompts of none to three pictures, text of any length between them, in batches of five."""
    rng = np.random.default_rng(0)
    for _ in range(64):
        rows, grids = [], []
        for _ in range(5):
            units = rng.integers(1, 7, (rng.integers(4), 2)).tolist()
            cut = [patchify(np.zeros((28 * rows, 28 * columns, 3), np.uint8), VISION) for rows, columns in units]
            # Pictures have text between and after them: their marks, in every chat.
            words = [rng.integers(20, 300, rng.integers(1, 9)).tolist() for _ in range(len(units) + 1)]
            text = words[0] + [token for more in words[1:] for token in [TOKENIZER.ids.image, *more]]
            prompt = prompts.Prompt(*prompts.expand(text, cut, TOKENIZER.ids.image, 2), tuple(cut))
            rows.append(prompts.lay_out(prompt, max_tokens=160, max_patches=960, pad=TOKENIZER.ids.pad, vision=VISION))
            grids += [[1, 2 * rows, 2 * columns] for rows, columns in units]
        batch = prompts.pack(rows)
        wanted, delta = rope_index(batch.tokens, batch.mask, grids)
        for row, mask in enumerate(batch.mask):
            assert (batch.positions[row][:, mask] == wanted[:, row, mask]).all()
        assert (batch.next_position == batch.mask.sum(1) + delta.ravel()).all()


@given(UNITS)
def test_a_row_is_whole(units):
    pictures = [picture(u, seed) for seed, u in enumerate(units)]
    row = make(pictures, "How many?")
    batch = prompts.pack([row, row])
    assert batch.mask[0, -1] and (np.diff(batch.mask[0].astype(int)) >= 0).all()  # left-padded
    assert (batch.tokens[0] == batch.tokens[1]).all() and batch.pixels.dtype == np.uint8
    is_image = batch.tokens[0] == TOKENIZER.ids.image
    slots = batch.image_slots[0]
    assert (slots[~is_image] == -1).all() and len(set(slots[is_image])) == is_image.sum()
    assert (batch.patch_image[0].reshape(-1, 4)[slots[is_image]] >= 0).all()
    assert sorted(set(batch.patch_image[0].tolist()) - {-1}) == list(range(len(units)))
    for number, wanted in enumerate(pictures):
        given_back = unpatchify(batch.pixels[0], batch.patch_rowcol[0], batch.patch_image[0], VISION, number)
        assert (given_back == wanted).all()


@given(UNITS)
def test_placeholders_point_at_their_own_patch(units):
    """The k-th placeholder of a picture is its k-th merge unit in reading order, whatever the window order."""
    row = make([picture(u) for u in units])
    is_image = row.tokens[0] == TOKENIZER.ids.image
    slots = row.image_slots[0][is_image]
    corner = row.patch_rowcol[0].reshape(-1, 4, 2)[slots, 0] // 2
    numbers = row.patch_image[0].reshape(-1, 4)[slots, 0]
    wanted = [
        (number, r, c)
        for number, (rows, columns) in enumerate(units)
        for r in range(max(rows, 2))
        for c in range(max(columns, 2))
    ]
    assert [(n, *place) for n, place in zip(numbers.tolist(), corner.tolist(), strict=True)] == wanted
    start = row.positions[0][0][is_image]
    assert (row.positions[0][1:][:, is_image] - start == corner.T).all()


def test_text_only_prompts_count_up():
    row = make([])
    length = int(row.mask.sum())
    assert (row.positions[0][:, -length:] == np.arange(length)).all() and row.next_position[0] == length
    assert (row.patch_image == -1).all() and (row.image_slots == -1).all()


@pytest.fixture(scope="module")
def qwen(reference_data):
    pytest.importorskip("transformers")
    return load(str(reference_data / "qwen2_5_vl_7b"))


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("system", ["", "Look twice.\nThen answer."])
def test_our_chat_is_the_folder_s_template(reference_data, qwen, count, system):
    """The fallback, the folder's template as we render it, and transformers' own ids are the same."""
    question = "How many <b>?\n{{ 7 * 7 }} \u2581 \U0001f98b"
    text = chat_text(qwen, asked(question, count, system))
    assert text == published(asked(question, count, system))
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(str(reference_data / "qwen2_5_vl_7b"))
    content = [{"type": "image"}] * count + [{"type": "text", "text": question}]
    messages = [*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": content}]
    ids = theirs.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=False)
    assert qwen.encode(text) == ids and ids.count(qwen.ids.image) == count


class Templated:
    """The debug tokenizer with a chat template of its own."""

    ids, vocab_size, encode, decode = TOKENIZER.ids, TOKENIZER.vocab_size, TOKENIZER.encode, TOKENIZER.decode

    def __init__(self, picture: str):
        self.picture = picture

    def render(self, messages):
        parts = messages[-1]["content"]
        return "".join(self.picture if part["type"] == "image" else part["text"] for part in parts) + " Answer:"


def test_the_tokenizer_s_own_template_goes_before_ours():
    assert chat_text(Templated(f"[{IMAGE_PAD}]"), asked("Why?", 2)) == f"[{IMAGE_PAD}][{IMAGE_PAD}]Why? Answer:"
    assert chat_text(TOKENIZER, asked("Why?", 1)) == published(asked("Why?", 1))


@pytest.mark.parametrize(("picture", "count"), [("", 0), (IMAGE_PAD * 2, 4)])
def test_a_template_must_show_each_picture_once(picture, count):
    with pytest.raises(ValueError, match=rf"chat template must show each picture as one .*, got {count} for 2"):
        chat_text(Templated(picture), asked("Why?", 2))


@pytest.mark.parametrize("field", ["question", "system"])
def test_marks_in_the_question_are_refused(field):
    with pytest.raises(ValueError, match=r"must not contain <\|video_pad\|>: videos are not supported"):
        chat_text(TOKENIZER, asked(**({"question": "?"} | {field: f"{VISION_START}{VIDEO_PAD}{VISION_END}What?"})))
    with pytest.raises(ValueError, match=r"must not contain <\|image_pad\|>: pictures are given apart"):
        chat_text(TOKENIZER, asked(**({"question": "?"} | {field: f"What is {IMAGE_PAD}?"})))


def test_pictures_keep_within_the_bounds_given():
    large = np.zeros((280, 560, 3), np.uint8)
    free = prompts.make_prompt([large], "?", tokenizer=TOKENIZER, vision=VISION)
    bound = prompts.make_prompt([large], "?", tokenizer=TOKENIZER, vision=VISION, max_pixels=30_000)
    grown = prompts.make_prompt([large], "?", tokenizer=TOKENIZER, vision=VISION, min_pixels=250_000)
    units = [prompt.pictures[0].units for prompt in (free, bound, grown)]
    assert units == [(10, 20), (4, 8), (13, 26)]
    assert [(prompt.tokens == TOKENIZER.ids.image).sum() for prompt in (free, bound, grown)] == [200, 32, 338]


def test_what_does_not_fit_is_refused_with_its_numbers():
    short = DataConfig(tokenizer="", image_px=56, max_prompt_tokens=20, max_patches=16, instruction="")
    with pytest.raises(prompts.PromptTooLong, match=r"prompt p1 must fit .* = 20 and .* = 16, got") as caught:
        make([picture((2, 2)), picture((2, 2))], data=short)
    assert caught.value.patches == 32 and caught.value.tokens > 20 and caught.value.prompt_id == "p1"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    exact = DataConfig(
        tokenizer="", image_px=56, max_prompt_tokens=int(make([]).mask.sum()), max_patches=0, instruction=""
    )
    assert make([], data=exact).mask.all()


def test_a_text_with_another_number_of_marks_is_refused():
    cut = [patchify(np.zeros((56, 56, 3), np.uint8), VISION)]
    with pytest.raises(ValueError, match="one image mark per picture, got 2 for 1"):
        prompts.expand([TOKENIZER.ids.image] * 2, cut, TOKENIZER.ids.image, 2)


def test_the_instruction_follows_the_question():
    with_it = DataConfig(tokenizer="", image_px=56, max_prompt_tokens=64, max_patches=16, instruction="Say it.")
    row, plain = make([picture((2, 2))], "Why?", with_it), make([picture((2, 2))], "Why?\nSay it.")
    assert row.tokens[row.mask].tolist() == plain.tokens[plain.mask].tolist()


@pytest.mark.parametrize("kind", ["strict", "answer", "boxed", "plain"])
def test_gold_completions_have_the_answer_form(kind):
    tokens, mask = prompts.completion(shortest("7", Form(kind)), TOKENIZER, 24)
    assert read(TOKENIZER.decode(tokens[mask].tolist()), Form(kind)) == "7"


def test_gold_completion_reads_back():
    text = shortest(Answer.pair(3, 12).text())
    tokens, mask = prompts.completion(text, TOKENIZER, 16)
    assert tokens.shape == mask.shape == (16,)
    assert tokens[mask][-1] == TOKENIZER.ids.ends[0] and (tokens[~mask] == TOKENIZER.ids.pad).all()
    assert TOKENIZER.decode(tokens.tolist()) == r"<answer>\boxed{(3, 12)}</answer>"
    with pytest.raises(prompts.CompletionTooLong, match=r"gold answer .*\(3, 12\).* must fit rollout.max_tokens = 4"):
        prompts.completion(text, TOKENIZER, 4)
