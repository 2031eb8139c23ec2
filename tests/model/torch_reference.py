"""What transformers' Qwen2.5-VL in torch says to a case: the same named arrays as `parity`, whose wanted side it is."""

import functools
from collections.abc import Iterator

import numpy as np
import torch
import transformers

from perc_jax.config import ModelConfig
from tests.model.cases import CASES, IMAGE_ID
from tests.model.parity import GREEDY, TEMPERATURE, Answers, Inputs, inputs

torch.set_num_threads(1)  # models this small gain nothing from more, and lose much where others work too


def make_model(config: ModelConfig, tensors: dict[str, np.ndarray]) -> transformers.Qwen2_5_VLForConditionalGeneration:
    """Transformers' model in float32 with these weights, loaded by their published names."""
    text, vision = config.text, config.vision
    rope = dict(rope_type="default", rope_theta=text.rope_theta, mrope_section=list(text.mrope_section))
    hf = transformers.Qwen2_5_VLConfig(
        text_config=dict(
            hidden_size=text.hidden_size, intermediate_size=text.intermediate_size, vocab_size=text.vocab_size,
            num_hidden_layers=text.num_hidden_layers, num_attention_heads=text.num_attention_heads,
            num_key_value_heads=text.num_key_value_heads, rms_norm_eps=text.rms_norm_eps,
            rope_parameters=rope, bos_token_id=None, eos_token_id=None,
        ),
        vision_config=dict(
            depth=vision.depth, hidden_size=vision.hidden_size, num_heads=vision.num_heads,
            intermediate_size=vision.intermediate_size, fullatt_block_indexes=list(vision.fullatt_block_indexes),
            window_size=vision.window_size, patch_size=vision.patch_size, out_hidden_size=text.hidden_size,
        ),
        image_token_id=IMAGE_ID, video_token_id=4, vision_start_token_id=1, vision_end_token_id=2,
        tie_word_embeddings=text.tie_word_embeddings,
    )  # fmt: skip
    model = transformers.Qwen2_5_VLForConditionalGeneration(hf).float().eval()
    named = {_module_name(name): torch.tensor(x) for name, x in tensors.items()}
    result = model.load_state_dict(named, strict=False)
    assert not result.unexpected_keys
    assert set(result.missing_keys) <= ({"lm_head.weight"} if text.tie_word_embeddings else set())
    return model


def _module_name(published: str) -> str:
    if published.startswith("model."):
        return published.replace("model.", "model.language_model.", 1)
    return published.replace("visual.", "model.visual.", 1)


def _prompts(given: Inputs, each: np.ndarray) -> dict:
    """Left-padded prompts number `each`, with their pictures, as keyword arguments of `forward` and `generate`."""
    built = given.built
    tokens, mask = built.batch.tokens[each], built.batch.mask[each]
    images = [i for p in each for i, owner in enumerate(built.owners) if owner == p]
    arguments = dict(
        input_ids=torch.tensor(tokens).long(),
        attention_mask=torch.tensor(mask).long(),
        # Without it transformers 5 takes every position for text.
        mm_token_type_ids=torch.tensor((tokens == IMAGE_ID) & mask).int(),
    )
    if images:
        dtype = next(iter(given.tensors.values())).dtype
        arguments["pixel_values"] = torch.tensor(np.concatenate([built.pixels[i] for i in images]).astype(dtype))
        arguments["image_grid_thw"] = torch.tensor([(1, *built.grids[i]) for i in images])
    return arguments


def run_sequences(model, given: Inputs) -> torch.Tensor:
    """Logits [P,G,S+C,V] of P * G plain sequences [prompt, completion]."""
    count, group, length = given.completions.shape
    arguments = _prompts(given, np.repeat(np.arange(count), group))
    answers = torch.tensor(given.completions).long().reshape(-1, length)
    arguments["input_ids"] = torch.cat([arguments["input_ids"], answers], dim=1)
    for name, value in (("attention_mask", 1), ("mm_token_type_ids", 0)):
        more = torch.full_like(answers, value, dtype=arguments[name].dtype)
        arguments[name] = torch.cat([arguments[name], more], dim=1)
    return model(**arguments).logits.reshape(count, group, -1, given.config.text.vocab_size)


