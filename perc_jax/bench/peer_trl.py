"""The peer that people use: TRL's GRPOTrainer on the same weights, pictures and questions.

`python -m perc_jax.bench.peer_trl FOLDER` is begun by the bench, in a process of its own with as many threads as ours.
It is the trainer as it comes, with its own tokenisation, picture processing, generation, loss and optimizer; no vLLM.
Set are only sizes, rates, what is frozen, checkpointing of activations as in our config, KL 0 (its default), no top-k
and suppressed end tokens and picture marks: exactly C tokens are decoded and no picture is made up. Rewards are
random numbers. `rollout` is what it calls generating and scoring, `update` the rest of a step.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from perc_jax.bench.peer_service import Clock, Service, Spent
from perc_jax.bench.peer_transformers import load, peak_bytes

ENDLESS = 1_000_000  # steps; the bench ends the process


def main() -> None:
    """Train, a step whenever the bench asks for one."""
    service, folder = Service(), Path(sys.argv[1])
    import datasets
    import transformers
    import trl

    spec, model = load(folder)
    pictures = [Image.fromarray(x) for x in np.load(folder / "pictures.npy")]
    prompts = [[{"role": "user", "content": question}] for question in spec["questions"]]
    rows = {"prompt": prompts, "image": pictures}
    rng = np.random.default_rng(spec["seed"])
    trainer = trl.GRPOTrainer(
        model=model,
        reward_funcs=lambda completions, **_: rng.random(len(completions)).tolist(),
        args=trl.GRPOConfig(**_arguments(folder, spec, len(prompts))),
        train_dataset=datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image()),
        processing_class=_processor(transformers, folder),
    )
    version = f"trl {trl.__version__}, transformers {transformers.__version__}"
    wanted = spec["prompt_tokens"], spec["max_tokens"]
    trainer.add_callback(_turns(transformers.TrainerCallback, service, trainer, version, wanted))
    trainer.train()


def _processor(transformers: Any, folder: Path) -> Any:
    """Its processor without the part for videos, which needs torchvision."""

    class Processor(transformers.Qwen2_5_VLProcessor):
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            if argument_name == "video_processor":
                return None
            return super().check_argument_for_proper_class(argument_name, argument)

    tokens = transformers.AutoTokenizer.from_pretrained(folder)
    pictures = transformers.AutoImageProcessor.from_pretrained(folder)
    return Processor(pictures, tokens, None, chat_template=tokens.chat_template)


def _arguments(folder: Path, spec: dict[str, Any], prompts: int) -> dict[str, Any]:
    """The fields of GRPOConfig that are not left as they are."""
    adamw = spec["adamw"]
    return dict(
        output_dir=str(folder / "trl"),
        per_device_train_batch_size=prompts * spec["group_size"] // spec["micro_batches"],
        gradient_accumulation_steps=spec["micro_batches"],
        num_generations=spec["group_size"],
        max_completion_length=spec["max_tokens"],
        max_steps=ENDLESS,
        temperature=spec["temperature"],
        top_p=spec["top_p"],
        top_k=0,
        generation_kwargs={"suppress_tokens": spec["never"]},
        learning_rate=adamw["lr"],
        adam_beta1=adamw["betas"][0],
        adam_beta2=adamw["betas"][1],
        adam_epsilon=adamw["eps"],
        weight_decay=adamw["weight_decay"],
        gradient_checkpointing=spec["remat"],
        shuffle_dataset=False,
        bf16=spec["dtype"] == "bfloat16",
        use_cpu=not spec["gpu"],
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        seed=spec["seed"],
    )


def _turns(base: type, service: Service, trainer: Any, version: str, wanted: tuple[int, int]) -> Any:
    """A callback that holds every step until the bench asks for it, and answers with its seconds.

    Steps whose prompts and completions have not the `wanted` numbers of tokens would be another case: an error.
    """
    requests = service.requests()
    rollouts: list[Spent] = []  # of the step that is under way
    generate = trainer._generate_and_score_completions

    def timed(inputs: Any) -> Any:
        clock = Clock()
        found = generate(inputs)
        rollouts.append(clock.spent())
        lengths = (found["prompt_ids"].shape[1], found["completion_ids"].shape[1])
        if lengths != wanted:
            raise RuntimeError(f"TRL made prompts and completions of {lengths} tokens, asked for were {wanted}")
        return found

    trainer._generate_and_score_completions = timed

    class Turns(base):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            for request in requests:
                if request["do"] == "step":
                    rollouts.clear()
                    self.clock = Clock()
                    return
                service.answer({"version": version} if request["do"] == "agreement" else peak_bytes(trainer.model))
            sys.exit()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            step, (rollout,) = self.clock.spent(), rollouts
            update = tuple(whole - part for whole, part in zip(step, rollout, strict=True))
            service.answer({"rollout": rollout, "update": update, "step": step})

    return Turns()


if __name__ == "__main__":
    main()
