"""``halle verify``: is a published tree what it says it is? Works on the files alone, without warehouse or log.

Every check passes, fails, or did not run (an official schema that is not to be had, a release whose bytes are wrong
already); a check that did not run never counts as passed. Nothing is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from expectations.certificate import certificate_key
from expectations.fingerprint import engine_tag, fingerprint
from exports.candidate import SUMS_FILE
from exports.formats import datapackage
from exports.formats.columns import PublishedColumn, geometry_functions
from exports.formats.delimited import comparable_sql, header_line, read_delimited
from exports.formats.parquet import GEO_KEY, keep_wkb, parquet_relation, read_metadata
from exports.metadata import SYNTHETIC_MARK, MartColumn
from exports.plan import release_name
from exports.schemas import DATA_PACKAGE, GEOPARQUET, SchemaStore
from exports.tree import LATEST, RELEASE_FILE, files_below
from exports.withdrawals import TOMBSTONE, is_tombstone, tombstone_problem
from raw_sources.agreements import PARTNER, PUBLIC
from raw_sources.database import DuckDBSettings, connect, identifier
from raw_sources.errors import HalleError, MachineryError
from raw_sources.files import canonical_json, sha256_file, sha256_text

SUMS_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")
VERSION_FOLDER = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
EXPECTED_PROBLEMS = (HalleError, duckdb.Error, OSError, ValueError, KeyError, TypeError, IndexError, AttributeError)


@dataclass(frozen=True)
class Check:
    """The outcome of one check: its name, the place it looked at (relative to the tree), and a sentence."""

    name: str
    place: str
    sentence: str


@dataclass
class VerifyReport:
    """All checks of one tree, by outcome."""

    passed: list[Check] = field(default_factory=list)
    failed: list[Check] = field(default_factory=list)
    not_run: list[Check] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True when nothing failed; what did not run is for the reader to weigh."""
        return not self.failed


class _Unavailable(Exception):
    """The check cannot run here; the message says why."""


class _Wrong(Exception):
    """The check found what the message says."""


@dataclass(frozen=True)
class _Release:
    """A release folder under examination, its documents, and tools that outlive it."""

    folder: Path
    place: str
    facts: dict[str, Any]
    package: dict[str, Any]
    connection: duckdb.DuckDBPyConnection
    schemas: SchemaStore
    compared: set[tuple[Any, ...]]

    def resource(self, form: str) -> dict[str, Any] | None:
        """Return the resource of ``form`` (parquet, csv, excel-fr), or None."""
        wanted = f"{self.facts['dataset']}-{form}"
        return next((one for one in self.package["resources"] if one["name"] == wanted), None)

    def paths(self, resource: dict[str, Any]) -> list[Path]:
        """Return the files of ``resource``, in order."""
        listed = resource["path"] if isinstance(resource["path"], list) else [resource["path"]]
        return [self.folder / path for path in listed]

    @property
    def parquet(self) -> list[Path]:
        """The Parquet files."""
        resource = self.resource("parquet")
        _demand(resource is not None, "there is no Parquet resource")
        return self.paths(resource or {})


def verify_tree(root: Path, schemas: SchemaStore, settings: DuckDBSettings | None = None) -> VerifyReport:
    """Check the published tree at ``root`` (a pointer or a tree; resolved once, so that a switch does not disturb).

    Never raises for what is in the tree: whatever is wrong with it is a failed check.
    """
    report = VerifyReport()
    tree = root.resolve()
    slugs = sorted(path for path in tree.iterdir() if path.is_dir()) if tree.is_dir() else []
    if not slugs:
        report.failed.append(Check("tree", ".", "There is no published dataset here."))
        return report
    _run(report, "tree", ".", lambda: _check_root(tree))
    _run(report, "audience", ".", lambda: _check_audience(root.name, tree))
    digests: dict[tuple[int, int], str] = {}
    with connect(None, settings or DuckDBSettings()) as connection, geometry_functions(connection):
        keep_wkb(connection)
        compared: set[tuple[Any, ...]] = set()
        for slug in slugs:
            folders: list[Path] = []
            _run(report, "releases", slug.name, lambda slug=slug, found=folders: _list_releases(slug, found))  # type: ignore[misc]
            for folder in folders:
                if is_tombstone(folder):
                    _run(report, "withdrawn", _place(tree, folder), lambda folder=folder: _check_tombstone(folder))  # type: ignore[misc]
                    continue
                _check_release(report, tree, folder, digests, connection, schemas, compared)
            _run(report, "latest", slug.name, lambda slug=slug: _check_latest(slug, digests))  # type: ignore[misc]
    return report


