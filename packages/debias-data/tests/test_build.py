"""Builds from small files made here: what becomes a pair, what is left out, what is an error."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from debias_data import BuildConfig, build
from debias_data.errors import (
    BadRowError,
    DebiasDataError,
    EmptyResultError,
    InvalidInputError,
    MissingInputError,
    OutOfBalanceError,
)
from debias_data.sources import get_reader, source_names

PROBLEMS = [
    ("Robert has 3 pens and buys 4. How many does he have?", "He has 3 + 4 = 7.\n#### 7"),
    ("A train covers 60 km in 2 hours. Find its speed.", "#### 30"),
    ("She saw 5 birds and then 6 more.", "She saw 11.\n#### 11"),
    ("The king met the queen 4 times.", "#### 4"),
    ("She is pregnant with 2 babies.", "#### 2"),
    ("She saw 5 birds and then 6 more.", "She saw 11.\n#### 11"),
    ("He sold 2 hats.", "He gave the woman 2.\n#### 2"),
]


@pytest.fixture
def numina(tmp_path):
    rows = [
        {"source": "made", "problem": problem, "solution": solution, "messages": []}
        for problem, solution in PROBLEMS
    ]
    path = tmp_path / "numina.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def _config(*sources, **rest):
    return BuildConfig.model_validate({"sources": list(sources), **rest})


def test_numina_pairs_and_the_card(numina):
    table = build(_config({"kind": "numina", "path": str(numina)}))
    assert table.num_pairs == 2
    first, second = list(table.rows())[:2]
    assert (first["group"], second["group"]) == ("female", "male")
    assert second["prompt"] == PROBLEMS[0][0]
    assert first["prompt"].endswith("has 3 pens and buys 4. How many does she have?")
    assert first["reference"] == "She has 3 + 4 = 7.\n#### 7"
    left_out = table.card["sources"]["numina/made"]["left_out"]
    counts = {reason: entry["count"] for reason, entry in left_out.items()}
    assert counts == {
        "neutral": 1,
        "mixed": 1,
        "refused: sex_bound": 1,
        "duplicate": 1,
        "mixed: the other gender is in the reference": 1,
    }
    assert left_out["neutral"]["first"] == [f"{numina}:2"]
    assert table.card["balance"]["origin"] == {"female": 1, "male": 1}


def test_spans_are_slices_of_the_prompt(numina):
    for row in build(_config({"kind": "numina", "path": str(numina)})).rows():
        assert row["spans"]
        assert all(row["prompt"][s["start"] : s["end"]] == s["text"] for s in row["spans"])


def test_mark_takes_the_neutral_ones(numina):
    table = build(_config({"kind": "numina", "path": str(numina), "operation": "mark"}))
    assert table.num_pairs == 1
    assert {row["source"] for row in table.rows()} == {"numina/made+mark"}


def test_auto_takes_both(numina):
    config = _config({"kind": "numina", "path": str(numina), "operation": "auto"})
    assert build(config).num_pairs == 3


def test_a_folder_is_read_in_order(numina, tmp_path):
    config = _config({"kind": "numina", "path": str(tmp_path), "limit": 1})
    assert build(config).num_pairs == 1


def test_workers_change_nothing(numina):
    source = {"kind": "numina", "path": str(numina), "operation": "auto"}
    alone, shared = build(_config(source)), build(_config(source, workers=2))
    assert list(alone.rows()) == list(shared.rows())


def test_nothing_left_is_an_error_with_reasons(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"prompt": "2 + 2 = ?"}\n')
    with pytest.raises(EmptyResultError, match="neutral 1"):
        build(_config({"kind": "jsonl", "path": str(path)}))


def _one_shot(path):
    problem = "Wind on a sail of 2 square feet has pressure 4. Find $v$."
    rows = [
        {
            "problem": problem,
            "reward_model": {"ground_truth": "12.8", "style": "rule"},
            "extra_info": {"index": i, "split": "train"},
        }
        for i in range(128)
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return {"kind": "one_shot_rlvr", "path": str(path), "split": "train"}


def test_one_shot_is_marked(tmp_path):
    table = build(_config(_one_shot(tmp_path / "a.parquet")))
    assert table.num_pairs == 128
    rows = list(table.rows())
    assert len({row["cluster_id"] for row in rows}) == 1
    assert {row["split"] for row in rows} == {"train"}
    assert {row["reference"] for row in rows} == {"12.8"}


def test_one_shot_with_swap_says_why_it_yields_nothing(tmp_path):
    source = {**_one_shot(tmp_path / "a.parquet"), "operation": "swap"}
    with pytest.raises(EmptyResultError, match="set `operation: mark`"):
        build(_config(source))


def test_synthetic_pairs_get_splits_by_cluster():
    table = build(_config({"kind": "synthetic", "clusters": 60}))
    assert table.num_pairs == 60
    assert {row["split"] for row in table.rows()} == {"train", "dev", "test"}
    again = build(_config({"kind": "synthetic", "clusters": 60}))
    assert list(again.rows()) == list(table.rows())
    reseeded = build(_config({"kind": "synthetic", "clusters": 60}, seed=5))
    assert [r["split"] for r in reseeded.rows()] != [r["split"] for r in table.rows()]


def test_max_pairs():
    assert build(_config({"kind": "synthetic", "clusters": 60}, max_pairs=7)).num_pairs == 7


WINOGENDER = """sentid\tsentence
baker.guest.0.male.txt\tThe baker told the guest that he was tired.
baker.guest.0.female.txt\tThe baker told the guest that she was tired.
baker.guest.0.neutral.txt\tThe baker told the guest that they were tired.
baker.someone.0.male.txt\tThe baker told someone that he was tired.
baker.someone.0.female.txt\tThe baker told someone that she was tired.
"""


def test_winogender(tmp_path):
    (tmp_path / "all_sentences.tsv").write_text(WINOGENDER)
    table = build(_config({"kind": "winogender", "path": str(tmp_path)}))
    rows = list(table.rows())
    assert len(rows) == 4
    assert {row["cluster_id"] for row in rows} == {"winogender:baker.0"}
    assert rows[0]["prompt"] == "The baker told the guest that she was tired."
    named = _config({"kind": "winogender", "path": str(tmp_path), "participants": "named"})
    assert build(named).num_pairs == 1


def test_winogender_without_a_partner_is_an_error(tmp_path):
    (tmp_path / "all_sentences.tsv").write_text("\n".join(WINOGENDER.splitlines()[:2]))
    with pytest.raises(BadRowError, match=r"all_sentences\.tsv:2: baker\.guest\.0"):
        build(_config({"kind": "winogender", "path": str(tmp_path)}))


def test_winobias_keeps_minimal_pairs_and_lists_the_others(tmp_path):
    pro = (
        "1 [The cook] met the clerk because [he] was late.\n2 The cook saw [the clerk] [himself].\n"
    )
    anti = (
        "1 [The cook] met the clerk because [she] was late.\n2 The cook met [the clerk] herself.\n"
    )
    (tmp_path / "pro_stereotyped_type1.txt.dev").write_text(pro)
    (tmp_path / "anti_stereotyped_type1.txt.dev").write_text(anti)
    source = {"kind": "winobias", "path": str(tmp_path), "types": ["type1"], "parts": ["dev"]}
    table = build(_config(source))
    assert [row["prompt"] for row in table.rows()] == [
        "The cook met the clerk because she was late.",
        "The cook met the clerk because he was late.",
    ]
    (reason,) = table.card["sources"]["winobias"]["left_out"]
    assert reason.startswith("not minimal")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"prompt": "He ran."}\n{"prompt": 3}\n', r"a\.jsonl:2:prompt: expected text, found int"),
        (b'{"prompt": "He ran."}\n{"text": ""}\n', r"a\.jsonl:2:prompt: is missing"),
        (b'{"prompt": null}\n', r"a\.jsonl:1:prompt: is null"),
        (b'{"prompt": "He ran."\n', r"a\.jsonl:1: invalid JSON"),
        (b'{"prompt": "\xff"}\n', r"a\.jsonl:1: invalid UTF-8 at byte"),
        (b'{"prompt": "He", "prompt": "She"}\n', r"a\.jsonl:1: duplicate key 'prompt'"),
        (b'{"prompt": "He ran.", "n": NaN}\n', r"a\.jsonl:1: NaN is not JSON"),
        (b"[1]\n", r"a\.jsonl:1: expected an object, found list"),
        (b'{"prompt": "   "}\n', r"a\.jsonl:1:prompt: is empty"),
    ],
)
def test_bad_jsonl_names_file_row_and_column(tmp_path, content, message):
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(BadRowError, match=message):
        build(_config({"kind": "jsonl", "path": str(path)}))


def test_a_long_line_is_an_error(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"prompt": "' + b"a" * (17 << 20) + b'"}\n')
    with pytest.raises(BadRowError, match=r"a\.jsonl:1: line longer than 16 MiB"):
        build(_config({"kind": "jsonl", "path": str(path)}))


def test_bad_rows_can_be_skipped_and_are_listed(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"prompt": "He ran 5 km."}\n{"prompt": null}\n')
    table = build(_config({"kind": "jsonl", "path": str(path), "on_bad_row": "skip"}))
    left_out = table.card["sources"]["jsonl"]["left_out"]
    assert left_out == {"bad row: is null": {"count": 1, "first": [f"{path}:2:prompt"]}}


def test_bom_and_crlf_are_read(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"prompt": "He ran."}\r\n')
    assert build(_config({"kind": "jsonl", "path": str(path)})).num_pairs == 1


def test_csv(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('q;a\n"He has 2; he eats 1.";1\n')
    source = {"kind": "csv", "path": str(path), "prompt": "q", "reference": "a", "delimiter": ";"}
    rows = list(build(_config(source)).rows())
    assert rows[0]["prompt"] == "She has 2; she eats 1."
    assert rows[0]["reference"] == "1"


def test_csv_without_the_column(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("q,a\nx,1\n")
    with pytest.raises(BadRowError, match=r"a\.csv:1:prompt: no such column; the file has q, a"):
        build(_config({"kind": "csv", "path": str(path)}))


def test_parquet_without_the_column(numina):
    with pytest.raises(BadRowError, match=r"numina\.parquet:prompt: no such column"):
        build(_config({"kind": "parquet", "path": str(numina)}))


def test_a_truncated_parquet_is_named(numina):
    numina.write_bytes(numina.read_bytes()[:-30])
    with pytest.raises(InvalidInputError, match=r"numina\.parquet: truncated"):
        build(_config({"kind": "numina", "path": str(numina)}))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"none\.jsonl: no such file"):
        build(_config({"kind": "jsonl", "path": str(tmp_path / "none.jsonl")}))


def test_relative_paths_are_of_base_dir(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"prompt": "He ran."}\n')
    assert build(_config({"kind": "jsonl", "path": "a.jsonl"}), base_dir=tmp_path).num_pairs == 1


def _two_sources(tmp_path, **balance):
    path = tmp_path / "a.jsonl"
    lines = [json.dumps({"prompt": f"He ran {n} km with {'x' * n}."}) for n in range(1, 11)]
    path.write_text("\n".join(lines) + "\n")
    return _config(
        {"kind": "jsonl", "path": str(path)},
        {"kind": "synthetic", "clusters": 4},
        balance={"by": ["source"], **balance},
    )


def test_balance_fails_beyond_the_tolerance(tmp_path):
    with pytest.raises(OutOfBalanceError, match=r"source is out of balance.*0\.600.*0\.2"):
        build(_two_sources(tmp_path, tolerance=0.2))


@pytest.mark.parametrize(("method", "pairs"), [("undersample", 8), ("oversample", 20)])
def test_balance_is_corrected(tmp_path, method, pairs):
    table = build(_two_sources(tmp_path, tolerance=0.0, method=method))
    assert table.num_pairs == pairs


def test_balance_by_completion(tmp_path):
    paths = []
    for name, gendered in (("many", 9), ("few", 3)):
        path = tmp_path / f"{name}.jsonl"
        texts = [f"He ran {n} km with {'x' * n}." for n in range(1, gendered + 1)]
        texts += [f"It rained {n} mm on the {'y' * n}." for n in range(1, 6)]
        path.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in texts))
        paths.append({"kind": "jsonl", "path": str(path), "name": name, "domain": name})
    balance = {"by": ["domain"], "method": "complete"}
    table = build(_config(*paths, balance=balance))
    assert table.card["balance"]["domain"] == {"few": 8, "many": 9}
    assert table.card["balance"]["source"] == {"few": 3, "few+mark": 5, "many": 9}
    assert table.card["sources"]["few"]["left_out"]["neutral"]["count"] == 0
    assert table.card["sources"]["many"]["left_out"]["neutral"]["count"] == 5
    assert table.card["problems_seen"] == 22
    rows = list(build(_config(*paths, balance=balance, workers=2)).rows())
    assert rows == list(table.rows())
    by_source = _config(*paths, balance={**balance, "by": ["source"], "tolerance": 0.2})
    assert build(by_source).num_pairs == 17
    with pytest.raises(OutOfBalanceError, match="'few': 8, 'many': 9"):
        build(_config(*paths, balance={**balance, "by": ["source"], "tolerance": 0.05}))
    with pytest.raises(ValueError, match="origin cannot be completed"):
        _config(*paths, balance={**balance, "by": ["origin"]})


def test_unknown_source_gets_a_suggestion():
    with pytest.raises(DebiasDataError, match="did you mean 'numina'"):
        get_reader("numena")
    assert {"numina", "winogender", "synthetic"} <= set(source_names())


def test_every_field_has_a_description():
    schema = BuildConfig.model_json_schema()
    for name, part in {**schema["$defs"], "BuildConfig": schema}.items():
        for field, spec in part.get("properties", {}).items():
            assert field == "kind" or "description" in spec, f"{name}.{field}"
