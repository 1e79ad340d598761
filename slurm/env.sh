# shellcheck shell=bash
#
# The settings of a site, in one place. Every script in slurm/ reads this file; nothing needs to be
# changed in the scripts themselves. Put your own values into slurm/site.sh (git ignores it):
#
#     CROSSIC_ACCOUNT=my-project
#     CROSSIC_PARTITION=gpu
#     CROSSIC_MODULES="cuda/12.9"
#
# or into the environment, which counts more than this file and less than slurm/site.sh. Read it
# into the shell you submit from (`source slurm/env.sh`), and sbatch knows account and partition;
# slurm/submit.py, slurm/pipeline.sh and slurm/mine_pairs.sh do so by themselves.

# shellcheck source=/dev/null
if [[ -e "${CROSSIC_SITE:=slurm/site.sh}" ]]; then source "$CROSSIC_SITE"; fi

# ---------------------------------------------------------------------------------- who and where
# Account that is charged; empty where the cluster does not ask for one.
: "${CROSSIC_ACCOUNT:=}"
# Partition of the jobs that train and profile; empty for the cluster's default.
: "${CROSSIC_PARTITION:=}"
# Partition of the jobs that need no GPU (pairs, windows); empty for that of the others.
: "${CROSSIC_CPU_PARTITION:=$CROSSIC_PARTITION}"
# Quality of service; empty for the default.
: "${CROSSIC_QOS:=}"
# GPUs of a node, which slurm/submit.py and slurm/pipeline.sh ask for; slurm/mine_pairs.sh asks for
# one a task, or none where this is 0. With sbatch alone say --gpus-per-node where it is not 8.
: "${CROSSIC_GPUS_PER_NODE:=8}"
# Processes that train on a node; empty for one a GPU. Nodes without GPUs need a number.
: "${CROSSIC_PROCESSES_PER_NODE:=}"
# Processors of a job that needs no GPU, which slurm/pipeline.sh and slurm/mine_pairs.sh ask for.
: "${CROSSIC_CPUS_PER_JOB:=16}"
# Memory of such a job for each of its processors.
: "${CROSSIC_MEMORY_PER_CPU:=4G}"

# ------------------------------------------------------------------------------- the environment
# Environment modules to load, separated by spaces; empty for none.
: "${CROSSIC_MODULES:=}"
# The virtual environment of `make install`, on a file system that all nodes see. With a
# container only sweeps of profiles need it.
: "${CROSSIC_VENV:=.venv}"
# Container image for pyxis/enroot (srun --container-image), a file or a registry's name; empty for
# none. The project's requirements must be installed in it.
: "${CROSSIC_CONTAINER_IMAGE:=}"
# What the container sees besides the project's folder: FROM:TO, separated by commas. Data, models
# and runs outside of the project's folder belong here.
: "${CROSSIC_CONTAINER_MOUNTS:=}"
# The Python that runs the tools; inside the container if there is one.
if [[ -n "$CROSSIC_CONTAINER_IMAGE" ]]; then : "${CROSSIC_PYTHON:=python}"; fi
: "${CROSSIC_PYTHON:=$CROSSIC_VENV/bin/python}"

# --------------------------------------------------------------------------------------- launch
# torchrun: one Slurm task a node, which starts torchrun (c10d rendezvous on the first host).
# srun: one Slurm task a process, without torchrun.
: "${CROSSIC_LAUNCH:=torchrun}"
# First port of the ports a job may listen on; the job's number is added to it (modulo 10,000).
# Below 32768, where systems take ports for outgoing connections.
: "${CROSSIC_FIRST_PORT:=20000}"

# ------------------------------------------------------------------------------------- recovery
# Look at nodes, GPUs and network before each attempt: on or off. It costs about 20 seconds.
: "${CROSSIC_HEALTH_CHECK:=on}"
# Seconds in which all ranks must have joined that check; a first start from a cold disk is slow.
: "${CROSSIC_CHECK_SECONDS:=300}"
# Bus bandwidth in GB/s that an all-reduce over all ranks must reach in that check; 0 reports it
# only. Nodes of 8 H100 with 400 Gb/s a GPU reach some 300, one node alone some 400.
: "${CROSSIC_MIN_ALLREDUCE_GBPS:=0}"
# Crashes, and failed checks of nodes, in a row without a newer checkpoint after which a job is not
# requeued any more.
: "${CROSSIC_MAX_CRASHES:=3}"
# Starts of one job, whatever ended them, after which it is not requeued any more.
: "${CROSSIC_MAX_STARTS:=200}"
# Seconds that ranks may take to save after a SIGTERM, before torchrun kills them.
: "${CROSSIC_SHUTDOWN_SECONDS:=600}"

# Largest model, in GB of Hugging Face weights, that slurm/convert.sbatch compares with its source
# without being asked (--check): 20 GB are 10 billion parameters and need 40 GB of memory.
: "${CROSSIC_CHECK_GB:=20}"

# -------------------------------------------------------------------------------------- network
# Names of NCCL and UCX; export in slurm/site.sh what differs at your site, for example
#     export NCCL_SOCKET_IFNAME=ib0       interface of the first contact
#     export NCCL_IB_HCA=mlx5             adapters that carry the data
#     export UCX_NET_DEVICES=mlx5_0:1     the same for UCX
#     export GLOO_SOCKET_IFNAME=eth0      interface for gloo, on nodes without GPUs
# A collective that fails ends the process instead of leaving it hanging.
export TORCH_NCCL_ASYNC_ERROR_HANDLING="${TORCH_NCCL_ASYNC_ERROR_HANDLING:-1}"

# ------------------------------------------------------------- no settings: handed to programs
# In a job alone: in the shell that submits, what follows from other settings would stay as it is
# when they change.
if [[ -n "${SLURM_JOB_ID:-}" ]]; then for name in "${!CROSSIC_@}"; do export "${name?}"; done; fi
if [[ -n "$CROSSIC_ACCOUNT" ]]; then export SBATCH_ACCOUNT="$CROSSIC_ACCOUNT"; fi
if [[ -n "$CROSSIC_PARTITION" ]]; then export SBATCH_PARTITION="$CROSSIC_PARTITION"; fi
if [[ -n "$CROSSIC_QOS" ]]; then export SBATCH_QOS="$CROSSIC_QOS"; fi
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
