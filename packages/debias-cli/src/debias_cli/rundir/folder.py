"""A run folder: `OUTPUT_DIR/NAME-KEY/` with one folder a stage and what made it.

```
config.yaml        the resolved configuration; runs again as it is
provenance.json    versions, commit, hardware, hashes, seeds
STAGE/             finished: its files, and stage.json with the key and the sha256 of each
STAGE.partial/     begun: continued by the next run when its key is still the same
logs/STAGE.log     everything that was logged while it ran
```
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from debias_cli.errors import DamagedError, MissingError
from debias_cli.rundir.files import (
    link_tree,
    read_json,
    sha256_file,
    sync_folder,
    write_json,
    write_text,
)
from debias_cli.rundir.hashes import HashCache

RECORD_NAME = "stage.json"
CONFIG_NAME = "config.yaml"
PROVENANCE_NAME = "provenance.json"
HASHES_NAME = ".hashes.json"
_KEY_NAME = ".key"

RecordT = TypeVar("RecordT", bound="Record")


@dataclass(frozen=True, slots=True)
class FileState:
    """Size in bytes and sha256 of a finished file."""

    size: int
    sha256: str


class Record(BaseModel):
    """What is known of a finished result: what made it, and its files."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    format: int = 1
    key: str
    config: dict[str, JsonValue]
    inputs: dict[str, str]
    code: dict[str, str]
    needs: dict[str, str]
    seconds: float
    finished: str
    files: dict[str, FileState] = Field(default_factory=dict)


