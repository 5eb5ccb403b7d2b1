"""Checks one installed wheel alone; run by `nox -s "isolated(...)"`, not by pytest.

Every module imports, none of the siblings is there, types are marked, the command answers.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import subprocess
import sys
from pathlib import Path

PACKAGES = ("core", "data", "eval", "cli")
NEEDED = {"debias_core.linear.kernels": "triton", "debias_core.linear.fused": "triton"}
"""What modules cannot be imported without; nothing imports them where it is missing."""


def main(package: str) -> None:
    """Raises where the installed `debias-{package}` is not whole on its own."""
    name = f"debias_{package}"
    module = importlib.import_module(name)
    folder = Path(str(module.__file__)).parent
    assert "site-packages" in folder.parts, f"{folder} is not an installed wheel"
    assert (folder / "py.typed").is_file()
    if package != "cli":
        for sibling in set(PACKAGES) - {package}:
            assert importlib.util.find_spec(f"debias_{sibling}") is None, sibling
    count = 0
    for info in pkgutil.walk_packages([str(folder)], prefix=f"{name}."):
        needed = NEEDED.get(info.name)
        is_there = needed is None or importlib.util.find_spec(needed) is not None
        if is_there and not info.name.endswith("__main__"):
            importlib.import_module(info.name)
            count += 1
    for public in module.__all__:
        getattr(module, public)
    if package != "core":
        command = [str(Path(sys.executable).with_name(f"debias-{package}")), "--help"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "Usage" in done.stdout
    sys.stdout.write(f"{name}: {count} modules import alone\n")


if __name__ == "__main__":
    main(sys.argv[1])
