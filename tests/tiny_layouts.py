"""The layouts that must train alike, and how many ranks each needs."""

from megatron_crossic.config import ParallelConfig

LAYOUTS = {
    "TP2": (2, ParallelConfig(tensor=2)),
    "TP2+SP": (2, ParallelConfig(tensor=2, sequence=True)),
    "PP2": (2, ParallelConfig(pipeline=2)),
    "VPP2*2": (2, ParallelConfig(pipeline=2, virtual_pipeline=2)),
    "DP2": (2, ParallelConfig()),
    "DP2+DO": (2, ParallelConfig(distributed_optimizer=True)),
    "TP2*PP2": (4, ParallelConfig(tensor=2, pipeline=2)),
}
