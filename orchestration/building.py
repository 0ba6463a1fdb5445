"""Puts the Dagster definitions together for one territory.

Each part has its module (assets, checks, jobs, schedules, sensors, resources); this one only gathers them.
"""

from __future__ import annotations

import dagster as dg

from orchestration.assets.models import model_assets
from orchestration.assets.raw import raw_assets
from orchestration.assets.releases import release_assets
from orchestration.checks import ledger_checks, mart_checks
from orchestration.jobs import jobs
from orchestration.modelling import prepare_project
from orchestration.project import Project
from orchestration.schedules import schedules
from orchestration.sensors import sensors
from orchestration.workspace import Workspace


def build_definitions(project: Project, workspace: Workspace, run: dg.ResourceDefinition) -> dg.Definitions:
    """Return the definitions of a territory; ``run`` is the resource that every step works through."""
    marts = prepare_project(project, workspace)
    models = model_assets(project, workspace)
    # A theme may have sources and models before it has a mart.
    themes = sorted({node.mart.theme for node in marts.values()} | set(project.themes))
    return dg.Definitions(
        assets=[*raw_assets(project), *models, *release_assets(project, marts)],
        asset_checks=[*mart_checks(project, marts), *ledger_checks(project)],
        jobs=jobs(project, themes),
        schedules=schedules(project),
        sensors=sensors(project, workspace),
        resources={"run": run},
        executor=dg.in_process_executor,
    )
