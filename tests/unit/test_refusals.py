"""Which refused records a correction answers, told by the references that its rows came with."""

from __future__ import annotations

import json

from orchestration.refusals import answered
from raw_sources.corrections import reference_of
from raw_sources.readers.spreadsheet import REFERENCE

FIRST, SECOND, THIRD = "000001-aaaaaaaaaaaa", "000002-bbbbbbbbbbbb", "000003-cccccccccccc"


def extra(delivery_id: str, record_no: int) -> str:
    return json.dumps({REFERENCE: reference_of(delivery_id, record_no)})


def test_rows_answer_the_records_that_they_name() -> None:
    rows = [(SECOND, 5, extra(FIRST, 2)), (SECOND, 6, None), (SECOND, 7, '{"note": "x"}')]
    assert answered(rows) == {reference_of(FIRST, 2)}


def test_a_correction_that_was_refused_is_answered_in_its_turn() -> None:
    rows = [(SECOND, 5, extra(FIRST, 2)), (THIRD, 5, extra(SECOND, 5))]
    assert answered(rows) == {reference_of(FIRST, 2), reference_of(SECOND, 5)}


def test_the_same_sheet_corrected_again_answers_for_the_first_time_too() -> None:
    rows = [(THIRD, 5, extra(FIRST, 2)), (SECOND, 5, extra(FIRST, 2)), (SECOND, 6, extra(FIRST, 3))]
    assert answered(rows) == {reference_of(FIRST, 2), reference_of(FIRST, 3), reference_of(SECOND, 5)}
