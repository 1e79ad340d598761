"""A run through real time limits against one without, on a real Slurm of two simulated nodes.

    python tests/slurm/time_limits.py --output benchmarks/results/time_limits.json

Slurm looks at its clocks twice a minute and warns where the time left is below that of --signal; so
with a limit of two minutes and a warning two minutes before, each attempt is warned within 30
seconds.
The run goes on until it has been warned three times and is done; its losses must be those of the
run without limits, bit for bit. `tests/slurm/test_pretrain_jobs.py` does the same with the signals
sent by hand, in a fraction of the time.
"""

import argparse
import json
import tempfile
from pathlib import Path

import orjson
from simulated_cluster import SimulatedCluster
from slurm_jobs import PROJECT, Slurm
from tiny_runs import losses, tiny_config, tiny_inputs

from megatron_crossic.config import CheckpointConfig
from megatron_crossic.train.options import to_yaml

SCRIPT = PROJECT / "slurm" / "pretrain.sbatch"


def run(slurm: Slurm, folder: Path, name: str, num_steps: int, *limits: str) -> dict[str, object]:
    """Submit, wait for the end, and say what became of it."""
    checkpoint = CheckpointConfig(initial=folder / "initial", interval=num_steps)
    config = tiny_config(
        folder, num_steps=num_steps, checkpoint=checkpoint, validation_interval=num_steps
    )
    path = folder / f"{name}.yaml"
    path.write_text(to_yaml(config), encoding="utf-8")
    options = ("--config", path, "--run_dir", folder / name, "--log_interval", "100")
    job = slurm.sbatch(folder, "--nodes=2", *limits, SCRIPT, *options, CROSSIC_LAUNCH="srun")
    state = slurm.end_of(job, seconds=1800)
    journal = (folder / name / "slurm" / "attempts.jsonl").read_text().splitlines()
    ends = [found for line in journal if (found := orjson.loads(line))["event"] == "end"]
    return {
        "state": state,
        "restarts": int(slurm.field(job, "Restarts")),
        "attempts": [{key: end[key] for key in ("step", "outcome", "next")} for end in ends],
        "losses": losses(folder / name),
    }


def main() -> None:
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    folder = tiny_inputs(Path(tempfile.mkdtemp()))
    cluster = SimulatedCluster(Path(tempfile.mkdtemp(prefix="slurm-")))
    try:
        cluster.start()
        slurm = Slurm(cluster)
        limits = ("--time=2", "--signal=B:USR1@120")
        limited = run(slurm, folder, "limited", arguments.steps, *limits)
        unlimited = run(slurm, folder, "unlimited", arguments.steps, "--time=60")
    finally:
        cluster.stop()
    equal = limited.pop("losses") == (whole := unlimited.pop("losses"))
    report = {
        "steps": arguments.steps,
        "limited": limited,
        "unlimited": unlimited,
        "losses_equal": equal,
        "final_loss": whole[-1],  # type: ignore[index]
    }
    print(json.dumps(report, indent=2))
    if arguments.output:
        arguments.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
