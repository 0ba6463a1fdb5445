"""Disclosure control: which cells of a table are unsafe, which others hide them, and what an attacker still deduces.

It depends on nothing else of halle but its errors: a table and its rules go in, statuses and an audit come out.
"""
