"""Dagster assets, one module per kind: raw tables, models, releases.

Factories over the declarations; what a step does is in ``orchestration.run`` and the rooms below.
"""
