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

import warnings

# Said on every start by megatron-core and PyTorch, about what is not installed here on purpose or
# about their own future: they would only make a user doubt the run.
_CONFUSING = (
    "Transformer Engine and Apex are not installed",
    "Apex is not installed",
    "full scope is deprecated",
    "`load_state_dict` is deprecated and will be removed",
    "`torch.distributed.* is deprecated",
    "Please use DTensor instead",
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed",
)
for _message in _CONFUSING:
    warnings.filterwarnings("ignore", message=_message)
