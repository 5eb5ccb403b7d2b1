"""What the package carries: the embedded model, its data, and the configuration of the demo."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal

from debias_cli.config.load import TESTBED_PREFIX
from debias_cli.config.model import TESTBED
from debias_cli.errors import MissingError


def quickstart_text() -> str:
    """The YAML of `debias-cli demo`, the same as `examples/quickstart.yaml`."""
    return resources.files(__name__).joinpath("quickstart.yaml").read_text(encoding="utf-8")


def is_testbed_data(path: Path) -> bool:
    """Whether a path names a file of the embedded test bed (`testbed:arithmetic.jsonl`)."""
    return str(path).startswith(TESTBED_PREFIX)


def testbed_file(path: Path) -> Path:
    """The file or folder of the embedded test bed that `testbed:NAME` stands for.

    Raises:
        MissingError: the test bed has no such file.
    """
    folder = _testbed("data")
    name = str(path).removeprefix(TESTBED_PREFIX)
    found = folder / name
    if ".." in Path(name).parts or not found.exists():
        known = ", ".join(sorted(item.name for item in folder.iterdir()))
        raise MissingError(f"{path}: the embedded test bed has no {name!r} (it has {known})")
    return found


def local_model(path: str) -> Path | None:
    """The folder of a model: the embedded one, or a local path; None for a hub id.

    Raises:
        MissingError: a path was given and nothing is there.
    """
    if path == TESTBED:
        return _testbed("model")
    folder = Path(path)
    if folder.is_dir():
        return folder
    if folder.is_absolute():
        raise MissingError(f"model.path: {path}: no such folder")
    return None


def _testbed(part: Literal["model", "data"]) -> Path:
    from debias_cli import testbed  # noqa: PLC0415 - only runs on the test bed need it

    try:
        return testbed.model_path() if part == "model" else testbed.data_path()
    except FileNotFoundError as error:
        raise MissingError(str(error)) from None
