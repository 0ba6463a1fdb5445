"""The forms a release takes: one module per file format, each deterministic (same rows, same bytes).

What is published of which mart is said by the export card; when it is published, by ``exports.candidate``.
"""
