"""Runs a suite with Great Expectations, in SQL, on the DuckDB file: the only module that imports Great Expectations.

Importing this module takes seconds; callers import it inside the step that validates. Nothing else belongs here, so
that another engine (GX's own DuckDB engine, when it comes) replaces one file. GX 1.24.1 on DuckDB needs what follows.

* ``DuckDBEngine`` reads rows while the connection is open; GX's own ``execute_query`` returns a cursor whose connection
  is closed, which DuckDB empties. It relies on the private ``_execute_query_with_recovery``: GX is pinned.
* GX's connections are duplicates of one connection of ours, made by ``creator``: the SQLAlchemy dialect adds an option
  of its own to the configuration, and DuckDB then refuses it beside any connection that is already open.
* ``ExpectNoOffendingRows`` counts offending rows and fetches none: one scan instead of two, and no sample value of a
  mart in a result or a page. Kinds that look at one column alone are GX's own, which it runs together in one scan.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

os.environ["GX_ANALYTICS_ENABLED"] = "false"

import duckdb
import great_expectations as gx
from duckdb_sqlalchemy import ConnectionWrapper
from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.data_context.data_context.ephemeral_data_context import EphemeralDataContext
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations.core.expect_column_values_to_be_between import ExpectColumnValuesToBeBetween
from great_expectations.expectations.core.expect_column_values_to_be_in_set import ExpectColumnValuesToBeInSet
from great_expectations.expectations.core.expect_column_values_to_not_be_null import ExpectColumnValuesToNotBeNull
from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation
from great_expectations.expectations.expectation import Expectation as GxExpectation
from sqlalchemy.pool import NullPool

from expectations.results import Result, Status, Validation
from expectations.rules import MART_NAME
from expectations.suite import Expectation, Suite
from raw_sources.database import DuckDBSettings, connect, identifier
from raw_sources.errors import MachineryError

# Counts only: GX would otherwise fetch up to 20 values of a failing column.
RESULT_FORMAT: dict[str, Any] = {"result_format": "BASIC", "partial_unexpected_count": 0}
ROW_COUNT = "unexpected_rows_query.row_count"
LONGEST_OBSERVATION = 300
EngineClass = type[SqlAlchemyExecutionEngine]
DUCKDB_CATEGORY = re.compile(r"\(_duckdb\.\w+\) ([A-Z]\w+(?: [A-Z]\w+)*) Error: ")
CATEGORIES_WITHOUT_VALUES = frozenset({"Binder", "Catalog", "Parser", "Out of Memory"})
BIND_PARAMETER = re.compile(r"(?<![:\w\\]):(\w+)(?![:\w])")


class DuckDBEngine(SqlAlchemyExecutionEngine):
    """GX's SQLAlchemy engine, with results detached from the connection before it is closed."""

    def execute_query(self, query: Any) -> Any:
        """Run ``query`` and return all its rows as a result that outlives the connection."""
        with self.get_connection() as connection:
            return self._execute_query_with_recovery(connection, query).freeze()()


class DuckDBDatasource(SQLDatasource):
    """The data source that GX offers as ``add_duckdb`` once this class is declared."""

    type: Literal["duckdb"] = "duckdb"  # type: ignore[assignment]

    @property
    def execution_engine_type(self) -> EngineClass:
        """Return the engine that reads rows in time."""
        return DuckDBEngine


class ExpectNoOffendingRows(UnexpectedRowsExpectation):
    """Passes when its query returns no row; the rows are counted in the database and never fetched."""

    metric_dependencies: ClassVar[tuple[str, ...]] = (ROW_COUNT,)

    def _validate(self, metrics: dict[str, Any], *_unused: Any, **_options: Any) -> dict[str, Any]:
        count = metrics[ROW_COUNT]
        return {"success": count == 0, "result": {"observed_value": count}}


