"""The speed table: is an ensemble faster than a loop over its members, where, and how far is either from the machine?

``python -m conformance.benchmark`` measures, and ``python -m conformance.benchmark.render`` draws what it recorded.
"""
