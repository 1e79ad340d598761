# shellcheck shell=bash disable=SC2034,SC2154 # what is shared with pretrain.sbatch
#
# One attempt of slurm/pretrain.sbatch: where it starts, what it leaves in RUN/slurm/, and what is
# next. Reads and sets: run_dir, restart, attempt (its folder), leave_file, outcome, reason,
# exit_code, next.

# find_run_dir ARGUMENT...: the run's folder, as tools/pretrain.py will find it.
find_run_dir() {
    local found config
    found=$(option run_dir "$@")
    config=$(option config "$@")
    if [[ -z "$found" && -n "$config" ]]; then
        [[ -r "$config" ]] || fail "--config must be a file, got $config. Give a path that exists."
        found=$(sed -n 's/^run_dir:[[:space:]]*//p' "$config" | sed 's/[[:space:]]*\(#.*\)\?$//' |
            tail -n 1 | tr -d "\"'")
    fi
    [[ -n "$found" ]] || fail "run_dir must be given, got none. Add --run_dir, or name it in the" \
        "file of --config."
    printf '%s' "$found"
}

# newest_step: the step of the newest complete checkpoint, 0 where there is none.
newest_step() {
    local name=''
    read -r name 2>/dev/null <"$run_dir/checkpoints/latest" || true
    name=${name#step_}
    [[ "$name" =~ ^[0-9]+$ ]] && printf '%d' "$((10#$name))" || printf 0
}

# record FIELDS: one JSON object in the list of attempts. Values are numbers and words of ours.
record() {
    printf '{"event": "%s", "job": %d, "restart": %d, %s, "step": %d, "time": %d}\n' \
        "$1" "$SLURM_JOB_ID" "$restart" "$2" "$(newest_step)" "$(date +%s)" \
        >>"$run_dir/slurm/attempts.jsonl"
}

# open_attempt: the folder of this attempt, with what is needed to repeat it.
open_attempt() {
    restart=${SLURM_RESTART_COUNT:-0}
    attempt="$run_dir/slurm/$SLURM_JOB_ID.$restart"
    mkdir -p "$attempt"
    cp "$0" "$attempt/job.sh"
    (
        umask 077
        git describe --always --dirty 2>/dev/null || echo "no git"
        env | grep -viE '^[^=]*(key|token|secret|passw|credential)' | sort || true
    ) >"$attempt/environment"
    leave_file="$attempt/leave"
    rm -f "$attempt/outcome" "$attempt/unhealthy" "$leave_file"
    export CROSSIC_OUTCOME="$attempt/outcome"
    record start "\"nodes\": \"$SLURM_JOB_NODELIST\""
}

# until_it_ends PID: its exit code. A trapped signal ends `wait`, not what is waited for.
until_it_ends() {
    local code=0
    while :; do
        code=0
        wait "$1" || code=$?
        kill -0 "$1" 2>/dev/null || return "$code"
    done
}

# check_nodes: whether all nodes can train; the bad ones are in $attempt/unhealthy.
check_nodes() {
    [[ "$CROSSIC_HEALTH_CHECK" == on ]] || return 0
    # torchrun would hide the exit code, and wait for a node that is not there.
    CROSSIC_LAUNCH=srun run_ranks "$attempt" tools/check_nodes.py --run-dir "$run_dir" \
        --expect-devices "${SLURM_GPUS_PER_NODE:-0}" --unhealthy "$attempt/unhealthy" \
        --min-allreduce-gbps "$CROSSIC_MIN_ALLREDUCE_GBPS" &
    until_it_ends $!
}

# train ARGUMENT...: one attempt; its exit code is that of the step.
train() {
    run_ranks "$attempt" tools/pretrain.py "$@" --recovery.stop_file "$leave_file" &
    until_it_ends $!
}

# read_outcome CODE: how the attempt ended, in `outcome`, `reason` and `exit_code`.
read_outcome() {
    exit_code=$1 outcome=crash reason="the ranks ended with exit code $1 and said nothing"
    if [[ -s "$attempt/unhealthy" ]]; then
        outcome=unhealthy reason=$(tr '\n' ';' <"$attempt/unhealthy")
    elif [[ -s "$CROSSIC_OUTCOME" ]]; then
        { read -r exit_code outcome && read -r reason; } <"$CROSSIC_OUTCOME" || true
    fi
}

# count_crash: how many crashes in a row this one is without a newer checkpoint; kept by job, so
# that a job that is submitted again starts anew.
count_crash() {
    local file="$run_dir/slurm/crashes" job=0 step=0 crashes=0 now
    now=$(newest_step)
    read -r job step crashes 2>/dev/null <"$file" || true
    [[ "$job" == "$SLURM_JOB_ID" && "$step" == "$now" ]] || crashes=0
    echo "$SLURM_JOB_ID $now $((crashes + 1))" >"$file"
    printf '%d' "$((crashes + 1))"
}

# decide: what is next, in `next`; `reason` says why the job stops where it does.
decide() {
    local job state why restarts crashes
    next=requeue
    job=$(scontrol show job -o "$SLURM_JOB_ID") || true
    state=$(sed -n 's/.* JobState=\([A-Z_]*\).*/\1/p' <<<"$job")
    why=$(sed -n 's/.* Reason=\([^ ]*\).*/\1/p' <<<"$job")
    restarts=$(sed -n 's/.* Restarts=\([0-9]*\).*/\1/p' <<<"$job")
    case $outcome in
        done | error) next=stop ;;
        left) if [[ "$reason" == *"file STOP"* ]]; then next=stop; fi ;;
        *)
            crashes=$(count_crash)
            if ((crashes >= CROSSIC_MAX_CRASHES)); then
                next=stop reason+="; $crashes crashes in a row without a newer checkpoint"
            fi
            ;;
    esac
    if [[ "$next" == requeue && -n "$job" ]] &&
        [[ "$state" != RUNNING && "$why" != TimeLimit || "$restarts" != "$restart" ]]; then
        # It was cancelled, or Slurm requeued it: this node was lost to it, and what runs on it
        # must not disturb the attempt that followed. After the time limit the job has ended too,
        # but Slurm takes it back.
        next=stop reason+="; this attempt does not decide (the job is ${state,,})"
    elif [[ "$next" == requeue ]] && ((restart + 1 >= CROSSIC_MAX_STARTS)); then
        next=stop reason+="; it was started $((restart + 1)) times (CROSSIC_MAX_STARTS)"
    fi
}

