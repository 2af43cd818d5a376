"""A conformance suite for PyTorch model ensembling.

Does the ensemble compute what its members compute, and where it may not, does it say so loudly?
"""

__version__ = "0.1.0"
