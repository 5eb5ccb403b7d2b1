"""The Python block of the README runs, and what its comments say is what comes out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_python_block():
    block = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[1]
    values = {}
    checked = 0
    for line in block.splitlines():
        code, _, comment = line.partition("#")
        if not code.strip() or code.startswith("from"):
            exec(code, values)
            continue
        value = eval(code, values)
        quoted = re.match(r' ("[^"]*")', comment)
        if quoted:
            assert value == ast.literal_eval(quoted[1])
            checked += 1
    assert checked == 3
