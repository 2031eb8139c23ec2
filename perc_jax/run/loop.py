"""The run: its stages in order, each step a straight line from pictures to a better model.

    data -> prompts on the mesh -> rollout -> verification on the host -> advantages -> update -> metrics -> checkpoint

`run(config, workdir)` begins, or goes on from the newest checkpoint and ends as if it had never stopped: all it writes,
apart from `time/…`, `rate/…`, `hosts/…` and notes on its starts, is a function of the config alone. What of the config
may differ when it goes on, and all state that decides anything, is listed in `place.py`.
"""

import contextlib
import json
import time

import jax
import numpy as np
from etils import epath

from perc_jax.batch import PromptBatch, TrainBatch
from perc_jax.config import PLAIN, Config, StageConfig, Start, to_dict
from perc_jax.data import batches, doctor
from perc_jax.environments.playground import Playground
from perc_jax.evaluation.suites import Evaluator, in_words
from perc_jax.mesh import hosts, sharding
from perc_jax.processes import ends, interrupts, notices
from perc_jax.processes.heart import Heart
from perc_jax.processes.progress import Progress
from perc_jax.programs.compiled import Programs, StagePrograms
from perc_jax.records import compile_cache
from perc_jax.records.files import to_json, write_whole
from perc_jax.records.metrics import CompileCounter, Idle, Timer, peak_rss_bytes
from perc_jax.records.owner import Owner
from perc_jax.records.traces import Trace
from perc_jax.report.runs import write_report
from perc_jax.rewards.verifier import Verifier
from perc_jax.run import beginning, groups, place, rewarded, together
from perc_jax.run.ending import Ending, report_and_say
from perc_jax.run.facts import Facts
from perc_jax.run.fitting import Fitting
from perc_jax.run.journal import Journal
from perc_jax.run.place import Place, Streak
from perc_jax.run.readings import Pending, Readings
from perc_jax.run.standing import Standing
from perc_jax.run.supply import FOLDER as PHASES
from perc_jax.run.supply import Supply, prepare, row_names, shares_of
from perc_jax.update import sft
from perc_jax.update.update import Metrics as DeviceMetrics
from perc_jax.update.update import TrainState


