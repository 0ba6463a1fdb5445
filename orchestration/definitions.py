"""The entry point of Dagster's own processes (web server, daemon, runs started from the UI).

Under fifty lines: what is loaded is built in ``building``.
"""

from __future__ import annotations

from orchestration.building import build_definitions
from orchestration.resources import run_resource
from orchestration.settings import from_environment

_settings = from_environment()

defs = build_definitions(_settings.project, _settings.workspace, run_resource(_settings, _settings.project))
