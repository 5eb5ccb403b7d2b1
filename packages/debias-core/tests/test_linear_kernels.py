"""The Triton kernels: what they find, by Triton's interpreter, and that they compile for GPUs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

triton = pytest.importorskip("triton")


def test_the_kernels_by_the_interpreter() -> None:
    tests = Path(__file__).with_name("interpreted_kernels.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


POINTERS = {
    "add_tile": ("state", "tile", "ref", "targets"),
    "to_gradient": (
        *("tile", "ref", "maximum", "ref_maximum", "per_x", "per_difference", "constant"),
        *("at_target", "targets"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("architecture", [75, 80, 90])
@pytest.mark.parametrize("is_full", [True, False])
@pytest.mark.parametrize("name", POINTERS)
def test_the_kernels_compile_for_gpus(
    name: str,
    architecture: int,
    *,
    is_full: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For each architecture, with everything and with nothing that is optional."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from debias_core.linear import kernels

    kernel = getattr(kernels, name)
    constants: dict[str, object] = {"ROWS": 16, "TOKENS": 128}
    signature = {}
    for argument in kernel.arg_names:
        if argument.isupper():
            signature[argument] = "constexpr"
            constants.setdefault(argument, is_full)
        elif argument in POINTERS[name]:
            is_index = argument == "targets" and is_full
            signature[argument] = "*i64" if is_index else "*fp32"
        else:
            signature[argument] = "fp32" if argument == "per_tanh" else "i32"
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
    compiled = triton.compile(source, target=GPUTarget("cuda", architecture, 32))
    assert len(compiled.asm["cubin"]) > 1000
