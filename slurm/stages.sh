# shellcheck shell=bash disable=SC2154 # given, output, dry_run and the lists are pipeline.sh's
#
# The stages of slurm/pipeline.sh: which are left, whether they can start, and their jobs.

tables=(source-page source-redirect target-page target-redirect)

# all_windows_complete PREFIX: a data set and, if there shall be some, its held-out windows.
all_windows_complete() {
    is_complete "$1" &&
        { [[ "${given[validation-fraction]}" =~ ^0*\.?0*$ ]] || is_complete "$1-validation"; }
}

# is_trained: whether the last attempt made the last step.
is_trained() {
    [[ "$(tail -n 1 "$output/run/slurm/attempts.jsonl" 2>/dev/null)" == *'"outcome": "done"'* ]]
}

# is_converted FOLDER FILE: whether slurm/convert.sbatch, or somebody else, has made it; of its own
# folders it says as long as they are not compared with their source.
is_converted() { [[ -e "$1/$2" && ! -e "$1.unchecked" ]]; }

# find_what_is_left: in `left`, the stages that have to run.
find_what_is_left() {
    declare -gA left=()
    is_trained || left[train]=yes
    is_converted "$output/hf" config.json || left[export]=yes
    if [[ -z "${left[train]:-}" ]]; then return; fi
    is_converted "$output/base" latest || left[import]=yes
    if ((${#windows[@]})) || all_windows_complete "$output/windows"; then return; fi
    left[windows]=yes
    if all_shards_complete; then return; fi
    left[shards]=yes
    if ((${#pairs[@]} == 0)) && ! is_complete "$output/pairs.jsonl"; then left[pairs]=yes; fi
}

# all_shards_complete: whether an array has made all that is merged.
all_shards_complete() {
    local index
    ((given[shards] > 1)) || return 1
    for ((index = 0; index < given[shards]; index++)); do
        is_complete "$(printf '%s-%05d-of-%05d' "$output/windows" $index "${given[shards]}")" ||
            return 1
    done
}

# check_inputs: refuse, naming all that is wrong at once, before the first job.
check_inputs() {
    local problems=() name path dumps=$((${#source_dump[@]} + ${#target_dump[@]})) kinds
    kinds=$(((dumps > 0) + (${#pairs[@]} > 0) + (${#windows[@]} > 0)))
    ((kinds == 1)) || problems+=("one of dumps, --pairs and --windows must be given, got $kinds")
    must_be_seen output "$output"
    for path in "${windows[@]}"; do must_exist windows "$path.manifest.json"; done
    if [[ -n "${left[pairs]:-}" && "$dumps" != 0 ]]; then check_dumps; fi
    if [[ -n "${left[shards]:-}" ]]; then
        for path in "${pairs[@]}"; do must_exist pairs "$path"; done
        must_exist tokenizer "${given[tokenizer]}"
        [[ "${given[seq-length]:-}" =~ ^[1-9][0-9]*$ ]] ||
            problems+=("--seq-length must be a whole number above 0, got '${given[seq-length]:-}'")
    fi
    if [[ -n "${left[import]:-}" ]]; then must_exist hf "${given[hf]:+${given[hf]}/config.json}"; fi
    if [[ -n "${left[train]:-}" ]]; then
        must_exist config "${given[config]:-}"
        [[ -n "${left[export]:-}" ]] ||
            problems+=("$output/hf must not be there before the training is done. Remove it")
    fi
    if ((${#problems[@]})); then
        printf 'error: %s.\n' "${problems[@]}" >&2
        fail "nothing is submitted. See slurm/pipeline.sh --help."
    fi
}

# check_dumps: adds to `problems` what the pairs lack.
check_dumps() {
    local path name
    for path in "${source_dump[@]:-}"; do must_exist source-dump "$path"; done
    for path in "${target_dump[@]:-}"; do must_exist target-dump "$path"; done
    must_exist langlinks "${given[langlinks]:-}"
    for name in "${tables[@]}"; do
        if [[ -n "${given[$name]:-}" ]]; then must_exist "$name" "${given[$name]}"; fi
    done
    [[ -n "${given[target-lang]:-}" ]] || problems+=("--target-lang must be given, got none")
}

# must_exist NAME PATH: adds to `problems` where the value of --NAME is missing.
must_exist() {
    if [[ -z "$2" ]]; then
        problems+=("--$1 must be given, got none")
    elif [[ ! -r "$2" ]]; then
        problems+=("--$1 must be a path that exists, got $2")
    else
        must_be_seen "$1" "$2"
    fi
}

# must_be_seen NAME PATH: adds to `problems` where a container would not find it by this name.
must_be_seen() {
    local mounts mount from to name=0 place=0
    [[ -n "$CROSSIC_CONTAINER_IMAGE" ]] || return 0
    IFS=, read -ra mounts <<<"$PWD:$PWD,$CROSSIC_CONTAINER_MOUNTS"
    for mount in "${mounts[@]}"; do
        from=${mount%%:*} to=${mount#*:}
        to=${to%%:*}
        [[ "$from" != "$to" || "$(realpath -ms -- "$2")/" != "${to%/}/"* ]] || name=1
        # A link may lead out of what is mounted.
        from=$(realpath -m -- "$from")
        [[ "$(realpath -m -- "$2")/" != "${from%/}/"* ]] || place=1
    done
    ((name && place)) || problems+=("--$1 must lie in the project's folder or in a folder that$(
    ) CROSSIC_CONTAINER_MOUNTS mounts under its own name, got $2")
}

# written_options: what decides the content of data and model, a line each.
written_options() {
    local name
    for name in hf tokenizer seq-length mode assembly validation-fraction source-lang target-lang \
        langlinks "${tables[@]}"; do
        printf '%s: %s\n' "$name" "$(quoted "${given[$name]:-}")"
    done
    printf 'source-dump: %s\n' "$(quoted "${source_dump[@]}")"
    printf 'target-dump: %s\n' "$(quoted "${target_dump[@]}")"
    printf 'pairs: %s\n' "$(quoted "${pairs[@]}")"
    printf 'windows: %s\n' "$(quoted "${windows[@]}")"
}

# refuse_other_options: what is complete must have been made by the same options.
refuse_other_options() {
    local file="$output/pipeline.options" differ
    [[ -e "$file" ]] || return 0
    differ=$(diff "$file" <(written_options) | sed -n 's/^[<>] //p' | paste -sd';' |
        sed 's/;/; /g') || true
    [[ -z "$differ" ]] || fail "options must be those $output was made with, got $differ." \
        "Choose another --output, or remove what was made and $file."
}

# submit_stages: whatever is left, each after what it reads.
submit_stages() {
    local made='' imported='' trained=''
    place=(${CROSSIC_ACCOUNT:+--account="$CROSSIC_ACCOUNT"} ${CROSSIC_QOS:+--qos="$CROSSIC_QOS"})
    on_cpus=("${place[@]}" ${CROSSIC_CPU_PARTITION:+--partition="$CROSSIC_CPU_PARTITION"}
        --cpus-per-task="$CROSSIC_CPUS_PER_JOB" --mem-per-cpu="$CROSSIC_MEMORY_PER_CPU")
    [[ -z "${left[pairs]:-}" ]] || submit_pairs
    [[ -z "${left[windows]:-}" ]] || submit_windows
    if [[ -n "${left[import]:-}" ]]; then
        submit import '' "${on_cpus[@]}" slurm/convert.sbatch \
            from-hf --hf "${given[hf]}" --output "$output/base"
        imported=$job
    fi
    if [[ -n "${left[train]:-}" ]]; then submit_training; fi
    if [[ -n "${left[export]:-}" ]]; then
        submit export "$trained" "${on_cpus[@]}" slurm/convert.sbatch \
            to-hf --checkpoint "$output/run/checkpoints" --output "$output/hf"
    fi
}

# submit_pairs: with all tables an array that cleans, and a job that pairs.
submit_pairs() {
    local name arguments tables_given=0
    arguments=(slurm/build_pairs.sbatch --output "$output/pairs.jsonl"
        --source-lang "${given[source-lang]}" --target-lang "${given[target-lang]}"
        --langlinks "${given[langlinks]}" --source-dump "${source_dump[@]}"
        --target-dump "${target_dump[@]}")
    for name in "${tables[@]}"; do
        [[ -n "${given[$name]:-}" ]] || continue
        arguments+=("--$name" "${given[$name]}")
        tables_given=$((tables_given + 1))
    done
    if ((given[shards] > 1 && tables_given == ${#tables[@]})); then
        submit clean '' --array="0-$((given[shards] - 1))" "${on_cpus[@]}" "${arguments[@]}"
        made=$job
    fi
    submit pairs "$made" "${on_cpus[@]}" "${arguments[@]}"
    made=$job
}

# submit_windows: an array and its merge, or one job.
submit_windows() {
    local inputs=("$output/pairs.jsonl") arguments
    if ((${#pairs[@]})); then inputs=("${pairs[@]}"); fi
    arguments=(slurm/preprocess.sbatch --pairs "${inputs[@]}" --tokenizer "${given[tokenizer]}"
        --seq-length "${given[seq-length]}" --mode "${given[mode]}" --assembly "${given[assembly]}"
        --validation-fraction "${given[validation-fraction]}" --output-prefix "$output/windows")
    if ((given[shards] == 1)); then
        submit windows "$made" "${on_cpus[@]}" "${arguments[@]}"
    else
        if [[ -n "${left[shards]:-}" ]]; then
            submit windows "$made" --array="0-$((given[shards] - 1))" "${on_cpus[@]}" \
                "${arguments[@]}"
            made=$job
        fi
        submit merge "$made" "${on_cpus[@]}" slurm/merge.sbatch --output-prefix "$output/windows" \
            --shards "${given[shards]}"
    fi
    made=$job
}

# submit_training: after windows and import; it requeues itself until it is done.
submit_training() {
    local after="$made${made:+${imported:+:}}$imported" path held_out=() arguments
    local prefixes=("$output/windows")
    if ((${#windows[@]})); then
        prefixes=("${windows[@]}")
        for path in "${windows[@]}"; do
            if is_complete "$path-validation"; then held_out+=("$path-validation"); fi
        done
    elif [[ ! "${given[validation-fraction]}" =~ ^0*\.?0*$ ]]; then
        held_out=("$output/windows-validation")
    fi
    arguments=(--config "${given[config]}" --run_dir "$output/run"
        --checkpoint.initial "$output/base" --data.train "$(json_list "${prefixes[@]}")")
    if ((${#held_out[@]})); then arguments+=(--data.validation "$(json_list "${held_out[@]}")"); fi
    submit train "$after" "${place[@]}" ${CROSSIC_PARTITION:+--partition="$CROSSIC_PARTITION"} \
        --nodes="${given[nodes]}" --gpus-per-node="$CROSSIC_GPUS_PER_NODE" \
        --time="${given[time]}" slurm/pretrain.sbatch "${arguments[@]}" \
        "${pretrain_options[@]}"
    trained=$job
}

# json_list TEXT...: as a list in JSON.
json_list() {
    local text list=''
    for text in "$@"; do
        text=${text//\\/\\\\}
        list+="${list:+, }\"${text//\"/\\\"}\""
    done
    printf '[%s]' "$list"
}

# report: the jobs, where to look, how to end them.
report() {
    [[ -z "$dry_run" ]] || return 0
    if ((${#jobs[@]} == 0)); then
        echo "everything is complete; nothing is submitted. The trained model: $output/hf"
        return
    fi
    printf '%-10s %-8s %-16s %s\n' stage job "waits for" log
    printf '%s\n' "${rows[@]}"
    printf '\nlook at the jobs    squeue --jobs=%s\n' "$(IFS=, && echo "${jobs[*]}")"
    printf 'look at the run     %s\n' "$(quoted "$CROSSIC_PYTHON" tools/status.py "$output/run")"
    printf 'end all of it       scancel %s\n' "${jobs[*]}"
}
