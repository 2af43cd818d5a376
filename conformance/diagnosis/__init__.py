"""Diagnosis of a failed test: its last call is re-run layer by layer, and a reproducer is written for it."""
