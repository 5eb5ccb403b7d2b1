"""The layout that every package keeps, and the promises that hold for all four."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PACKAGES = ("core", "data", "eval", "cli")


def project(root: Path, package: str) -> dict[str, object]:
    text = (root / f"packages/debias-{package}/pyproject.toml").read_text()
    return tomllib.loads(text)["project"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_whole(root: Path, package: str) -> None:
    folder = root / f"packages/debias-{package}"
    for name in ("README.md", "CHANGELOG.md", "LICENSE", f"src/debias_{package}/py.typed"):
        assert (folder / name).is_file(), name
    assert list((folder / "tests").rglob("test_*.py"))
    version = project(root, package)["version"]
    assert import_module(f"debias_{package}").__version__ == version
    assert str(version) in (folder / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_dependency_has_a_lower_and_an_upper_bound(root: Path, package: str) -> None:
    for line in project(root, package)["dependencies"]:
        operators = {spec.operator for spec in Requirement(line).specifier}
        assert ">=" in operators, line
        assert "<" in operators, line
        assert "==" not in operators, line


def test_only_the_command_line_depends_on_siblings(root: Path) -> None:
    for package in ("core", "data", "eval"):
        for line in project(root, package)["dependencies"]:
            assert not line.startswith("debias-"), (package, line)


def command(package: str, *arguments: str) -> str:
    argv = f"sys.argv[1:] = {list(arguments)}"
    return f"{argv}; from debias_{package}.cli import main; main()"


LIGHT = [
    "import debias_core, debias_data, debias_eval, debias_cli",
    "import debias_core.config, debias_data.config, debias_cli.config",
    command("cli", "--help"),
    command("cli", "validate", "examples/quickstart.yaml"),
    command("cli", "plan", "examples/quickstart.yaml"),
    command("eval", "--help"),
    command("data", "--help"),
]


@pytest.mark.parametrize("statement", LIGHT)
def test_torch_is_not_imported_before_it_is_needed(root: Path, statement: str) -> None:
    code = (
        "import sys\n"
        f"try:\n    {statement}\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'transformers'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_two_commands_are_one_line_each(root: Path, name: str) -> None:
    text = (root / name).read_text()
    for kind in ("demo", "tests"):
        block = re.search(rf"<!-- command: {kind} -->\n```bash\n(.*?)```", text, re.DOTALL)
        assert block is not None, kind
        assert block[1].count("\n") == 1, kind


def test_both_readmes_give_the_same_commands(root: Path) -> None:
    blocks = [
        re.findall(
            r"<!-- command: \w+ -->\n```bash\n(.*?)```", (root / name).read_text(), re.DOTALL
        )
        for name in ("README.md", "README.zh.md")
    ]
    assert blocks[0] == blocks[1]
    assert len(blocks[0]) == 2
