"""Where the time of a run goes, by stage. What is timed is decided by ``run``; nothing here is published."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


class Stopwatch:
    """Adds up seconds by stage; the time of a stage within another is taken off the outer one."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inner: list[float] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block as a part of stage ``name``."""
        started = perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            elapsed = perf_counter() - started
            own = elapsed - self._inner.pop()
            if self._inner:
                self._inner[-1] += elapsed
            self.seconds[name] = self.seconds.get(name, 0.0) + own
