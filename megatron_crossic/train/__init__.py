"""Training: windows in, checkpoints and metrics out.

    options ─► plan ─► loop ─► run_dir/
    (YAML)    (checks)   │
                         ├─ dataset ─► batches ─► step ─► metrics
                         │  (order)    (masks)    loss    (progress, JSON lines, TensorBoard)
                         │                        optimizer, schedule
                         ├─ validate
                         └─ checkpoint.state

`plan` does everything that can fail early and needs no process group, so a dry run and a real run
refuse the same things. What a step computes does not depend on the layout: the order of windows is
a function of the seed, and the loss is a mean over the tokens of the global batch.
"""
