# shellcheck shell=bash
#
# What the batch scripts share. They run in the project's folder and have read slurm/env.sh.

# say TEXT: one line of the job's log.
say() { printf '[%s job %s] %s\n' "$(date -u +%FT%TZ)" "${SLURM_JOB_ID:-}" "$*"; }

# fail TEXT: one clear line, and the exit code of an error that trying again does not mend.
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

# option NAME ARGUMENT...: the last value of --NAME among the arguments; nothing where it is absent.
option() {
    local name="--$1" value=''
    shift
    while (($#)); do
        case $1 in
            "$name") value=${2:-} ;;
            "$name="*) value=${1#*=} ;;
        esac
        shift
    done
    printf '%s' "$value"
}

# has_flag NAME ARGUMENT...: whether --NAME is among the arguments.
has_flag() {
    local name="--$1" word
    shift
    for word in "$@"; do [[ "$word" != "$name" ]] || return 0; done
    return 1
}

# need NAME ARGUMENT...: the value of --NAME, which must be there.
need() {
    local value
    value=$(option "$@")
    [[ -n "$value" ]] || fail "--$1 must be given, got none. The head of the script shows how to" \
        "call it."
    printf '%s' "$value"
}

# is_complete PATH: whether a pair file or a data set of windows is whole: its manifest comes last.
is_complete() { [[ -e "$1.manifest.json" ]]; }

# pass_over_complete PATH ARGUMENT...: end the job well where its result is there already, so that
# jobs can be repeated as they were.
pass_over_complete() {
    local path=$1
    shift
    if is_complete "$path" && ! has_flag overwrite "$@"; then
        say "$path is complete; nothing to do (--overwrite makes it anew)"
        exit 0
    fi
}

# find_shard: in `shard`, the part of the work that is ours as I/N; nothing outside of an array.
find_shard() {
    local count=${SLURM_ARRAY_TASK_COUNT:-0} first=${SLURM_ARRAY_TASK_MIN:-} last
    shard=''
    [[ -n "${SLURM_ARRAY_TASK_ID:-}" ]] || return 0
    last=$SLURM_ARRAY_TASK_MAX
    # A part of an array, 3 of 0-7, must not pass for the only shard.
    [[ "$first $last" == "0 $((count - 1))" ]] ||
        fail "the array must be 0-N, got $count tasks from $first to $last. Submit the whole" \
            "array again; what is complete is passed over."
    # shellcheck disable=SC2034 # read by the scripts
    shard=$SLURM_ARRAY_TASK_ID/$count
}

# verify_windows PREFIX: every law of a data set, and of the held-out windows beside it.
verify_windows() {
    local prefixes=("$1")
    if is_complete "$1-validation"; then prefixes+=("$1-validation"); fi
    run_alone "$CROSSIC_PYTHON" tools/verify_dataset.py "${prefixes[@]}"
}

# enter_environment: what the tools need, on the batch host and, inherited, in every step.
enter_environment() {
    local module
    # What a step is made of is said to each srun below; here it may come from the job, or from one
    # that this was submitted from.
    unset SLURM_CPUS_PER_TASK SLURM_MEM_PER_NODE SLURM_MEM_PER_CPU SLURM_MEM_PER_GPU \
        SLURM_NTASKS_PER_NODE SLURM_GPUS_PER_TASK SLURM_TRES_PER_TASK SLURM_HINT \
        SLURM_THREADS_PER_CORE SLURM_DISTRIBUTION "${!SLURM_CPU_BIND@}" "${!SLURM_GPU_BIND@}"
    export SLURM_EXPORT_ENV=ALL # also where the site submits with --export=NONE
    for module in $CROSSIC_MODULES; do load_module "$module"; done
    container=()
    if [[ -n "$CROSSIC_CONTAINER_IMAGE" ]]; then
        local mounts="$PWD:$PWD${CROSSIC_CONTAINER_MOUNTS:+,$CROSSIC_CONTAINER_MOUNTS}"
        container=(--container-image="$CROSSIC_CONTAINER_IMAGE" --container-mounts="$mounts"
            --container-workdir="$PWD" --no-container-mount-home)
        # Without this what the image says of the network would count more than slurm/site.sh.
        local names=("${!NCCL_@}" "${!UCX_@}" "${!GLOO_@}" "${!TORCH_NCCL_@}")
        container+=(--container-env="$(IFS=, && echo "${names[*]}")")
    elif [[ ! -x "$CROSSIC_PYTHON" ]]; then
        fail "CROSSIC_PYTHON must be a Python, got $CROSSIC_PYTHON, which is not there." \
            "Run make install, or set CROSSIC_VENV or CROSSIC_CONTAINER_IMAGE (slurm/env.sh)."
    fi
    export PYTHONUNBUFFERED=1
    ulimit -c 0                          # a crash of 64 ranks would fill the disk with core files
    ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
}

# load_module NAME: modulefiles and their set-up read variables that are not there.
load_module() {
    local file
    set +u
    if ! type module >/dev/null 2>&1; then
        for file in /etc/profile.d/{modules,lmod,z00_lmod}.sh; do
            # shellcheck source=/dev/null
            if [[ -r "$file" ]]; then source "$file"; fi
        done
    fi
    module load "$1" || fail "CROSSIC_MODULES must be modules of this node, got $1. See module avail."
    set -u
}

# processors_for TASKS: processors of each of so many tasks, on the node that has the fewest; even,
# for a task gets whole cores of two threads.
processors_for() {
    local fewest number
    fewest=$(tr ',' '\n' <<<"$SLURM_JOB_CPUS_PER_NODE" | sed 's/(.*//' | sort -n | head -n 1)
    number=$((fewest / $1))
    if ((number > 1)); then number=$((number / 2 * 2)); fi
    printf '%d' "$((number > 0 ? number : 1))"
}

# prepare_ranks: how many processes train on a node, and who starts them; before run_ranks.
prepare_ranks() {
    local gpus=${SLURM_GPUS_PER_NODE:-}
    local number=${CROSSIC_PROCESSES_PER_NODE:-${gpus##*:}}
    [[ "$number" =~ ^[1-9][0-9]*$ ]] || fail "processes on a node must be at least 1, got" \
        "'$number'. Submit with --gpus-per-node, or set CROSSIC_PROCESSES_PER_NODE (slurm/env.sh)."
    [[ "$CROSSIC_LAUNCH" =~ ^(torchrun|srun)$ ]] ||
        fail "CROSSIC_LAUNCH must be torchrun or srun, got $CROSSIC_LAUNCH. See slurm/env.sh."
    export CROSSIC_PROCESSES="$number"
}

# run_alone COMMAND...: one process on the first node, with all of its processors.
run_alone() {
    srun ${container[@]+"${container[@]}"} --nodes=1 --ntasks=1 \
        --cpus-per-task="${SLURM_CPUS_ON_NODE:-1}" --unbuffered --kill-on-bad-exit=1 "$@"
}

# run_ranks FOLDER PROGRAM ARGUMENT...: a Python program on all processes of all nodes. What a node
# says is in the job's log and in FOLDER/NODE.log.
run_ranks() {
    local tasks=1
    [[ "$CROSSIC_LAUNCH" == torchrun ]] || tasks=$CROSSIC_PROCESSES
    export CROSSIC_NODE_LOGS="$1"
    MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
    # `launch` tells the calls of a job apart: the port of the last may not be free yet.
    MASTER_PORT=$((CROSSIC_FIRST_PORT +
        (SLURM_JOB_ID * 8 + ${SLURM_RESTART_COUNT:-0} * 2 + ${launch:-0}) % 10000))
    export MASTER_ADDR MASTER_PORT
    shift
    srun ${container[@]+"${container[@]}"} --nodes="$SLURM_JOB_NUM_NODES" \
        --ntasks="$((tasks * SLURM_JOB_NUM_NODES))" --ntasks-per-node="$tasks" \
        --distribution=block --cpus-per-task="$(processors_for "$tasks")" \
        --kill-on-bad-exit=1 --wait=60 --label --unbuffered bash slurm/task.sh "$@"
}
