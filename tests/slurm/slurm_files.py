"""The files a throw-away Slurm is configured by."""

from collections.abc import Sequence
from pathlib import Path

HEAD, HEAD_ADDRESS = "head", "10.231.77.1"
CPUS, MEMORY, GPUS = 8, 8192, 4
"""What each node claims to have; the GPUs are /dev/null under other names."""
CONTROL_PORT, DAEMON_PORT = 16817, 16818


def address(index: int) -> str:
    """Of the node with this number."""
    return f"10.231.77.{10 + index}"


def hosts_file(nodes: Sequence[str]) -> str:
    """/etc/hosts of every node and of the controller."""
    lines = ["127.0.0.1 localhost", f"{HEAD_ADDRESS} {HEAD}"]
    for index, node in enumerate(nodes):
        # Without the second line the names behind dual-stack sockets are not found, slowly.
        lines += [f"{address(index)} {node}", f"::ffff:{address(index)} {node}"]
    return "\n".join(lines) + "\n"


def gres_file(root: Path, nodes: Sequence[str]) -> str:
    """Which devices are a node's GPUs."""
    devices = f"{root}/dev/nvidia[0-{GPUS - 1}]"
    return "".join(f"NodeName={node} Name=gpu File={devices}\n" for node in nodes)


def slurm_conf(root: Path, nodes: Sequence[str]) -> str:
    """Short times, requeueing allowed; jobs of `preempt` make way for those of `high`."""
    names = ",".join(nodes)
    described = "\n".join(
        f"NodeName={node} NodeHostname={node} NodeAddr={address(index)} "
        f"CPUs={CPUS} RealMemory={MEMORY} Gres=gpu:{GPUS} State=UNKNOWN"
        for index, node in enumerate(nodes)
    )
    partition = f"Nodes={names} DefaultTime=10 MaxTime=INFINITE State=UP"
    return f"""\
ClusterName=simulated
SlurmctldHost={HEAD}({HEAD_ADDRESS})
SlurmctldPort={CONTROL_PORT}
SlurmdPort={DAEMON_PORT}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
# A requeued job starts again when its old credential is void: 5 seconds (the least), not 120.
AuthInfo=socket={root}/munge/socket,cred_expire=5
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool.%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.%n.pid
SlurmctldLogFile={root}/log/slurmctld.log
SlurmdLogFile={root}/log/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
# The nodes claim more than this machine has.
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=2,sched_min_interval=0,batch_sched_delay=0
PriorityType=priority/basic
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
JobRequeue=1
ReturnToService=2
KillWait=5
InactiveLimit=0
MinJobAge=3600
SlurmctldTimeout=30
SlurmdTimeout=8
UnkillableStepTimeout=30
PropagateResourceLimits=NONE
MailProg=/bin/true
GresTypes=gpu
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
{described}
PartitionName=normal {partition} Default=YES PriorityTier=10 PreemptMode=OFF
PartitionName=preempt {partition} PriorityTier=1 PreemptMode=REQUEUE GraceTime=60
PartitionName=high {partition} PriorityTier=100 PreemptMode=OFF
"""
