"""The honest bench: declared benchmarks, arms at matched compute, verdicts that can be negative."""
