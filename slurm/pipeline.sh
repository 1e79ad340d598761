#!/bin/bash
#
# The whole chain as jobs that wait for each other: dumps -> pairs -> windows, and a Hugging Face
# model -> a checkpoint; then training; then a Hugging Face model again. From the project's folder:
#
#     slurm/pipeline.sh --output OUTPUT --hf MODEL --config CONFIG --seq-length N WHAT… [OPTION…]
#
# WHAT to start from, one of:
#   --source-dump XML… --target-dump XML… --langlinks SQL --target-lang CODE
#       dumps, of which slurm/build_pairs.sbatch makes pairs; as an array if all of these are given:
#       --source-page SQL --source-redirect SQL --target-page SQL --target-redirect SQL
#   --pairs FILE…       pair files
#   --windows PREFIX…   data sets of windows; held-out ones, PREFIX-validation, are found
#
# Options:
#   --output FOLDER     where everything goes: pairs.jsonl windows.* base/ run/ hf/ logs/
#   --hf FOLDER         the Hugging Face model to go on with
#   --config FILE       the configuration of the training; data, start and run_dir are set from here
#   --seq-length N      tokens of a window
#   --tokenizer PATH    default: the folder of --hf
#   --source-lang CODE  default: en
#   --mode NAME, --assembly NAME, --validation-fraction X
#                       of the windows; default: crossic, best_fit, 0.01
#   --shards N          tasks of each array; default: 8
#   --nodes N           nodes that train; default: 1
#   --time LIMIT        of one attempt to train, which is repeated until done; default: 24:00:00
#   --dry-run           print the commands, as a script, and submit nothing
#   --help              print this
#   -- OPTION…          the rest is for tools/pretrain.py
#
# Account, partitions, GPUs and environment are those of slurm/env.sh. Called again with the same
# options, after a failure, it submits what is not complete. A job that fails cancels those that
# wait for it.

set -euo pipefail

cd "${CROSSIC_ROOT:-.}"
if [[ ! -e slurm/env.sh ]]; then
    echo "error: slurm/pipeline.sh must be called from the project's folder, got $PWD." >&2
    exit 2
fi
source slurm/env.sh
source slurm/common.sh
source slurm/queue.sh
source slurm/stages.sh

declare -A given=([source-lang]=en [mode]=crossic [assembly]=best_fit [validation-fraction]=0.01
    [shards]=8 [nodes]=1 [time]=24:00:00 [tokenizer]='')
# What has several values, and where the values of the option that is read now go.
source_dump=() target_dump=() pairs=() windows=() pretrain_options=()
dry_run=''

# parse ARGUMENT...: into `given` and the lists above.
parse() {
    local name
    while (($#)); do
        name=${1#--}
        case $1 in
            --help) sed -n '3,/^$/s/^# \{0,1\}//p' slurm/pipeline.sh && exit 0 ;;
            --dry-run) dry_run=yes ;;
            --source-dump | --target-dump | --pairs | --windows)
                local -n list=${name//-/_}
                while (($# > 1)) && [[ "$2" != --* ]]; do list+=("$2") && shift; done
                ((${#list[@]})) || fail "--$name must have a value, got none. See --help."
                ;;
            --output | --hf | --config | --seq-length | --tokenizer | --mode | --assembly | \
                --validation-fraction | --shards | --nodes | --time | --langlinks | \
                --source-lang | --target-lang | --source-page | --source-redirect | \
                --target-page | --target-redirect)
                if (($# < 2)) || [[ "$2" == --* ]]; then
                    fail "--$name must have a value, got none. See --help."
                fi
                given[$name]=$2 && shift
                ;;
            --) shift && pretrain_options=("$@") && return ;;
            *) fail "options must be those of --help, got $1. Options of the training follow --." ;;
        esac
        shift
    done
}

parse "$@"
output=${given[output]:-}
[[ -n "$output" ]] || fail "--output must be given, got none. See --help."
: "${given[tokenizer]:=${given[hf]:-}}"
for name in shards nodes; do
    [[ "${given[$name]}" =~ ^[1-9][0-9]{0,4}$ ]] ||
        fail "--$name must be a whole number above 0, got ${given[$name]}. See --help."
done
find_what_is_left
check_inputs
refuse_other_options
leave_outer_job
refuse_jobs_in_queue
if [[ -n "$dry_run" ]]; then
    echo "mkdir -p $(quoted "$output/logs")"
else
    mkdir -p "$output/logs" # Slurm does not make it, and a job without a log fails
fi
submit_stages
report
