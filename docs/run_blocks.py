"""Do the blocks of the documentation run? Each page is a script, in a folder of its own.

    python docs/run_blocks.py                 # every page
    python docs/run_blocks.py docs/tutorial.md

What a fenced block is follows from its language, and from its first line:

    bash, python   run, in the order of the page; a non-zero exit code fails the page
    text           what the block before it must have printed; `...` stands for anything
    # NAME.EXT     a first line like this makes any block a file of that name

Every other block, and one that cannot run here, carries the reason on the line above it:

    <!-- not run: needs two machines of eight GPUs -->

`<!-- needs: data -->` above a block runs it where the published data is there (a folder `shared`
beside the checkout, or `DEBIAS_SHARED`) and skips it elsewhere. In the page's folder `examples/` is
the repository's, and `data/` that data. What `pip install` brings stays in the page's folder.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
RUN = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
TIMEOUT = 1800.0  # seconds a block; only against one that hangs

_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>.*)$")
_MARK = re.compile(r"<!--\s*(?P<word>not run|needs):\s*(?P<text>.+?)\s*-->")
_FILE = re.compile(r"#\s*(?P<name>[\w./-]+\.\w+)")


class BlockError(Exception):
    """A block that failed, or that says nothing about how it is to be read."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block.

    Attributes:
        line: of its fence, from 1.
        language: the first word behind the fence.
        text: what it holds.
        mark: `not run` or `needs`, from the line above it; empty without one.
        why: what the mark says.
    """

    line: int
    language: str
    text: str
    mark: str = ""
    why: str = ""

    @property
    def file_name(self) -> str | None:
        """The file that the block is, or None where it is none."""
        found = _FILE.fullmatch(self.text.split("\n", 1)[0].strip())
        return found["name"] if found else None


def blocks(text: str) -> Iterator[Block]:
    """Yields the fenced blocks of a page; directives (`{name}`) are no blocks of code."""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        opened = _FENCE.match(lines[number])
        if opened is None:
            number += 1
            continue
        start, number = number, number + 1
        while number < len(lines) and lines[number].rstrip() != opened["fence"]:
            number += 1
        language = opened["info"].strip()
        if not language.startswith("{"):
            above = _MARK.search(lines[start - 1]) if start else None
            mark = (above["word"], above["text"]) if above else ("", "")
            yield Block(start + 1, language, "\n".join(lines[start + 1 : number]), *mark)
        number += 1


def environment(folder: Path) -> dict[str, str]:
    """What a block finds: this interpreter's commands, no network, a place for what it installs."""
    site = folder / ".site"
    known = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(site), str(folder), known))),
        "PIP_TARGET": str(site),
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads this one the wrong way round
        "PIP_QUIET": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "HF_HUB_OFFLINE": "1",
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }


def run_page(page: Path) -> tuple[int, list[str]]:
    """Runs a page; returns how many blocks ran, and what was left out and why.

    Raises:
        BlockError: a block fails, prints something else, or says nothing about itself.
    """
    shared = Path(os.environ.get("DEBIAS_SHARED", ROOT.parent / "shared"))
    num_run, left_out, printed = 0, [], ""
    with tempfile.TemporaryDirectory(prefix="debias-docs-") as name:
        folder = Path(name)
        (folder / "examples").symlink_to(ROOT / "examples")
        if (shared / "data").is_dir():
            (folder / "data").symlink_to(shared / "data")
        skipping = False
        for block in blocks(page.read_text(encoding="utf-8")):
            where = f"{page.relative_to(ROOT)}:{block.line}"
            missing = block.mark == "needs" and not (folder / "data").is_dir()
            if block.mark == "not run" or missing or (skipping and block.language == "text"):
                reason = f"needs {block.why}, not here" if missing else block.why
                if block.language != "text":
                    left_out.append(f"{where}: {reason}")
                skipping = True
            elif block.file_name is not None:
                _write(folder / block.file_name, block.text)
            elif block.language in RUN:
                printed, skipping = _run(block, folder, where), False
                num_run += 1
            elif block.language == "text":
                _compare(block.text, printed, where)
            else:
                raise BlockError(
                    f"{where}: a block of {block.language or 'no language'!r} is neither run nor a "
                    "file; name the file in its first line, or say why in <!-- not run: ... -->"
                )
    return num_run, left_out


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n", encoding="utf-8")


def _run(block: Block, folder: Path, where: str) -> str:
    try:
        done = subprocess.run(
            [*RUN[block.language], block.text],
            cwd=folder,
            env=environment(folder),
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BlockError(f"{where}: still running after {TIMEOUT:.0f} s") from error
    if done.returncode != 0:
        raise BlockError(
            f"{where}: exit code {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
    return done.stdout


def _compare(wanted: str, printed: str, where: str) -> None:
    """Raises where `printed` does not hold the lines of `wanted`, in one piece."""
    parts = (re.escape(part) for part in _plain(wanted).split("..."))
    if not re.search("[^\0]*?".join(parts), _plain(printed)):
        raise BlockError(f"{where}: the block before it printed this instead:\n{printed}")


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().split("\n"))


def pages(arguments: list[Path]) -> list[Path]:
    """The pages to run: those given, else all of the documentation."""
    if arguments:
        return [path.resolve() for path in arguments]
    return sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)


def report(page: Path) -> tuple[bool, str]:
    """Runs a page; returns whether all went well, and what to say about it."""
    started = time.monotonic()
    try:
        num_run, left_out = run_page(page)
    except BlockError as error:
        return False, f"FAILED {error}\n"
    if not num_run and not left_out:
        return True, ""
    seconds = time.monotonic() - started
    lines = [f"{page.relative_to(ROOT)}: {num_run} run, {seconds:.0f} s"]
    return True, "\n".join([*lines, *(f"  not run: {line}" for line in left_out)]) + "\n"


def main() -> int:
    """Runs the pages, some at a time; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pages", nargs="*", type=Path)
    parser.add_argument("--jobs", type=int, default=2, help="pages at a time")
    arguments = parser.parse_args()
    good = True
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for fine, text in pool.map(report, pages(arguments.pages)):
            good = good and fine
            sys.stdout.write(text)
            sys.stdout.flush()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
