"""What comes in: source cards, landing, readers by form of file, loading into raw, the synthetic territory.

Nothing here knows of dbt, Great Expectations, exports or Dagster: functions take paths, connections and
settings as arguments. The rooms above import this one, never the reverse.
"""
