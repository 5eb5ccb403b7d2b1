"""Which users own a process, on a machine whose processes come and go meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from debias_eval.execution.zygotes import _users_with_processes


def test_processes_that_end_meanwhile_are_no_fault() -> None:
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            subprocess.run([sys.executable, "-S", "-c", ""], check=True)

    threads = [threading.Thread(target=churn) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(400):
            assert os.getuid() in _users_with_processes()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
