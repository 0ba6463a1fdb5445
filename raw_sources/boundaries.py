"""The names of the commit boundaries, so that the fault tests can stop a run at each of them.

A boundary is the instant before or after a write that others can see. Production code calls ``boundary(name)``
and nothing happens; a test sets ``on_boundary`` in a forked process and kills it there.
"""

from __future__ import annotations

from collections.abc import Callable

on_boundary: Callable[[str], None] | None = None


def boundary(name: str) -> None:
    """Announce the commit boundary ``name`` (``room.object.before|after``)."""
    if on_boundary is not None:
        on_boundary(name)
