"""What must be true before a mart leaves: suites, their execution in SQL, fingerprints and certificates.

Knows marts as tables of a DuckDB file. Publication belongs to ``exports``, scheduling to ``orchestration``.
"""