class Run:
    """What a run holds open, and its loop; `owner` holds the workdir."""

    def __init__(
        self,
        config: Config,
        workdir: str,
        screen: Progress,
        timer: Timer,
        compiles: CompileCounter,
        owner: Owner,
        heart: Heart,
        start: Start,
        began: float,
        opened: beginning.Opened,
        playground: Playground,
    ):
        self.owner, self.heart, self.ending, self.playground = owner, heart, Ending(start, began), playground
        self.standing = Standing(config)
        self.config, self.workdir, self.screen, self.timer, self.compiles = config, workdir, screen, timer, compiles
        self.folder = epath.Path(workdir).expanduser()
        self.facts = Facts(self.folder, compiles)
        self.tokens, self.checkpoints = opened.tokens, opened.checkpoints
        self.journal = Journal(workdir, config, start.track, screen.say)
        self.idle = Idle()
        self.trace = Trace(self.folder, *start.traced, screen.say, screen.phase)
        self.drawn: dict = {}  # where the stage's data stand in the checkpoint that was restored
        with screen.phase("looking at tables"):
            doctor.before_run(config, screen.say)
        with screen.phase("compiling"):
            compile_cache.keep(config.cache)
            self.programs = Programs(config, self.tokens.ids, around=screen.compiling)
            self.score = self.programs.scorer()
            self.stages = [self.programs.stage(stage) for stage in config.stages]
            for stage in self.stages:
                with screen.compiling("compiling the look at checkpoints"):
                    self.checkpoints.prepare(stage.state)
            sharding.of_each_host(0.0)
            self.readings = Readings(config, self.programs.blueprints, self.journal, screen)
            prepare(config, self.programs.share)
        for program in self.programs.table:
            screen.say(program.told)
        with screen.phase("reading CLIP"):
            self.fitting = Fitting(config, self.programs.blueprints.clip_params(), screen.bar)

    def train(self, verifier: Verifier) -> None:
        """Run the stages that are left."""
        given = self.config, self.programs, self.tokens, verifier, self.screen, self.ending.is_due
        evaluator = Evaluator(*given, self.playground)
        state, there = self._restore()
        if jax.process_index() == 0:
            write_whole(self.folder / "config.json", to_json(to_dict(self.config), indent=1))
        if state is None:
            state, there = self._fresh(), Place(0, 0)
            beginning.prove_sight(self.config, self.programs, self.score, state.params, self.screen)
        if there == Place(0, 0):
            self._evaluate(evaluator, state, "start", 0)
            self._end_if_told(state)
        for index in range(there.stage, len(self.config.stages)):
            first = there.step if index == there.stage else 0
            if index > there.stage:
                state = self.stages[index].begin(state)
                self.drawn = {}
                self.standing.begin_stage()
            state = self._run_stage(index, state, first, verifier, evaluator)
            self._evaluate(evaluator, state, self.config.stages[index].name, index + 1)
            self._end_if_told(state)
        with self.screen.phase("checkpoint"):
            self.checkpoints.wait()
        self.readings.streak.finish(int(state.step), self.checkpoints.sound_steps())
        self.screen.say(f"peak memory of all processes {peak_rss_bytes() / 2**30:.2f} GB")

    def _fresh(self) -> TrainState:
        """The state before the first step, and a note of where its weights are from."""
        params, source = beginning.weights(self.config, self.programs, self.screen)
        self.facts.begin_with(source)
        step, key = np.int32(0), np.array([0, self.config.seed], np.uint32)
        step, key = sharding.same_to_mesh((step, key), self.programs.mesh)
        return self.stages[0].begin(TrainState(params, (), step, key))

    def _restore(self) -> tuple[TrainState | None, Place]:
        """The newest sound checkpoint's state; what was written after it is removed, to be written again."""
        config, resumed = to_dict(self.config), []

        def state_at(position: dict, stored: dict) -> TrainState:
            stage = next(stage for stage in stored["stages"] if stage["name"] == position["stage"])
            resumed[:] = *place.resumed(position, stored, config), {"shares": shares_of(stage)}
            return self.stages[resumed[0].stage].state

        with self.screen.phase("restoring"):
            found = self.checkpoints.restore(state_at, config, past_bad=True)
        step = int(found[0].step) if found else -1  # without a checkpoint everything begins anew
        self.journal.open(step)
        for folder in ("eval", "samples", PHASES):
            place.remove_after(self.folder / folder, step)
        if not found:
            if (self.folder / "config.json").exists():
                self.screen.say(f"{self.workdir} holds a run without a checkpoint: it begins anew")
            return None, Place(0, 0)
        state, position = found
        there, changes, as_stored = resumed
        self.drawn, self.readings.streak = as_stored | position, Streak(position.get("bad_steps", 0))
        self.standing = Standing(self.config, position.get("standing"))
        self.checkpoints.take_up_best(self.standing.best, step)
        self.facts.go_on()
        self.screen.say(
            f"resuming {self.workdir} after step {step} (stage {position['stage']}, its step {position['step']})"
        )
        for field, was, now in changes:
            self.screen.say(f"changed from step {step} on: {field} is {now!r}, was {was!r} ({place.FILE})")
        if jax.process_index() == 0:
            place.note(self.folder, step, changes)
        return state, there

    def _run_stage(
        self, index: int, state: TrainState, first: int, verifier: Verifier, evaluator: Evaluator
    ) -> TrainState:
        """The steps of one stage from `first` on."""
        stage, programs = self.config.stages[index], self.stages[index]
        before, pending = int(state.step) - first, None  # a stage before may have ended early
        self.heart.at(before + first, stage.name, first)
        if first == stage.steps:
            return state
        if self._is_evaluated(stage, first):  # unless the run before this one came so far
            self._evaluate(evaluator, state, stage.name, index + 1)
            self._end_if_told(state)
            if self._is_over(stage):
                return state
        compiled = self.compiles.count
        supply = Supply(self.config, stage, self.folder, before + first, self.drawn, self.programs.share)
        with supply as stream, self.screen.bar(stage.name, stage.steps, first) as advance:
            self._clocks_anew()
            for done in range(first + 1, stage.steps + 1):
                step, idle_s = before + done, self.idle.device_s()
                self.trace.begin(step)
                with self.screen.phase("data"):  # the update of the step before is under way
                    batch = next(stream)
                    prompts = sharding.rows_to_mesh(batch.prompts, self.programs.mesh)
                host = {"time/data_wait_s": self.idle.device_s() - idle_s, "data/dropped": len(batch.dropped)}
                with self.screen.phase("update"), self.idle.waiting():
                    jax.block_until_ready(state.step)
                if stage.kind == "grpo":
                    state, device, found = self._grpo_step(
                        programs, stage, state, prompts, batch, step, verifier, stream
                    )
                else:
                    state, device, found = self._sft_step(programs, state, prompts, batch)
                pending = self.readings.read(pending)
                self.checkpoints.raise_failure(), self.owner.raise_failure()
                recompiles = self.compiles.count - compiled
                host |= found | {"train/recompiles": recompiles} | self.idle.finish()
                seconds = self.timer.finish()
                host |= seconds | self.readings.of_hosts(seconds["time/step_s"] - host["time/host_idle_s"])
                pending = Pending.of(step, stage, device, host, batch.prompts)
                self.trace.end(step, state.step)
                self.ending.count_step(), self.heart.count_step(step, stage.name, done)
                is_due = done % self.config.checkpoint.every == 0 or done == stage.steps
                if self.ending.is_due() or is_due:
                    pending = self.readings.read(pending)
                    with self.screen.phase("checkpoint"):
                        self._save(state, Place(index, done), stream)
                    self._end_if_told(state)
                if recompiles:
                    self.readings.read(pending)
                    raise RuntimeError(
                        f"step {step} compiled {self.compiles.names[compiled:]}: shapes must be closed before step 0"
                    )
                advance()
                if self._is_evaluated(stage, done):
                    pending = self.readings.read(pending)
                    save = () if is_due else (state, Place(index, done), stream)
                    self._evaluate(evaluator, state, stage.name, index + 1, save)
                    self._end_if_told(state)
                    if self._is_over(stage):
                        break
                    self._clocks_anew()
        return state

    def _clocks_anew(self) -> None:
        """From now on time is the next step's."""
        self.timer.finish(), self.idle.finish(), self.readings.begin()

    def _end_if_told(self, state: TrainState) -> None:
        """End the run, if that is decided, once what was begun to be written is on the disk."""
        if self.ending.is_decided:
            with self.screen.phase("checkpoint"):
                self.checkpoints.wait()
            self.ending.end(f"step {int(state.step)} is kept, the same command resumes {self.workdir}")

    def _is_over(self, stage: StageConfig) -> bool:
        """Whether patience with a stage is at its end; says so."""
        if self.standing.is_over:
            self.screen.say(f"{stage.name} ends here: {self.standing.said()}")
        return self.standing.is_over

    def _is_evaluated(self, stage: StageConfig, done: int) -> bool:
        """Whether the suites are asked after this step of a stage; its last step is its end's affair."""
        every = self.config.evaluation.every
        return bool(every) and 0 < done < stage.steps and done % every == 0

    def _sft_step(
        self, programs: StagePrograms, state: TrainState, prompts: PromptBatch, batch: batches.Batch
    ) -> tuple[TrainState, list[DeviceMetrics], dict]:
        """One supervised step on gold answers."""
        lesson = sft.lesson(batch.gold_tokens, batch.gold_mask, batch.gold_said if programs.learns_history else None)
        dropped = sharding.sum_over_hosts({"data/dropped": float(len(batch.dropped))}, batch.share)
        with self.screen.phase("update"):
            rows = sharding.rows_to_mesh(lesson, self.programs.mesh)._replace(prompts=prompts)
            plan = programs.plan(batch.prompts.mask, lesson.mask, prompts=prompts)
            state, device = programs.update(state, rows, plan)
            self.idle.until(device[-1]["train/loss"])
        return state, device, dropped | {"train/padding_share": plan.padding_share}

    def _grpo_step(
        self,
        programs: StagePrograms,
        stage: StageConfig,
        state: TrainState,
        prompts: PromptBatch,
        batch: batches.Batch,
        step: int,
        verifier: Verifier,
        stream: Supply,
    ) -> tuple[TrainState, list[DeviceMetrics], dict]:
        """Sample, verify and compare within groups until they are enough; update."""
        rounds, counted = groups.Rounds(stage), {}
        while not rounds.is_over():
            if rounds.done:
                with self.screen.phase("data"):
                    batch = next(stream)
                    prompts = sharding.rows_to_mesh(batch.prompts, self.programs.mesh)
            with self.screen.phase("rollout"), self.idle.waiting():
                judge = self.fitting.judge(programs.clip, batch.prompts, verifier)
                prompts = programs.look(state.params, prompts)
                talks = self.playground.talks(stage, batch.states, self.tokens, self.programs.agree)
                names = sharding.rows_to_mesh(row_names(batch), self.programs.mesh)
                completions, on_mesh = programs.roll(prompts, names, state, talks and talks.begin)
            with self.screen.phase("verify"):
                given = completions, batch.samples, self.tokens, judge, stage, (self.config.seed, step), batch.share
                graded = rewarded.grade(*given, talks.endings() if talks else ())
                for line in graded.lines:
                    self.screen.say(line)
                counted = stream.count(rounds.add(batch, completions, graded), step)
        with self.screen.phase("update"):
            used = rounds.chosen()
            if len(rounds.done) == 1:  # its prompts and completions lie on the mesh
                advantages = sharding.rows_to_mesh(used.advantages, self.programs.mesh)
            else:
                prompts, on_mesh, advantages = sharding.rows_to_mesh(used, self.programs.mesh)
                prompts = programs.look(state.params, prompts)
            tokens, logprobs, mask, _, observed = on_mesh
            rows = TrainBatch(prompts, tokens, mask, logprobs, advantages, observed=observed)
            plan = programs.plan(used.prompts.mask, used.completions.mask, used.advantages, prompts)
            state, device = programs.update(state, rows, plan)
            self.idle.until(device[-1]["train/loss"])
        with self.screen.phase("verify"):  # what the update need not wait for
            host = rounds.metrics() | counted | programs.occupancy()
            host |= {"train/padding_share": plan.padding_share, "train/skipped_share": plan.skipped_share}
            stream.patience.check(host, step)
            if step % self.config.samples_every == 0 and jax.process_index() == 0:
                given = graded, completions, batch, self.config, stage.reward, talks.exchanges if talks else ()
                self.journal.samples(step, stage.name, rewarded.shown(*given, self.tokens))
        return state, device, host

    def _save(self, state: TrainState, place: Place, stream: Supply) -> None:
        """Begin to write a checkpoint of everything that the rest of the run depends on, beside the next steps."""
        stage, bad_steps = self.config.stages[place.stage].name, self.readings.streak.bad_steps
        position = {"stage": stage, "step": place.step, "bad_steps": bad_steps}
        position |= {"standing": self.standing.stored()} | stream.stored()
        self.checkpoints.save(int(state.step), state, position, to_dict(self.config), sound=not bad_steps)
        self._write_facts()

    def _evaluate(self, evaluator: Evaluator, state: TrainState, name: str, order: int, save: tuple = ()) -> None:
        """Ask the suites unless a run before this one did, keep the results and some answers, and see what follows.

        `save` holds what `_save` needs, where this step has no checkpoint yet and may turn out to need one.
        """
        step = int(state.step)
        file = place.results(self.folder, order, name, step)
        if not self.config.evaluation.names:
            return
        asked = (json.loads(file.read_text()), []) if file.exists() else self._ask(evaluator, state, name, file)
        if asked is not None:
            self.standing.look(step, asked[0])
        is_best = bool(self.standing.best) and self.standing.best["step"] == step
        if save and (asked is None or is_best or self.standing.is_over):
            self._save(*save)
        if is_best:
            with self.screen.phase("checkpoint"):
                self.checkpoints.keep_best(self.standing.best)

    def _ask(self, evaluator: Evaluator, state: TrainState, name: str, file: epath.Path) -> tuple | None:
        """Results and some answers, which are said and written; None if it was told to end."""
        asked = evaluator.suites(self.programs.publish(state.params))
        if asked is None:
            return None
        results, shown = asked
        for suite, result in results.items():
            self.screen.say(f"{name}: {suite} {in_words(result)}")
        self._write_facts()
        if jax.process_index() == 0:
            self.journal.results(int(state.step), results)
            self.journal.samples(int(state.step), f"eval_{name}", shown)
            write_whole(file, to_json(results))
            write_report(self.workdir)
        return asked

    def _write_facts(self) -> None:
        self.facts.write(sum(leaf.size for leaf in jax.tree.leaves(self.programs.params)))

    def close(self) -> None:
        """Finish the update and the checkpoint that are under way; close the files in any case, which may fail."""
        with contextlib.closing(self.journal), self.screen.phase("checkpoint"):
            self.trace.close(), self.idle.close(), self.readings.close()
            self.checkpoints.close()