# nodes_to_exclude: what the check named; nothing where it named all of several nodes: then none
# stands out, and a job that may use none of them would never start.
nodes_to_exclude() {
    local named number
    named=$(cut -d' ' -f1 "$attempt/unhealthy" 2>/dev/null | sort -u)
    number=$(grep -c . <<<"$named" || true)
    if ((number == 1 || number < SLURM_JOB_NUM_NODES)); then paste -sd, <<<"$named"; fi
}

# requeue: back into the queue, without the nodes that failed the check where that can be had.
requeue() {
    local bad excluded
    trap '' TERM # Slurm is about to end this script; what is below must come before that
    scontrol requeue "$SLURM_JOB_ID" || fail "the job must be requeued, and Slurm refuses." \
        "Submit it again: it goes on from step $(newest_step)."
    bad=$(nodes_to_exclude)
    if [[ -n "$bad" ]]; then
        excluded=$(scontrol show job -o "$SLURM_JOB_ID" |
            sed -n 's/.* ExcNodeList=\([^ ]*\).*/\1/p' | sed 's/^(null)$//')
        scontrol update JobId="$SLURM_JOB_ID" ExcNodeList="${excluded:+$excluded,}$bad" ||
            say "could not exclude $bad; ask your administrators to drain it"
    fi
    exit 0 # nobody hears it: the job is in the queue already
}
