"""Damaged files: every one ends in rows plus malformed records that balance, or in a refusal that is a sentence.

Small synthetic files always; the real extracts too when ``HALLE_REAL_EXTRACTS`` names their folder.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from raw_sources.card import Card, load_cards
from raw_sources.errors import DeliveryRefused, MachineryError
from raw_sources.readers.writer import RawWriter
from tests.unit.readers_support import COLUMNS, Read, as_json, card, layout, read_file

Mutation = Callable[[bytes, random.Random], bytes]

REAL = {
    "traffic/paris_comptages_champs_elysees_2020_labels.csv": ("paris_comptages_permanents", 9452),
    "traffic/paris_comptages_champs_elysees_2023-2024_labels_bom.csv": ("paris_comptages_permanents", 9034),
    "traffic/paris_historique_convention_2010.csv": ("paris_comptages_permanents", 9144),
    "traffic/paris_historique_convention_2019.csv": ("paris_comptages_permanents", 8879),
    "traffic/paris_comptages_api_v21_20260621.json": ("paris_comptages_permanents", 100),
    "traffic/paris_referentiel_comptages_routiers_2019.csv": ("paris_referentiel_comptages", 3739),
    "roadworks/paris_chantiers_perturbants_2023_labels_bom.csv": ("paris_chantiers_perturbants", 192),
    "roadworks/paris_chantiers_a_paris_2024_labels.csv": ("paris_chantiers", 5175),
    "roadworks/paris_fermetures_voirie_2023.csv": ("paris_fermetures_voirie", 136),
    "roadworks/paris_chantiers_20260806_api_v21.json": ("paris_chantiers", 5),
}


def seeded(*parts: object) -> random.Random:
    return random.Random("/".join(map(str, parts)))  # noqa: S311


def cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def flip_bytes(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(5):
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def sow(data: bytes, chance: random.Random, what: bytes, times: int = 3) -> bytes:
    for _ in range(times):
        place = chance.randrange(len(data))
        data = data[:place] + what + data[place:]
    return data


def nuls(data: bytes, chance: random.Random) -> bytes:
    return sow(data, chance, b"\0")


def quotes(data: bytes, chance: random.Random) -> bytes:
    return sow(data, chance, b'"')


def line_ends(data: bytes, chance: random.Random) -> bytes:
    return sow(data, chance, chance.choice([b"\r", b"\n", b"\r\n"]))


def large_cell(data: bytes, chance: random.Random) -> bytes:
    return sow(data, chance, b"x" * 10_000_000, times=1)


def doubled_header(data: bytes, chance: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    lines.insert(chance.randrange(1, len(lines) + 1), lines[0])
    return b"".join(lines)


def lost_piece(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.randrange(1, 200) :]


def other_encoding(data: bytes, chance: random.Random) -> bytes:
    return data.decode("utf-8-sig", errors="ignore").encode(
        chance.choice(["cp1252", "utf-16", "utf-16-le", "mac_roman"]), errors="replace"
    )


def read_wrongly(data: bytes, _: random.Random) -> bytes:
    return data.decode("latin-1").encode()


def other_separator(data: bytes, chance: random.Random) -> bytes:
    return data.replace(b";", chance.choice([b",", b"\t", b"|", b":"]))


def columns_changed(data: bytes, chance: random.Random) -> bytes:
    """Shuffle the columns of a table, and drop one in half of the cases."""
    text = data.decode("utf-8-sig", errors="ignore")
    delimiter = max(";,", key=text[:200].count)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    order = chance.sample(range(len(rows[0])), len(rows[0]) - chance.randrange(2))
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows(
        [row[place] for place in order] for row in rows if len(row) == len(rows[0])
    )
    return out.getvalue().encode()


def empty(_: bytes, __: random.Random) -> bytes:
    return b""


def page_of_html(_: bytes, __: random.Random) -> bytes:
    return b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body>;;</body></html>"


MUTATIONS: list[Mutation] = [
    cut,
    flip_bytes,
    nuls,
    quotes,
    line_ends,
    doubled_header,
    lost_piece,
    other_encoding,
    read_wrongly,
    other_separator,
    columns_changed,
    empty,
    page_of_html,
]
RARE: list[Mutation] = [large_cell]

RECORDS = [
    {
        "site": number,
        "rue": "rue de l'Été",
        "note": 'a "b"',
        "geo_shape": {"type": "Point", "coordinates": [2.5, number]},
    }
    for number in range(40)
]
TABLE = "Référence chantier;Voie(s);note;debut;autre\n" + "".join(
    f'{number};"rue de l\'Été";"deux\nlignes ""{number}""";2024-01-0{number % 9 + 1};x\n' for number in range(40)
)
ARCHIVE = "".join(f"{number}\t2012-01-01 0{number % 9}:00:00\t{number},5\t{number}\n" for number in range(40))
SMALL = {
    "table.csv": TABLE.encode(),
    "table_bom.csv": TABLE.replace("deux\nlignes", "une ligne").encode("utf-8-sig"),
    "archive.txt": ARCHIVE.encode(),
    "page.json": as_json({"total_count": 90, "results": RECORDS}),
    "export.json": json.dumps(RECORDS, indent=1).encode(),
    "old.json": as_json({"nhits": 40, "records": [{"fields": record} for record in RECORDS]}),
    "lines.jsonl": b"\n".join(map(as_json, RECORDS)),
    "map.geojson": as_json({"features": [{"type": "Feature", "properties": r, "geometry": None} for r in RECORDS]}),
}
POSITIONS = layout("archive", header=False, columns=("site", "start_on", "note", "street"))
OF = card(layouts=[*card().layouts, POSITIONS], columns=COLUMNS)


