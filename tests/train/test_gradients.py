"""Gradient norms by groups of weights: exact at every layout, and together the whole norm."""

import math
from dataclasses import replace

import pytest
from tiny_layouts import LAYOUTS
from tiny_lora import lora_config, lora_inputs
from tiny_runs import every_step, run_ranks, run_training

from megatron_crossic.config import ParallelConfig, PrecisionConfig, RunConfig
from megatron_crossic.optimization_config import LORA_TARGETS
from megatron_crossic.train.gradients import GradientNorm, GradientNorms, group_of

MODELS = {
    "full": "qwen2_four_layers",  # with an output layer of its own
    "tied": "qwen2_tied_odd",
    "lora": "qwen2_four_layers",
}
FULL_GROUPS = {"embedding", "attention", "mlp", "norm", "output"}
GROUPS_OF = {
    "full": FULL_GROUPS,
    "tied": FULL_GROUPS - {"output"},
    "lora": {f"adapter_{target}" for target in LORA_TARGETS},
}


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("module.embedding.word_embeddings.weight", "embedding"),
        ("module.decoder.layers.0.input_layernorm.weight", "norm"),
        ("module.decoder.layers.3.self_attention.linear_qkv.layer_norm_weight", "norm"),
        ("module.decoder.layers.3.self_attention.q_layernorm.weight", "norm"),
        ("module.decoder.final_layernorm.weight", "norm"),
        ("module.decoder.layers.3.self_attention.linear_qkv.bias", "attention"),
        ("module.decoder.layers.3.mlp.linear_fc2.weight", "mlp"),
        ("module.output_layer.weight", "output"),
        ("module.adapters.layers.1.linear_fc1.b", "adapter_linear_fc1"),
    ],
)
def test_names_say_the_group(name: str, group: str) -> None:
    assert group_of(name) == group


def test_an_unknown_weight_is_in_no_group() -> None:
    with pytest.raises(AssertionError, match="router.weight is in no group"):
        group_of("module.router.weight")


def train_beside_megatron(config: RunConfig) -> None:
    """Train; every norm must be the one of megatron-core's own function."""
    measure = GradientNorms.measure

    def compare(norms: GradientNorms) -> GradientNorm:
        found = measure(norms)
        assert found.total == pytest.approx(norms._optimizer.get_grad_norm(), rel=1e-6)
        return found

    GradientNorms.measure = compare  # type: ignore[method-assign]
    run_training(config)


@pytest.fixture(scope="module")
def references(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunConfig]:
    """Runs of 4 steps on one process."""
    configs = {}
    for name, kind in MODELS.items():
        folder = lora_inputs(tmp_path_factory.mktemp(name), kind)
        config = replace(lora_config(folder, folder / "one"), num_steps=4)
        configs[name] = config if name == "lora" else replace(config, lora=None)
        run_training(configs[name])
    return configs


@pytest.mark.parametrize("name", MODELS)
def test_the_squares_add_up(references: dict[str, RunConfig], name: str) -> None:
    run_dir = references[name].run_dir
    norms = every_step(run_dir, "grad_norm_by_group")
    assert [set(groups) for groups in norms] == [GROUPS_OF[name]] * 4
    together = [math.hypot(*groups.values()) for groups in norms]
    assert together == pytest.approx(every_step(run_dir, "grad_norm"), rel=1e-12)
    if name != "lora":  # there B starts at zero, and A has no gradient in the first step
        assert all(value > 1e-3 for groups in norms for value in groups.values())


@pytest.mark.parametrize(
    ("model", "layout"),
    [
        *(("full", name) for name in ("TP2", "TP2+SP", "VPP2*2", "DP2", "DP2+DO", "TP2*PP2")),
        *(("tied", name) for name in ("TP2+SP", "PP2")),
        *(("lora", name) for name in ("TP2+SP", "VPP2*2", "DP2+DO")),
    ],
)
def test_every_layout_has_the_same_norms(
    references: dict[str, RunConfig], model: str, layout: str
) -> None:
    reference = references[model]
    num_ranks, parallel = LAYOUTS[layout]
    run_dir = reference.run_dir.with_name(layout)
    config = replace(reference, run_dir=run_dir, parallel=parallel)
    run_ranks(num_ranks, run_dir.with_suffix(".log"), train_beside_megatron, config)
    found, expected = (
        every_step(config.run_dir, "grad_norm_by_group") for config in (config, reference)
    )
    assert len(expected) == 4
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)


@pytest.mark.parametrize("distributed_optimizer", [False, True])
def test_main_weights_of_bf16_have_the_norms_of_fp32(
    references: dict[str, RunConfig], distributed_optimizer: bool
) -> None:
    reference = references["full"]
    config = replace(
        reference,
        run_dir=reference.run_dir.with_name(f"bf16-{distributed_optimizer}"),
        precision=PrecisionConfig(compute="bf16"),
        parallel=ParallelConfig(distributed_optimizer=distributed_optimizer),
        num_steps=1,
    )
    run_training(config)
    (found,), (expected, *_) = (
        every_step(config.run_dir, "grad_norm_by_group") for config in (config, reference)
    )
    assert found == pytest.approx(expected, rel=3e-2)
