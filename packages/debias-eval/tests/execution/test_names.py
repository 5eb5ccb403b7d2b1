import ast

import pytest

from debias_eval.execution.inside import names


@pytest.mark.parametrize(
    ("source", "free", "entries"),
    [
        ("assert f(1) == 2", {"f"}, ["f"]),
        ("assert set(f(x)) == set((1, 2))", {"f", "x"}, ["f"]),
        ("assert sum(10, 15) == 6", set(), ["sum"]),
        ("assert chain([Pair(5, 24)], 4) == 3", {"chain", "Pair"}, ["Pair", "chain"]),
        ("root = Node(1)\nroot.left = Node(2)\nassert height(root) == 2", {"Node", "height"}, None),
        ("import math\nassert math.isclose(f(1), 2)", {"f"}, ["f"]),
        ("assert math.isclose(f(1), 2)", {"f", "math"}, ["f"]),
        ("def check(candidate):\n    assert candidate(1) == poly(2)", {"poly"}, ["poly"]),
        ("assert all(f(i) for i in range(3))", {"f"}, ["f"]),
        ("try:\n    f()\nexcept ValueError as e:\n    print(e)", {"f"}, ["f"]),
    ],
)
def test_names_that_belong_to_the_solution(source, free, entries):
    tree = ast.parse(source)
    assert names.free_names(tree) == free
    if entries is not None:
        assert [n for n in names.entry_points(tree) if n != "candidate"] == entries