def outcome(content: bytes, path: Path, of: Card) -> Read | None:
    """Read a file; its balance is checked on the way. None for a refusal, which must be a sentence."""
    path.write_bytes(content)
    try:
        return read_file(path, of, path.parent)
    except DeliveryRefused as refusal:
        assert refusal.where and path.name in refusal.where
        assert refusal.hint
        assert len(refusal.what) > 10
        return None


def damages(names: Iterable[str]) -> Iterator[Any]:
    """Yield each file with each mutation; only tables have columns to shuffle."""
    for name in names:
        for mutation in [*MUTATIONS, *RARE]:
            if mutation is not columns_changed or name.endswith(".csv"):
                yield pytest.param(name, mutation, id=f"{name}-{mutation.__name__}")


@pytest.mark.parametrize(("name", "mutation"), damages(SMALL))
def test_small_files(tmp_path: Path, name: str, mutation: Mutation) -> None:
    for seed in range(1 if mutation in RARE else 8):
        outcome(mutation(SMALL[name], seeded(name, mutation.__name__, seed)), tmp_path / name, OF)


@pytest.mark.parametrize("mutation", [quotes, nuls, flip_bytes, line_ends], ids=lambda mutation: mutation.__name__)
def test_damage_costs_few_records(tmp_path: Path, mutation: Mutation) -> None:
    """Damage at five places of a thousand lines spoils records there and leaves the others as they were."""
    content = ("site;rue;note\n" + "".join(f'{number};"rue {number}";n\n' for number in range(1000))).encode()
    for seed in range(20):
        damaged = content[:14] + mutation(content[14:], seeded(seed))
        found = outcome(damaged, tmp_path / "a.csv", OF)
        assert found is not None
        intact = {(str(number), f"rue {number}", "n") for number in range(1000)}
        kept = {(row["site"], row["street"], row["note"]) for row in found.rows}
        assert len(intact & kept) >= 990
        assert found.count.malformed <= 10


def test_a_balance_that_is_wrong_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RawWriter, "add_malformed", lambda *_: None)
    with pytest.raises(MachineryError, match="2 records were read, but 1 rows and 0 malformed"):
        read_file(_written(tmp_path / "a.csv", b"site;rue\n1;A\nbad\n"), OF, tmp_path)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@cache
def real_cards() -> dict[str, Card]:
    return load_cards([Path(__file__).parents[2] / "raw_sources"])


@pytest.mark.parametrize("name", REAL)
def test_real_extracts_as_published(tmp_path: Path, real_extracts: Path, name: str) -> None:
    source, expected = REAL[name]
    found = read_file(real_extracts / name, real_cards()[source], tmp_path)
    assert (found.count.records_read, found.count.malformed, found.match.extra) == (expected, 0, ())


@pytest.mark.parametrize(("name", "mutation"), damages(REAL))
def test_real_extracts_damaged(tmp_path: Path, real_extracts: Path, name: str, mutation: Mutation) -> None:
    source, _ = REAL[name]
    content = (real_extracts / name).read_bytes()[:300_000]
    for seed in range(2):
        damaged = mutation(content, seeded(name, mutation.__name__, seed))
        outcome(damaged, tmp_path / Path(name).name, real_cards()[source])
