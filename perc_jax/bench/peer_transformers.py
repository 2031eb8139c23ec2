"""The peer in torch: Hugging Face's Qwen2.5-VL, used as TRL and VLM-R1 use it, without what they add to it.

`python -m perc_jax.bench.peer_transformers FOLDER` is begun by the bench, in a process of its own with as many threads
as ours. FOLDER holds the same weights, prompts, patches, completions and advantages.

- *rollout*: `generate` with its KV cache, every prompt G times (`num_return_sequences`), so the tower and the prompt's
  prefill run G times. Plain sampling at the run's temperature and top-p: no top-k, no processor of logits, and no end
  token, so that exactly C tokens are decoded. Where completions have different lengths, as many as the longest has: so
  long `generate` keeps all rows.
- *update*: one forward pass over P * G sequences [prompt, completion] with their pictures, padded to the longest, the
  head on completion positions only (`logits_to_keep`), the policy-gradient loss as a token mean, backward, clipping,
  one AdamW step (fused). Frozen parameters need no gradient, and micro-batches and checkpointing of activations are the
  config's.
- *step*: a rollout, and the update on what it sampled. Ids of picture marks are replaced before: the model would look
  for their pictures.

Peers also compute the sampler's log-probabilities again (`old`) and those of a reference model (`reference`); on-policy
training without KL needs neither. They are run only if asked for: each is one more forward pass over all sequences.
The dtype is the config's for weights and moments alike, which for bfloat16 favours the peer.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from perc_jax.bench.peer_service import Clock, Service, Spent

MAX_GRAD_NORM = 1.0


def load(folder: Path) -> tuple[dict[str, Any], Any]:
    """The settings and the model on its device, frozen parameters without gradient."""
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    spec = json.loads((folder / "spec.json").read_text())
    torch.set_num_threads(spec["threads"])
    torch.manual_seed(spec["seed"])
    dtype = getattr(torch, spec["dtype"])
    model = transformers.Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=dtype)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name not in spec["frozen"])
    return spec, model.to("cuda" if spec["gpu"] else "cpu")


def peak_bytes(model: Any) -> dict[str, int]:
    """Peak memory: of the GPU's allocator, or of this process."""
    import torch

    if model.device.type == "cuda":
        return {"peak_bytes": torch.cuda.max_memory_allocated()}
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {"peak_bytes": int(status["VmHWM"].split()[0]) * 1024}


