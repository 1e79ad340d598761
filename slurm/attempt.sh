# shellcheck shell=bash disable=SC2034,SC2154 # what is shared with pretrain.sbatch
#
# One attempt of slurm/pretrain.sbatch: where it starts, what it leaves in RUN/slurm/, and what is
# next. Reads and sets: run_dir, restart, attempt (its folder), leave_file, outcome, reason,
# exit_code, next, was_ended, was_requeued.

# find_run_dir ARGUMENT...: the run's folder; it is handed to tools/pretrain.py as it is found here.
find_run_dir() {
    local found config
    found=$(option run_dir "$@")
    config=$(option config "$@")
    if [[ -z "$found" && -n "$config" ]]; then
        [[ -r "$config" ]] || fail "--config must be a file, got $config. Give a path that exists."
        found=$(sed -n 's/^run_dir:[[:space:]]*//p' "$config" | sed 's/[[:space:]]\{1,\}#.*$//' |
            sed 's/[[:space:]]*$//' | tail -n 1 | tr -d "\"'")
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

# job_field NAME: what Slurm says of this job now; nothing where it does not answer.
job_field() {
    scontrol show job -o "$SLURM_JOB_ID" 2>/dev/null | sed -n "s/.* $1=\([^ ]*\).*/\1/p" || true
}

# take_over: this attempt owns the run from here on. Ranks of an earlier one that still run, on a
# node that Slurm has lost, see it and leave without saving (train/stopping.py).
take_over() {
    local job='' attempt_before
    attempt_before=$(cat "$run_dir/slurm/owner" 2>/dev/null) || true
    job=${attempt_before%%.*}
    if [[ "$job" =~ ^[0-9]+$ && "$job" != "$SLURM_JOB_ID" ]] &&
        [[ -n "$(squeue --noheader --jobs="$job" --states=RUNNING,SUSPENDED 2>/dev/null)" ]]; then
        fail "a run must have one job at a time, got job $job running in $run_dir. Wait for it," \
            "or end it: scancel $job"
    fi
    export CROSSIC_ATTEMPT="$SLURM_JOB_ID.$restart"
    echo "$CROSSIC_ATTEMPT" >"$run_dir/slurm/owner"
}

# open_attempt: the folder of this attempt, with what is needed to repeat it; from here on signals
# are answered.
open_attempt() {
    attempt="$run_dir/slurm/$SLURM_JOB_ID.$restart"
    mkdir -p "$attempt"
    cp "$0" "$attempt/job.sh"
    write_environment "$attempt/environment"
    leave_file="$attempt/leave"
    rm -f "$attempt/outcome" "$attempt/unhealthy" "$leave_file"
    export CROSSIC_OUTCOME="$attempt/outcome"
    trap 'say "asked to leave"; touch "$leave_file"' USR1
    trap on_term TERM
    record start "\"nodes\": \"$SLURM_JOB_NODELIST\""
}

# write_environment FILE: the revision and all variables but those whose names tell of secrets, for
# the eyes of the user alone.
write_environment() {
    rm -f "$1"
    install -m 600 /dev/null "$1"
    {
        git describe --always --dirty 2>/dev/null || echo "no git"
        env -0 | grep -zviE '^[^=]*(key|token|secret|pass|pwd|cred|auth|_pat=)' | sort -z |
            tr '\0' '\n' | sed 's#://[^/@ ]*@#://...@#g' || true
    } >>"$1"
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
    launch=0 CROSSIC_LAUNCH=srun run_ranks "$attempt" tools/check_nodes.py --run-dir "$run_dir" \
        --expect-devices "${SLURM_GPUS_PER_NODE:-$CROSSIC_GPUS_PER_NODE}" \
        --unhealthy "$attempt/unhealthy" --min-allreduce-gbps "$CROSSIC_MIN_ALLREDUCE_GBPS" \
        --timeout-seconds "$CROSSIC_CHECK_SECONDS" &
    until_it_ends $!
}

# train ARGUMENT...: one attempt; its exit code is that of the step.
train() {
    launch=1 run_ranks "$attempt" tools/pretrain.py "$@" --run_dir "$run_dir" \
        --recovery.stop_file "$leave_file" &
    until_it_ends $!
}

# on_term: Slurm is about to end the script: it was cancelled, makes way, or its time is over. The
# ranks were asked as well, and how they end is noted if there is time for it; but after the time
# limit the job must be back in the queue before Slurm kills this script.
on_term() {
    was_ended=yes
    say "asked to end"
    if [[ -z "$was_requeued" && "$(job_field Reason)" == TimeLimit && ! -e "$run_dir/STOP" ]] &&
        ((restart + 1 < CROSSIC_MAX_STARTS)) && scontrol requeue "$SLURM_JOB_ID"; then
        was_requeued=yes
        say "the time is over: back in the queue"
    fi
}

# read_outcome CODE: how the attempt ended, in `outcome`, `reason` and `exit_code`.
read_outcome() {
    exit_code=$1 outcome=crash reason="the ranks ended with exit code $1 and said nothing"
    if [[ -s "$attempt/unhealthy" ]]; then
        outcome=unhealthy reason=$(tr '\n' ';' <"$attempt/unhealthy")
    elif [[ -s "$CROSSIC_OUTCOME" ]]; then
        { read -r exit_code outcome && read -r reason; } <"$CROSSIC_OUTCOME" || true
    fi
    if [[ ! "$outcome" =~ ^(done|left)$ ]] && ((exit_code == 0)); then exit_code=1; fi
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
    local state='' restarts='' try crashes
    next=requeue
    case $outcome in
        done | error) next=stop ;;
        left) if [[ "$reason" == *"file STOP"* ]]; then next=stop; fi ;;
    esac
    [[ "$next" == requeue && -z "$was_requeued" ]] || return 0
    for try in 0 1 2 4 8 16 32 60 60 60; do # the controller may be away for a while
        sleep "$try"
        state=$(job_field JobState) restarts=$(job_field Restarts)
        [[ -z "$state" ]] || break
    done
    if [[ "$state" != RUNNING && "$(job_field Reason)" != TimeLimit ]] ||
        [[ "$restarts" != "$restart" ]]; then
        # It was cancelled, or Slurm requeued it, because this node was lost or makes way: what
        # runs here must not disturb the attempt that follows.
        next=slurm reason+="; Slurm decides what is next (the job is ${state:-unknown})"
    elif ((restart + 1 >= CROSSIC_MAX_STARTS)); then
        next=stop reason+="; it was started $((restart + 1)) times (CROSSIC_MAX_STARTS)"
    elif [[ "$outcome" != left && -z "$was_ended" ]]; then
        crashes=$(count_crash)
        if ((crashes >= CROSSIC_MAX_CRASHES)); then
            next=stop reason+="; $crashes crashes in a row without a newer checkpoint"
        fi
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
    local bad excluded try answer=''
    trap '' TERM # Slurm is about to end this script; what is below must come before that
    for try in 0 1 2 4 8 16 32 60 60 60; do
        sleep "$try"
        if answer=$(scontrol requeue "$SLURM_JOB_ID" 2>&1); then answer='' && break; fi
        [[ ! "$answer" =~ (disabled|Invalid|denied|permitted) ]] || break
    done
    [[ -z "$answer" ]] || fail "the job must be requeued, and Slurm refuses: $answer. Submit it" \
        "again: it goes on from step $(newest_step)."
    bad=$(nodes_to_exclude)
    if [[ -n "$bad" ]]; then
        excluded=$(job_field ExcNodeList | sed 's/^(null)$//')
        scontrol update JobId="$SLURM_JOB_ID" ExcNodeList="${excluded:+$excluded,}$bad" ||
            say "could not exclude $bad; ask your administrators to drain it"
    fi
    exit 0 # nobody hears it: the job is in the queue already
}