def run(
    config: Config, workdir: str, start: Start = PLAIN, began: float | None = None, found: hosts.Place | None = None
) -> None:
    """Run a config in a workdir, from its beginning or from where it stopped. The program `began` by `time.monotonic`,
    and was `found` to be one process of several.

    Raises `ValueError` or `OSError` with one clear line for what a user can mend, `RuntimeError` when the run itself
    went wrong; what was written before stays whole.
    """
    timer, began = Timer(), time.monotonic() if began is None else began
    failing = ends.at_once(ends.FAILED)
    sharding.take_cores(config.mesh)
    with (
        Progress(config.phase_deadline_s, quiet=jax.process_index() > 0, timer=timer) as screen,
        CompileCounter() as compiles,
        Verifier.of(config) as verifier,
        Playground(config) as playground,
        Owner(workdir, screen.say) as owner,
        failing,
    ):
        opened = beginning.open_run(config, workdir)
        if beginning.is_done(opened, config, workdir):
            opened.checkpoints.close()
            report_and_say(workdir, f"{workdir} is done after {opened.step} steps", screen.say)
            return
        screen.say(hosts.told(found, sharding.make_mesh(config.mesh)))
        with together.heart(workdir, screen) as heart:
            this = Run(config, workdir, screen, timer, compiles, owner, heart, start, began, opened, playground)
            with contextlib.closing(this), failing, interrupts.deferred(), notices.watched(screen.say):
                this.train(verifier)
            report_and_say(workdir, f"done in {time.monotonic() - began:.0f} s", screen.say)