def _check_release(
    report: VerifyReport,
    tree: Path,
    folder: Path,
    digests: dict[tuple[int, int], str],
    connection: duckdb.DuckDBPyConnection,
    schemas: SchemaStore,
    compared: set[tuple[Any, ...]],
) -> None:
    place = _place(tree, folder)
    whole = _run(report, "checksums", place, lambda: _check_sums(folder, digests))
    checks = {
        "release": _check_facts,
        "descriptor": _check_descriptor,
        "resources": _check_resources,
        "certificate": _check_certificate,
        "agreements": _check_agreements,
        "secrecy": _check_secrecy,
        "columns": _check_columns,
        "fingerprint": _check_fingerprint,
        "equality": _check_equality,
        "geoparquet": _check_geoparquet,
        "synthetic mark": _check_synthetic,
    }
    if not whole:
        for name in checks:
            report.not_run.append(Check(name, place, "Not examined: the checksums are wrong already."))
        return
    documents: list[_Release] = []

    def read() -> str:
        facts, package = (_read_object(folder / name) for name in (RELEASE_FILE, datapackage.FILE_NAME))
        documents.append(_Release(folder, place, facts, package, connection, schemas, compared))
        return "release.json and datapackage.json can be read."

    if _run(report, "documents", place, read):
        for name, check in checks.items():
            _run(report, name, place, lambda check=check: check(documents[0]))  # type: ignore[misc]


def _place(tree: Path, folder: Path) -> str:
    return folder.relative_to(tree).as_posix()


def _run(report: VerifyReport, name: str, place: str, check: Callable[[], str]) -> bool:
    """Run one check and file its outcome; return whether it passed."""
    try:
        report.passed.append(Check(name, place, check()))
        return True
    except (_Unavailable, MachineryError) as reason:
        report.not_run.append(Check(name, place, str(reason)))
    except _Wrong as wrong:
        report.failed.append(Check(name, place, f"{wrong}."))
    except EXPECTED_PROBLEMS as error:
        # What a damaged or forged tree can provoke is a finding, not a crash.
        text = " ".join(str(error).split())[:300]
        report.failed.append(
            Check(name, place, f"The check stopped on what it found ({type(error).__name__}: {text}).")
        )
    return False


def _demand(condition: bool, otherwise: str) -> None:
    if not condition:
        raise _Wrong(otherwise[:1].upper() + otherwise[1:])


def _read_object(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text(encoding="utf-8"))
    _demand(isinstance(value, dict), f"{path.name} is not a JSON object")
    return dict(value)


def _list_releases(slug: Path, found: list[Path]) -> str:
    found.extend(_release_folders(slug))
    _demand(bool(found), "there is no release of this dataset")
    return f"{len(found)} releases."


def _check_tombstone(folder: Path) -> str:
    problem = tombstone_problem(folder)
    _demand(problem is None, problem or "")
    return "The release was withdrawn, and its address says so."


def _release_folders(slug: Path) -> Iterator[Path]:
    versions = [path for path in slug.iterdir() if VERSION_FOLDER.fullmatch(path.name) and path.is_dir()]
    for version in sorted(versions):
        yield from sorted(path for path in version.iterdir() if path.is_dir())


def _digest(path: Path, digests: dict[tuple[int, int], str]) -> str:
    """Return the SHA-256 of ``path``; a file that several releases share by hard link is read once."""
    status = path.stat()
    key = (status.st_dev, status.st_ino)
    if key not in digests:
        digests[key] = sha256_file(path)
    return digests[key]


def _check_root(tree: Path) -> str:
    for path in sorted(tree.rglob("*")):
        place = path.relative_to(tree)
        _demand(not path.is_symlink(), f"{place} is a symbolic link, and a published tree has none")
        if path.is_file():
            parts = place.parts
            released = len(parts) > 3 and VERSION_FOLDER.fullmatch(parts[1])
            latest = len(parts) > 2 and parts[1] == LATEST
            _demand(bool(released or latest), f"{place} belongs to no release")
    return "Every file belongs to a release."


def _check_audience(name: str, tree: Path) -> str:
    """Check that the tree holds releases for one audience, the one that a pointer of this name is for."""
    found = {str(_read_object(path).get("audience", PUBLIC)) for path in tree.glob(f"*/v*/*/{RELEASE_FILE}")}
    is_named = name == PUBLIC or name.startswith(f"{PARTNER}-")
    wrong = found - {name} if is_named else found if len(found) > 1 else set()
    _demand(not wrong, f"there are releases for {', '.join(sorted(wrong))} here")
    return f"Every release is for {', '.join(found) or 'nobody'}."


