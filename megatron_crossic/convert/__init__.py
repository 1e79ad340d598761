"""Conversion between Hugging Face folders and Megatron checkpoints, one tensor at a time.

    HF folder ──from_hf──► checkpoint/step_0000000 ──training──► checkpoint/step_N
        ▲                                                              │
        └───────────────────────────── to_hf ◄─────────────────────────┘
                     parity: same bits both ways, same logits

`safetensors_folder` reads and writes the weight files, `model.weights` knows which tensor becomes
which.
"""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (bytes done, bytes in all) after each tensor of a conversion."""
