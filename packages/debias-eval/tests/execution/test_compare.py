import math

import pytest

from debias_eval.execution.inside.compare import same_output


@pytest.mark.parametrize(
    ("got", "expected", "atol", "mode", "same"),
    [
        ([1, 2], [1, 2], 0, "equal", True),
        ((1, 2), [1, 2], 0, "equal", False),
        (0.1 + 0.2, 0.3, 0, "equal", True),
        ([0.1 + 0.2], [0.3], 0, "equal", True),
        (1.1, 1.0, 0, "equal", False),
        (1.05, 1.0, 0.1, "equal", True),
        (5, 5.0, 0, "equal", True),
        ("5.0", 5.0, 0.1, "equal", False),
        (None, 5.0, 0.1, "equal", False),
        (math.nan, 1.0, 0.1, "equal", False),
        (math.inf, 1e300, 0.1, "equal", False),
        ([1.0, 2.0], [1.0], 0.1, "equal", False),
        ([[1.0, 2.0]], [[1.0, 2.01]], 0.1, "equal", True),
        ([2, 1, 1], (1, 2), 0, "set", True),
        ([2], (1, 2), 0, "set", False),
        ("anything", "else", 0, "not_none", True),
        (None, "else", 0, "not_none", False),
        (True, "match", 0, "not_none", True),
        (False, "match", 0, "not_none", False),
        (False, None, 0, "not_none", True),
    ],
)
def test_rules(got, expected, atol, mode, same):
    assert same_output(got, expected, atol=atol, mode=mode) is same