class Peer:
    """The model, its optimizer and the batch."""

    def __init__(self, folder: Path):
        import torch
        import transformers

        self.torch = torch
        self.spec, self.model = load(folder)
        self.device = self.model.device
        self.version = f"transformers {transformers.__version__}, torch {torch.__version__}"
        if self.spec["remat"]:
            self.model.gradient_checkpointing_enable({"use_reentrant": False})
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, fused=True, **self.spec["adamw"])
        with np.load(folder / "batch.npz") as arrays:
            self.arrays = {name: torch.tensor(value, device=self.device) for name, value in arrays.items()}
        self.arrays["pixel_values"] = self.arrays["pixel_values"].to(self.model.dtype)
        self.model.generation_config.eos_token_id = None  # it stands in for what the settings below leave open
        self.settings = transformers.GenerationConfig(
            do_sample=True,
            temperature=self.spec["temperature"],
            top_k=0,
            top_p=self.spec["top_p"],
            max_new_tokens=self.spec["max_tokens"],
            num_return_sequences=self.spec["group_size"],
            eos_token_id=None,
            pad_token_id=self.spec["pad"],
        )

    def rollout(self) -> dict[str, Spent]:
        """Sample G completions per prompt."""
        return {"rollout": self._timed(self._generate)[1]}

    def update(self) -> dict[str, Spent]:
        """One update on the completions that came with the folder."""
        tokens = self.arrays["completions"].reshape(-1, self.spec["max_tokens"])
        return {"update": self._timed(lambda: self._update(tokens))[1]}

    def step(self) -> dict[str, Spent]:
        """A rollout and the update on it."""
        clock = Clock()
        tokens, rollout = self._timed(self._generate)
        _, update = self._timed(lambda: self._update(tokens))
        return {"rollout": rollout, "update": update, "step": clock.spent()}

    def agreement(self) -> dict[str, Any]:
        """Largest difference to our sampler's log-probabilities of the completions that came with the folder."""
        torch = self.torch
        self.model.eval()
        tokens = self.arrays["completions"].reshape(-1, self.spec["max_tokens"])
        with torch.no_grad():
            found = self._logprobs(slice(0, len(tokens)), tokens, never=self.spec["never"])
        ours = self.arrays["logprobs"].reshape(found.shape)
        off = (found - ours).abs() * self.arrays["mask"].reshape(found.shape)
        return {"logprob_difference": float(off.max()), "version": self.version}

    def memory(self) -> dict[str, int]:
        """Peak bytes so far."""
        return peak_bytes(self.model)

    def _timed(self, run: Any) -> tuple[Any, Spent]:
        clock = Clock()
        found = run()
        if self.device.type == "cuda":
            self.torch.cuda.synchronize()
        return found, clock.spent()

    def _generate(self) -> Any:
        torch, ids = self.torch, self.arrays["input_ids"]
        self.model.eval()
        with torch.no_grad():
            out = self.model.generate(**self._inputs(ids, range(len(ids))), generation_config=self.settings)
        tokens = out[:, ids.shape[1] :]
        if tokens.shape[1] != self.spec["max_tokens"]:
            raise RuntimeError(f"generate made {tokens.shape[1]} tokens, asked for were {self.spec['max_tokens']}")
        for mark in self.spec["never"]:
            tokens = torch.where(tokens == mark, self.spec["never"][-1] + 1, tokens)
        return tokens

    def _inputs(self, ids: Any, prompts: Any) -> dict[str, Any]:
        """What the model reads of prompts, one row of ids each."""
        grid = self.arrays["image_grid_thw"]
        pixels = self.arrays["pixel_values"].reshape(len(grid), -1, self.arrays["pixel_values"].shape[-1])
        rows = self.torch.tensor(list(prompts), device=self.device)
        return {
            "input_ids": ids,
            "attention_mask": self.torch.ones_like(ids),
            # Without it transformers 5 takes every position for text.
            "mm_token_type_ids": (ids == self.spec["image"]).int(),
            "pixel_values": pixels[rows].flatten(0, 1),
            "image_grid_thw": grid[rows],
        }

    def _logprobs(self, rows: slice, tokens: Any, never: list[int] | None = None) -> Any:
        """Log-probabilities [n, C] of rows of completions [P * G, C], each behind its own prompt."""
        prompts = [row // self.spec["group_size"] for row in range(rows.start, rows.stop)]
        ids = self.torch.cat([self.arrays["input_ids"][prompts], tokens[rows]], dim=1)
        length = tokens.shape[1]
        logits = self.model(**self._inputs(ids, prompts), logits_to_keep=length + 1, use_cache=False).logits[:, :-1]
        logits = logits.float()
        if self.spec["temperature"] != 1:
            logits = logits / self.spec["temperature"]
        if never:
            logits[..., never] = -1e30
        chosen = logits.gather(-1, tokens[rows][..., None])[..., 0]
        return chosen - logits.logsumexp(-1)

    def _update(self, tokens: Any) -> None:
        torch, parts = self.torch, self.spec["micro_batches"]
        size = len(tokens) // parts
        cuts = [slice(part * size, (part + 1) * size) for part in range(parts)]
        with torch.no_grad():
            for _ in self.spec["passes"]:
                for rows in cuts:
                    self._logprobs(rows, tokens)
        self.model.train()
        mask = self.arrays["mask"].reshape(tokens.shape)
        advantages = self.arrays["advantages"].reshape(-1, 1) * mask
        for rows in cuts:
            logprobs = self._logprobs(rows, tokens)
            ratio = (logprobs - logprobs.detach()).exp()
            (-(ratio * advantages[rows]).sum() / mask.sum()).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRAD_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad()


def main() -> None:
    """Serve the bench."""
    service = Service()
    peer = Peer(Path(sys.argv[1]))
    service.serve({name: getattr(peer, name) for name in ("rollout", "update", "step", "agreement", "memory")})


if __name__ == "__main__":
    main()
