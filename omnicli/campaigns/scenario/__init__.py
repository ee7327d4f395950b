"""Scenario tests: stories lived on a virtual clock by the engine of `run` (docs/scenarios)."""
