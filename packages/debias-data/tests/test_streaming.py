"""Builds in little memory and several processes: the same bytes, and nothing left when killed."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from debias_data import BuildConfig, build, build_to, read_pairs
from debias_data.builder import expected_items
from debias_data.errors import BadRowError, DebiasDataError, InvalidInputError
from debias_data.sources.base import Problem
from debias_data.spill import Spill
from debias_data.table import BATCH_ROWS, card_path
from debias_data.work import Task, worked

ROWS = 3000


@pytest.fixture(scope="module")
def problems(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "a.jsonl"
    subjects = ["He", "She", "It", "Robert", "Her aunt"]
    lines = [
        json.dumps(
            {"prompt": f"{subjects[n % 5]} ran {n} km with {'x' * (n % 50 + 1)} q{n // 50}."}
        )
        for n in range(ROWS)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def _config(path, **rest):
    return BuildConfig.model_validate({"sources": [{"kind": "jsonl", "path": str(path)}], **rest})


@pytest.fixture(scope="module")
def reference(problems, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    return build(_config(problems)).write(folder / "pairs.parquet")


def _same_table(path, reference):
    # The cards differ in the number of workers alone.
    cards = [json.loads(card_path(item).read_text()) for item in (path, reference)]
    for card in cards:
        del card["config"]["workers"]
    return path.read_bytes() == reference.read_bytes() and cards[0] == cards[1]


@pytest.mark.parametrize("workers", [1, 3])
def test_the_file_is_that_of_the_table_in_memory(problems, reference, tmp_path, workers):
    seen = []
    config = _config(problems, workers=workers)
    written = build_to(tmp_path / "pairs.parquet", config, progress=seen.append)
    assert _same_table(written.path, reference)
    assert written.card == json.loads(card_path(written.path).read_text())
    assert sum(seen) == ROWS
    assert 2 * written.num_pairs > BATCH_ROWS // 2
    assert sorted(item.name for item in tmp_path.iterdir()) == ["pairs.card.json", "pairs.parquet"]


def test_copies_of_oversampling_are_read_back(problems, tmp_path):
    balance = {"by": ["source"], "method": "oversample", "tolerance": 0.0}
    sources = [
        {"kind": "jsonl", "path": str(problems), "limit": 300},
        {"kind": "synthetic", "clusters": 30},
    ]
    config = BuildConfig.model_validate({"sources": sources, "balance": balance})
    table = build(config)
    ids = [row["pair_id"] for row in table.rows()]
    assert len(set(ids)) * 2 == len(ids)
    assert table.card["balance"]["source"]["jsonl"] == max(table.card["balance"]["source"].values())
    by_id = {(row["pair_id"], row["group"]): row["prompt"] for row in table.rows()}
    copies = [key for key in by_id if "#source" in key[0]]
    assert copies
    assert all(by_id[key] == by_id[key[0].split("#")[0], key[1]] for key in copies)
    assert build_to(str(tmp_path / "a.parquet"), config).num_pairs == table.num_pairs


def test_a_wrong_name_is_refused_before_the_work(problems, tmp_path):
    with pytest.raises(InvalidInputError, match=r"NAME\.parquet"):
        build_to(tmp_path / "pairs.csv", _config(problems))
    assert not list(tmp_path.iterdir())


def test_expected_items(problems):
    assert expected_items(_config(problems)) is None
    sources = [{"kind": "synthetic", "clusters": 30, "limit": 20}]
    assert expected_items(BuildConfig.model_validate({"sources": sources})) == 20


def test_errors_travel_between_processes():
    error = BadRowError("a.jsonl", 3, "is null", column="prompt")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == "a.jsonl:3:prompt: is null"
    assert (again.row, again.column) == (3, "prompt")


def _die(*_):
    os._exit(9)


def test_a_dead_worker_is_one_clear_error(monkeypatch):
    monkeypatch.setattr("debias_data.work._work", _die)
    config = BuildConfig.model_validate({"sources": [{"kind": "synthetic"}]})
    task = Task(config.min_confidence, config.split, config.seed, None)
    items = iter([Problem("He ran.", None, "s", "maths", "p")] * 10)
    with pytest.raises(DebiasDataError, match="worker process was killed"):
        list(worked(items, task, workers=2))


def test_a_spill_reads_any_order(tmp_path):
    task = Task(
        0.0, BuildConfig.model_fields["split"].get_default(call_default_factory=True), 0, None
    )
    spill = Spill(tmp_path)
    for n in range(0, 12, 4):
        spill.add(
            task(
                [Problem(f"He ran {i} a{'b' * i}.", None, "s", "d", "p") for i in range(n, n + 4)]
            ).rows
        )
    order = [11, 0, 1, 2, 3, 4, 5, 3, 3, 10, 7]
    rows = [row for batch in spill.read(order) for row in batch.to_pylist()]
    assert [len(row["prompt"]) for row in rows[1::2]] == [
        len(f"He ran {i} a{'b' * i}.") for i in order
    ]
    spill.close()
    assert not list(tmp_path.iterdir())


COMMAND = "from debias_data.cli import main; main()"


def _start(config, out):
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "build", str(config), "--out", str(out), "--quiet"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _write_config(folder, problems, workers):
    config = folder / "c.yaml"
    config.write_text(
        f"workers: {workers}\nsources:\n  - {{kind: jsonl, path: {problems}}}\n", encoding="utf-8"
    )
    return config


@pytest.mark.parametrize("more", ["", "near_duplicates: {}\n"], ids=["draft", "spill"])
def test_a_disk_that_is_full_is_one_line(tmp_path, more):
    resource = pytest.importorskip("resource")
    config, out = tmp_path / "c.yaml", tmp_path / "out"
    config.write_text(f"{more}sources:\n  - {{kind: synthetic, clusters: 3000}}\n")
    command = [sys.executable, "-c", COMMAND, "build", str(config), "--out", str(out / "p.parquet")]
    done = subprocess.run(
        [*command, "--quiet"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert str(out) in done.stderr
    assert "File too large" in done.stderr
    assert not list(out.iterdir())


def _group_is_gone(group):
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="process groups are asked for on Linux")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_ended_build_leaves_no_process(problems, tmp_path, number):
    config = _write_config(tmp_path, problems, workers=2)
    process = _start(config, tmp_path / "out" / "pairs.parquet")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 30
    while not children.read_text() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert _group_is_gone(process.pid)
    if process.returncode != 0:
        assert process.returncode in {128 + number, -number}
        assert not (tmp_path / "out" / "pairs.parquet").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a build is started without importing anew")
def test_a_killed_build_leaves_no_partial_file(problems, reference, tmp_path):
    out = tmp_path / "pairs.parquet"
    config = _config(problems)
    for delay in (0.01, 0.1, 0.3, 0.6):
        process = multiprocessing.get_context("fork").Process(target=build_to, args=(out, config))
        process.start()
        process.join(delay)
        process.kill()
        process.join(30)
        if out.exists():
            assert out.read_bytes() == reference.read_bytes()
            out.unlink()
    written = build_to(out, config)
    assert _same_table(out, reference)
    assert read_pairs(out).num_pairs == written.num_pairs
