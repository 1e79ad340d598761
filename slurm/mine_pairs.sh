#!/bin/bash
#
# Pairs out of texts that are not aligned, as jobs that wait for each other. From the project's
# folder:
#
#     slurm/mine_pairs.sh --corpus FILE… --targets FILE… --output JSONL [--tasks N] [OPTION…]
#
#   --tasks N      tasks of each array; default: 8
#   --time LIMIT   of each job; default: 12:00:00
#   --dry-run      print the commands, as a script, and submit nothing
#   --help         print this
#   OPTION…        all others are for tools/mine_pairs.py
#
#     fit ─► encode (array) ─► encoded ─► index (array) ─► indexed ─► search (array) ─► pairs
#
# A pre-trained encoder is not fitted; the tasks that encode then get a GPU each, unless
# CROSSIC_GPUS_PER_NODE is 0. Account, partitions and environment are those of slurm/env.sh. Called
# again with the same options, after a failure, it goes on: what is done is passed over. Logs are in
# OUTPUT.work/logs. A job that fails cancels those that wait for it.

set -euo pipefail

cd "${CROSSIC_ROOT:-.}"
if [[ ! -e slurm/env.sh ]]; then
    echo "error: slurm/mine_pairs.sh must be called from the project's folder, got $PWD." >&2
    exit 2
fi
source slurm/env.sh
source slurm/common.sh
source slurm/queue.sh

tasks=8 time=12:00:00 dry_run='' arguments=()

# parse ARGUMENT...: into the variables above.
parse() {
    while (($#)); do
        case $1 in
            --help) sed -n '3,/^$/s/^# \{0,1\}//p' slurm/mine_pairs.sh && exit 0 ;;
            --dry-run) dry_run=yes ;;
            --tasks=* | --time=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" && continue ;;
            --tasks) tasks=${2:-} && shift ;;
            --time) time=$(need time "$@") && shift ;;
            --overwrite | --shard | --shard=*)
                fail "options must not be --overwrite or --shard, got $1. To mine anew, remove the" \
                    "output and its work folder; to select anew, submit slurm/mine_pairs.sbatch" \
                    "select with --overwrite."
                ;;
            *) arguments+=("$1") ;;
        esac
        shift
    done
}

# written_options: what queue.sh notes beside the numbers of the jobs.
written_options() { quoted "${arguments[@]}"; }

# submit_step NAME STEPS OPTION_OF_SBATCH...: after the job before it, if any.
submit_step() {
    local words
    read -ra words <<<"$2"
    submit "$1" "$job" "${@:3}" --time="$time" slurm/mine_pairs.sbatch "${words[@]}" \
        "${arguments[@]}"
}

# submit_steps: each after what it reads.
submit_steps() {
    local array=(--array="0-$((tasks - 1))") on_cpus encoding
    on_cpus=(${CROSSIC_ACCOUNT:+--account="$CROSSIC_ACCOUNT"} ${CROSSIC_QOS:+--qos="$CROSSIC_QOS"}
        --cpus-per-task="$CROSSIC_CPUS_PER_JOB" --mem-per-cpu="$CROSSIC_MEMORY_PER_CPU")
    encoding=("${on_cpus[@]}" ${CROSSIC_CPU_PARTITION:+--partition="$CROSSIC_CPU_PARTITION"})
    on_cpus=("${encoding[@]}")
    if [[ "$(option encoder "${arguments[@]}")" == sentence-transformers:* ]]; then
        if ((CROSSIC_GPUS_PER_NODE)); then
            encoding+=(${CROSSIC_PARTITION:+--partition="$CROSSIC_PARTITION"} --gpus-per-node=1)
        fi
    else
        submit_step fit fit "${on_cpus[@]}"
    fi
    submit_step encode encode "${array[@]}" "${encoding[@]}"
    submit_step encoded encode "${encoding[@]}"
    submit_step index index "${array[@]}" "${on_cpus[@]}"
    submit_step indexed index "${on_cpus[@]}"
    submit_step search search "${array[@]}" "${on_cpus[@]}"
    submit_step pairs "search select" "${on_cpus[@]}"
}

# report: the jobs, where to look, how to end them.
report() {
    printf '%-10s %-8s %-16s %s\n' stage job "waits for" log
    printf '%s\n' "${rows[@]}"
    printf '\nlook at the jobs    squeue --jobs=%s\n' "$(IFS=, && echo "${jobs[*]}")"
    printf 'end all of it       scancel %s\n' "${jobs[*]}"
}

parse "$@"
[[ "$tasks" =~ ^[1-9][0-9]{0,4}$ ]] ||
    fail "--tasks must be a whole number above 0, got $tasks. See --help."
for name in corpus targets; do need "$name" "${arguments[@]}" >/dev/null; done
pairs=$(need output "${arguments[@]}")
if is_complete "$pairs"; then
    echo "$pairs is complete; nothing is submitted"
    exit
fi
# Of queue.sh: the folder of the logs and of the numbers of jobs; and the job that is waited for.
output=$(option work "${arguments[@]}") job=''
output=${output:-$pairs.work}
leave_outer_job
refuse_jobs_in_queue
if [[ -n "$dry_run" ]]; then
    echo "mkdir -p $(quoted "$output/logs")"
else
    mkdir -p "$output/logs" # Slurm does not make it, and a job without a log fails
fi
submit_steps
if [[ -z "$dry_run" ]]; then report; fi
