"""The parts of the measurement in their order, what each may take, and what each is given. No jax here."""

from pathlib import Path
from typing import Any, NamedTuple


class Part(NamedTuple):
    """One part; `module` of this folder has the function `run(given, *arguments) -> found`."""

    title: str
    module: str
    limit_s: float  # its process is ended after that
    arguments: tuple[Any, ...] = ()
    is_alone: bool = True  # on the device: JAX may take its memory from the beginning


# First what the others are judged by, then what matters most: time may run out.
PARTS = {
    "device": Part("the device", "machine", 60, ("device",)),
    "peak": Part("peak and bandwidth", "machine", 60, ("peak",)),
    "parity": Part("parity of attention", "parity", 90),
    "rollout_64": Part("rollout of 64 completions", "rollout", 120, (64,)),
    "update": Part("step, full fine-tuning", "step", 150, ("full",)),
    "update_lora": Part("step, LoRA", "step", 150, ("lora",)),
    "rollout_512": Part("rollout of 512 completions", "rollout", 120, (512,)),
    "peer": Part("beside torch", "peer", 180, is_alone=False),
    "clip": Part("the reward's CLIP", "clip", 90),
}
NEEDED = ("device",)  # without it nothing is measured


class Settings(NamedTuple):
    """What a measurement is asked for; one folder holds one measurement."""

    size: str  # one of `sizes.NAMES`, or auto
    repeats: int
    seed: int


class Given(NamedTuple):
    """What a part's function gets."""

    size: Any  # `sizes.Size`
    machine: Any  # `machines.Machine`; None for the parts that find it out
    repeats: int
    seed: int
    folder: Path  # where profiles go
