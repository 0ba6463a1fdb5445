"""How licences meet: what the table allows, and the meetings that are impossible, which name two sources."""

from __future__ import annotations

import pytest

from exports.licences import Meeting, binding, meet, outputs_of
from orchestration.project import card_folders
from raw_sources.card import load_cards

OPEN = ("etalab-2.0", "CC-BY-4.0", "ODbL-1.0")


@pytest.mark.parametrize(
    ("licences", "outputs"),
    [
        (["etalab-2.0"], OPEN),
        (["etalab-2.0", "etalab-2.0"], OPEN),
        (["etalab-2.0", "ODbL-1.0"], ("ODbL-1.0",)),
        (["ODbL-1.0", "DL-DE-BY-2.0"], ("ODbL-1.0",)),
        (["CC0-1.0"], (*OPEN, "CC-BY-SA-4.0")),
        (["CC0-1.0", "ODbL-1.0"], ("ODbL-1.0",)),
        (["CC-BY-4.0", "CC-BY-3.0", "DL-DE-ZERO-2.0", "OGL-UK-3.0"], OPEN),
        (["CC-BY-SA-4.0"], ("CC-BY-SA-4.0",)),
        ([], (*OPEN, "CC-BY-SA-4.0")),
    ],
)
def test_licences_that_meet(licences: list[str], outputs: tuple[str, ...]):
    assert meet({f"source_{index}": licence for index, licence in enumerate(licences)}) == Meeting(outputs)


@pytest.mark.parametrize(
    ("licences", "clash"),
    [
        ({"roads": "ODbL-1.0", "lent": "LicenseRef-partner"}, ("lent", "roads")),
        ({"roads": "ODbL-1.0", "lent": "LicenseRef-partner", "open": "etalab-2.0"}, ("lent", "roads")),
        ({"roads": "ODbL-1.0", "wiki": "CC-BY-SA-4.0", "open": "etalab-2.0"}, ("roads", "wiki")),
        ({"open": "etalab-2.0", "shop": "CC-BY-NC-4.0"}, ("open", "shop")),
        ({"open": "etalab-2.0", "map": "CC-BY-ND-4.0"}, ("map", "open")),
        ({"open": "etalab-2.0", "map": "CC-BY-NC-ND-4.0"}, ("map", "open")),
        ({"bank": "LicenseRef-unsettled", "open": "CC0-1.0"}, ("bank", "open")),
        ({"code": "GPL-3.0-only", "open": "etalab-2.0"}, ("code", "open")),
        ({"lent": "LicenseRef-partner"}, ("lent",)),
    ],
)
def test_impossible_meetings_name_the_two_sources(licences: dict[str, str], clash: tuple[str, ...]):
    assert meet(licences) == Meeting((), clash)


def test_the_sources_that_bind_a_claim_are_named():
    licences = {"roads": "ODbL-1.0", "streets": "ODbL-1.0", "open": "etalab-2.0"}
    assert binding(licences, "etalab-2.0") == ("roads", "streets")
    assert binding(licences, "ODbL-1.0") == ()


def test_every_open_licence_of_our_cards_is_in_the_table():
    for card in load_cards(card_folders(None)).values():
        if card.agreement.is_open:
            assert "ODbL-1.0" in outputs_of(card.licence), card.source
