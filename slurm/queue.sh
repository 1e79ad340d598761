# shellcheck shell=bash disable=SC2034,SC2154 # output and dry_run are the caller's
#
# How slurm/pipeline.sh and mine_pairs.sh queue a job and find those of earlier calls: numbers in
# OUTPUT/pipeline.jobs, and a comment of each job that names what it makes.

# The jobs of this call: numbers, and for the report a line each.
jobs=() rows=()

# leave_outer_job: drop what the environment has from the job this is called in, if any; of another
# number of tasks or nodes, it would go before what the scripts say.
leave_outer_job() {
    local name dropped=()
    for name in "${!SLURM_@}" "${!SRUN_@}" "${!SALLOC_@}"; do
        case $name in
            SLURM_CONF | SLURM_CONF_SERVER | SLURM_CLUSTERS | SLURM_JWT) ;;
            *) unset "$name" && dropped+=("$name") ;;
        esac
    done
    [[ -z "$dry_run" ]] || ((${#dropped[@]} == 0)) || echo "unset ${dropped[*]}"
}

# comment_of STAGE: what its job writes to, as slurm/submit.py says it too.
comment_of() {
    if [[ "$1" == train ]]; then
        printf 'run_dir=%s' "$(realpath -m -- "$output/run")"
    else
        printf 'output=%s' "$(realpath -m -- "$output")"
    fi
}

# refuse_jobs_in_queue: an earlier call's jobs must not write the same files at the same time.
refuse_jobs_in_queue() {
    local earlier queued
    [[ -z "$dry_run" ]] || return 0
    earlier=$(paste -sd, "$output/pipeline.jobs" 2>/dev/null) || true
    # Slurm calls it an error if it knows none of them any more.
    queued=$({
        [[ -z "$earlier" ]] || squeue --noheader --format=%A --jobs="$earlier" 2>/dev/null
        squeue --me --noheader --format='%A|%k' 2>/dev/null | TRAIN=$(comment_of train) \
            OTHERS=$(comment_of others) awk '{ number = $0; sub(/\|.*/, "", number)
                sub(/^[^|]*\|/, ""); sub(/ +$/, "") }
                $0 == ENVIRON["TRAIN"] || $0 == ENVIRON["OTHERS"] { print number }'
    } | sort -un | paste -sd' ') || true
    [[ -z "$queued" ]] || fail "jobs of an earlier call must have ended, got $queued in the" \
        "queue. Wait, or cancel them: scancel $queued"
}

# submit NAME AFTER ARGUMENT...: in `job`, a job that starts when those of AFTER (12:13) have ended
# well. ARGUMENT... are options of sbatch, the script, and what is handed to it.
submit() {
    local name=$1 after=$2 log="$output/logs/$1-%j.log" command wait=()
    shift 2
    if [[ "$1" == --array* ]]; then log="$output/logs/$name-%A-%a.log"; fi
    if [[ -n "$after" ]]; then
        wait=(--dependency="afterok:$after" --kill-on-invalid-dep=yes)
    fi
    # Some sites hand the environment over only if they are told to.
    command=(sbatch --parsable --job-name="$name" --output="$log" --export=ALL
        --comment="$(comment_of "$name")")
    if [[ -n "$dry_run" ]]; then
        # In the script that is printed the numbers of earlier jobs are variables.
        printf "%s=\$(%s%s %s)\n" "$name" "$(quoted "${command[@]}")" "${wait:+ ${wait[*]}}" \
            "$(quoted "$@")"
        job="\$$name"
        return
    fi
    command+=("${wait[@]}" "$@")
    if ! job=$("${command[@]}"); then
        if ((${#jobs[@]})); then scancel "${jobs[@]}" || true; fi
        fail "Slurm must accept the job $name, and does not (its reason is above). The jobs" \
            "submitted before it are cancelled: ${jobs[*]:-none}."
    fi
    job=${job%%;*}
    jobs+=("$job")
    # After each: this call may be ended before the last is submitted.
    printf '%s\n' "${jobs[@]}" >"$output/pipeline.jobs"
    written_options >"$output/pipeline.options"
    rows+=("$(printf '%-10s %-8s %-16s %s' "$name" "$job" "${after:--}" \
        "$(sed "s/%[jA]/$job/; s/%a/*/" <<<"$log")")")
}

# quoted WORD...: as a shell reads them, with quotes where they are needed.
quoted() {
    local word line=''
    for word in "$@"; do
        [[ "$word" =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]] || word=${word@Q}
        line+="${line:+ }$word"
    done
    printf '%s' "$line"
}
