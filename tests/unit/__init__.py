"""One module or one room at a time: fast, in temporary folders."""
