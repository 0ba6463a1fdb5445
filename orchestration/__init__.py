"""How it runs: settings, the dbt project's assembly, Dagster definitions and the command line.

The only room that knows Dagster and dbt. What a step does belongs to the rooms below.
"""
