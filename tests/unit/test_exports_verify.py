"""``verify_tree``: a sound tree passes every check; each seeded breach is found by the check that is there for it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exports.candidate import SUMS_FILE
from exports.schemas import DATA_PACKAGE, SchemaStore
from exports.tree import RELEASE_FILE
from exports.verify import VerifyReport, verify_tree
from raw_sources.database import DuckDBSettings, connect
from raw_sources.errors import MachineryError
from raw_sources.files import canonical_json, sha256_file
from tests.exports_world import World, make_world, offline_schemas


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published tree, to be copied by each test that breaks it."""
    world = make_world(tmp_path_factory.mktemp("published") / "data")
    world.release()
    return world.public.resolve()


@pytest.fixture
def tree(published: Path, tmp_path: Path) -> Path:
    shutil.copytree(published, tmp_path / "tree")
    return tmp_path / "tree"


def release_of(tree: Path) -> Path:
    return next((tree / "mesures-de-rue" / "v1.0.0").iterdir())


def verify(tree: Path, schemas: SchemaStore | None = None) -> VerifyReport:
    return verify_tree(tree, schemas or offline_schemas(None))


def failures(tree: Path) -> set[str]:
    return {check.name for check in verify(tree).failed}


def sign_again(tree: Path) -> None:
    """Make checksums and sizes fit the present files, as a forger would, in the release and in latest."""
    folder = release_of(tree)
    facts_path, package_path = folder / RELEASE_FILE, folder / "datapackage.json"
    facts, package = json.loads(facts_path.read_text()), json.loads(package_path.read_text())
    for resource in package["resources"]:
        file = folder / resource["path"]
        resource.update(bytes=file.stat().st_size, hash=f"sha256:{sha256_file(file)}")
    package_path.write_text(canonical_json(package))
    for name, file_facts in facts["files"].items():
        file_facts.update(bytes=(folder / name).stat().st_size, sha256=sha256_file(folder / name))
    facts_path.write_text(canonical_json(facts))
    names = sorted(path.name for path in folder.iterdir() if path.name != SUMS_FILE)
    (folder / SUMS_FILE).write_text("".join(f"{sha256_file(folder / name)}  {name}\n" for name in names))
    latest = tree / "mesures-de-rue" / "latest"
    shutil.rmtree(latest)
    shutil.copytree(folder, latest)


