"""Checkpoints of a run: written beside the next steps, whole or not at all, checked byte for byte when read.

    <workdir>/checkpoints/<step>/state/       what Orbax writes: every leaf under its path, e.g. `params/embed`
    <workdir>/checkpoints/<step>/commit.json  written last: position (its stage by name), config, leaves, whether the
                                              state is sound, size and CRC-32 of every file

A folder without `commit.json` is not a checkpoint, so a process killed at any moment leaves nothing half-written behind
that could be taken for one. The CRCs find damage that would still decode. Leaves go to Orbax as a flat dictionary: the
format knows neither optax nor nnx, and a checkpoint is restored onto any mesh and by any number of processes.

What is not finite is never committed. A state that may yet turn out bad (the last gradients were not finite) is kept
beside the `keep` sound ones, and goes with the next sound one: a good checkpoint never makes room for a bad one.

`save` returns when the state is copied to the host; a thread writes, hashes and commits while the devices go on. That
thread exchanges nothing over the devices, whose programs belong to the main thread: processes meet at Orbax's barriers
of the coordination service, and leave their hashes to process 0 in files.

All processes of a run construct, save, wait and restore together; they must see the same folder.
"""

import contextlib
import errno
import json
import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import orbax.checkpoint as ocp
from etils import epath
from jax.experimental import multihost_utils

from perc_jax.records import commits, digests, reading, same
from perc_jax.records.commits import COMMIT, Choice, Damaged
from perc_jax.records.finite import Finite

PyTree = Any
STATE = "state"


