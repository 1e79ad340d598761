"""Cross-lingual continual pre-training on Megatron-Core.

    dumps / corpora ─► documents ─► pairs ─► chunks ─► windows ─► .bin/.idx (+ spans, manifest)
                                                                        │
    HF checkpoint ─► Megatron checkpoint ─► TP/PP/DP training ◄─────────┘
                                              │
                                       HF checkpoint

`data` makes windows, `model` and `train` learn from them on the device that `backend` chose,
`convert` carries weights to and from the Hugging Face format. Importing this package is cheap:
torch and megatron-core are imported by the modules that need them.
"""

__version__ = "0.1.0"
