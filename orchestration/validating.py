"""From a mart to its certificate: the suite is run only when this very content has not passed it yet.

How a suite is executed and what a certificate binds belong to ``expectations``.
"""

from __future__ import annotations

from expectations import certificate as certificates
from expectations.certificate import Certificate
from expectations.fingerprint import Fingerprint, fingerprint
from orchestration.marts import MartNode
from orchestration.project import Project
from orchestration.workspace import Workspace
from raw_sources.database import connect
from raw_sources.errors import ConfigurationError

DOCS = "data_docs"


def mart_fingerprint(node: MartNode, workspace: Workspace) -> Fingerprint:
    """Return the fingerprint of the mart's content in the warehouse, by month where it is kept by month."""
    names = [column.name for column in node.mart.columns]
    with connect(workspace.warehouse, workspace.duckdb) as connection:
        return fingerprint(connection, node.mart.relation, names, node.mart.period_column)


def validate_mart(project: Project, workspace: Workspace, node: MartNode) -> Certificate:
    """Return the certificate of the mart's present content, running the suite when none says that it passed.

    What failed is judged again: the machinery may have been mended since, or what the content was compared with (the
    last release, which may have been withdrawn; the deliveries) may have changed.
    """
    suite = project.suites.get(node.key)
    if suite is None:
        raise ConfigurationError(
            f"the mart {node.key} has no suite, so nothing of it can be released.",
            hint=f"Write expectations/{node.mart.theme}/{node.mart.name}.yml.",
        )
    content = mart_fingerprint(node, workspace)
    known = certificates.find(workspace.validation, node.key, content.digest, suite.digest)
    if known is not None and known.status == "passed":
        certificates.save(workspace.validation, known)
        return known
    from expectations.engine import validate  # Great Expectations costs seconds to import: only when a suite has to run

    outcome = validate(suite, workspace.warehouse, workspace.duckdb, workspace.internal / DOCS / node.key)
    issued = certificates.issue(suite, content, outcome)
    certificates.save(workspace.validation, issued)
    return issued