class Checkpoints:
    """The checkpoints of one run.

    Args:
        workdir: local folder or `gs://…`; checkpoints live in its subfolder `checkpoints`.
        keep: how many of the newest checkpoints stay.

    Raises:
        ValueError: `keep` is below 1.
    """

    def __init__(self, workdir: str, keep: int):
        if keep < 1:
            raise ValueError(f"checkpoint.keep must be >= 1, got {keep}")
        self._choice = Choice(workdir)
        self._folder = self._choice.folder
        self._keep = keep
        # Replicas would share the writing of a leaf by slicing it on the device: a compile for every new shape.
        arrays = ocp.type_handlers.ArrayHandler(use_replica_parallel=False)
        registry = ocp.type_handlers.create_type_handler_registry((jax.Array, arrays))
        handler = ocp.PyTreeCheckpointHandler(type_handler_registry=registry)
        self._writer = ocp.AsyncCheckpointer(handler, timeout_secs=digests.LIMIT_S)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._under_way: Future[None] | None = None
        self._finite = Finite()
        self._best: dict[str, Any] | None = None  # as it is marked
        self._given_up: set[int] = set()  # steps that `restore` passed over
        logging.getLogger("absl").addFilter(_is_not_orbax)
        _barrier("checkpoints ready")  # compiles the barrier now, before the run forbids compiling

    @classmethod
    def named(cls, name: str, step: int | None = None) -> "Checkpoints":
        """The checkpoints of a run to read from; of `RUN@12`, `RUN@best` and a `step` that one is all there is."""
        found = commits.named(name)
        checkpoints = cls(found.workdir, keep=1)
        checkpoints._choice = found if step is None else found._replace(which=str(step))
        return checkpoints

    def steps(self) -> list[int]:
        """Steps of the committed checkpoints, oldest first; `ValueError` if the one that was named is not there."""
        return self._choice.steps()

    def newest_commit(self) -> bytes:
        """The record of the newest checkpoint as it lies on the disk: another checkpoint has another."""
        return reading.content(self._folder / str(self.steps()[-1]) / COMMIT)

    def sound_steps(self) -> list[int]:
        """Those of `steps` that nothing speaks against."""
        return [step for step in self.steps() if self._is_sound(step)]

    def prepare(self, abstract_state: PyTree) -> None:
        """Compile what `save` and `restore` ask of states of this layout; else the first of them does."""
        self._finite.prepare(_by_path(abstract_state))

    def save(self, step: int, state: PyTree, position: dict, config: dict, *, sound: bool = True) -> None:
        """Begin to write a checkpoint, after the one before is written; it is on disk when `wait` returns.

        When this returns, the state is copied and may be donated. Later steps than this one are removed: they belong to
        a continuation that was given up because it was damaged.

        Args:
            step: global step, the checkpoint's name.
            state: pytree of jax arrays (float32, bfloat16, integers; PRNG keys as their uint32 key data).
            position: where the run stands, JSON-ready.
            config: the run's config, JSON-ready, with `config["model"]`.
            sound: nothing speaks against this state; only then do older checkpoints make room for it.

        Raises:
            RuntimeError: a leaf is not finite; nothing was written, earlier checkpoints are untouched.
            OSError: the disk is full or not writable; earlier checkpoints are untouched.
        """
        self.wait()
        target = self._folder / str(step)
        leaves = _by_path(state)
        if bad := self._finite.first_bad(leaves):
            there = self.steps()
            back = f"the newest one is of step {there[-1]}" if there else "there is none yet"
            raise RuntimeError(f"{bad} was not finite after step {step}, so no checkpoint was written; {back}")
        shapes = {path: [str(leaf.dtype), list(leaf.shape)] for path, leaf in leaves.items()}
        record = {"step": step, "position": position, "config": config, "leaves": shapes, "sound": sound}
        record = json.loads(commits.canonical(record))
        self._given_up.discard(step)
        with _whole_or_not(target):
            if jax.process_index() == 0:
                (target / COMMIT).unlink(missing_ok=True)
                self._sweep()
                target.mkdir(parents=True)
            _barrier("swept")  # before the others ask how much room there is
            _check_room(target, leaves)
            # Copies to the host. On the CPU, whose memory it is, it refers to the arrays, and an update that they are
            # donated to leaves them alone.
            self._writer.save(target / STATE, args=ocp.args.PyTreeSave(leaves))
        self._under_way = self._thread.submit(self._finish, target, record)

    def _finish(self, target: epath.Path, record: dict) -> None:
        """What is left of a save, in the thread."""
        with _whole_or_not(target):
            self._writer.wait_until_finished()
            files = digests.gather(target / STATE, target)
            if jax.process_index() == 0:
                commits.write(self._folder, record["step"], record | {"files": files})
                self._prune(record["step"])

    def keep_best(self, record: dict[str, Any]) -> None:
        """Name a checkpoint the best, `{"step", …}`, when it is written: it stays, whatever is newer.

        Raises what `wait` does.
        """
        if record != self._best:
            self.wait()
            self._best = record
            if jax.process_index() == 0:
                commits.mark_best(self._folder, record)
                self._prune(max(self.steps()))

    def take_up_best(self, record: dict[str, Any] | None, step: int) -> None:
        """Of a run that goes on after a step, whose state there says that this one is the best: make it so again.

        A mark that is as new as the step stays: it may have been set when the state was written already.
        """
        marked = commits.best(self._folder)
        is_later = marked is not None and marked["step"] > step
        is_new = marked is None or is_later or (record or marked)["step"] > marked["step"]
        if record and record["step"] in self.steps() and is_new:
            self._best = record
        else:
            self._best = None if is_later else marked
        if jax.process_index() == 0 and self._best != marked:
            commits.mark_best(self._folder, self._best)

    def raise_failure(self) -> None:
        """Raise what `wait` would, if the write under way has already failed; returns at once."""
        if self._under_way and self._under_way.done():
            self._under_way.result()

    def wait(self) -> None:
        """Return when every process has finished its last save.

        Raises:
            OSError: it could not be written, the disk is full for instance; earlier checkpoints are untouched.
        """
        under_way, self._under_way = self._under_way, None
        if under_way:
            under_way.result()
        _barrier("checkpoints written")

    def restore(
        self, abstract_state: PyTree | Callable[[dict, dict], PyTree], config: dict, *, past_bad: bool = False
    ) -> tuple[PyTree, dict] | None:
        """Read the newest sound checkpoint; damaged ones are skipped with one warning line each, none that was named.

        Args:
            abstract_state: pytree of `jax.ShapeDtypeStruct` with `sharding` (or of arrays), or a function that
                gives it for a stored position and config: stages differ in their optimizers. Leaves that the
                checkpoint has beyond these are not read: evaluation asks for the parameters alone.
            config: the run's config. Its `model`, `data.tokenizer` and `seed` must equal the stored ones.
            past_bad: go on to an older checkpoint where one is not finite, as where it is damaged.

        Returns:
            State on the shardings asked for, and position; None where there is no checkpoint.

        Raises:
            ValueError: the stored model, tokenizer, seed or leaves differ from the run's; what would be read is not
                finite; all are damaged, or the one that was named.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                record = commits.read(self._folder, step)
                same.check_run(record["config"], config, self._folder.parent)
                where = record["position"], record["config"]
                wanted = abstract_state(*where) if callable(abstract_state) else abstract_state
                same.check_leaves(record["leaves"], _by_path(wanted), self._folder / str(step))
                bad = digests.first_bad(self._folder / str(step) / STATE, record["files"])
                if bad:
                    raise Damaged(f"{STATE}/{bad} is missing or has changed since it was written")
                state = _read_state(self._folder / str(step), wanted)
                if bad := self._finite.first_bad(_by_path(state)):
                    if past_bad:
                        raise Damaged(f"{bad} is not finite")
                    raise ValueError(f"checkpoint {self._folder / str(step)} must be finite, but {bad} is not")
                return state, record["position"]
            except Damaged as damage:
                if self._choice.which:
                    there = ", ".join(map(str, commits.steps(self._folder)))
                    where = f"checkpoint {self._folder / str(step)}"
                    raise ValueError(f"{where} must be sound, but {damage}; the run has steps {there}") from damage
                self._given_up.add(step)
                if jax.process_index() == 0:
                    print(f"warning: checkpoint {step} is damaged ({damage}), trying an older one", file=sys.stderr)
        if steps:
            raise ValueError(f"{self._folder} must hold a sound checkpoint, but all {len(steps)} are damaged: {steps}")
        return None

    def check(self, config: dict) -> tuple[dict, dict] | None:
        """Refuse another run's folder at once, before anything is compiled; `restore` checks again.

        Returns:
            Position and config of the newest checkpoint whose commit can be read; None without one.

        Raises:
            ValueError: the stored model, tokenizer or seed differs from the run's.
        """
        for step in reversed(self.steps()):
            with contextlib.suppress(Damaged):
                record = commits.read(self._folder, step)
                same.check_run(record["config"], config, self._folder.parent)
                return record["position"], record["config"]
        return None

    def config(self) -> dict:
        """Give the stored config of the newest checkpoint that can be read, for programs that build its model.

        Raises:
            ValueError: there is none.
        """
        return self._newest()[1]["config"]

    def newest_step(self) -> int:
        """The step of the newest checkpoint whose record can be read. Raises `ValueError` if there is none."""
        return self._newest()[0]

    def _newest(self) -> tuple[int, dict]:
        """Step and record of the newest checkpoint whose record can be read."""
        for step in reversed(self.steps()):
            try:
                return step, commits.read(self._folder, step)
            except Damaged as damage:
                print(f"warning: checkpoint {step} is damaged ({damage}), trying an older one", file=sys.stderr)
        raise ValueError(f"{self._folder} must hold a checkpoint, found none")

    def close(self) -> None:
        """Finish the write under way, whatever becomes of it, and end the threads."""
        self._thread.shutdown()
        self._writer.close()

    def _is_sound(self, step: int) -> bool:
        with contextlib.suppress(Damaged):
            return step not in self._given_up and commits.read(self._folder, step).get("sound", True)
        return False

    def _sweep(self) -> None:
        """Remove what killed writes left. Only a run that saves may: to a reader they could be a write under way."""
        for step in set(commits.numbered(self._folder)) - set(self.steps()):
            (self._folder / str(step)).rmtree()

    def _prune(self, newest: int) -> None:
        """Remove steps after `newest`, and what is older than the newest `keep` sound ones; the commit goes first. The
        best one stays.

        Between those, what is not sound goes as soon as a sound one is newer.
        """
        steps, sound = self.steps(), [step for step in self.sound_steps() if step <= newest]
        stays = {*sound[-self._keep :], *(step for step in steps if max(sound, default=-1) < step <= newest)}
        stays |= {(commits.best(self._folder) or {}).get("step")} & {step for step in steps if step <= newest}
        for step in [step for step in steps if step not in stays]:
            (self._folder / str(step) / COMMIT).unlink()
            (self._folder / str(step)).rmtree()


def _read_state(folder: epath.Path, abstract_state: PyTree) -> PyTree:
    """Read the leaves onto their shardings. The handler is called directly: Orbax's own barrier is not needed."""
    wanted = {
        path: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding)
        for path, leaf in _by_path(abstract_state).items()
    }
    arguments = ocp.args.PyTreeRestore(
        item=wanted, restore_args=ocp.checkpoint_utils.construct_restore_args(wanted), partial_restore=True
    )
    handler = ocp.PyTreeCheckpointHandler()
    leaves = handler.restore(folder / STATE, args=arguments)
    handler.close()
    return jax.tree.unflatten(jax.tree.structure(abstract_state), [leaves[path] for path in wanted])


