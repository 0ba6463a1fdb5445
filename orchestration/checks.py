"""Dagster asset checks: one blocking check per mart (its suite), one per raw table (its ledger balances).

What must be true is in ``expectations/<theme>/<mart>.yml``. A check that could not run is a failed step, not a failed
check: the machinery is broken, the data are not judged.
"""

import dagster as dg

from orchestration.assembly import staging_file
from orchestration.assets.names import mart_key, model_key, raw_key
from orchestration.marts import MartNode
from orchestration.modelling import dbt_folder
from orchestration.project import Project
from orchestration.run import Run
from raw_sources.card import Card
from raw_sources.database import connect
from raw_sources.errors import HalleError


def mart_checks(project: Project, marts: dict[str, MartNode]) -> list[dg.AssetChecksDefinition]:
    """Return the blocking check of every mart that has a suite."""
    return [_suite_check(project, node) for key, node in marts.items() if key in project.suites]


def _suite_check(project: Project, node: MartNode) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=mart_key(project.territory.name, node),
        name=f"{node.mart.name}_suite",
        blocking=True,
        description=f"Every expectation of expectations/{node.mart.theme}/{node.mart.name}.yml holds.",
    )
    def judge(run: dg.ResourceParam[Run]) -> dg.AssetCheckResult:
        try:
            certificate = run.validate(node.key)
        except HalleError as problem:
            run.note(f"{node.key}: {problem}")
            raise dg.Failure(description=str(problem), allow_retries=False) from None
        if certificate.status == "error":
            broken = ", ".join(certificate.names("error")) or "the suite as a whole"
            sentence = f"{node.key}: the validation could not run ({broken}); the data are not judged."
            run.note(sentence)
            raise dg.Failure(description=sentence, allow_retries=False)
        failed = [one for one in certificate.results if one.status == "failed"]
        if failed:
            run.note(f"{node.key}: failed " + ", ".join(f"{one.name} ({one.observed})" for one in failed) + ".")
        worst_first = sorted(certificate.results, key=lambda one: one.status == "passed")
        return dg.AssetCheckResult(
            passed=certificate.status == "passed",
            metadata={
                "evaluated": certificate.expected,
                "failed": ", ".join(one.name for one in failed) or "none",
                "rows": certificate.fingerprint.rows,
                "results": dg.MetadataValue.md(
                    "\n".join(
                        ["| expectation | outcome | observed | why |", "|---|---|---|---|"]
                        + [f"| {r.name} | {r.status} | {r.observed or ''} | {r.why_en} |" for r in worst_first]
                    )
                ),
            },
        )

    return judge


def ledger_checks(project: Project) -> list[dg.AssetChecksDefinition]:
    """Return the conservation check of every enabled source."""
    return [_ledger_check(project, card) for card in project.enabled.values()]


def _ledger_check(project: Project, card: Card) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=raw_key(project.territory.name, card),
        name="ledger_balances",
        additional_deps=[model_key(project.territory.name, "staging", card.staging_model)],
        description="Records read = raw + malformed; raw = staged + rejected + superseded + duplicate + out of scope.",
    )
    def balance(run: dg.ResourceParam[Run]) -> dg.AssetCheckResult:
        with connect(run.workspace.warehouse, run.workspace.duckdb) as connection:
            terms = connection.execute(
                "select delivery_id, records_read, raw_rows, malformed, staged, rejected, superseded, duplicate, "
                "out_of_scope from ops.ledger where source = ? order by delivery_id",
                [card.source],
            ).fetchall()
        lost = [row[0] for row in terms if row[1] != row[2] + row[3] or row[2] != sum(row[4:])]
        if lost and not (dbt_folder(run.workspace) / staging_file(card)).is_file():
            missing = project.territory.models_folder.parent / staging_file(card)
            run.note(f"{card.source}: no model stages its records. Write {missing}.")
        elif lost:
            run.note(f"{card.source}: the ledger does not balance for {', '.join(lost)}.")
        names = ("records read", "raw", "malformed", "staged", "rejected", "superseded", "duplicate", "out of scope")
        totals = {name: sum(row[index] for row in terms) for index, name in enumerate(names, start=1)}
        return dg.AssetCheckResult(passed=not lost, metadata={**totals, "unbalanced": ", ".join(lost) or "none"})

    return balance
