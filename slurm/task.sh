#!/bin/bash
#
# One Slurm task of run_ranks (slurm/common.sh): starts torchrun for this node, or is one rank.
# What it says goes to srun and to a file of this node.

set -euo pipefail

if [[ ! -d "$CROSSIC_NODE_LOGS" ]]; then
    echo "error: $CROSSIC_NODE_LOGS must be there on $SLURMD_NODENAME, got nothing. Put it on a" \
        "file system of all nodes, and below a mount of the container (CROSSIC_CONTAINER_MOUNTS)." >&2
    exit 2
fi

# The copy must outlive a SIGTERM to the whole step: the last lines are the ones that matter.
exec > >(trap '' TERM INT USR1; exec tee -a "$CROSSIC_NODE_LOGS/$SLURMD_NODENAME.log") 2>&1

if [[ "$CROSSIC_LAUNCH" == torchrun ]]; then
    # torchrun kills its workers so long after it got a SIGTERM; a checkpoint may take longer than
    # its default of 30 seconds.
    export TORCH_ELASTIC_SHUTDOWN_TIMEOUT="$CROSSIC_SHUTDOWN_SECONDS"
    exec "$CROSSIC_PYTHON" -m torch.distributed.run \
        --nnodes="$SLURM_JOB_NUM_NODES" --nproc-per-node="$CROSSIC_PROCESSES" --max-restarts=0 \
        --rdzv-backend=c10d --rdzv-endpoint="$MASTER_ADDR:$MASTER_PORT" \
        --rdzv-id="$SLURM_JOB_ID.${SLURM_RESTART_COUNT:-0}.$SLURM_STEP_ID" \
        --local-addr="$SLURMD_NODENAME" "$@"
fi
export RANK="$SLURM_PROCID" LOCAL_RANK="$SLURM_LOCALID" WORLD_SIZE="$SLURM_NTASKS"
export LOCAL_WORLD_SIZE="$CROSSIC_PROCESSES"
exec "$CROSSIC_PYTHON" "$@"
