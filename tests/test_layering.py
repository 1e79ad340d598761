"""The layout rules of the package, read from its syntax trees."""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import megatron_crossic

ROOT = Path(megatron_crossic.__file__).parent
PROJECT = ROOT.parent

# Lower levels never import higher ones; members of one level may import each other without cycles.
LEVELS = [
    {"errors", "outcome"},
    {
        "files",
        "commandline",
        "config",
        "layout_config",
        "optimization_config",
        "recovery_config",
        "watching_config",
    },
    {"manifest", "jsonl"},
    {"data", "backend", "parallel"},
    {"model"},
    {"checkpoint"},
    {"train", "convert", "inspection"},
    {"cluster", "profiling"},
]
# `commandline` needs `errors` only and is for entry points.
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}

MEGATRON = {
    "backend",
    "parallel",
    "model",
    "checkpoint",
    "train",
    "convert.parity",
    "profiling.measure",
    "profiling.collectives",
}
TORCHLESS = {
    "errors",
    "outcome",
    "files",
    "commandline",
    "config",
    "layout_config",
    "optimization_config",
    "recovery_config",
    "watching_config",
    "manifest",
    "jsonl",
    "data",
    "inspection",
}
TORCHLESS_MODULES = {"model.architecture", "model.layout", "checkpoint.folder"}
TORCHLESS_MODULES |= {  # results are looked at without what it takes to make them
    f"profiling.{name}"
    for name in ("phases", "parts", "figures", "document", "table", "picture", "compare", "scaling")
}
CUDA_ONLY = ("transformer_engine", "apex", "triton", "cupy", "pynvml")


def modules() -> dict[str, ast.Module]:
    """Dotted name below the package -> syntax tree."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports(tree: ast.AST) -> set[str]:
    """Absolute names of what a tree imports, at any depth."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


TREES = modules()
OWN = {
    name: {
        other
        for imported in imports(tree)
        if imported.startswith("megatron_crossic.")
        and (other := imported.removeprefix("megatron_crossic.")) in TREES
    }
    for name, tree in TREES.items()
}


def top(name: str) -> str:
    return name.partition(".")[0]


def imports_any(name: str, *packages: str) -> bool:
    return any(
        imported == package or imported.startswith(package + ".")
        for imported in imports(TREES[name])
        for package in packages
    )


def test_every_package_has_a_level() -> None:
    assert {top(name) for name in TREES if name} == set(LEVEL)
    assert len(TREES) > 25


@pytest.mark.parametrize("name", [name for name in TREES if name])
def test_no_module_imports_a_higher_level(name: str) -> None:
    higher = {other for other in OWN[name] if LEVEL[top(other)] > LEVEL[top(name)]}
    assert not higher, f"{name} imports {higher}"


def test_no_cycles_between_modules() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"import cycle: {' -> '.join((*path, name))}"
        if name not in done:
            for other in OWN[name]:
                visit(other, (*path, name))
            done.add(name)

    for name in TREES:
        visit(name, ())
    assert done == set(TREES)


def test_data_preparation_needs_neither_torch_nor_megatron() -> None:
    light = {n for n in TREES if n and (top(n) in TORCHLESS or n in TORCHLESS_MODULES)}
    offenders = {name for name in light if imports_any(name, "torch", "megatron", "transformers")}
    assert not offenders


def test_only_the_named_packages_use_megatron_core() -> None:
    users = {name for name in TREES if name and imports_any(name, "megatron")}
    assert {name for name in users if top(name) not in MEGATRON and name not in MEGATRON} == set()
    assert "model.weights" not in users
    assert "checkpoint.stream" not in users


def test_nothing_takes_from_megatron_training() -> None:
    assert not [name for name in TREES if imports_any(name, "megatron.training", "megatron.legacy")]


def test_conversion_uses_neither_training_nor_data() -> None:
    used = {top(other) for name in TREES if top(name) == "convert" for other in OWN[name]}
    assert not used & {"train", "data"}


def test_no_cuda_only_package_at_module_level() -> None:
    for name, tree in TREES.items():
        for node in tree.body:
            named = imports(node) if isinstance(node, ast.Import | ast.ImportFrom) else set()
            assert not [n for n in named if n.startswith(CUDA_ONLY)], name


def test_no_own_imports_inside_functions() -> None:
    for name, tree in TREES.items():
        functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
        inner = {i for f in functions for i in imports(f) if i.startswith("megatron_crossic")}
        assert not inner, f"{name} imports {inner} inside a function"


def test_no_module_called_utils() -> None:
    assert not [name for name in TREES if name.endswith(("utils", "helpers", "misc"))]


def test_every_module_can_be_imported() -> None:
    names = [m.name for m in pkgutil.walk_packages([str(ROOT)], "megatron_crossic.")]
    assert len(names) == len(TREES) - 1
    for name in names:
        importlib.import_module(name)


def test_tools_are_thin() -> None:
    for path in (PROJECT / "tools").glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 150, path
