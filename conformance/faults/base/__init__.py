"""Base classes of faults, by the place of the defect; conformance/faults/__init__.py says how to write one."""
