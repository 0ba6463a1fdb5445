"""What ``halle withdraw`` and ``halle erase`` print. Words and layout only; the facts come from the callers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestration.console import console, table

if TYPE_CHECKING:
    from pathlib import Path

    from exports.withdrawals import Withdrawal
    from orchestration.erasing import Erasure, Published


def print_withdrawn(decision: Withdrawal | None, slug: str, tree: Path) -> None:
    """Print what was taken down, and what its address shows now."""
    out = console()
    if decision is None:
        out.print(f"{slug}: this was withdrawn already; nothing was changed.", markup=False)
        return
    listed = [(gone.release, f"v{gone.version}") for gone in decision.releases]
    out.print(f"{slug} is {decision.sentence}\n", markup=False, soft_wrap=True)
    out.print(table("Taken down", ("release", "version"), listed))
    out.print(f"\n{_later(decision)} The address says so: {tree / slug}", markup=False, soft_wrap=True)
    out.print("Copies that others made, and the site that serves the tree, are not reached from here.", markup=False)


def _later(decision: Withdrawal) -> str:
    if decision.whole:
        return "It is never released again."
    if decision.version is not None:
        return "Nothing is released under this version again."
    return "No run releases these rows again as they were; new data make new releases, which hold what is still wrong."


def print_erased(found: Erasure) -> None:
    """Print what was erased, and what had been published with it."""
    out = console()
    if found.report is None:
        out.print(f"Nothing is held of {found.source}.", markup=False)
        return
    counted = f"{found.deliveries} deliveries, {found.refused} refused or waiting files"
    out.print(f"Erased of {found.source}, with what was built on them: {counted}.", markup=False)
    if found.published:
        _print_published(found.published)
        out.print("These stand as they were published: to take one down, halle withdraw SLUG [VERSION] --why ….")
    else:
        out.print("Nothing had been published with them.")
    out.print(f"\nReport: {found.report}", markup=False, soft_wrap=True)
    out.print("Next: halle run builds the rest again, without this source's past deliveries.")


def _print_published(published: Sequence[Published]) -> None:
    rows = [(one.slug, one.audience, one.release, f"v{one.version}", one.rows, len(one.files)) for one in published]
    headers = ("dataset", "audience", "release", "version", "rows", "files")
    console().print(table("\nPublished with it", headers, rows))