def sampling_logprobs(logits: torch.Tensor, given: Inputs, temperature: float) -> torch.Tensor:
    """Log-probabilities under the policy: a temperature, and tokens that are never sampled."""
    never = torch.arange(logits.shape[-1]) >= given.ids.vocab_size
    never[list(given.ids.forbidden)] = True
    return (logits.float() / temperature).masked_fill(never, -1e30).log_softmax(-1)


def _kept(blocks) -> tuple[list[torch.Tensor], list]:
    """Outputs of modules, filled as they run, and the hooks to remove."""
    states = []
    return states, [block.register_forward_hook(lambda _, __, out: states.append(out.detach())) for block in blocks]


def chosen_tokens(given: Inputs, x: torch.Tensor) -> np.ndarray:
    """Real prompt tokens and then completion tokens of [P,G,S+C,D] -> [tokens, D]."""
    length = given.built.batch.mask.shape[1]
    prompt, answer = x[:, 0, :length].detach().numpy(), x[:, :, length:].detach().numpy()
    return np.concatenate([prompt[given.built.batch.mask], answer.reshape(-1, answer.shape[-1])])


def forward_and_gradients(model, given: Inputs) -> Answers:
    """States after every block, logits, and the gradient of one GRPO step."""
    answers, built, visual = {}, given.built, model.model.visual
    if built.pixels:
        states, hooks = _kept(visual.blocks)
        with torch.no_grad():
            grids = torch.tensor([(1, *grid) for grid in built.grids])
            answers["merged tokens"] = visual(torch.tensor(np.concatenate(built.pixels)), grids).pooler_output.numpy()
        answers |= {f"vision block {i}": x.numpy() for i, x in enumerate(states)}
        [hook.remove() for hook in hooks]
    states, hooks = _kept(model.model.language_model.layers)
    logits = run_sequences(model, given)
    [hook.remove() for hook in hooks]
    for i, x in enumerate(states):
        answers[f"text block {i}"] = chosen_tokens(given, x.reshape(*logits.shape[:3], -1))
    answers["logits"] = chosen_tokens(given, logits)

    length = given.completions.shape[2]
    logprobs = sampling_logprobs(logits[:, :, -length - 1 : -1], given, TEMPERATURE)
    chosen = logprobs.gather(-1, torch.tensor(given.completions).long()[..., None])[..., 0]
    weights = torch.tensor(given.advantages)[..., None] * torch.tensor(given.mask)
    (-(chosen * weights).sum() / given.mask.sum()).backward()
    return answers | dict(_gradients(model, given))


def _gradients(model, given: Inputs) -> Iterator[tuple[str, np.ndarray]]:
    parameters = dict(model.named_parameters())
    for name in given.tensors:
        parameter = parameters[_module_name(name)]
        gradient = np.zeros(parameter.shape, np.float32) if parameter.grad is None else parameter.grad.numpy()
        yield f"gradient {name}", gradient


def greedy(model, given: Inputs, length: int = GREEDY) -> Answers:
    """Transformers' own `generate` with its cache; the same tokens are never sampled."""
    arguments = _prompts(given, np.arange(len(given.completions)))
    never = [*given.ids.forbidden, *range(given.ids.vocab_size, given.config.text.vocab_size)]
    with torch.no_grad():
        out = model.generate(
            **arguments, max_new_tokens=length, do_sample=False, suppress_tokens=never, return_dict_in_generate=True,
            eos_token_id=list(given.ids.ends), pad_token_id=given.ids.pad, output_logits=True,
        )  # fmt: skip
    tokens = out.sequences[:, arguments["input_ids"].shape[1] :]
    logprobs = sampling_logprobs(torch.stack(out.logits, dim=1), given, 1.0)
    best = logprobs.topk(2).values
    assert (best[..., 0] - best[..., 1]).min() > 1e-4  # else another machine's rounding might choose another token
    logprobs = logprobs.gather(-1, tokens[..., None])[..., 0]
    return {"greedy tokens": tokens.numpy().astype(np.int32), "greedy logprobs": logprobs.numpy()}


@functools.cache
def reference(name: str) -> Answers:
    """All that the reference says to a case; several tests ask."""
    given = inputs(CASES[name])
    model = make_model(given.config, given.tensors)
    return forward_and_gradients(model, given) | greedy(model, given)
