"""A solution as a program of its own: it reads its input, prints, and ends.

Standard input and output are pipes whose other ends the judge holds; nothing else is in reach, and
this process decides nothing. It ends with code 0 unless the program raised something.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import traceback
import types
from typing import Any, NoReturn

_exit = os._exit


def main(job: dict[str, Any], _exchange: int | None, _result: int) -> NoReturn:
    """Run `job["source"]` as `__main__`, then end as an interpreter would."""
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv = ["solution.py"]
    code = 0
    try:
        program = compile(job.pop("source"), "solution.py", "exec", dont_inherit=True)
        exec(program, module.__dict__)  # noqa: S102 - this is what the sandbox is for
    except SystemExit:  # an answer that was printed counts, whatever code the program chose
        pass
    except BaseException as error:  # noqa: BLE001 - foreign code may raise anything at all
        trace = error.__traceback__
        traceback.print_exception(type(error), error, trace and trace.tb_next)
        code = 1
    _exit(_wind_up() or code)


def _wind_up() -> int:
    """Do what follows the last line of a script: wait for threads, call hooks, flush."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - the solution may have put anything there
        return 1
    return 0