def validate(suite: Suite, database: Path, settings: DuckDBSettings, docs: Path | None = None) -> Validation:
    """Run every expectation of ``suite`` on its mart in the DuckDB file ``database`` and return the results.

    When ``docs`` is given, Data Docs of this mart replace those in ``docs/<mart>``, and none are kept there when an
    expectation could not be evaluated. Raises ``MachineryError`` when the
    file or the mart cannot be read or GX itself breaks; an expectation that cannot be evaluated (a missing column, a
    query that is wrong) is a result of status ``error``.
    """
    with _warehouse(database, settings) as connection:
        columns = _columns(connection, suite.mart)
        try:
            outcome = _run(suite, columns, connection, docs)
        except Exception as error:
            raise MachineryError(
                f"Great Expectations could not run the suite of {suite.mart}: {_without_values(_first_line(error))}.",
                hint="This says nothing about the data.",
            ) from error
    return Validation(suite.mart, suite.digest, len(suite.expectations), _results(suite, outcome))


@contextmanager
def _warehouse(database: Path, settings: DuckDBSettings) -> Iterator[duckdb.DuckDBPyConnection]:
    if not database.is_file():
        raise MachineryError("the warehouse does not exist yet.", where=database.name, hint="Run 'halle run' first.")
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(connect(database, settings))
        except duckdb.Error as error:
            raise MachineryError(
                f"the warehouse cannot be opened: {_first_line(error)}.",
                where=database.name,
                hint="Wait for the other process to end, then run again.",
            ) from error
        yield connection


def _columns(connection: duckdb.DuckDBPyConnection, mart: str) -> list[str]:
    schema, table = mart.split(".")
    rows = connection.execute(
        "select column_name from information_schema.columns"
        " where table_catalog = current_database() and table_schema = ? and table_name = ? order by ordinal_position",
        [schema, table],
    ).fetchall()
    if not rows:
        raise MachineryError(f"{mart} does not exist in the warehouse.", hint="Build the mart before validating it.")
    return [name for (name,) in rows]


def _run(
    suite: Suite, columns: list[str], connection: duckdb.DuckDBPyConnection, docs: Path | None
) -> ExpectationSuiteValidationResult:
    context = _context()
    gx_suite = context.suites.add(
        gx.ExpectationSuite(name=suite.mart, expectations=[_gx_expectation(one) for one in suite.expectations])
    )
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(name=suite.mart, data=_batch(context, suite.mart, columns, connection), suite=gx_suite)
    )
    outcome = definition.run(result_format=RESULT_FORMAT)
    if docs is not None:
        _build_docs(context, outcome, docs / suite.mart)
    return outcome


def _context() -> EphemeralDataContext:
    """Return a context that lives in memory, shows no progress bar and leaves no temporary folder behind."""
    stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    bars = ProgressBarsConfig(globally=False)
    config = DataContextConfig(store_backend_defaults=stores, progress_bars=bars, analytics_enabled=False)
    return gx.get_context(mode="ephemeral", project_config=config)


def _batch(
    context: EphemeralDataContext, mart: str, columns: list[str], connection: duckdb.DuckDBPyConnection
) -> BatchDefinition[Any]:
    source = context.data_sources.add_duckdb(
        "warehouse",
        connection_string="duckdb:///:memory:",  # never opened: the creator decides
        create_temp_table=False,
        kwargs={"poolclass": NullPool, "creator": lambda: ConnectionWrapper(connection.cursor())},
    )
    relation = ".".join(identifier(part) for part in mart.split("."))
    query = f"select {', '.join(identifier(column) for column in columns)} from {relation}"
    batch: BatchDefinition[Any] = source.add_query_asset(mart, query=query).add_batch_definition_whole_table("all")
    return batch


def _gx_expectation(expectation: Expectation) -> GxExpectation:
    common: dict[str, Any] = {"meta": {"name": expectation.name}, "description": expectation.why_en}
    parameters = expectation.parameters
    if expectation.query is not None:
        return ExpectNoOffendingRows(unexpected_rows_query=_gx_query(expectation.query), **common)
    if expectation.kind == "not_null":
        return ExpectColumnValuesToNotBeNull(column=parameters["column"], **common)
    if expectation.kind == "between":
        return ExpectColumnValuesToBeBetween(
            column=parameters["column"], min_value=parameters["min"], max_value=parameters["max"], **common
        )
    return ExpectColumnValuesToBeInSet(column=parameters["column"], value_set=list(parameters["values"]), **common)