def _by_path(tree: PyTree) -> dict[str, Any]:
    """Flatten a pytree into {path: leaf}, in the tree's order."""
    flat, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in flat}


def _is_not_orbax(record: logging.LogRecord) -> bool:
    """Keep Orbax's threads from logging their stacks: what goes wrong in them also arrives as an exception."""
    return "orbax" not in record.pathname


def _check_room(folder: epath.Path, leaves: dict[str, Any]) -> None:
    """Refuse to begin what the disk cannot hold: Orbax leaves hundreds of writes under way when one of them fails.

    Leaves are compressed a little when written, so this asks for slightly too much; buckets have room. All processes
    ask, as all of them must stop; process 0 may not have made the folder yet.
    """
    if "://" in str(folder):
        return
    free = shutil.disk_usage(next(path for path in folder.parents if path.exists())).free
    if sum(leaf.nbytes for leaf in leaves.values()) > free:
        raise OSError(errno.ENOSPC, f"No space left: {free} bytes free", str(folder))


@contextlib.contextmanager
def _whole_or_not(folder: epath.Path) -> Iterator[None]:
    """Remove a checkpoint that could not be written; name a full disk as such: tensorstore reports a ValueError."""
    try:
        yield
    except (OSError, ValueError) as error:
        if jax.process_index() == 0 and folder.exists():
            folder.rmtree()
        if isinstance(error, TimeoutError):
            raise TimeoutError(f"checkpoint {folder} must be written within {digests.LIMIT_S} s: {error}") from error
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        if full or "No space left" in str(error) or "quota exceeded" in str(error):
            reason = "no space left for this checkpoint, earlier ones are intact; free some and start again to resume"
            raise OSError(errno.ENOSPC, reason, str(folder)) from error
        raise


def _barrier(name: str) -> None:
    """Wait for all processes."""
    multihost_utils.sync_global_devices(f"perc_jax checkpoint: {name}")