class StageRecord(Record):
    """What `stage.json` holds about a finished stage."""

    stage: str


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths and records of one run."""

    path: Path
    _records: dict[str, StageRecord | None] = field(default_factory=dict, compare=False)

    def stage(self, name: str) -> Path:
        """Folder of a finished stage."""
        return self.path / name

    def partial(self, name: str) -> Path:
        """Folder of a stage that was begun and is not finished."""
        return self.path / f"{name}.partial"

    def log(self, name: str) -> Path:
        """Log file of a stage."""
        return self.path / "logs" / f"{name}.log"

    def record(self, name: str) -> StageRecord | None:
        """What made the finished stage; None when it is not finished.

        Raises:
            DamagedError: the record is not what was written.
        """
        if name not in self._records:
            self._records[name] = read_record(self.stage(name))
        return self._records[name]

    def begin(self, name: str, key: str, *, keep: Collection[str] = ()) -> Path:
        """The stage's partial folder; what an earlier run left stays when it had the same key.

        Args:
            name: of the stage.
            key: of the stage.
            keep: names in the folder that stay whatever the key was.
        """
        partial = self.partial(name)
        if not self.begun(name, key):
            (partial / _KEY_NAME).unlink(missing_ok=True)  # until the new key stands here
            partial.mkdir(parents=True, exist_ok=True)
            for item in partial.iterdir():
                if item.name not in keep:
                    _remove(item)
            write_text(partial / _KEY_NAME, key)
        return partial

    def begun(self, name: str, key: str) -> bool:
        """Whether an earlier run began the stage with this very key and did not finish it."""
        key_file = self.partial(name) / _KEY_NAME
        return key_file.is_file() and key_file.read_text(encoding="utf-8", errors="replace") == key

    def finish(self, record: StageRecord) -> StageRecord:
        """Hashes what the stage wrote, writes its record and renames it to its final name."""
        partial, final = self.partial(record.stage), self.stage(record.stage)
        remove_leftovers(partial)
        record = write_record(partial / RECORD_NAME, record)
        # the key goes last: killed before, the stage goes on from what it has
        self._replace(partial, final)
        (final / _KEY_NAME).unlink(missing_ok=True)
        self._records[record.stage] = record
        return record

    def adopt(self, name: str, source: Path) -> None:
        """Takes a finished stage over from another run, by hard links where possible."""
        partial = self.partial(name)
        shutil.rmtree(partial, ignore_errors=True)
        link_tree(source, partial)
        self._replace(partial, self.stage(name))
        self._records.pop(name, None)

    def _replace(self, partial: Path, final: Path) -> None:
        # a rename cannot replace a folder that holds something: the old one steps aside first
        old = final.with_name(f".{final.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if final.exists():
            final.rename(old)
        partial.rename(final)
        sync_folder(final.parent)
        shutil.rmtree(old, ignore_errors=True)


def write_record(path: Path, record: RecordT) -> RecordT:
    """Writes a record with the state of every file beside it or below; returns it with them."""
    folder = path.parent
    files = {
        file.relative_to(folder).as_posix(): FileState(file.stat().st_size, sha256_file(file))
        for file in _files(folder)
        if file != path
    }
    record = record.model_copy(update={"files": files})
    content = record.model_dump(mode="json", exclude={"files"})
    states = {name: asdict(state) for name, state in files.items()}
    write_json(path, {**content, "files": states})
    return record


def read_record(stage_folder: Path) -> StageRecord | None:
    """The record of a finished stage, None when there is none.

    Raises:
        DamagedError: the record is not what was written.
    """
    return load_record(stage_folder / RECORD_NAME, StageRecord)


def load_record(path: Path, kind: type[RecordT]) -> RecordT | None:
    """The record in a file, None when there is none.

    Raises:
        DamagedError: the record is not what was written.
    """
    if not path.is_file():
        return None
    content = read_json(path)
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DamagedError(f"{path}: {where}: {first['msg']}") from None


def damage(stage_folder: Path, record: Record, hashes: HashCache) -> str | None:
    """The first finished file that is gone or changed, in words; None when all are as they were."""
    for name, state in record.files.items():
        path = stage_folder / name
        if not path.is_file():
            return f"{path} is gone"
        if path.stat().st_size != state.size:
            return f"{path} has {path.stat().st_size:,} bytes, it was finished with {state.size:,}"
        if hashes.file(path) != state.sha256:
            return f"{path} changed after it was finished (sha256 differs)"
    return None


def sibling_stages(folder: RunFolder, name: str) -> Iterator[tuple[Path, StageRecord]]:
    """Finished stages of this name in other run folders, the latest first."""
    found: list[tuple[str, Path, StageRecord]] = []
    for path in folder.path.parent.glob(f"*/{name}/{RECORD_NAME}"):
        if path.parent.parent == folder.path:
            continue
        try:
            record = read_record(path.parent)
        except DamagedError:
            continue  # another run's damage is that run's business
        if record is not None:
            found.append((record.finished, path.parent, record))
    for _, path, record in sorted(found, key=lambda item: item[0], reverse=True):
        yield path, record


def open_run(path: Path) -> RunFolder:
    """An existing run folder.

    Raises:
        MissingError: it is none.
    """
    if not (path / CONFIG_NAME).is_file():
        raise MissingError(f"{path}: not a run folder (it has no {CONFIG_NAME})")
    return RunFolder(path.resolve())


def remove_leftovers(folder: Path) -> None:
    """Removes temporary files and folders that killed writers left at any depth (`.NAME.tmp`)."""
    for path in sorted(folder.rglob(".*.tmp"), reverse=True):  # what is inside goes first
        _remove(path)


def stale_key(key: str) -> str:
    """The key of a result that was made of older stages than its configuration asks for."""
    return f"{key}-stale"


def now() -> str:
    """The time in UTC as ISO 8601, for records."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def new_record(
    stage: str, key: str, parts: Mapping[str, Mapping[str, object]], seconds: float
) -> StageRecord:
    """A record without files; `parts` holds config, inputs, code and needs."""
    content = {**parts, "stage": stage, "key": key, "seconds": seconds, "finished": now()}
    return StageRecord.model_validate(content)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):  # hidden: locks and other traces
            yield path
