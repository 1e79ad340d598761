"""The README tells the truth about the tree and the command lines."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
SOURCES = (".py", ".sh", ".sbatch")
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def tree_files() -> set[str]:
    """Paths of the indented tree under "What is where"."""
    block = README.split("## What is where")[1].split("\n## ")[0]
    folders: list[str] = []
    found = set()
    for line in block.splitlines():
        if match := re.match(r"^( {4,})([\w./-]+)( |$)", line):
            depth = (len(match[1]) - 4) // 2
            folders = [*folders[:depth], match[2]]
            found.add("".join(folders))
    return found


def test_the_tree_names_every_module_and_nothing_else() -> None:
    modules = {
        str(path.relative_to(PROJECT))
        for folder in ("megatron_crossic", "tools", "slurm")
        for path in (PROJECT / folder).rglob("*")
        if path.suffix in SOURCES and path.name not in ("__init__.py", "site.sh")
    }
    named = {path for path in tree_files() if path.endswith(SOURCES)}
    assert len(named) > 60
    assert named == modules


def test_folders_of_the_tree_exist() -> None:
    folders = {path for path in tree_files() if path.endswith("/")}
    assert len(folders) >= 12
    assert [folder for folder in folders if not (PROJECT / folder).is_dir()] == []


@pytest.mark.parametrize("tool", sorted(set(re.findall(r"tools/(\w+)\.py", README))))
def test_options_in_examples_exist(tool: str) -> None:
    """Every long option of the README's examples stands in the tool's source or configuration."""
    sources = "".join(
        path.read_text(encoding="utf-8")
        for path in (
            PROJECT / "tools" / f"{tool}.py",
            *sorted((PROJECT / "megatron_crossic").glob("*config.py")),
            PROJECT / "megatron_crossic" / "train" / "options.py",
        )
    )
    commands = re.findall(rf"tools/{tool}\.py((?:[^\n]*\\\n)*[^\n]*)", README)
    options = {option for command in commands for option in re.findall(r"--([\w.-]+)", command)}
    for option in options:
        name = option.split(".")[-1]
        assert f'"--{option}"' in sources or re.search(rf"^    {name}: ", sources, re.M), option


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert targets
    assert [target for target in targets if not (PROJECT / target).exists()] == []
