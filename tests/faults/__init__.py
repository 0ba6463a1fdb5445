"""Runs that are killed, fed damaged files, or given deliveries in any order."""
