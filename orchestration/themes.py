"""Which themes a run builds: those of the enabled sources, and those whose models they read.

Told from the text of the models, before dbt is imported: a territory without energy does not pay for energy's marts.
Which models of another theme are brought up to date first is ``modelling``'s.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

REFERENCE = re.compile(r"\bref\(\s*['\"](\w+)['\"]\s*\)")


def active_themes(enabled: Collection[str], folders: Iterable[Path], macros: Path) -> frozenset[str]:
    """Return the themes ``enabled`` and all those whose models theirs read, directly or not.

    ``folders`` hold models as ``<layer>/<theme>/<model>.sql``. A macro that names a model is one of every theme's that
    calls it.
    """
    themes, texts = _models(folders)
    called = _references_by_macro(macros)
    reads: dict[str, set[str]] = {}
    for model, text in texts.items():
        named = set(REFERENCE.findall(text))
        named |= {one for macro, models in called.items() if f"{macro}(" in text for one in models}
        reads.setdefault(themes[model], set()).update(themes[one] for one in named if one in themes)
    found, waiting = set(enabled), list(enabled)
    while waiting:
        new = reads.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return frozenset(found)


def _models(folders: Iterable[Path]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the theme and the text of every model by its name."""
    files = [file for folder in folders for file in sorted(folder.glob("*/*/*.sql"))]
    return {file.stem: file.parent.name for file in files}, {
        file.stem: file.read_text(encoding="utf-8") for file in files
    }


def _references_by_macro(folder: Path) -> dict[str, set[str]]:
    """Return the models that each macro names."""
    found: dict[str, set[str]] = {}
    for file in sorted(folder.rglob("*.sql")):
        for name, body in re.findall(
            r"{%-?\s*macro\s+(\w+)\(.*?-?%}(.*?){%-?\s*endmacro", file.read_text(encoding="utf-8"), re.DOTALL
        ):
            found[name] = set(REFERENCE.findall(body))
    return {name: models for name, models in found.items() if models}
