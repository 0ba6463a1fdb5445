"""Several rooms together: runs of the synthetic territory, Dagster, the command line."""