def _check_sums(folder: Path, digests: dict[tuple[int, int], str]) -> str:
    listed: dict[str, str] = {}
    for number, line in enumerate((folder / SUMS_FILE).read_text(encoding="utf-8").splitlines(), start=1):
        match = SUMS_LINE.fullmatch(line)
        _demand(match is not None, f"line {number} of {SUMS_FILE} is not a checksum and a path")
        listed.update({match[2]: match[1]} if match else {})
    present = set(files_below(folder)) - {SUMS_FILE}
    _demand(present <= set(listed), f"{', '.join(sorted(present - set(listed)))}: not listed in {SUMS_FILE}")
    _demand(set(listed) <= present, f"{', '.join(sorted(set(listed) - present))}: listed, and missing")
    for name, digest in listed.items():
        _demand(_digest(folder / name, digests) == digest, f"{name} has not the SHA-256 of {SUMS_FILE}")
    return f"{len(listed)} files have their SHA-256, and there are no others."


def _check_facts(release: _Release) -> str:
    facts = release.facts
    slug, version, name = release.place.split("/")
    _demand(facts["dataset"] == slug, f"release.json is of the dataset {facts['dataset']}")
    _demand(f"v{facts['version']}" == version, f"release.json is of version {facts['version']}")
    _demand(facts["release"] == name, f"release.json is of release {facts['release']}")
    _demand(release_name(facts["as_of"], facts["content"]) == name, "the release's name is not the hash of its content")
    present = set(files_below(release.folder)) - {RELEASE_FILE, SUMS_FILE}
    _demand(set(facts["files"]) == present, "release.json does not list the files that are there")
    for path, file in facts["files"].items():
        actual = ((release.folder / path).stat().st_size, sha256_file(release.folder / path))
        _demand((file["bytes"], file["sha256"]) == actual, f"release.json gives another size or SHA-256 for {path}")
    return "release.json agrees with its place and its files."


def _check_descriptor(release: _Release) -> str:
    schema = release.schemas.find(DATA_PACKAGE)
    if schema is None:
        raise _Unavailable("The Data Package 2.0 profile is not to be had (set HALLE_SCHEMAS to a folder that has it).")
    problem = _schema_problem(schema, release.package)
    _demand(problem is None, f"datapackage.json departs from the Data Package profile: {problem}")
    return "datapackage.json follows the Data Package 2.0 profile."


def _check_resources(release: _Release) -> str:
    described: set[str] = set()
    for resource in release.package["resources"]:
        single = {"path": resource["path"], "hash": resource.get("hash"), "bytes": resource["bytes"]}
        for file in resource.get("files", [single]):
            facts = release.facts["files"].get(file["path"])
            _demand(facts is not None, f"datapackage.json names {file['path']}, which release.json does not")
            stated = (file["hash"], file["bytes"])
            _demand(
                stated == (f"sha256:{facts['sha256']}", facts["bytes"]), f"datapackage.json misstates {file['path']}"
            )
            described.add(file["path"])
        _demand(
            {path.relative_to(release.folder).as_posix() for path in release.paths(resource)} <= described,
            f"resource {resource['name']} has paths without hash",
        )
    data = set(release.facts["files"]) - {datapackage.FILE_NAME}
    _demand(described == data, f"datapackage.json does not describe {', '.join(sorted(data - described))}")
    _demand(release.package["version"] == release.facts["version"], "datapackage.json has another version")
    return f"{len(described)} data files are described with their size and hash."


def _check_certificate(release: _Release) -> str:
    certificate = release.facts["certificate"]
    statuses = [result["status"] for result in certificate["results"]]
    _demand(certificate["status"] == "passed", f"the certificate says {certificate['status']}")
    _demand(bool(statuses) and set(statuses) == {"passed"}, "an expectation of the certificate did not pass")
    counts = {len(statuses), certificate["expected"], certificate["evaluated"], certificate["passed"]}
    _demand(len(counts) == 1, "the certificate does not count as many expectations as it lists")
    _demand(certificate["mart"] == release.facts["mart"], "the certificate is of another mart")
    # Releases of earlier versions of halle name the fingerprint of the mart; now it is that of what is published.
    content = certificate.get("fingerprint", release.facts["content"]["fingerprint"])
    bound = certificate_key(content, certificate["suite_digest"])
    _demand(bound == certificate["key"], "the certificate's key is not its own")
    _demand(
        release.facts["content"]["certificate"] == certificate["key"], "the release was made under another certificate"
    )
    return f"The certificate passed all of its {len(statuses)} expectations."


