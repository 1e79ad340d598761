"""What a batch script says of itself, and what the cluster says of its partitions."""

from datetime import timedelta

import pytest
from small_site import SCRIPT

from megatron_crossic.cluster.partitions import parse_partitions, partition_problems
from megatron_crossic.cluster.sbatch_options import option_problems
from megatron_crossic.cluster.script import (
    log_file,
    parse_time,
    script_options,
    warning_seconds,
)
from megatron_crossic.errors import ConfigError

SHOWN = """\
PartitionName=gpu AllowGroups=ALL AllowAccounts=bio,nlp Default=YES MaxNodes=4 MaxTime=1-00:00:00 \
Nodes=node[00-15] State=UP TotalNodes=16
PartitionName=debug AllowAccounts=ALL Default=NO MaxNodes=UNLIMITED MaxTime=00:30:00 State=DOWN \
TotalNodes=2
"""
PARTITIONS = parse_partitions(SHOWN)


def problems(
    name: str = "", *, nodes: int = 1, limit: str = "0:20:00", account: str = ""
) -> list[str]:
    return partition_problems(
        PARTITIONS, name=name, nodes=nodes, limit=parse_time(limit), account=account
    )


def test_options_of_a_script() -> None:
    options = script_options(SCRIPT)
    assert options["time"] == "24:00:00"
    assert warning_seconds(options) == 600
    assert log_file(options, "17") == "pretrain-17.log"
    assert log_file({}, "17") == "slurm-17.out"
    assert warning_seconds({}) == 0
    assert warning_seconds({"signal": "B:USR1"}) == 60
    assert script_options("#SBATCH --requeue\n") == {"requeue": ""}
    assert script_options("#SBATCH -t 5\n#SBATCH -o%j\n") == {"time": "5", "output": "%j"}


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("90", timedelta(minutes=90)),
        ("90:30", timedelta(minutes=90, seconds=30)),
        ("1:30:00", timedelta(hours=1, minutes=30)),
        ("2-12", timedelta(days=2, hours=12)),
        ("2-12:30", timedelta(days=2, hours=12, minutes=30)),
        ("1-00:00:05", timedelta(days=1, seconds=5)),
        ("UNLIMITED", None),
    ],
)
def test_time_limits_as_slurm_reads_them(text: str, limit: timedelta | None) -> None:
    assert parse_time(text) == limit


@pytest.mark.parametrize("text", ["", "soon", "1:2:3:4", "-5"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--time must be a time limit of Slurm"):
        parse_time(text)


def test_a_job_that_fits_has_no_problem() -> None:
    assert problems(nodes=4, limit="24:00:00", account="nlp") == []


def test_what_a_partition_refuses() -> None:
    (unknown,) = problems("cpu")
    assert unknown == (
        "CROSSIC_PARTITION must be a partition of the cluster, got cpu. Choose from gpu, debug."
    )
    found = problems("debug", nodes=3, limit="1:00:00")
    assert [one.split(",")[0] for one in found] == [
        "partition debug must be up",
        "--time must be at most that of partition debug",
        "--nodes must be at most those of partition debug",
    ]
    assert "got 5 with MaxNodes 4. Lower" in problems(nodes=5)[0]
    assert "got 17 with TotalNodes 16 and MaxNodes 4" in problems(nodes=17)[0]
    (in_one,) = problems("gpu,debug", nodes=2)
    assert in_one.startswith("partition debug must be up")
    assert "got cpu. Choose" in problems("gpu,cpu")[0]
    (account,) = problems(account="physics")
    assert account.endswith("got physics. Choose from bio,nlp.")
    (endless,) = problems(limit="UNLIMITED")
    assert "got no limit with 1-00:00:00" in endless


@pytest.mark.parametrize(
    ("option", "instead"),
    [
        ("--nodes=4", "--nodes"),
        ("-N4", "--nodes"),
        ("-HN 4", "--nodes"),
        ("--time=5", "--time"),
        ("-p debug", "--set CROSSIC_PARTITION or slurm/site.sh"),
        ("--part=debug", "--set CROSSIC_PARTITION or slurm/site.sh"),
        ("--gpus-per-node=4", "--set CROSSIC_GPUS_PER_NODE or slurm/site.sh"),
        ("--gres=gpu:4", "--set CROSSIC_GPUS_PER_NODE or slurm/site.sh"),
        ("-q", "--set CROSSIC_QOS or slurm/site.sh"),
    ],
)
def test_options_of_sbatch_that_undo_what_was_checked(option: str, instead: str) -> None:
    (problem,) = option_problems([option])
    assert f"got {option}. Use {instead}." in problem


def test_other_options_of_sbatch_are_handed_on() -> None:
    others = ["--exclude=node03", "-x node03", "--time-min=5", "--gres=nvme:1", "--nice", "-H"]
    assert option_problems(others) == []
    (alone,) = option_problems(["--exclude=a", "node03"])
    assert alone.startswith("--sbatch must be one option with its value")
