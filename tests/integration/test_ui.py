"""The user interface, for real: ``halle ui`` on a free loopback port, asked over GraphQL and looked at in Chromium.

HALLE_IMAGES names a folder that keeps the pictures; those of the documentation are made so (docs/images).
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
from websockets.sync.client import connect as open_websocket
from websockets.sync.connection import Connection

from orchestration.building import build_definitions
from orchestration.dagster_home import prepare_home
from orchestration.project import SAMPLE_TERRITORY, load_project
from orchestration.resources import fixed_run
from orchestration.run import Run
from orchestration.workspace import Workspace
from raw_sources.database import connect
from tests.commands import HALLE
from tests.integration.conftest import copy_data

PATIENCE_S = 240
SITES = dg.AssetKey(["sample", "mobility", "works_sites"])
CHROMIUM = shutil.which("chromium")
OPTIONS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --hide-scrollbars --remote-debugging-port=0""".split()
PNG = b"\x89PNG\r\n\x1a\n"


def wait_for(look: Callable[[], Any], what: str, seconds: float = PATIENCE_S) -> Any:
    """Return the first true answer of ``look``; fail with ``what`` when none comes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.3)
    pytest.fail(f"{what}: not within {seconds:.0f} s")


@dataclass(frozen=True)
class Server:
    """A running ``halle ui``."""

    address: str
    process: subprocess.Popen[bytes]

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        answer = httpx.post(f"{self.address}/graphql", json={"query": query, "variables": variables}, timeout=60)
        document = answer.json()
        assert "errors" not in document, document
        found: dict[str, Any] = document["data"]
        return found

    def is_ready(self) -> bool:
        assert self.process.poll() is None, "halle ui has ended"
        try:
            return bool(self.ask("{ assetNodes { id } }")["assetNodes"])
        except httpx.HTTPError:
            return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def data(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sample's DATA in which one mart has been spoilt, and judged since."""
    copied = copy_data(sample_data, tmp_path_factory.mktemp("ui") / "data")
    workspace, project = Workspace(copied), load_project(SAMPLE_TERRITORY)
    with connect(workspace.warehouse, workspace.duckdb) as connection:
        connection.execute("insert into mobility.works_sites select * from mobility.works_sites limit 7")
    run = Run(project, workspace, extracts=copied / "sample", now=datetime.now(UTC))
    selection = dg.AssetSelection.checks(dg.AssetCheckKey(SITES, "works_sites_suite"))
    job = dg.define_asset_job("judge", selection)
    definitions = build_definitions(project, workspace, fixed_run(run))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(prepare_home(workspace)))
        with dg.DagsterInstance.get() as instance:
            merged = dg.Definitions.merge(definitions, dg.Definitions(jobs=[job]))
            merged.resolve_job_def("judge").execute_in_process(instance=instance, raise_on_error=False)
    return copied


@pytest.fixture(scope="module")
def server(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port = free_port()
    log = tmp_path_factory.mktemp("log") / "ui.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HALLE_", "DAGSTER_"))}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*HALLE, "ui", "--data", str(data), "--port", str(port)], stdout=stream, stderr=stream, env=environment
        )
        try:
            started = Server(f"http://127.0.0.1:{port}", process)
            wait_for(started.is_ready, "the web server answers")
            yield started
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(timeout=60)
    said = log.read_text(encoding="utf-8")
    assert status == 0, said
    assert "Warning" not in said, said
    assert f"Ville-Témoin (données synthétiques): http://127.0.0.1:{port}" in said
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}")
    assert not [line for line in processes() if str(data) in line or str(port) in line]


def processes() -> list[str]:
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()


def test_graphql_knows_every_asset_and_check(server: Server) -> None:
    nodes = server.ask(
        "{ assetNodes { assetKey { path } groupName description owners { ... on TeamAssetOwner { team } } kinds "
        "assetChecksOrError { ... on AssetChecks { checks { name blocking "
        "executionForLatestMaterialization { status } } } } } }"
    )["assetNodes"]
    keys = {tuple(node["assetKey"]["path"]) for node in nodes}
    assert {("sample", "raw", "paris__chantiers"), tuple(SITES.path), ("sample", "public", "chantiers_voirie")} <= keys
    assert {node["groupName"] for node in nodes} == {"economy", "energy", "mobility", "territory"}
    checks = {check["name"]: check for node in nodes for check in node["assetChecksOrError"].get("checks", [])}
    suites = {name for name in checks if name.endswith("_suite")}
    assert suites == {f"{key.rpartition('.')[2]}_suite" for key in load_project(SAMPLE_TERRITORY).suites}
    assert all(checks[suite]["blocking"] for suite in suites)
    assert checks["works_sites_suite"]["executionForLatestMaterialization"]["status"] == "FAILED"
    assert checks["traffic_hourly_suite"]["executionForLatestMaterialization"]["status"] == "SUCCEEDED"


