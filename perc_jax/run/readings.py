"""What a step tells once it is over: its numbers from the device, its rates, and whether the run may go on.

rate/tokens_per_s   tokens that were learned from, over all devices
rate/mfu            operations of the step over what the devices could do in its time at their published peak; of
                    devices without one it is not told. Operations are those that `bench` calls executed, by the mean
                    lengths of this step's prompts, pictures and completions: padding counts as idle
hosts/own_s/<rank>  of several hosts each: seconds of the step in which it neither waited for devices nor for others
hosts/slowest       the rank with the most of them: the others wait for it
"""

from typing import Any, NamedTuple

import jax
import numpy as np

from perc_jax.batch import PromptBatch
from perc_jax.bench.machines import published_flops
from perc_jax.config import Config, StageConfig
from perc_jax.mesh import sharding
from perc_jax.plan import flops, memory
from perc_jax.processes.progress import Progress
from perc_jax.programs.blueprints import Blueprints
from perc_jax.run.journal import Journal
from perc_jax.run.place import Streak
from perc_jax.update.update import Metrics as DeviceMetrics
from perc_jax.update.update import of_step

NOTED = {  # on the screen
    "train/loss": "loss",
    "rollout/accuracy": "accuracy",
    "rollout/entropy": "entropy",
    "rate/tokens_per_s": "tokens/s",
    "rate/mfu": "mfu",
}


class Pending(NamedTuple):
    """A dispatched step whose device metrics have not been read yet; its seconds are among the host's."""

    step: int
    stage: StageConfig
    device: list[DeviceMetrics]  # of each of its updates
    host: dict[str, float]
    prompt_tokens: float  # real ones, on average over this host's prompts
    patches: float  # likewise

    @classmethod
    def of(
        cls, step: int, stage: StageConfig, device: list[DeviceMetrics], host: dict[str, float], prompts: PromptBatch
    ) -> "Pending":
        """A step that was dispatched, with what the host has of it; `prompts` as the host drew them."""
        count = len(prompts.mask)
        tokens, patches = np.sum(prompts.mask) / count, np.sum(prompts.patch_image >= 0) / count
        return cls(step, stage, device, host, float(tokens), float(patches))


class Exchanges:
    """Seconds in which this host waited within exchanges with the others, while it is open."""

    def __init__(self) -> None:
        self._seconds = 0.0
        jax.monitoring.register_event_duration_secs_listener(self._listen)

    def _listen(self, event: str, duration_secs: float, **_: Any) -> None:
        if event == sharding.EXCHANGE:
            self._seconds += duration_secs

    def take(self) -> float:
        """The seconds since the last call."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def close(self) -> None:
        """Stop counting."""
        jax.monitoring.unregister_event_duration_listener(self._listen)


class Readings:
    """Reads steps, tells them, and stops a run that has gone wrong, also by `streak`, which a checkpoint remembers."""

    def __init__(self, config: Config, blueprints: Blueprints, journal: Journal, screen: Progress):
        self._config, self._journal, self._screen = config, journal, screen
        self._trains_vision = {
            stage.name: bool(jax.tree.leaves(memory.trained(blueprints, stage)["vision"])) for stage in config.stages
        }
        self._peak = published_flops(jax.devices()[0].device_kind) * jax.device_count()  # operations a second
        self._exchanges, self.streak = Exchanges(), Streak()

    def begin(self) -> None:
        """A step begins: what was waited for before it is not its own."""
        self._exchanges.take()

    def of_hosts(self, busy_s: float) -> dict[str, float]:
        """Each host's own seconds of a step, and the slowest host; all hosts must ask. One alone has nothing to tell.

        `busy_s`: in which this host did not wait for devices; what it waited in exchanges is taken off.
        """
        each = sharding.of_each_host(max(0.0, busy_s - self._exchanges.take()))
        self._exchanges.take()  # this one
        if len(each) == 1:
            return {}
        own = {f"hosts/own_s/{rank}": seconds for rank, seconds in enumerate(each)}
        return own | {"hosts/slowest": float(np.argmax(each))}

    def read(self, pending: Pending | None) -> None:
        """Wait for a step's numbers, if there is one, and write them; `RuntimeError` for a run that went wrong."""
        if pending is None:
            return
        values = of_step([jax.tree.map(float, update) for update in pending.device]) | pending.host
        values["rate/tokens_per_s"] = values["train/tokens"] / values["time/step_s"]
        if self._peak:
            values["rate/mfu"] = self.operations(pending, values) / values["time/step_s"] / self._peak
        self._journal.write(pending.step, pending.stage.name, values)
        self._screen.note({word: values[name] for name, word in NOTED.items() if name in values})
        self.streak.count(bool(values["train/is_finite"]), pending.step)
        mismatch = values.get("mismatch/prob_diff_mean", 0.0)
        if mismatch > self._config.rollout.max_mismatch:
            raise RuntimeError(
                f"sampler and trainer differ by {mismatch:.3g} in mean probability at step {pending.step}"
            )

    def operations(self, pending: Pending, values: dict[str, float]) -> float:
        """Operations of a step by its mean lengths: all of its rollouts, and what its update did not leave out."""
        stage = pending.stage
        completion = values.get("rollout/completion_length", values["train/tokens"] / stage.prompts_per_step)
        lengths = flops.Lengths(pending.prompt_tokens, completion, pending.patches)
        trains_vision = self._trains_vision[stage.name]
        work = flops.step_work(self._config, stage, trains_vision=trains_vision, lengths=lengths)
        rollouts = values.get("groups/rounds", 1.0) * (work.prefill + work.decode + work.clip)
        return rollouts + (1 - values.get("train/skipped_share", 0.0)) * work.update

    def close(self) -> None:
        """Stop listening."""
        self._exchanges.close()
