"""Speed and memory against one hand-written script; run by make bench, never by a timed test."""
