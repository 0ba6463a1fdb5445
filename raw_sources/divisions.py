"""The administrative division of France as its loaded references give it: which authority a code or a SIREN names.

Reads raw Parquet of the sources in ``REFERENCES``, whose columns are those of their cards. Receiving and loading them,
and writing what is found, belong to ``orchestration.founding``.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raw_sources.database import DuckDBSettings, connect, identifier, literal
from raw_sources.errors import ConfigurationError
from raw_sources.geometry import envelopes, parse
from raw_sources.territory import is_siren

COMMUNES, DEPARTMENTS, OUTLINES = "etalab_communes", "etalab_departements", "ign_contours_communes"
GROUPINGS = ("etalab_epci", "etalab_ept")
REFERENCES = (COMMUNES, *GROUPINGS, DEPARTMENTS)
# The official geographic code says the same of codes and names, and nothing of SIREN numbers and groupings.
COG_COMMUNES, COG_DEPARTMENTS = "insee_cog_communes", "insee_cog_departements"
SUBSTITUTES = {COMMUNES: COG_COMMUNES, DEPARTMENTS: COG_DEPARTMENTS}

CURRENT, DISTRICT = "commune-actuelle", "arrondissement-municipal"
COG_KINDS = {"COM": CURRENT, "ARM": DISTRICT}
NEAREST = 3
# Degrees added on each side of the outlines: a street on the limit, and outlines simplified to a kilometre.
MARGIN_DEG = 0.02

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Authority:
    """A commune, a grouping of communes or a department. ``siren`` is None where no reference gives it.

    ``department`` is that of its first commune; ``is_homonym`` says that another authority of its kind has its name.
    """

    code: str
    name: str
    siren: str | None
    communes: tuple[str, ...]
    department: str
    is_homonym: bool


@dataclass(frozen=True)
class _Commune:
    """A row of the communes: ``now_in`` is the commune that a district or a former commune belongs to."""

    code: str
    kind: str
    name: str
    siren: str | None
    department: str
    now_in: str | None
    former_codes: tuple[str, ...]


class Divisions:
    """One vintage of the division, held in memory: some 37,000 communes."""

    def __init__(self, files: Mapping[str, Path], vintage: int, settings: DuckDBSettings) -> None:
        """Read the raw Parquet of each source in ``files``; ``vintage`` is the year of the communes.

        Communes and departments come from one reference or its substitute; all else may be missing.
        """
        self.vintage = vintage
        self._files, self._settings = files, settings
        communes = list(self._communes())
        self._current = {one.code: one for one in communes if one.kind == CURRENT}
        self._others = {one.code: one for one in communes if one.kind != CURRENT and one.code not in self._current}
        self._groupings = {code: (name, members) for code, name, members in self._read_groupings()}
        self._departments = dict(self._read_departments())

    def find(self, code: str) -> Authority:
        """Return the authority of an INSEE code, a SIREN or a department's code.

        Raises ConfigurationError, with the nearest names, for a code that is none, is no longer one, or cannot be.
        """
        text = code.strip().upper()
        if re.fullmatch(r"[0-9]{9}", text):
            return self._of_siren(text)
        if text in self._departments:
            return self._department(text)
        if text in self._current:
            return self._commune(self._current[text])
        raise self._not_current(text) or self._unknown(code.strip())

    def box(self, authority: Authority) -> Box | None:
        """Return the envelope of the authority's outlines with a margin, in degrees; None without all the outlines."""
        if OUTLINES not in self._files:
            return None
        wanted = ", ".join(literal(one) for one in authority.communes)
        found = dict(self._read(OUTLINES, "code", "geometry", where=f"code in ({wanted})"))
        edges = envelopes(parse([found.get(one) for one in authority.communes]))
        west, south = (float(edge) for edge in edges[:, :2].min(axis=0))
        east, north = (float(edge) for edge in edges[:, 2:].max(axis=0))
        if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
            return None  # an outline is missing, or in metres: no box is better than a wrong one
        edge = MARGIN_DEG
        return round(west - edge, 2), round(south - edge, 2), round(east + edge, 2), round(north + edge, 2)

    # What a code names

    def _of_siren(self, siren: str) -> Authority:
        if not is_siren(siren):
            raise ConfigurationError(
                f"{siren!r} is not a SIREN: its check digit is wrong.",
                hint="Look it up on https://annuaire-entreprises.data.gouv.fr.",
            )
        if not self._groupings and COMMUNES not in self._files:
            raise ConfigurationError(
                f"the references at hand know no SIREN: {', '.join((COMMUNES, *GROUPINGS))} do.",
                hint="Put their files in the folder of --extracts, or give the INSEE code of a commune.",
            )
        if siren in self._groupings:
            name, members = self._groupings[siren]
            return Authority(siren, name, siren, members, self._department_of(members[0]), self._is_shared(name))
        for commune in self._current.values():
            if commune.siren == siren:
                return self._commune(commune)
        raise ConfigurationError(
            f"no commune and no grouping of communes has the SIREN {siren} in {self.vintage}.",
            hint="Give the INSEE code of a commune, or the number of a department.",
        )

    def _commune(self, commune: _Commune) -> Authority:
        alike = sum(one.name == commune.name for one in self._current.values())
        return Authority(commune.code, commune.name, commune.siren, (commune.code,), commune.department, alike > 1)

    def _department(self, code: str) -> Authority:
        communes = tuple(sorted(one.code for one in self._current.values() if one.department == code))
        return Authority(code, self._departments[code], None, communes, code, is_homonym=False)

    def _department_of(self, commune: str) -> str:
        return self._current[commune].department if commune in self._current else commune[:2]

    def _is_shared(self, name: str) -> bool:
        return sum(other == name for other, _ in self._groupings.values()) > 1

    def _not_current(self, code: str) -> ConfigurationError | None:
        """Return the error for a district, or for a commune that is now part of another; None for any other code."""
        other = self._others.get(code)
        by_former = next((one for one in self._current.values() if code in one.former_codes), None)
        now = self._current.get(other.now_in or "") if other else by_former
        if now is None:
            return None
        place = f"{now.name} ({now.code})"
        if other is not None and other.kind == DISTRICT:
            what = f"{code} is a district of {place}, not a commune."
        elif other is not None:
            what = f"{code} is the former commune of {other.name}, now in {place}."
        else:
            what = f"{code} is no longer the code of a commune: it is now in {place}."
        return ConfigurationError(what, hint=f"Give {now.code}.")

    def _unknown(self, text: str) -> ConfigurationError:
        what = f"no commune, grouping of communes or department has the code {text!r} in {self.vintage}."
        return ConfigurationError(what, hint=f"The nearest: {', '.join(self._nearest(text))}.")

    def _nearest(self, text: str) -> Sequence[str]:
        """Return the nearest authorities, by name when the text is one, else by code."""
        known = {**{code: one.name for code, one in self._current.items()}, **self._departments}
        known |= {code: name for code, (name, _) in self._groupings.items()}
        if re.fullmatch(r"[0-9AB]+", text.upper()):
            close = difflib.get_close_matches(text.upper(), known, n=NEAREST, cutoff=0)
            return [f"{code} ({known[code]})" for code in close]
        codes: dict[str, list[str]] = {}
        for code, name in known.items():
            codes.setdefault(name.casefold(), []).append(code)
        names = difflib.get_close_matches(text.casefold(), codes, n=NEAREST, cutoff=0)
        return [f"{code} ({known[code]})" for name in names for code in codes[name]][:NEAREST]

    # Reading

    def _communes(self) -> Iterator[_Commune]:
        if COMMUNES not in self._files:
            yield from self._cog_communes()
            return
        columns = ("code", "type", "nom", "siren", "departement", "chef_lieu", "commune", "anciens_codes")
        for code, kind, name, siren, department, seat, city, former in self._read(COMMUNES, *columns):
            yield _Commune(code, kind, name, siren, department, seat or city, tuple(json.loads(former or "[]")))

    def _cog_communes(self) -> Iterator[_Commune]:
        rows = self._read(COG_COMMUNES, "typecom", "com", "libelle", "dep", "comparent")
        departments = {code: department for kind, code, _, department, _ in rows if kind == "COM"}
        for kind, code, name, department, parent in rows:
            # The file gives a district or a former commune no department: that of its commune is meant.
            place = department or departments.get(parent, "")
            yield _Commune(code, COG_KINDS.get(kind, kind), name, None, place, parent or None, ())

    def _read_departments(self) -> Iterator[tuple[str, str]]:
        has_own = DEPARTMENTS in self._files
        source, columns = (DEPARTMENTS, ("code", "nom")) if has_own else (COG_DEPARTMENTS, ("dep", "libelle"))
        yield from self._read(source, *columns)

    def _read_groupings(self) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        for source in GROUPINGS:
            if source in self._files:
                for code, name, members in self._read(source, "code", "nom", "membres"):
                    yield code, name, tuple(sorted(member["code"] for member in json.loads(members)))

    def _read(self, source: str, *columns: str, where: str = "true") -> list[tuple[Any, ...]]:
        listed = ", ".join(identifier(column) for column in columns)
        with connect(None, self._settings) as connection:
            return connection.execute(
                f"select {listed} from read_parquet(?) where {where}", [str(self._files[source])]
            ).fetchall()
