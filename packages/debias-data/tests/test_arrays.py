"""Columns made of their buffers are those that Arrow makes, and pandas stays away."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest

from debias_data.arrays import int32s, int64s, optional_texts, texts

VALUES = [[], ["a"], ["", "é", "naïve €", "plain", "\U0001f600"], ["x"] * 17]


@pytest.mark.parametrize("values", VALUES)
def test_columns_are_those_of_arrow(values):
    assert texts(values).equals(pa.array(values, pa.string()))
    with_nulls = [None, *values, None, "b"]
    for column in (with_nulls, values):
        made = optional_texts(column)
        made.validate(full=True)
        assert made.equals(pa.array(column, pa.string()))
    assert int32s([-1, 2]).equals(pa.array([-1, 2], pa.int32()))
    assert int64s([]).equals(pa.array([], pa.int64()))


def test_a_build_does_not_import_pandas(tmp_path):
    program = (
        "import sys; from debias_data import BuildConfig, build_to; "
        "config = BuildConfig.model_validate({'sources': [{'kind': 'synthetic', 'clusters': 9}]}); "
        f"build_to({str(tmp_path / 'pairs.parquet')!r}, config); "
        "sys.exit('pandas' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
