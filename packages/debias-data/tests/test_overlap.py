"""Near-duplicates and benchmark overlap: what is found, what is left out, what the card says."""

from __future__ import annotations

import gzip
import json
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from debias_data import BuildConfig, build
from debias_data.card_page import as_markdown
from debias_data.config import OverlapConfig
from debias_data.errors import BadConfigError, BadRowError, MissingInputError
from debias_data.minhash import near_duplicates, signature, signature_of
from debias_data.ngrams import ngram_hashes
from debias_data.overlap import load_benchmarks

LONG = "a farmer keeps twelve brown hens and each of them lays five eggs every week in spring"


def test_hashes_are_those_of_word_sequences():
    assert len(ngram_hashes("a b c d", 3)) == 2
    assert set(ngram_hashes("A  b\nC d", 3)) == set(ngram_hashes("a b c d", 3))
    assert set(ngram_hashes("b c d", 3)) < set(ngram_hashes("a b c d", 3))
    assert len(ngram_hashes("a b", 3)) == 1
    assert not len(ngram_hashes("...", 3))
    assert ngram_hashes("a b", 3) != ngram_hashes("b a", 3)


def test_hashes_never_change():
    assert ngram_hashes("one two three", 3).tolist() == [HASH]


HASH = 14292049233389138689


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_signatures_estimate_the_similarity(share):
    draw = np.random.default_rng(7)
    errors = []
    for _ in range(40):
        values = draw.integers(0, 1 << 63, 400, dtype=np.uint64)
        common = round(400 * share)
        rest = (400 - common) // 2
        left, right = values[: common + rest], np.r_[values[:common], values[-rest:]]
        similarity = common / (common + 2 * rest)
        estimate = (signature_of(left) == signature_of(right)).mean()
        errors.append(estimate - similarity)
    assert abs(np.mean(errors)) < 0.03
    assert np.std(errors) < 0.1


def _texts(count, seed=0):
    draw = random.Random(seed)
    words = [f"w{i}" for i in range(500)]
    return [" ".join(draw.choices(words, k=40)) for _ in range(count)]


def test_near_duplicates_are_found_and_others_are_not():
    texts = _texts(300)
    texts[200] = texts[17].replace(texts[17].split()[20], "changed", 1)
    texts[250] = texts[17]
    signatures = np.stack([signature(text, 3) for text in texts])
    assert near_duplicates(signatures, 0.7) == {200: 17, 250: 17}
    assert near_duplicates(signatures[:200], 0.7) == {}
    assert near_duplicates(signatures[:1], 0.7) == {}


def _jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _build(path, **rest):
    sources = [{"kind": "jsonl", "path": str(path), "split": rest.pop("split", "train")}]
    return build(BuildConfig.model_validate({"sources": sources, **rest}))


def test_a_build_leaves_near_duplicates_out(tmp_path):
    texts = [f"He said {text}." for text in _texts(6)]
    texts[4] = texts[1].replace("said", "says")
    path = _jsonl(tmp_path / "a.jsonl", [{"prompt": text} for text in texts])
    assert _build(path).num_pairs == 6
    table = _build(path, near_duplicates={"threshold": 0.7})
    assert table.num_pairs == 5
    left_out = table.card["sources"]["jsonl"]["left_out"]
    assert left_out == {"near-duplicate": {"count": 1, "first": ["pair 5, like pair 2"]}}
    assert table.card["sources"]["jsonl"]["pairs"] == 5
    shown = {"left_out": texts[4].replace("He", "She"), "like": texts[1].replace("He", "She")}
    assert table.card["near_duplicates"] == [shown]
    page = as_markdown({**table.card, "sha256": ""}, title="a", picture="a.svg")
    assert f"| {shown['left_out']} | {shown['like']} |" in page


BENCHMARK = [{"q": f"He says that {LONG}."}, {"q": "Two words."}]
PROBLEMS = [
    {"prompt": f"She knows that {LONG.upper()}!"},
    {"prompt": "She knows that a farmer keeps twelve brown hens."},
]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_build_keeps_benchmarks_out_of_train(tmp_path, workers):
    path = _jsonl(tmp_path / "a.jsonl", PROBLEMS)
    benchmark = _jsonl(tmp_path / "b.jsonl", BENCHMARK)
    overlap = {"benchmarks": [{"name": "mine", "path": str(benchmark), "column": "q"}]}
    table = _build(path, overlap=overlap, workers=workers)
    assert next(table.rows())["prompt"] == PROBLEMS[1]["prompt"]
    assert table.num_pairs == 1
    assert table.card["sources"]["jsonl"]["left_out"]["overlaps with mine"]["count"] == 1
    assert table.card["overlap"] == {"mine": {"items": 2, "pairs_that_overlap": 1}}
    assert _build(path, overlap=overlap, split="test").num_pairs == 2


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".parquet"])
def test_benchmark_files(tmp_path, suffix):
    path = tmp_path / f"b{suffix}"
    text = "".join(json.dumps(row) + "\n" for row in BENCHMARK).encode()
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(BENCHMARK), path)
    else:
        path.write_bytes(gzip.compress(text) if suffix.endswith("gz") else text)
    index = load_benchmarks(_overlap(name="b", path=str(path), column="q"))
    assert index.items == (2,)
    assert index.find(f"so {LONG} it") == "b"
    assert index.find("nothing of the kind", "two WORDS") == "b"
    assert index.find("two words more") is None


def _overlap(**benchmark):
    return OverlapConfig.model_validate({"benchmarks": [benchmark]})


def test_benchmark_errors_say_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv("DEBIAS_DATA_DIR", raising=False)
    with pytest.raises(BadConfigError, match="give it `path` and `column`"):
        load_benchmarks(_overlap(name="unknown"))
    with pytest.raises(MissingInputError, match=r"DEBIAS_DATA_DIR.*gsm8k/test\.jsonl"):
        load_benchmarks(_overlap(name="gsm8k"))
    monkeypatch.setenv("DEBIAS_DATA_DIR", str(tmp_path))
    with pytest.raises(MissingInputError, match=r"gsm8k/test\.jsonl: no such file"):
        load_benchmarks(_overlap(name="gsm8k"))
    path = _jsonl(tmp_path / "b.jsonl", [{"other": "x"}])
    with pytest.raises(BadRowError, match=r"b\.jsonl:1:q: missing"):
        load_benchmarks(_overlap(name="b", path=str(path), column="q"))
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(b'{"q": "x"}\n' * 100)[:-12])
    with pytest.raises(BadRowError, match="truncated or damaged gzip"):
        load_benchmarks(_overlap(name="b", path=str(tmp_path / "c.jsonl.gz"), column="q"))


def test_known_benchmarks_are_read_from_the_data_folder(shared):
    names = ["aime24", "aime25", "bigcodebench", "gsm8k", "humaneval", "math500", "mbpp"]
    config = {"benchmarks": [{"name": n} for n in names], "data_dir": str(shared / "data")}
    index = load_benchmarks(OverlapConfig.model_validate(config))
    assert dict(zip(index.names, index.items, strict=True)) == {
        "aime24": 30,
        "aime25": 30,
        "bigcodebench": 1140,
        "gsm8k": 1319,
        "humaneval": 164,
        "math500": 500,
        "mbpp": 974,
    }
    first = json.loads((shared / "data/gsm8k/test.jsonl").read_text().split("\n")[0])
    assert index.find(first["question"]) == "gsm8k"
