#!/bin/bash
#
# launch.sh [--processes-per-node N] PROGRAM ARGUMENT...: a Python program on all processes of all
# nodes of this job, for a program that makes many such launches. Its logs go to the folder of its
# --output-folder.

set -euo pipefail

source slurm/env.sh
source slurm/common.sh

if [[ "${1:-}" == --processes-per-node ]]; then # wins over slurm/site.sh
    export CROSSIC_PROCESSES_PER_NODE=${2:-}
    shift 2
fi
folder=$(need output-folder "$@")
launch=$$ # another number gives another port
enter_environment
prepare_ranks
# This process becomes srun, so that a signal to it reaches the ranks and nothing is left behind.
# shellcheck disable=SC2317,SC2329 # run_ranks calls it
srun() { exec srun "$@"; }
run_ranks "$folder" "$@"
