"""The published files of a source, by name: pinned revisions, checked by SHA-256.

They come to lie where the sources and the benchmarks are looked for, one folder a name.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from debias_data.download import OnBytes, RemoteFile, download
from debias_data.errors import BadConfigError


@dataclass(frozen=True, slots=True)
class Published:
    """A source: its files, its licence and where it comes from."""

    files: tuple[RemoteFile, ...]
    licence: str
    homepage: str


def _on_github(
    repository: str, revision: str, folder: str, files: dict[str, str], *, into: str
) -> tuple[RemoteFile, ...]:
    base = f"https://raw.githubusercontent.com/{repository}/{revision}/{folder}"
    return tuple(
        RemoteFile(f"{into}/{name}", f"{base}/{name}", digest) for name, digest in files.items()
    )


PUBLISHED: dict[str, Published] = {
    "1shot_rlvr": Published(
        _on_github(
            "YurenHao0426/one-shot-em",
            "9bfc102b7679319d65379728c0639802377986da",
            "dataset/1shot_rlvr",
            {
                "pi1_r128.parquet": (
                    "966a85b4f69ab90896641826009b078664f8e3ccafe66627402eea5c829b0ab1"
                ),
                "pi1_r1280.parquet": (
                    "c3be2d5bc89581c1a99d0752318a143cae6ec76800bc19a071bc62cdb8c2ddcb"
                ),
            },
            into="1shot_rlvr",
        ),
        "not stated",
        "https://github.com/YurenHao0426/one-shot-em",
    ),
    "gsm8k": Published(
        _on_github(
            "openai/grade-school-math",
            "3101c7d5072418e28b9008a6636bde82a006892c",
            "grade_school_math/data",
            {
                "train.jsonl": "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465",
                "test.jsonl": "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
            },
            into="gsm8k",
        ),
        "MIT",
        "https://github.com/openai/grade-school-math",
    ),
    "winobias": Published(
        _on_github(
            "uclanlp/corefBias",
            "0bce984",
            "WinoBias/wino/data",
            {
                "anti_stereotyped_type1.txt.dev": (
                    "a4e0ebae344e78b56f657a42e8ae684b9db7747d177c5e7149c0907ebb7f3bf6"
                ),
                "anti_stereotyped_type1.txt.test": (
                    "331db5bd74bfefebf146a60b67645152a4a1991570d2a56f57154103ac361dd2"
                ),
                "anti_stereotyped_type2.txt.dev": (
                    "763ad829ad724f9a85ead689ba8ca69072020cb1238def6210f0fc6a47b97e59"
                ),
                "anti_stereotyped_type2.txt.test": (
                    "336571ac1ea8c06cd2aba8e5dd2bd98e00acc0c48da3e4ec5ec7e54eb2633a8f"
                ),
                "pro_stereotyped_type1.txt.dev": (
                    "dd55a0d220fe4c0ceb63dd4648223fb4fe1a58d5ad95c116a002ad24b0e292a5"
                ),
                "pro_stereotyped_type1.txt.test": (
                    "db7838907238a758eeb5779e48f38c013b892910d6fe864456c59f04245c6689"
                ),
                "pro_stereotyped_type2.txt.dev": (
                    "8f0250de723cea9328e3eaf7169e07936f01aa5909ce7aa580db66eb803f4e86"
                ),
                "pro_stereotyped_type2.txt.test": (
                    "ea1c1fd94fa612e3cc44d7fa3cc4cb76021bb63fdf94f9826f430051e9052438"
                ),
            },
            into="winobias",
        ),
        "MIT",
        "https://github.com/uclanlp/corefBias",
    ),
    "winogender": Published(
        _on_github(
            "rudinger/winogender-schemas",
            "1c7f8b4",
            "data",
            {
                "all_sentences.tsv": (
                    "bd69da16bf228cb8df63fd0843aec2d8b5c36a7f21bf8c7b168bcc83932556c8"
                ),
                "occupations-stats.tsv": (
                    "3f7f37c16381a70571356982ea7fe613ac700ad04a6d3b19b9f2be18248df567"
                ),
                "templates.tsv": (
                    "496f2e2dc77296bcebcdd8865a8dc5715ce22b772de9abb5f531d5b3114c48a0"
                ),
            },
            into="winogender",
        ),
        "MIT",
        "https://github.com/rudinger/winogender-schemas",
    ),
}


def fetch(
    name: str, data_dir: Path, *, on_file: Callable[[RemoteFile], OnBytes] | None = None
) -> list[Path]:
    """The paths of the files of a source, in `data_dir`; those that are there are not fetched.

    Args:
        name: one of `PUBLISHED`.
        data_dir: the data folder; it is made where it is not there.
        on_file: told of every file; what it returns is told of its bytes.

    Raises:
        BadConfigError: there is no source of that name.
        MissingInputError, InvalidInputError, DebiasDataError: as `download`.
    """
    published = published_source(name)
    return [
        download(file, data_dir, on_bytes=on_file(file) if on_file is not None else None)
        for file in published.files
    ]


def published_source(name: str) -> Published:
    """The source of that name.

    Raises:
        BadConfigError: there is none.
    """
    if name not in PUBLISHED:
        close = difflib.get_close_matches(name, PUBLISHED, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(PUBLISHED))}"
        if name.lower().startswith("numina"):
            hint = "it is read from the hub by `kind: hub` with `repo: AI-MO/NuminaMath-CoT`"
        raise BadConfigError(f"nothing published is called {name!r}; {hint}")
    return PUBLISHED[name]