def test_the_run_from_the_command_line_is_shown(server: Server) -> None:
    runs = server.ask("{ runsOrError { ... on Runs { results { jobName status } } } }")["runsOrError"]["results"]
    assert {"jobName": "whole_way", "status": "SUCCESS"} in runs


LAUNCH = """
mutation ($execution: ExecutionParams!) {
  launchRun(executionParams: $execution) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on InvalidSubsetError { message }
  }
}
"""


def test_a_run_started_from_the_page_goes_the_queue_and_ends_well(server: Server) -> None:
    selector = {
        "repositoryLocationName": "orchestration.definitions",
        "repositoryName": "__repository__",
        "pipelineName": "whole_way",
        "assetSelection": [{"path": ["sample", "raw", "paris__fermetures_voirie"]}],
    }
    launched = server.ask(LAUNCH, execution={"selector": selector, "runConfigData": {}, "mode": "default"})["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["run"]["runId"]

    def ended() -> str | None:
        status = server.ask("query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }", id=run_id)
        found: str = status["runOrError"]["status"]
        return found if found in ("SUCCESS", "FAILURE", "CANCELED") else None

    assert wait_for(ended, "the run ends") == "SUCCESS"


@dataclass
class Browser:
    """A page in headless Chromium, driven over its own protocol."""

    connection: Connection
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        number = next(self._numbers)
        self.connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self.connection.recv(timeout=PATIENCE_S))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def evaluate(self, script: str) -> Any:
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def resize(self, width: int, height: int, scale: float = 1) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=False
        )

    def open(self, address: str, *texts: str) -> None:
        """Open a page and wait until it shows all ``texts``."""
        self.call("Page.navigate", url=address)
        for text in texts:
            self.wait_to_see(text)

    def wait_to_see(self, text: str) -> None:
        wait_for(lambda: text in (self.evaluate("document.body?.innerText") or ""), f"{text!r} on the page")

    def click(self, row: str) -> None:
        """Click the link in the table row that contains ``row``."""
        rows = f"[...document.querySelectorAll('tr')].find(one => one.innerText.includes({json.dumps(row)}))"
        wait_for(lambda: self.evaluate(f"{rows}?.querySelector('a') ? true : false"), f"a link beside {row!r}")
        self.evaluate(f"{rows}.querySelector('a').click()")

    def picture(self) -> bytes:
        """Return the page as PNG once it has come to rest: statuses arrive after the names."""
        last = ""

        def at_rest() -> bool:
            nonlocal last
            time.sleep(2)
            before, last = last, self.call("Page.captureScreenshot", format="png")["data"]
            return before == last

        wait_for(at_rest, "the page comes to rest", 60)
        return base64.b64decode(last)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: the pages are not looked at")
    profile = tmp_path_factory.mktemp("profile")
    command = [CHROMIUM, *OPTIONS, f"--user-data-dir={profile}", "--window-size=1500,900", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            port_file = profile / "DevToolsActivePort"
            wait_for(lambda: port_file.is_file() and port_file.read_text().strip(), "Chromium starts", 60)
            pages = httpx.get(f"http://127.0.0.1:{port_file.read_text().split()[0]}/json/list").json()
            address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
            with open_websocket(address, max_size=None) as connection:
                yield Browser(connection)
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    named = os.environ.get("HALLE_IMAGES")
    folder = Path(named) if named else tmp_path_factory.mktemp("images")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def keep(path: Path, picture: bytes) -> None:
    path.write_bytes(picture)
    assert picture.startswith(PNG)
    assert 20_000 < len(picture) < 200_000, len(picture)


def test_picture_of_the_asset_graph(server: Server, browser: Browser, images: Path) -> None:
    browser.resize(1600, 700)
    # With several themes the graph shows one node for each.
    browser.open(f"{server.address}/asset-groups/", "economy", "energy", "mobility", "territory")
    keep(images / "asset-graph.png", browser.picture())


def test_picture_of_an_asset_with_its_plot(server: Server, browser: Browser, images: Path) -> None:
    browser.resize(1280, 800)
    browser.open(f"{server.address}/assets/sample/mobility/traffic_hourly?view=events", "dagster/row_count")
    browser.click("plot")
    title = "Hours measured, by day and kind of measure"
    drawn = f"document.querySelector('img[alt=\"{title}\"]')?.naturalWidth"
    assert wait_for(lambda: browser.evaluate(drawn), "the plot is drawn") > 100
    keep(images / "asset-page.png", browser.picture())


def test_picture_of_a_failed_check(server: Server, browser: Browser, images: Path) -> None:
    browser.resize(1280, 800)
    browser.open(
        f"{server.address}/assets/sample/mobility/works_sites?view=checks", "works_sites_suite", "key_is_unique"
    )
    keep(images / "failed-check.png", browser.picture())
