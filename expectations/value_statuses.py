"""The one list of what a value may be: how a figure is known, or why it is absent.

Marts name it in a column beside the value (``consumption_mwh``, ``consumption_status``); suites check that both agree
(kind ``value_status``), models read the list from the macro ``value_statuses()``. How a producer writes each of them
belongs in its staging model. A value absent for secrecy is neither zero nor a null without a reason.
"""

from __future__ import annotations

PRESENT = ("measured", "estimated", "partial")
"""The value is there: metered or counted; modelled by its producer; or a floor, since parts are missing or secret."""

ABSENT = ("secret", "not_available", "not_applicable")
"""There is no value: it exists and is hidden; it is not known; or it would have no meaning there."""

VALUE_STATUSES = (*PRESENT, *ABSENT)
