"""The GPU check: its arithmetic, and all of it on the CPU with a tiny model."""

import itertools
import json
from pathlib import Path

import pytest
import torch
from gpu_check import main, raise_failures, run_part, run_parts
from gpu_check_cases import DRY, FULL, LLAMA_8B, QWEN_1_5B
from gpu_check_parts import copy_weights, learnable_tokens, rates
from gpu_check_profile import kind_of, shares
from gpu_check_report import table

from megatron_crossic.backend import select_backend
from megatron_crossic.errors import ConfigError, CrossicError
from megatron_crossic.model.architecture import architecture_from_hf
from megatron_crossic.train.flops import matrix_weights


def test_a_dry_run_answers_every_question(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "check.json"
    main(["--dry", "--output", str(output)])
    report = json.loads(output.read_text(encoding="utf-8"))
    parts = report["parts"]
    assert list(parts) == ["parity", "loss gap", "tiny, bf16", "tiny, fp8"]
    assert parts["parity"]["agrees"]
    assert len(parts["parity"]["losses"]["device"]) == 5
    losses = parts["loss gap"]["losses"]["fp32"]
    assert losses[-1] < losses[0] - 0.05, "nothing is learnt, so the gap would say nothing"
    assert 0 < abs(parts["loss gap"]["largest"]) < 0.01
    timed = parts["tiny, bf16"]
    assert timed["tokens_per_step"] == 4 * 32
    assert timed["tokens_per_second"] == pytest.approx(128 / timed["seconds_median"])
    assert timed["mfu_causal"] is None
    assert sum(timed["profile"]["shares"].values()) == pytest.approx(1, abs=1e-3)
    assert timed["profile"]["shares"]["gemm"] > 0.05
    assert timed["profile"]["shares"]["attention"] > 0
    assert "precision.compute must be fp32 or bf16 on the cpu" in parts["tiny, fp8"]["left_out"]
    printed = capsys.readouterr().out
    assert "dry run on cpu" in printed
    assert "by the causal formula" in printed
    assert printed.count("tiny, bf16") == 2


def test_the_full_plan_is_of_the_published_models() -> None:
    qwen, llama = (w.architecture(w.attempts[0]) for w in FULL.workloads)
    assert (qwen.num_layers, llama.num_layers) == (28, 8)
    assert [w.seq_length for w in FULL.workloads] == [4096, 8192]
    assert matrix_weights(qwen) == 1_543_569_408  # "1.54B" with the tied output layer
    assert matrix_weights(architecture_from_hf(LLAMA_8B)) == 7_504_658_432  # 8.03B - embedding
    assert architecture_from_hf(QWEN_1_5B).tie_embeddings
    for workload in FULL.workloads:
        assert all(workload.windows_per_step % a.micro_batch_size == 0 for a in workload.attempts)


def test_rates_by_hand() -> None:
    workload = FULL.workloads[1]
    llama = architecture_from_hf(LLAMA_8B)
    # 4 windows of 8,192 tokens in 3.2 s are 10,240 tokens/s: NVIDIA's published speed of an H100.
    found = rates(llama, workload, "bf16", [9.0, 3.2, 3.2], "NVIDIA H100 80GB HBM3")
    assert found["tokens_per_second"] == pytest.approx(10_240)
    assert found["tflops_causal"] == pytest.approx(527.1, abs=0.1)
    assert found["mfu_causal"] == pytest.approx(0.533, abs=1e-3)
    assert found["mfu_full"] == pytest.approx(0.600, abs=1e-3)
    fp8 = rates(llama, workload, "fp8", [3.2], "NVIDIA H100 80GB HBM3")
    assert fp8["mfu_causal"] == pytest.approx(found["mfu_causal"] * 989 / 1979)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("nvjet_hsh_256x128_64x4_1x2_h_bz_coopA_NNT", "gemm"),
        ("sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x64_cublas", "gemm"),
        ("void cutlass::Kernel2<cutlass_80_tensorop_s1688gemm_128x128>", "gemm"),
        ("void flash_fwd_kernel<Flash_fwd_kernel_traits<128, 128, 64, 4>>", "attention"),
        ("cudnn_generated_fort_native_sdpa_sm90_flash_bprop_wgmma_f16", "attention"),
        ("void multi_tensor_apply_kernel<AdamFunctor>", "optimizer"),
        ("ncclDevKernel_AllReduce_Sum_f32_RING_LL", "communication"),
        ("void at::native::vectorized_elementwise_kernel<4, CUDAFunctor_add>", "other"),
        ("aten::mm", "gemm"),
        ("aten::mm_like_name", "other"),
    ],
)
def test_kernels_by_name(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_shares_add_up() -> None:
    found = shares([("gemm_a", 3.0), ("copy", 1.0), ("gemm_a", 3.0), ("flash", 1.0)])
    assert found["kernel_seconds"] == 8
    assert found["shares"]["gemm"] == 0.75
    assert found["shares"]["other"] == 0.125
    assert found["longest"][0] == {"name": "gemm_a", "kind": "gemm", "share": 0.75}
    assert shares([])["shares"]["gemm"] == 0


def test_norms_are_copied_into_transformer_engine_layers() -> None:
    local = {
        "layers.0.input_layernorm.weight": torch.tensor([1.0]),
        "layers.0.pre_mlp_layernorm.weight": torch.tensor([2.0]),
        "final_layernorm.weight": torch.tensor([3.0]),
    }
    fused = {
        "layers.0.self_attention.linear_qkv.layer_norm_weight": torch.zeros(1),
        "layers.0.mlp.linear_fc1.layer_norm_weight": torch.zeros(1),
        "final_layernorm.weight": torch.zeros(1),
    }
    copy_weights(local, to=fused)
    assert [value.item() for value in fused.values()] == [1, 2, 3]


def test_most_tokens_follow_from_the_one_before() -> None:
    tokens = learnable_tokens(64, num_windows=8, seq_length=128, seed=3)
    successors: dict[int, list[int]] = {}
    for window in tokens.tolist():
        for first, second in itertools.pairwise(window):
            successors.setdefault(first, []).append(second)
    usual = sum(max(map(found.count, set(found))) for found in successors.values())
    assert 0.87 < usual / (8 * 127) < 0.97
    assert not torch.equal(tokens, learnable_tokens(64, num_windows=8, seq_length=128, seed=4))


def test_a_part_that_fails_does_not_stop_the_rest() -> None:
    def refused() -> dict[str, object]:
        raise ConfigError("not here")

    def broken() -> dict[str, object]:
        raise RuntimeError("kernel missing")

    assert run_part(refused) == {"left_out": "not here"}
    assert run_part(broken) == {"error": "RuntimeError: kernel missing"}


def test_no_part_starts_too_late() -> None:
    found = run_parts(DRY, select_backend("cpu"), seconds=-1)
    assert len(found) == 4
    assert {part["left_out"] for part in found.values()} == {"out of time"}
    machine = {"device": "cpu", "torch": "2", "cuda": None, "megatron-core": "0.16.1"}
    machine |= {"transformer_engine_used": False, "transformer-engine": None}
    told = table({"machine": machine, "dry": True, "parts": found})
    assert "left out: parity: out of time" in told


def test_failures_are_an_error_and_what_cannot_run_here_is_none() -> None:
    parts = {"parity": {"agrees": True}, "tiny, bf16": {}, "tiny, fp8": {"left_out": "why"}}
    raise_failures(parts)
    message = "gpu check must pass in every part, got failures in parity, gap"
    with pytest.raises(CrossicError, match=message):
        raise_failures({**parts, "parity": {"agrees": False}, "gap": {"error": "x"}})


def test_a_gpu_is_needed_for_the_real_check() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(ConfigError, match="got cuda without a visible GPU"):
        main([])
