"""The program `sample`: transformers' own tokens, streamed; several pictures, seeds, end tokens, a run's checkpoint."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from perc_jax import sample
from perc_jax.evaluation import answering
from perc_jax.prompt import pretrained
from perc_jax.prompt import prompt as prompts
from perc_jax.prompt.tokenizer import load
from perc_jax.rollout.sampling import Draws
from tests.weights.published_folders import SMALL, edit, write_small_files

LENGTH = 64  # tokens compared with transformers' greedy generation


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two files of different size and mode."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (70, 130, 3), dtype=np.uint8)).save(folder / "noise.png")
    Image.fromarray(rng.integers(0, 256, (90, 60, 4), dtype=np.uint8)).save(folder / "clear.png")
    return [str(folder / "noise.png"), str(folder / "clear.png")]


@pytest.fixture(scope="module")
def model(tmp_path_factory, torch):
    """A folder that transformers wrote, and its model: random, so that its answers vary."""
    transformers = pytest.importorskip("transformers")
    untied = replace(SMALL, text=replace(SMALL.text, tie_word_embeddings=False))  # tied, it repeats its last token
    folder = write_small_files(tmp_path_factory.mktemp("model"), untied)
    torch.manual_seed(0)
    config = transformers.Qwen2_5_VLConfig.from_pretrained(folder)
    model = transformers.Qwen2_5_VLForConditionalGeneration(config).float().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(0, parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 0.2)
            parameter += "norm" in name or "ln_q" in name  # scales are around one
            # Attention that looks at few tokens and an embedding that is heard: else it says one thing again and again.
            parameter *= 3 if any(part in name for part in ("q_proj.weight", "k_proj.weight", "embed_tokens")) else 1
    model.save_pretrained(folder)
    transformers.GenerationConfig(eos_token_id=list(load(str(folder)).ids.ends)).save_pretrained(folder)
    return folder, model


def published_answer(folder, model, question: str, files: list[str], max_tokens: int, system: str = "") -> list[int]:
    """Greedy tokens of transformers, its own processing included; placeholders and unknown ids are not to be drawn."""
    import torch
    import transformers
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    content = [{"type": "image"} for _ in files] + [{"type": "text", "text": question}]
    messages = [*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": content}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    inputs = {}
    if files:
        processor = Qwen2VLImageProcessorPil.from_pretrained(folder)
        inputs = dict(processor([Image.open(file) for file in files], return_tensors="pt"))
        for grid in inputs["image_grid_thw"]:
            text = text.replace("<|image_pad|>", "<|image_pad|".ljust(13, "!") * int(grid.prod() // 4), 1)
    text = text.replace("<|image_pad|".ljust(13, "!"), "<|image_pad|>")
    ids = torch.tensor([tokenizer.encode(text, add_special_tokens=False)])
    image = tokenizer.convert_tokens_to_ids("<|image_pad|>")
    known = load(str(folder)).ids
    found = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        mm_token_type_ids=(ids == image).int(),
        **inputs,
        max_new_tokens=max_tokens,
        do_sample=False,
        suppress_tokens=[*known.forbidden, *range(known.vocab_size, SMALL.text.vocab_size)],
        eos_token_id=list(known.ends),
        pad_token_id=known.pad,
    )
    return found[0, ids.shape[1] :].tolist()


def ask(capsys, *arguments: str) -> dict:
    """The JSON result, after checking that the answer was streamed before it."""
    sample.main([*arguments, "--json", "-"])
    *streamed, line = capsys.readouterr().out.removesuffix("\n").split("\n")
    result = json.loads(line)
    if "\ufffd" not in result["text"]:  # see `TextStream`
        assert "\n".join(streamed) == result["text"]
    assert len(result["tokens"]) == len(result["logprobs"]) and max(result["logprobs"]) <= 0
    return result


@pytest.mark.parametrize(
    ("count", "question", "system"), [(2, "What differs?", "Look twice."), (0, "Why é 🦙?", "")], ids=["two", "text"]
)
def test_greedy_answers_are_transformers_own(capsys, model, pictures, count, question, system):
    folder, hf = model
    files = pictures[:count]
    result = ask(
        capsys,
        *("--model", str(folder), "--question", question, "--max-tokens", str(LENGTH), "--dtype", "float32"),
        *(word for file in files for word in ("--image", file)),
        *(("--system", system) if system else ()),
    )
    wanted = published_answer(folder, hf, question, files, LENGTH, system)
    assert result["tokens"] == wanted
    assert len(set(wanted)) > 20


def test_an_end_token_of_the_folder_ends_the_answer(capsys, model, tmp_path):
    folder, hf = model
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    free = published_answer(folder, hf, "Why?", [], 12)
    end = free[6]
    edit(tmp_path / "generation_config.json", eos_token_id=[end])
    result = ask(capsys, "--model", str(tmp_path), "--question", "Why?", "--max-tokens", "12", "--dtype", "float32")
    assert result["tokens"] == free[: free.index(end) + 1]


def test_a_seed_gives_its_answer_again(model):
    config, tokenizer = pretrained.model_config(model[0]), load(str(model[0]))
    prompt = prompts.make_prompt([], "Why?", tokenizer=tokenizer, vision=config.vision)
    batch = prompts.lay_out(prompt, max_tokens=64, max_patches=0, pad=tokenizer.ids.pad, vision=config.vision)
    mesh = answering.decoding_mesh(config.text.num_key_value_heads)
    params = answering.published_params(model[0], config, mesh)
    answer = answering.make_answer(config, tokenizer.ids, mesh, max_tokens=6, draws=Draws(1.5))
    once, again, other = (list(answer(params, batch, seed)) for seed in (1, 1, 2))
    assert once == again and once != other and len(once) <= 6


def test_options_reach_the_sampler_and_a_file_gets_the_result(capsys, monkeypatch, tmp_path, pictures):
    """Two pictures, a temperature and a seed; the sampler is played by one that says a word and ends."""
    pytest.importorskip("transformers")
    folder, asked = write_small_files(tmp_path / "model"), {}
    edit(folder / "preprocessor_config.json", max_pixels=3200)
    word = load("debug.model").encode("red")
    end = load("debug.model").ids.ends[0]

    def make_answer(config, ids, mesh, **given):
        asked.update(given, config=config)

        def answer(params, batch, seed):
            asked.update(seed=seed, batch=batch)
            yield from (answering.Sampled(token, -0.5, token == end) for token in [*word, end])

        return answer

    monkeypatch.setattr(answering, "make_answer", make_answer)
    monkeypatch.setattr(answering, "published_params", lambda folder, config, mesh, bar: {})
    options = (
        "--temperature",
        "1.5",
        "--top-p",
        "0.9",
        "--max-tokens",
        "6",
        "--seed",
        "7",
        "--json",
        str(tmp_path / "result.json"),
    )
    images = (option for file in pictures for option in ("--image", file))
    sample.main(["--model", str(folder), "--question", "Why?", *options, *images])
    result = {"text": "red", "tokens": [*word, end], "logprobs": [-0.5] * (len(word) + 1)}
    assert json.loads((tmp_path / "result.json").read_text()) == result
    out, err = capsys.readouterr()
    assert out == "red\n" and "the prompt has " in err and " tokens, of 2 pictures with 16 patches" in err
    assert (asked["draws"], asked["max_tokens"], asked["seed"]) == (Draws(1.5, 0.9), 6, 7)
    assert asked["config"].dtype == "bfloat16"  # as published
    batch = asked["batch"]
    assert batch.tokens.shape[1] % 64 == 0 and batch.pixels.shape[1] % (4 * SMALL.vision.window_patches) == 0
    assert [(batch.patch_image == number).sum() for number in (0, 1)] == [8, 8]  # of the folder's processor: 28 x 56 px


def test_long_prompts_are_read_in_blocks():
    assert answering.attention_way(answering.DENSE_LENGTH, 64) == "dense"
    assert answering.attention_way(64, answering.DENSE_LENGTH + 1) == "blockwise"


def test_devices_share_whole_heads():
    assert [answering.decoding_mesh(heads).shape["tensor"] for heads in (1, 2, 6, 8)] == [1, 2, 6, 8]


def test_a_run_answers_as_it_did_itself(capsys, reference_run):
    """The newest checkpoint gives the answers that the run kept for people to look at."""
    samples = reference_run.workdir / "samples"
    kept = json.loads((samples / "000010_eval_grpo.json").read_text())[0]
    result = ask(
        capsys,
        *("--model", str(reference_run.workdir), "--question", kept["question"]),
        *("--image", str(samples / kept["image"]), "--max-tokens", "12"),
    )
    assert result["text"] == kept["answers"][0]["text"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--temperature", "-1"), "--temperature must be 0 or within 0.01..10, got -1.0"),
        (("--temperature", "nan"), "--temperature must be 0 or within 0.01..10, got nan"),
        (("--seed", "-1"), "--seed must be within 0..4294967295, got -1"),
        (("--max-tokens", "0"), "--max-tokens must be >= 1, got 0"),
        (("--question", " "), "--question must not be empty, got ' '"),
        (("--environment", "inspect", "--side", "3"), "--side is for jigsaw alone, got 3"),
        (("--side", "3"), "--side is for jigsaw alone, got 3"),
        (("--environment", "jigsaw", "--side", "0", "--question", ""), "--side must be within 2..5, got 0"),
        (("--environment", "jigsaw", "--side", "6", "--question", ""), "--side must be within 2..5, got 6"),
        (("--environment", "jigsaw"), "--question must not be given for jigsaw, got 'Why?'"),
        (("--question", "What does <|video_pad|> show?"), "must not contain <|video_pad|>: videos are not supported"),
        (("--image", "{tmp}/clip.mp4"), "clip.mp4 must be a picture; videos are not supported"),
        (("--image", "{tmp}/absent.png"), "absent.png"),
        (("--image", "{tmp}/cut.png"), "{tmp}/cut.png must be a sound picture: "),
        (("--model", "{tmp}/wordless"), "model folder {tmp}/wordless must hold a tokenizer.json, or vocab.json and"),
        (("--model", "{tmp}/adapter"), "{tmp}/adapter must hold a whole model, got the PEFT adapter of"),
        (("--model", "{tmp}/nowhere"), "must hold a checkpoint, found none"),
        (("--model", "{tmp}/other"), "model_type must be 'qwen2_5_vl', got 'llama'"),
        ((), "model folder {tmp}/model must hold model.safetensors"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_line(tmp_path, capsys, arguments, words):
    pytest.importorskip("transformers")
    write_small_files(tmp_path / "model")
    edit(write_small_files(tmp_path / "other") / "config.json", model_type="llama")
    (tmp_path / "clip.mp4").write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(64))
    Image.effect_noise((90, 90), 60).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:2000])
    (write_small_files(tmp_path / "wordless") / "tokenizer.json").unlink()
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/base"}')
    given = {"--model": "{tmp}/model", "--question": "Why?"}
    if "--environment" in arguments:
        given |= {"--image": "{tmp}/cut.png"}
    given |= dict(zip(arguments[::2], arguments[1::2], strict=True))
    with pytest.raises(SystemExit) as end:
        sample.main([word.replace("{tmp}", str(tmp_path)) for pair in given.items() for word in pair])
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert err.startswith("error: ") and words.replace("{tmp}", str(tmp_path)) in err.splitlines()[-1]


@pytest.mark.parametrize("program", ["sample", "evaluate"])
def test_help_and_mistakes_load_no_jax(program):
    lines = [["--help"], ["--model", "m", "--question", "q", "--max-tokens", "0"], ["--nope"]]
    code = (
        f"import sys\nfrom perc_jax import {program}\nfor words in {lines}:\n    try:\n        {program}.main(words)\n"
        "    except SystemExit:\n        print('ended', flush=True)\n"
        "        assert not {'jax', 'flax', 'transformers', 'torch'} & set(sys.modules), words"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines().count("ended") == len(lines) == 1 + ended.stderr.count("error: ")
