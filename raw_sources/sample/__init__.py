"""The synthetic territory: a seeded town whose extracts have the forms of real producers, at any scale.

What belongs here: the invented town, its traffic, works, weather, energy and payments, the defects seeded on purpose,
and their writing in the producers' own formats. What does not: reading them back (``readers``), cards, landing. This
file itself stays light, so that a run can ask whether the bundled extracts are there without importing numpy or Polars.

Everything it makes is fictitious and says so; the town lies in the Bay of Biscay, so that no map and no navigation
service can take its streets or its closures for real ones.
"""

from __future__ import annotations

import json
from pathlib import Path

from raw_sources.sample.scale import BUNDLED_ARCS

GENERATOR_VERSION = "5"
BUNDLED_SEED = 20260101
MANIFEST_NAME = "manifest.json"
TERRITORY_FOLDER = Path(__file__).parent / "territory"


def bundled_is_current(folder: Path) -> bool:
    """Tell whether ``folder`` holds the whole bundled extracts of this version of the generator.

    Sizes are compared, so that a file removed or cut by hand is made again.
    """
    wanted = {"version": GENERATOR_VERSION, "seed": BUNDLED_SEED, "bundled": True, "arcs": BUNDLED_ARCS}
    try:
        manifest = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
        if {name: manifest[name] for name in wanted} != wanted:
            return False
        return all((folder / entry["name"]).stat().st_size == entry["bytes"] for entry in manifest["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
