"""The commands that start the ranks of a point."""

import sys
from pathlib import Path

import pytest

from megatron_crossic.errors import ConfigError
from megatron_crossic.profiling.launch import launch_words, num_nodes, run_logged


def test_one_node_gets_a_torchrun_of_its_own() -> None:
    words = launch_words(None, processes=4, nodes=1)
    assert words[:3] == [sys.executable, "-m", "torch.distributed.run"]
    assert words[3:] == ["--standalone", "--nproc-per-node", "4"]


def test_nodes_of_a_slurm_job_get_one_each() -> None:
    words = launch_words(None, processes=8, nodes=2)
    assert words[:5] == ["srun", "--nodes", "2", "--ntasks", "2"]
    endpoint = words[words.index("--rdzv-endpoint") + 1]
    host, _, port = endpoint.partition(":")
    assert host
    assert port == words[words.index("--rdzv-id") + 1]
    assert words[words.index("--nproc-per-node") + 1] == "8"


def test_a_launcher_is_split_as_a_shell_would_and_filled_in() -> None:
    words = launch_words("srun 'a b' --n={nodes}x{processes} $HOME;", processes=8, nodes=2)
    assert words == ["srun", "a b", "--n=2x8", "$HOME;"]


@pytest.mark.parametrize(
    ("launcher", "message"), [("srun 'a", "Close its quotes"), (" ", "got no")]
)
def test_what_is_no_command_is_refused(launcher: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        launch_words(launcher, processes=1, nodes=1)


def test_a_command_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a command there is, got no-such-launcher"):
        run_logged(["no-such-launcher"], log=tmp_path / "log", environment={})


def test_output_and_exit_code_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = "import os, sys; print(os.environ['WORD'], flush=True); sys.exit(7)"
    found = run_logged([sys.executable, "-c", code], log=log, environment={"WORD": "said"})
    assert found == 7
    assert log.read_text(encoding="utf-8") == "said\n"


def test_nodes_are_those_of_the_job() -> None:
    assert num_nodes({"SLURM_NNODES": "3"}) == 3
    assert num_nodes({}) == 1
