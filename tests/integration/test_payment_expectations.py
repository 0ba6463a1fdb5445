"""Each expectation of the suite of lent card payments goes red on a seeded defect.

The mart is written by hand, a few rows of each kind; what the models put into it is in their unit tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.seeded import Defect, check_is_sound, check_turns_red, made, spoilt, with_emptied_columns

MART = "economy.card_payments_monthly"

MART_SQL = """
create schema economy;
create schema ops;
create table ops.territory as select 'Europe/Paris' as time_zone, date '2024-07-01' as as_of;
create table ops.sources as
select * from (values ('bank', 'card_payments'), ('communes', null)) as listed(source, family);
create table ops.mart_sources as
select * from (values
    ('economy.card_payments_monthly', 'bank'), ('economy.card_payments_monthly', 'communes')
) as listed(mart, source);
create table ops.ledger as select 'bank' as source, 9 as staged union all select 'communes', 40;
create table ops.last_release as
select 'economy.card_payments_monthly' as mart, 'bank' as source, '2024-06' as period, 12 as "rows";
create table economy.card_payments_monthly as
select
    'bank' as source, zone_level, zone_code, '2024-06' as month, card_country, 'all' as activity, aggregation,
    amount::decimal(18, 2) as amount_eur,
    case when amount is null then 'secret' else 'measured' end as amount_eur_status,
    amount::bigint as transactions,
    case when amount is null then 'secret' else 'measured' end as transactions_status,
    12::bigint as merchants, 'measured' as merchants_status,
    case when aggregation = 'delivered' then 11 end::bigint as cards,
    case when aggregation = 'delivered' then 'measured' else 'not_applicable' end as cards_status,
    case when aggregation = 'delivered' then 8 end::decimal(18, 2) as largest_merchant_eur,
    case when aggregation = 'delivered' then 'measured' else 'not_applicable' end as largest_merchant_eur_status,
    case when aggregation = 'delivered' then 4 end::decimal(18, 2) as second_merchant_eur,
    case when aggregation = 'delivered' then 'measured' else 'not_applicable' end as second_merchant_eur_status,
    case when aggregation = 'delivered' then 9 end::bigint as siren_groups,
    case when aggregation = 'delivered' then 'measured' else 'not_applicable' end as siren_groups_status,
    share::double as share_pct,
    case when share is not null then 'measured' when card_country = 'all' then 'not_applicable' else 'secret' end
        as share_status,
    22::double as market_share_pct,
    case when aggregation = 'summed' then 2 end as departments_known,
    case when aggregation = 'summed' then 2 end as departments_expected
from (values
    ('department', '69', 'FR', 'delivered', 750, 75), ('department', '69', 'DE', 'delivered', 250, 25),
    ('department', '69', 'foreign', 'delivered', 250, 25), ('department', '69', 'all', 'delivered', 1000, null),
    ('department', '01', 'FR', 'delivered', 750, 75), ('department', '01', 'DE', 'delivered', 250, 25),
    ('department', '42', 'FR', 'delivered', 75, null), ('department', '42', 'CN', 'delivered', null, null),
    ('region', '84', 'FR', 'delivered', 900, 100),
    ('region', '84', 'FR', 'summed', 1500, 75), ('region', '84', 'DE', 'summed', 500, 25),
    ('region', '75', 'FR', 'summed', 40, 100)
) as cells(zone_level, zone_code, card_country, aggregation, amount, share);
"""


def _cell(assignment: str, where: str = "zone_code = '69' and card_country = 'DE'", count: int = 1) -> Defect:
    return Defect(f"update {MART} set {assignment} where {where}", count)


SUMMED, SECRET = "zone_code = '75'", "card_country = 'CN'"
DEFECTS: dict[str, list[Defect]] = {
    "key_is_unique": [Defect(f"insert into {MART} select * from {MART} where {SUMMED}")],
    "amount_has_a_reason": [
        _cell("amount_eur = null"),
        _cell("amount_eur = 0", SECRET),
        _cell("amount_eur_status = 's'"),
    ],
    "transactions_have_a_reason": [_cell("transactions = null"), _cell("transactions = 0", SECRET)],
    "merchants_have_a_reason": [_cell("merchants = null"), _cell("merchants_status = 'secret'")],
    "cards_have_a_reason": [_cell("cards = null"), _cell("cards = 5", SUMMED)],
    "largest_merchant_has_a_reason": [_cell("largest_merchant_eur = null"), _cell("largest_merchant_eur = 5", SUMMED)],
    "second_merchant_has_a_reason": [_cell("second_merchant_eur = null"), _cell("second_merchant_eur = 5", SUMMED)],
    "companies_have_a_reason": [_cell("siren_groups = null"), _cell("siren_groups = 5", SUMMED)],
    "share_has_a_reason": [_cell("share_pct = null"), _cell("share_pct = 5", SECRET)],
    "zone_level_is_known": [_cell("zone_level = 'commune'")],
    "aggregation_is_known": [_cell("aggregation = 'total'")],
    "origin_is_a_code": [_cell("card_country = 'Allemagne'")],
    "month_is_a_month": [_cell("month = '2024-13'")],
    "figures_are_plausible": [
        _cell("amount_eur = -1"),
        _cell("amount_eur = 1000000000001"),
        _cell("market_share_pct = 101"),
        _cell("merchants = -1"),
    ],
    "figures_agree": [
        _cell("largest_merchant_eur = 251"),
        _cell("second_merchant_eur = 9"),
        _cell("largest_merchant_eur = 249"),
        _cell("cards = 251"),
        _cell("merchants = 251"),
        _cell("siren_groups = 13"),
    ],
    "sum_is_of_whole_regions": [
        _cell("departments_known = 1", SUMMED),
        _cell("departments_expected = null", SUMMED),
        _cell("zone_level = 'department'", SUMMED),
        _cell("departments_known = 1"),
    ],
    "sum_has_no_cards": [_cell("cards = 3, cards_status = 'measured'", SUMMED)],
    "share_is_of_amounts": [
        _cell("share_pct = 26"),
        _cell("share_pct = 100", "card_country = 'FR' and zone_code = '42'"),
        _cell("share_pct = 100", "card_country = 'all'"),
    ],
    "total_holds_its_parts": [_cell("amount_eur = 994", "card_country = 'all'")],
    "every_staged_record_is_here": [
        Defect(f"delete from {MART} where {SECRET}"),
        Defect(f"insert into {MART} select * replace ('x' as activity) from {MART} where {SECRET}"),
    ],
    "last_release_is_kept": [Defect(f"delete from {MART} where {SUMMED}")],
}


def all_defects() -> Iterator[tuple[str, str, Defect]]:
    """Return every seeded defect with its mart and expectation."""
    return with_emptied_columns({MART: DEFECTS}, lambda _mart, column: _cell(f"{column} = null"))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("sound"), MART_SQL)


def test_a_sound_mart_passes(sound: Path) -> None:
    check_is_sound(MART, sound)


@pytest.mark.parametrize(
    ("mart", "name", "defect"),
    [pytest.param(*case, id=f"{case[1]}-{place}") for place, case in enumerate(all_defects())],
)
def test_a_seeded_defect_turns_its_expectation_red(
    sound: Path, tmp_path: Path, mart: str, name: str, defect: Defect
) -> None:
    check_turns_red(mart, name, defect, spoilt(sound, tmp_path, defect.sql))


def test_an_empty_mart_is_no_error(sound: Path, tmp_path: Path) -> None:
    emptied = f"delete from {MART}; delete from ops.ledger; delete from ops.last_release"
    check_is_sound(MART, spoilt(sound, tmp_path, emptied))
