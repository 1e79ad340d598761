"""A cluster around the training: are its nodes fit for a run, and is a run fit for it.

    before a job is queued     settings ─► submission ─► sbatch
                               (slurm/env.sh)  layout, disk, time, partition: all problems at once

    before the first step      measure ─► readings ─► health ─┐
                               (NVML, disk, matrix products)  ├─► check: a table, the bad nodes
                               all-reduce ────────► network ──┘

What is decided from figures (`health`, `network`, the rules of a submission) is apart from what
gets them, so that any cluster can be tried.
"""
