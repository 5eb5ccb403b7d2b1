import ast
import gzip
import json

import pytest

from debias_eval.code.extraction import (
    HUMANEVAL_STOPS,
    extract_completion,
    extract_program,
    prompt_helpers,
    reachable_source,
)
from debias_eval.code.fences import fenced_blocks, last_fenced_block

PROSE = """Sure! Here it is:

```python
import math

def f(x):
    return g(x)

def g(x):
    return x

print(f(1))
```

Use it like this:

```
f(1)
```
"""


@pytest.mark.parametrize(
    ("text", "stops", "expected"),
    [
        ("    return 1\n\ndef g():\n    pass\n", HUMANEVAL_STOPS, "    return 1\n"),
        ("    return 1\n", (), "    return 1\n"),
        ("```python\n    return 1\n```\nbye", (), "    return 1\n"),
        ("", HUMANEVAL_STOPS, ""),
    ],
)
def test_completions(text, stops, expected):
    assert extract_completion(text, stops=stops) == expected


@pytest.mark.parametrize(
    ("text", "kept", "dropped"),
    [
        (PROSE, ["import math", "def f", "def g"], ["print", "Sure"]),
        ("Here:\ndef f(x):\n    return 1\nand that is all, folks!", ["def f"], ["folks"]),
        ("```py\ndef f(): return 1", ["def f"], ["```"]),
        ("```python\ndef g(): pass\n```\n```python\ndef f(): return 2\n```",
         ["return 2"], ["def g"]),
        ("```python\ndef f(): return 1\n```\nBetter:\n```python\ndef f(): return 2\n```",
         ["return 2"], ["return 1"]),
        ("```python\ndef f(): return 1\n```\n```text\nbroken (\n```", ["return 1"], ["broken"]),
        ("import sys\nsys.setrecursionlimit(9999)\nK = 3\n@d\ndef f(): return K\nZ = 4",
         ["setrecursionlimit", "K = 3", "@d"], ["Z"]),
        ("class A:\n    def m(s): return h()\ndef h(): return 1\ndef f(): return A()\nclass B: 1",
         ["class A", "def h"], ["class B"]),
        ("def f(): return 1\nif __name__ == '__main__':\n    f()\n", ["def f"], ["__main__"]),
        ("~~~\ndef f(): return 1\n~~~", ["def f"], ["~~~"]),
        ("```python\n    def f():\n        return 1\n```", ["def f"], []),
    ],
)  # fmt: skip
def test_programs(text, kept, dropped):
    program = extract_program(text, "f")
    ast.parse(program)
    assert all(part in program for part in kept), program
    assert not any(part in program for part in dropped), program


@pytest.mark.parametrize(
    "text", ["", "no code at all, sorry", "```python\nx = (\n```", "\0", "(" * 5000]
)
def test_text_without_a_program_comes_back(text):
    assert "def f" not in extract_program(text, "f")


def test_imports_of_the_prompt_go_in_front():
    program = extract_program(
        "```python\ndef f(x: List[int]): return x\n```",
        "f",
        prompt="from typing import List\n\ndef f(x):\n    '''d'''\n",
    )
    assert program.startswith("from typing import List\n")
    assert program.count("def f") == 1


def test_fences():
    blocks = fenced_blocks("a\n```python\nx\n```\nb\n````\n```\ny\n````\n")
    assert [(b.language, b.code) for b in blocks] == [("python", "x\n"), ("", "```\ny\n")]
    assert last_fenced_block("```\na\n```\n```cpp\nb\n```\n") == "b\n"
    assert last_fenced_block("none") == ""


def test_long_answers_are_quick():
    text = "word (\n" * 20_000 + "def f():\n    return 1\n"
    assert isinstance(extract_program(text, "f"), str)


def test_helpers_of_humaneval_prompts(shared_dir):
    path = shared_dir / "data" / "humaneval" / "HumanEval.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        data = [json.loads(line) for line in file]
    defined = {
        row["task_id"]
        for row in data
        if "def " in prompt_helpers(row["prompt"], row["entry_point"])
    }
    assert {"HumanEval/32", "HumanEval/38", "HumanEval/50"} <= defined
    assert all(
        row["entry_point"]
        not in ast.dump(ast.parse(prompt_helpers(row["prompt"], row["entry_point"])))
        for row in data
    )


def test_canonical_solutions_survive_extraction(shared_dir):
    path = shared_dir / "data" / "humaneval" / "HumanEval.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            code = row["prompt"] + row["canonical_solution"]
            found = extract_program(f"Answer:\n```python\n{code}\n```\nDone.", row["entry_point"])
            assert found == reachable_source(code, row["entry_point"])