def _gx_query(query: str) -> str:
    """Return ``query`` over the batch, proof against GX's formatting of braces and SQLAlchemy's ``:name``."""
    escaped = BIND_PARAMETER.sub(r"\\:\1", query.replace("{", "{{").replace("}", "}}"))
    # Not materialized, so that DuckDB reads only the columns in use.
    return f"with {MART_NAME} as not materialized (select * from {{batch}}) select * from (\n{escaped}\n) as offending"


def _build_docs(context: EphemeralDataContext, outcome: ExpectationSuiteValidationResult, folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    if any(raised(answer.exception_info) for answer in outcome.results):
        return  # GX's page would show the exceptions in full, and DuckDB quotes values of the mart in some of them
    folder.mkdir(parents=True)
    site: Any = {  # GX's own type does not know the sections, which its configuration takes
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        # The page of results says of each expectation what the page of the suite would.
        "site_section_builders": {"expectations": "None", "profiling": "None"},
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)},
    }
    context.add_data_docs_site(site_name="local", site_config=site)
    context.build_data_docs(site_names=["local"])


def _results(suite: Suite, outcome: ExpectationSuiteValidationResult) -> tuple[Result, ...]:
    """Return one result per expectation of the suite, in its order; what GX did not answer is an error."""
    answers: dict[str, list[ExpectationValidationResult]] = {}
    for answer in outcome.results:
        meta = answer.expectation_config.meta if answer.expectation_config else None
        answers.setdefault((meta or {}).get("name", ""), []).append(answer)
    return tuple(_result(expectation, answers.get(expectation.name, [])) for expectation in suite.expectations)


def _result(expectation: Expectation, answers: list[ExpectationValidationResult]) -> Result:
    status: Status
    count: int | None = None
    if len(answers) != 1:
        status, observed = "error", f"{len(answers)} answers, where 1 is expected"
    elif (problem := raised(answers[0].exception_info)) is not None:
        status, observed = "error", problem
    elif (count := _unexpected_count(answers[0])) is None:
        # For some checks that it cannot do, GX says "success: False" without any exception: no failure of the data.
        status, observed = "error", "no count in the answer"
    else:
        status, observed = ("passed" if answers[0].success else "failed"), f"{count} offending"
    return Result(expectation.name, expectation.kind, status, observed, count, expectation.why_fr, expectation.why_en)


def raised(exception_info: Mapping[str, Any] | None) -> str | None:
    """Return the message of the exception that GX recorded, or None: ``exception_info`` is flat, or keyed by metric."""
    if not exception_info:
        return None
    shapes = [exception_info, *(value for value in exception_info.values() if isinstance(value, Mapping))]
    for shape in shapes:
        if shape.get("raised_exception"):
            return _without_values(_first_line(shape.get("exception_message") or "an exception without a message"))
    return None


def _without_values(message: str) -> str:
    """Return ``message``, or only its category where DuckDB may quote a value of the mart (a cast, a JSON text)."""
    category = DUCKDB_CATEGORY.search(message)
    if category is None or category[1] in CATEGORIES_WITHOUT_VALUES:
        return message
    return f"{category[1]} Error (its text is withheld, because it may quote the data)"


def _unexpected_count(answer: ExpectationValidationResult) -> int | None:
    result = answer.result or {}
    if result.get("element_count") == 0:
        return 0  # GX sums over no row at all
    count = result.get("unexpected_count", result.get("observed_value"))
    return int(count) if isinstance(count, int) else None


def _first_line(problem: object) -> str:
    lines = str(problem).strip().splitlines()
    return (lines[0] if lines else type(problem).__name__)[:LONGEST_OBSERVATION].rstrip(".")
