"""The training loop: what happens in which order. Each step of it is a named function."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from megatron_crossic.backend import Backend
from megatron_crossic.errors import CrossicError
from megatron_crossic.files import write_text_atomically
from megatron_crossic.outcome import tell_outcome
from megatron_crossic.parallel import Rank, parallel_groups
from megatron_crossic.train.metrics import SilentLog, open_metrics
from megatron_crossic.train.options import to_yaml
from megatron_crossic.train.plan import RunPlan
from megatron_crossic.train.run import Run
from megatron_crossic.train.setup import set_up
from megatron_crossic.train.stopping import Requests, listening
from megatron_crossic.train.wandb_log import open_wandb
from megatron_crossic.train.watch import Watch, watching


def train(plan: RunPlan, backend: Backend) -> None:
    """Run the plan to its last step; every rank calls this."""
    with joined(plan, backend) as crew:
        started = time.perf_counter()
        run = set_up(plan, crew.rank, backend, crew.watch)
        loaded = f"built and filled the model in {time.perf_counter() - started:.1f} s"
        with _metrics(run.plan, crew.rank) as metrics, run.saves.salvaging(metrics):
            metrics.say(loaded)
            _run_steps(run, metrics, crew.requests)


@dataclass(frozen=True, kw_only=True, slots=True)
class Crew:
    """This rank among the others."""

    rank: Rank
    requests: Requests
    watch: Watch


@contextmanager
def joined(plan: RunPlan, backend: Backend) -> Iterator[Crew]:
    """Join the other ranks, listen to requests, watch that nobody hangs."""
    config = plan.config
    minutes = config.recovery.timeout_minutes
    # The watch speaks first, and knows more than a call that times out.
    timeout = timedelta(minutes=1 + 1.5 * minutes)
    with (
        parallel_groups(config.parallel, backend, seed=config.seed, timeout=timeout) as rank,
        listening(config, is_main=rank.is_main) as requests,
        watching(minutes=minutes) as watch,
    ):
        yield Crew(rank=rank, requests=requests, watch=watch)


def _run_steps(run: Run, metrics: SilentLog, requests: Requests) -> None:
    """From the first step that is not done yet to the last, or to the one that is asked to end."""
    plan, config = run.plan, run.plan.config
    for message in (*_opening(plan), run.speed.opening()):
        metrics.say(message)
    if not plan.resumes:
        run.validate(metrics, step=0)
    for step in range(plan.first_step, config.last_step + 1):
        metrics.step(run.step(step, metrics))
        run.look_for_stragglers(metrics, step=step)
        decision = requests.decide(run.shape.device, run.saves.progress)
        if decision.is_other_attempt:
            run.saves.pending = None  # it would be completed otherwise
            raise CrossicError(
                f"a run must have one attempt at a time, got another one in {config.run_dir} "
                f"before step {step} was over. Nothing is lost: that one goes on."
            )
        if decision.finish_save:
            _finish_save(run, metrics, requests, step=step)
        is_last = bool(decision.stop) or step == config.last_step
        if step == config.last_step or step % config.validation_interval == 0:
            run.validate(metrics, step=step)
        if is_last or decision.save or step % config.checkpoint.interval == 0:
            _save(run, metrics, requests, step=step, is_last=is_last)
        if decision.stop:
            metrics.say(f"leaving after step {step}: {decision.stop}; the same command goes on")
            requests.leaving(decision.stop)
            tell_outcome("left", f"after step {step}: {decision.stop}")
            return
    tell_outcome("done", f"step {config.last_step} is made, the last one asked for")


def _save(run: Run, metrics: SilentLog, requests: Requests, *, step: int, is_last: bool) -> None:
    """Save beside the next steps if the run is to and there are any; the last save must be over."""
    _finish_save(run, metrics, requests, step=step)
    requests.saving()
    background = run.plan.config.checkpoint.asynchronous and not is_last
    run.save(step=step, background=background)
    if not background:
        _finish_save(run, metrics, requests, step=step)


def _finish_save(run: Run, metrics: SilentLog, requests: Requests, *, step: int) -> None:
    """Wait for the save that is under way, if there is one, and complete it."""
    if run.saves.finish(metrics, step=step):
        requests.saved()


@contextmanager
def _metrics(plan: RunPlan, rank: Rank) -> Iterator[SilentLog]:
    """Rank 0's log, and the configuration beside it."""
    if not rank.is_main:
        yield SilentLog()
        return
    config = plan.config
    write_text_atomically(config.run_dir / "config.yaml", to_yaml(config))
    resumed_step = plan.first_step - 1
    with (
        open_wandb(config, resumed_step=resumed_step) as wandb,
        open_metrics(
            config.run_dir,
            resumed_step=resumed_step,
            num_steps=config.num_steps,
            log_interval=config.log_interval,
            progress=sys.stderr,
            wandb=wandb,
        ) as metrics,
    ):
        yield metrics


def _opening(plan: RunPlan) -> Iterator[str]:
    """Where the run starts, and why not elsewhere."""
    for warning in plan.warnings:
        yield f"warning: {warning}"
    if not plan.resumes:
        yield f"starting from the weights in {plan.source}"
    elif plan.first_step > plan.config.last_step:
        yield f"nothing to do: {plan.source} is at step {plan.info.step}, the last one asked for"
    else:
        yield f"resuming after step {plan.info.step} from {plan.source}"
