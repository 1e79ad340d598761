#!/bin/bash
#
# launch.sh PROGRAM ARGUMENT...: a Python program on all processes of all nodes of this job,
# for a program that makes many such launches. Its logs go to the folder of its --output-folder.

set -euo pipefail

source slurm/env.sh
source slurm/common.sh

folder=$(need output-folder "$@")
launch=$$ # another number gives another port
enter_environment
prepare_ranks
run_ranks "$folder" "$@"
