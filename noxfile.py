"""Every check of the house: `nox -l` lists them, `nox` runs all, `nox -s "tests(core)"` one.

Environments are made with pip: torch's CPU build is found through pip's configuration.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PACKAGES = ("core", "data", "eval", "cli")
SHARED_ENVIRONMENT = str(ROOT / ".nox" / "dev")

nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.stop_on_first_error = False
nox.options.error_on_missing_interpreters = True

DEV_TOOLS = (
    "ruff>=0.15,<0.18",
    "mypy>=1.18,<3",
    "import-linter>=2.3,<3",
    "sphinx>=8.1,<10",
    "myst-parser>=4,<6",
    "furo>=2024.8.6",
    "build>=1.2,<2",
    "twine>=6,<8",
    "hatchling>=1.27,<2",
)


def _constrained(session: nox.Session, *what: str) -> None:
    session.install("--no-compile", "-c", str(ROOT / "constraints.txt"), *what)


def _dev(session: nox.Session) -> None:
    """The one environment that everything but `isolated` works in; filled once."""
    marker = Path(session.virtualenv.location) / "debias-installed"
    wanted = "\n".join(
        (ROOT / name).read_text()
        for name in ("constraints.txt", *(f"packages/debias-{p}/pyproject.toml" for p in PACKAGES))
    ) + "\n".join(DEV_TOOLS)
    if not marker.exists() or marker.read_text() != wanted:
        editable = [x for p in PACKAGES for x in ("-e", f"packages/debias-{p}[test]")]
        _constrained(session, *editable, *DEV_TOOLS)
        marker.write_text(wanted)
    session.env["HF_HUB_OFFLINE"] = "1"
    session.env.setdefault("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "2"))


@nox.session(venv_location=SHARED_ENVIRONMENT)
def lint(session: nox.Session) -> None:
    """ruff, rules and format."""
    _dev(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(venv_location=SHARED_ENVIRONMENT)
def typecheck(session: nox.Session) -> None:
    """mypy --strict on the four packages."""
    _dev(session)
    session.run("mypy", *(f"packages/debias-{p}/src" for p in PACKAGES))


@nox.session(venv_location=SHARED_ENVIRONMENT)
def imports(session: nox.Session) -> None:
    """Who may import whom."""
    _dev(session)
    session.run("lint-imports", "--no-cache")


@nox.session(venv_location=SHARED_ENVIRONMENT)
@nox.parametrize("package", PACKAGES, ids=PACKAGES)
def tests(session: nox.Session, package: str) -> None:
    """The tests of one package."""
    _dev(session)
    session.run("pytest", f"packages/debias-{package}/tests", *session.posargs)


@nox.session(venv_location=SHARED_ENVIRONMENT)
def integration(session: nox.Session) -> None:
    """Tests across packages: the command line on real input, the README, the layout."""
    _dev(session)
    session.run("pytest", "tests", *session.posargs)


@nox.session(venv_location=SHARED_ENVIRONMENT)
def docs(session: nox.Session) -> None:
    """The documentation; a warning is an error."""
    _dev(session)
    session.run("sphinx-build", "-q", "-W", "--keep-going", "docs", "docs/_build/html")


@nox.session(venv_location=SHARED_ENVIRONMENT)
def demo(session: nox.Session) -> None:
    """The embedded demo, start to finish."""
    _dev(session)
    out = session.create_tmp()
    session.run("debias-cli", "demo", "--out", out, *session.posargs)


@nox.session(venv_location=SHARED_ENVIRONMENT)
def build(session: nox.Session) -> None:
    """Four wheels and sdists that pass `twine check`."""
    _dev(session)
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    for package in PACKAGES:
        session.run(
            "python", "-m", "build", "--no-isolation", "--outdir", "dist",
            f"packages/debias-{package}", silent=True,
        )  # fmt: skip
    session.run("twine", "check", "--strict", *(str(p) for p in sorted((ROOT / "dist").iterdir())))


@nox.session
@nox.parametrize("package", PACKAGES, ids=PACKAGES)
def isolated(session: nox.Session, package: str) -> None:
    """The built wheel of one package alone, in a clean environment."""
    wheels = Path(session.create_tmp()) / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    needed = PACKAGES if package == "cli" else (package,)
    for name in needed:
        session.run(
            "python", "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels),
            f"packages/debias-{name}",
        )  # fmt: skip
    _constrained(session, *(str(p) for p in sorted(wheels.iterdir())))
    session.run("python", "-m", "pip", "check")
    session.env["HF_HUB_OFFLINE"] = "1"
    with session.chdir(session.create_tmp()):
        session.run("python", str(ROOT / "tests" / "isolated.py"), package)
