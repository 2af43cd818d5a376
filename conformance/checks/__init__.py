"""Checks that any model must pass as an ensemble."""
