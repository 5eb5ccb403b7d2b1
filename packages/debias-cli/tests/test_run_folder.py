"""Writing, locking and finishing in a run folder."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from debias_cli.errors import LockedError, MissingError
from debias_cli.rundir.files import link_tree, write_json, write_text
from debias_cli.rundir.folder import RunFolder, new_record, open_run
from debias_cli.rundir.locking import lock_folder

HOLD = """
import sys, time
from pathlib import Path
from debias_cli.rundir.locking import lock_folder
with lock_folder(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("nan")})
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert json.loads(path.read_text()) == {"a": 1}
    assert [item.name for item in tmp_path.iterdir()] == ["f.json"]


def test_a_second_process_is_refused_at_once_with_pid_and_host(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        began = time.perf_counter()
        with pytest.raises(LockedError) as caught, lock_folder(tmp_path):
            pass
        assert time.perf_counter() - began < 1
        assert f"process {holder.pid} on host {os.uname().nodename}" in str(caught.value)
    finally:
        holder.kill()
        holder.wait()
    with lock_folder(tmp_path):  # the lock went with its process
        pass


def test_the_same_process_is_refused_too(tmp_path: Path) -> None:
    with (
        lock_folder(tmp_path),
        pytest.raises(LockedError, match=f"process {os.getpid()}"),
        lock_folder(tmp_path),
    ):
        pass


def finish(folder: RunFolder, name: str, key: str, text: str) -> None:
    out = folder.begin(name, key)
    (out / "sub").mkdir(exist_ok=True)
    (out / "sub" / "file.txt").write_text(text)
    parts: dict[str, dict[str, object]] = {"config": {}, "inputs": {}, "code": {}, "needs": {}}
    folder.finish(new_record(name, key, parts, 0.5))


def test_a_stage_has_its_final_name_only_when_it_is_finished(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    out = folder.begin("data", "k1")
    assert out == tmp_path / "run" / "data.partial"
    assert folder.record("data") is None
    finish(folder, "data", "k1", "one")
    record = RunFolder(folder.path).record("data")
    assert record is not None
    assert record.key == "k1"
    assert record.files["sub/file.txt"].size == 3
    assert not out.exists()
    assert not (folder.stage("data") / ".key").exists()


def test_a_finished_stage_is_replaced_whole(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    finish(folder, "data", "k1", "one")
    finish(folder, "data", "k2", "two")
    assert (folder.stage("data") / "sub" / "file.txt").read_text() == "two"
    assert [item.name for item in folder.path.iterdir()] == ["data"]


def test_what_was_begun_stays_for_the_same_key_only(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    (folder.begin("data", "k1") / "half").write_text("x")
    assert (folder.begin("data", "k1") / "half").exists()
    assert not (folder.begin("data", "k2") / "half").exists()


def test_taking_over_does_not_tie_two_runs_together(tmp_path: Path) -> None:
    first, second = RunFolder(tmp_path / "a"), RunFolder(tmp_path / "b")
    finish(first, "data", "k1", "one")
    second.path.mkdir()
    second.adopt("data", first.stage("data"))
    assert second.record("data") == first.record("data")
    finish(second, "data", "k2", "two")
    assert (first.stage("data") / "sub" / "file.txt").read_text() == "one"


def test_links_fall_back_to_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "f").write_text("x")

    def refuse(source: str, target: str) -> None:
        raise OSError(18, "cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    link_tree(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b" / "f").read_text() == "x"


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"not a run folder \(it has no config\.yaml\)"):
        open_run(tmp_path)