def _check_agreements(release: _Release) -> str:
    facts = release.facts
    if "agreements" not in facts and "agreements" not in facts["content"]:
        return "Released before agreements were judged."
    proof = facts["agreements"]
    _demand(proof["audience"] == facts["audience"], "the agreements were judged for another audience")
    _demand(proof["licence"] == facts["licence"]["name"], "the licence is not the one that was judged")
    _demand(
        sha256_text(canonical_json(proof)) == facts["content"]["agreements"],
        "the agreements are not those under which the release was made",
    )
    return f"Released for {facts['audience']} under the agreements of {len(proof['sources'])} sources."


def _check_secrecy(release: _Release) -> str:
    counted: dict[str, int] = {}
    for levels in release.facts.get("agreements", {}).get("secrecy", {}).values():
        for level in levels:
            for figure, secret in level["secret"].items():
                counted[figure] = counted.get(figure, 0) + secret
    for figure, secret in counted.items():
        query = f"SELECT count(*) FROM {parquet_relation(release.parquet)} WHERE {identifier(figure)} IS NULL"
        empty = release.connection.execute(query).fetchall()[0][0]
        _demand(empty >= secret, f"{figure} is empty in {empty} rows, and {secret} of its figures are secret")
    for figure, base in release.facts.get("agreements", {}).get("rounded", {}).items():
        query = f"SELECT count(*) FROM {parquet_relation(release.parquet)} WHERE {identifier(figure)} % {base} != 0"
        other = release.connection.execute(query).fetchall()[0][0]
        _demand(other == 0, f"{figure} is no multiple of {base} in {other} rows, and is said to be rounded to it")
    total = sum(counted.values())
    return f"{total} figures are secret, and as many are empty." if counted else "No figure is under secrecy."


def _check_columns(release: _Release) -> str:
    stated = {column["name"]: column["type"] for column in release.facts["columns"]}
    for path in release.parquet:
        rows = release.connection.execute(f"DESCRIBE SELECT * FROM {parquet_relation([path])}").fetchall()
        actual = {str(row[0]): str(row[1]) for row in rows}
        _demand(
            list(actual.items()) == list(stated.items()), f"the columns of {path.name} are not those of release.json"
        )
    for resource in release.package["resources"]:
        fields = [(one["column"], one["duckdb_type"]) for one in resource["schema"]["fields"]]
        _demand(fields == list(stated.items()), f"the fields of {resource['name']} are not the columns of release.json")
    required = " OR ".join(f"{identifier(name)} IS NULL" for name in release.facts["order_by"])
    query = f"SELECT count(*) FROM {parquet_relation(release.parquet)} WHERE {required}"
    missing = release.connection.execute(query).fetchall()[0][0]
    _demand(missing == 0, f"{missing} rows lack a required value")
    return f"{len(stated)} columns have the published names and types, and the required ones are filled."


def _check_fingerprint(release: _Release) -> str:
    facts = release.facts
    stated = facts["fingerprint"]
    if stated["engine"] != engine_tag():
        raise _Unavailable(f"The fingerprint was taken by {stated['engine']}, and this is {engine_tag()}.")
    names = [column["name"] for column in facts["columns"]]
    actual = fingerprint(release.connection, parquet_relation(release.parquet), names, facts["period_column"])
    _demand(actual.to_json() == stated, "the Parquet files do not hold the content that release.json states")
    _demand(actual.digest == facts["content"]["fingerprint"], "the release's name is that of another content")
    _demand(actual.rows == facts["rows"], "release.json states another number of rows")
    return f"The Parquet files hold the {actual.rows} rows that were released."


def _check_equality(release: _Release) -> str:
    forms = [form for form in datapackage.DIALECTS if release.resource(form) is not None]
    for form in forms:
        resource = release.resource(form) or {}
        for path in release.paths(resource):
            twin = path.with_suffix(".parquet") if form == "csv" else None
            _compare(release, form, path, [twin] if twin is not None and twin.is_file() else release.parquet)
    return f"{', '.join(forms) or 'No other form'}: the same rows as the Parquet files."


