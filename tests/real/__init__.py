"""The producers' real extracts, where they lie (HALLE_REAL_EXTRACTS)."""