def alter(tree: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON document of the release and sign again."""
    path = release_of(tree) / name
    document = json.loads(path.read_text())
    change(document)
    path.write_text(canonical_json(document))
    sign_again(tree)


def rewrite_parquet(tree: Path, query: str) -> None:
    """Replace the Parquet file by ``query`` over it (``t``), keeping its metadata, and sign again."""
    path = release_of(tree) / "mesures-de-rue.parquet"
    with connect(None, DuckDBSettings()) as connection:
        connection.execute("SET enable_geoparquet_conversion = false")
        pairs = connection.execute(f"SELECT key, value FROM parquet_kv_metadata('{path}')").fetchall()
        quoted = ", ".join(f"{k.decode()}: '{v.decode()}'" for k, v in pairs)
        connection.execute(f"CREATE TABLE t AS SELECT * FROM '{path}'")
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, KV_METADATA {{{quoted}}})")
    sign_again(tree)


def test_a_figure_that_is_told_secret_is_empty(tree: Path):
    said = {"bank": [{"level": {"zone": "department"}, "cells": 9, "secret": {"vehicles": 9}}]}
    alter(tree, RELEASE_FILE, lambda facts: facts["agreements"].update(secrecy=said))
    assert failures(tree) == {"agreements", "secrecy"}, "the count is signed with the agreements"


def test_a_figure_that_is_told_rounded_is_a_multiple(tree: Path):
    alter(tree, RELEASE_FILE, lambda facts: facts["agreements"].update(rounded={"vehicles": 5}))
    assert failures(tree) == {"agreements", "secrecy"}, "the number is signed with the agreements"


def test_a_sound_tree_passes_and_says_what_did_not_run(tree: Path) -> None:
    report = verify(tree)
    assert report.ok
    assert not report.failed
    assert {check.name for check in report.not_run} == {"descriptor", "geoparquet"}
    assert {"checksums", "certificate", "columns", "equality", "fingerprint", "latest"} <= {
        check.name for check in report.passed
    }


def test_a_sound_tree_follows_the_official_schemas(tree: Path, official_schemas: Path) -> None:
    report = verify(tree, offline_schemas(official_schemas))
    assert not report.failed
    assert not report.not_run


def test_descriptor_and_geo_metadata_are_checked_by_the_official_schemas(tree: Path, official_schemas: Path) -> None:
    alter(tree, "datapackage.json", lambda package: package.update(licenses=[]))
    path = release_of(tree) / "mesures-de-rue.parquet"
    path.write_bytes(path.read_bytes().replace(b'"encoding": "WKB"', b'"encoding": "WKT"'))
    sign_again(tree)
    found = {check.name for check in verify(tree, offline_schemas(official_schemas)).failed}
    assert found == {"descriptor", "geoparquet"}


def test_signing_again_alone_breaks_nothing(tree: Path) -> None:
    sign_again(tree)
    assert not failures(tree)


def test_a_flipped_byte_is_found_and_deeper_checks_do_not_run(tree: Path) -> None:
    path = release_of(tree) / "mesures-de-rue.csv"
    path.write_bytes(path.read_bytes().replace(b"1234.5", b"1234.6"))
    report = verify(tree)
    assert {check.name for check in report.failed} == {"checksums", "latest"}
    assert "equality" in {check.name for check in report.not_run}


def test_a_missing_file_is_found(tree: Path) -> None:
    (release_of(tree) / "mesures-de-rue.excel-fr.csv").unlink()
    assert "checksums" in failures(tree)


def test_an_unlisted_file_is_found(tree: Path) -> None:
    (release_of(tree) / "notes.txt").write_text("private")
    assert "checksums" in failures(tree)


@pytest.mark.parametrize("place", ["stray.txt", "mesures-de-rue/stray.txt", "mesures-de-rue/v1.0.0/stray.txt"])
def test_a_file_of_no_release_is_found(tree: Path, place: str) -> None:
    (tree / place).write_text("private")
    assert failures(tree) == {"tree"}


def test_a_symbolic_link_is_found(tree: Path) -> None:
    (tree / "mesures-de-rue" / "current").symlink_to(release_of(tree))
    assert "tree" in failures(tree)


def test_a_certificate_that_did_not_pass_is_found(tree: Path) -> None:
    alter(tree, RELEASE_FILE, lambda facts: facts["certificate"].update(status="failed"))
    assert failures(tree) == {"certificate"}


def test_a_removed_expectation_is_found(tree: Path) -> None:
    alter(tree, RELEASE_FILE, lambda facts: facts["certificate"].update(results=[]))
    assert failures(tree) == {"certificate"}


def test_a_borrowed_certificate_is_found(tree: Path) -> None:
    alter(tree, RELEASE_FILE, lambda facts: facts["certificate"].update(key="0" * 32))
    assert failures(tree) == {"certificate"}


def test_the_certificate_of_other_rows_is_found(tree: Path) -> None:
    alter(tree, RELEASE_FILE, lambda facts: facts["content"].update(fingerprint="0" * 64))
    assert "certificate" in failures(tree)


def test_changed_rows_are_found_even_when_signed_again(tree: Path) -> None:
    rewrite_parquet(tree, "SELECT * REPLACE (vehicles + 1 AS vehicles) FROM t")
    assert failures(tree) == {"fingerprint", "equality"}


def test_other_columns_are_found(tree: Path) -> None:
    rewrite_parquet(tree, "SELECT *, 'x' AS added FROM t")
    assert "columns" in failures(tree)


def test_a_missing_required_value_is_found(tree: Path) -> None:
    rewrite_parquet(tree, "SELECT * REPLACE (nullif(site_id, 'a') AS site_id) FROM t")
    assert "columns" in failures(tree)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("mesures-de-rue.csv", b"1234.5", b"1234.6"),
        ("mesures-de-rue.excel-fr.csv", b"FAUX", b"VRAI"),
        ("mesures-de-rue.csv", b"01:00:00Z", b"02:00:00Z"),
        ("mesures-de-rue.csv", b"01:00:00Z", b"01:00:00"),
        ("mesures-de-rue.excel-fr.csv", b"Titre de street", b"Titre de rue"),
        ("mesures-de-rue.csv", b"01004,", b"01004,,"),
    ],
)
def test_a_csv_that_differs_from_the_parquet_is_found(tree: Path, name: str, before: bytes, after: bytes) -> None:
    path = release_of(tree) / name
    assert before in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(before, after, 1))
    sign_again(tree)
    assert failures(tree) == {"equality"}


def test_a_descriptor_that_misstates_a_hash_is_found(tree: Path) -> None:
    alter(tree, "datapackage.json", lambda package: None)
    path = release_of(tree) / "datapackage.json"
    package = json.loads(path.read_text())
    package["resources"].pop()
    path.write_text(canonical_json(package))
    sign_again(tree)
    assert failures(tree) == {"resources"}


def test_another_content_under_the_same_name_is_found(tree: Path) -> None:
    alter(tree, RELEASE_FILE, lambda facts: facts["content"].update(recipe="0" * 64))
    assert failures(tree) == {"release"}


def test_an_erased_synthetic_mark_is_found(tmp_path: Path) -> None:
    world = make_world(tmp_path / "data", synthetic=True)
    world.release()
    tree = world.public.resolve()
    assert not failures(tree)
    alter(tree, "datapackage.json", lambda package: package.update(title="Mesures de rue"))
    assert failures(tree) == {"synthetic mark"}


def test_a_latest_that_stayed_behind_is_found(tmp_path: Path) -> None:
    world, _ = two_releases(tmp_path)
    tree = world.public.resolve()
    first = sorted((tree / "mesures-de-rue" / "v1.0.0").iterdir())[0]
    shutil.rmtree(tree / "mesures-de-rue" / "latest")
    shutil.copytree(first, tree / "mesures-de-rue" / "latest")
    assert failures(tree) == {"latest"}


def test_nothing_published_is_a_failure(tmp_path: Path) -> None:
    assert failures(tmp_path / "absent") == {"tree"}


def test_documents_that_are_not_json_are_findings(tree: Path) -> None:
    (release_of(tree) / RELEASE_FILE).write_text("[]")
    names = sorted(path.name for path in release_of(tree).iterdir() if path.name != SUMS_FILE)
    sums = "".join(f"{sha256_file(release_of(tree) / name)}  {name}\n" for name in names)
    (release_of(tree) / SUMS_FILE).write_text(sums)
    assert "documents" in failures(tree)


def test_a_schema_is_found_in_the_folder_then_in_the_cache(tmp_path: Path) -> None:
    assert offline_schemas(None).find(DATA_PACKAGE) is None
    for root in ("folder", "cache"):
        (tmp_path / root / DATA_PACKAGE).parent.mkdir(parents=True)
        (tmp_path / root / DATA_PACKAGE).write_text(f'{{"title": "{root}"}}')
    both = SchemaStore(tmp_path / "folder", tmp_path / "cache", online=False)
    cached = SchemaStore(None, tmp_path / "cache", online=False)
    assert (both.find(DATA_PACKAGE), cached.find(DATA_PACKAGE)) == ({"title": "folder"}, {"title": "cache"})


def test_a_damaged_schema_is_an_error_of_the_machinery(tmp_path: Path) -> None:
    (tmp_path / DATA_PACKAGE).parent.mkdir(parents=True)
    (tmp_path / DATA_PACKAGE).write_text("<html>")
    with pytest.raises(MachineryError, match="not JSON"):
        offline_schemas(tmp_path).find(DATA_PACKAGE)


def two_releases(tmp_path: Path) -> tuple[World, list[str]]:
    world = make_world(tmp_path / "data")
    first = world.release()
    world.sql("UPDATE street.measures SET vehicles = 9 WHERE site_id = '01004'")
    world.as_of("2024-05-02")
    second = world.release()
    return world, [first.release, second.release]