def _compare(release: _Release, form: str, path: Path, parquet: list[Path]) -> None:
    inodes = tuple(file.stat().st_ino for file in [path, *parquet])
    resource = release.resource(form) or {}
    if (form, inodes) in release.compared:
        return
    columns = [_column(one) for one in resource["schema"]["fields"]]
    dialect = datapackage.DIALECTS[form]
    header = header_line(columns, dialect)
    with path.open("rb") as stream:
        _demand(stream.read(len(header)) == header, f"the header of {path.name} is not that of its fields")
    names = [column.name for column in columns]
    with read_delimited(release.connection, path, columns, dialect) as query:
        text = fingerprint(release.connection, f"({query})", names)
    table = fingerprint(release.connection, f"({comparable_sql(columns, parquet_relation(parquet))})", names)
    _demand(text == table, f"{path.name} has not the rows of the Parquet ({text.rows} against {table.rows})")
    release.compared.add((form, inodes))


def _column(described: dict[str, Any]) -> PublishedColumn:
    """Return the column that a field of the descriptor describes."""
    kinds = {"string": "text", "datetime": "instant", "geojson": "geometry"}
    kind = kinds.get(described["type"], described["type"])
    about = MartColumn(described["column"], described["duckdb_type"], None, described["name"], "", "", "")
    return PublishedColumn(about, kind, described["duckdb_type"], required=False)


def _check_geoparquet(release: _Release) -> str:
    column = release.facts["geometry"]
    if column is None:
        return "The dataset has no geometry."
    schema = release.schemas.find(GEOPARQUET)
    if schema is None:
        raise _Unavailable("The GeoParquet 1.1 schema is not to be had (set HALLE_SCHEMAS to a folder that has it).")
    for path in release.parquet:
        document = json.loads(read_metadata(release.connection, path)[GEO_KEY])
        problem = _schema_problem(schema, document)
        _demand(problem is None, f"the geo metadata of {path.name} departs from GeoParquet 1.1: {problem}")
        _demand(document["primary_column"] == column, f"the primary geometry of {path.name} is not {column}")
        _demand(
            not _unreadable_shapes(release.connection, path, column), f"{path.name} has geometries that are not WKB"
        )
    return "The geo metadata follows GeoParquet 1.1, and every geometry can be read."


def _unreadable_shapes(connection: duckdb.DuckDBPyConnection, path: Path, column: str) -> int:
    import numpy
    import shapely

    query = f"SELECT {identifier(column)} FROM {parquet_relation([path])} WHERE {identifier(column)} IS NOT NULL"
    binaries = [row[0] for row in connection.execute(query).fetchall()]
    shapes = shapely.from_wkb(numpy.array(binaries, dtype=object), on_invalid="ignore")
    return int(shapely.is_missing(shapes).sum())


def _check_synthetic(release: _Release) -> str:
    expected = bool(release.facts["synthetic"])
    titles = (release.facts["title"], release.package["title"])
    marked = {title.startswith(SYNTHETIC_MARK) for title in titles} | {release.package["synthetic"]}
    for path in release.parquet:
        inside = read_metadata(release.connection, path)
        marked |= {inside["synthetic"] == "true", inside["title"].startswith(SYNTHETIC_MARK)}
    _demand(marked == {expected}, "the synthetic mark is not the same everywhere")
    return "Synthetic data, marked everywhere." if expected else "Not marked synthetic anywhere."


def _check_latest(slug: Path, digests: dict[tuple[int, int], str]) -> str:
    latest = slug / LATEST
    folders = list(_release_folders(slug))
    released = [folder for folder in folders if not is_tombstone(folder)]
    facts = {folder: _read_object(folder / RELEASE_FILE) for folder in released}
    if not released:
        facts = {folder: _read_object(folder / TOMBSTONE) for folder in folders}
    _demand(bool(facts), "there is no release beside latest")
    newest = max(facts, key=lambda folder: int(facts[folder]["sequence"]))
    names = files_below(newest)
    _demand(files_below(latest) == names, f"latest has not the files of {newest.name}, the newest release")
    for name in names:
        same = _digest(latest / name, digests) == _digest(newest / name, digests)
        _demand(same, f"latest/{name} is not that of {newest.name}, the newest release")
    return f"latest is {newest.name}."


def _schema_problem(schema: dict[str, Any], value: Any) -> str | None:
    """Return the first departure of ``value`` from ``schema``, or None; references to other documents accept all."""
    from jsonschema.validators import validator_for
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT7

    # GeoParquet refers to PROJJSON on the web, for an optional member that is never written here.
    registry: Registry[Any] = Registry(retrieve=lambda _: Resource(contents={}, specification=DRAFT7))  # type: ignore[call-arg]
    error = next(iter(validator_for(schema)(schema, registry=registry).iter_errors(value)), None)
    return None if error is None else f"{error.json_path}: {error.message[:200]}"
