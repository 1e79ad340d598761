"""The smallest architecture that has everything: two layers, grouped heads, tied embeddings."""

from megatron_crossic.model.architecture import ModelArchitecture

TINY = ModelArchitecture(
    family="qwen2",
    num_layers=2,
    hidden_size=32,
    ffn_hidden_size=48,
    num_attention_heads=4,
    num_query_groups=2,
    head_dim=8,
    vocab_size=100,
    max_position_embeddings=64,
    rotary_base=10000.0,
    rope_scaling=None,
    norm_epsilon=1e-6,
    tie_embeddings=True,
    qkv_bias=True,
    dtype="float32",
)
