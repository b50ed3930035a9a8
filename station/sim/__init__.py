"""Simulated modules: a shipped backend, strict by default, with modelled times."""
