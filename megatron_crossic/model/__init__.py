"""The model: what a Hugging Face configuration means, and its megatron-core counterpart.

config.json ─► architecture ─► (layout checks) ─► build ─► GPTModel of this pipeline stage
HF tensors ◄─► weights (one declarative table a family) ◄─► Megatron tensors
"""
