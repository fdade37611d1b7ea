"""Runtimes: one small adapter for each, and the choice between them."""
