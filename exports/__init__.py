"""What goes out: export cards, candidates, releases, the published tree and its verification.

Reads validated marts and writes files. How marts are made or validated belongs to the rooms below,
when a release is attempted belongs to ``orchestration``.
"""
