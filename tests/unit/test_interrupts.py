"""An interrupt ends a run at once, with a sentence; without one, results and errors come through."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from orchestration.interrupts import INTERRUPTED, interruptible

STUBBORN = """
import time
from orchestration.interrupts import interruptible

def work():
    print("at work", flush=True)
    while True:
        time.sleep(0.05)

interruptible(work)
"""


def test_an_interrupt_ends_the_process_with_a_sentence():
    with subprocess.Popen(
        [sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == INTERRUPTED
    assert "interrupted" in said
    assert "Traceback" not in said


def test_a_result_comes_through():
    assert interruptible(lambda: 42) == 42


def test_an_error_comes_through():
    def broken() -> None:
        raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        interruptible(broken)
