"""The speed table: the time of a loop over members and of its ensemble variants, and their distance from the roofline.

``python -m conformance.benchmark`` measures it, ``python -m conformance.benchmark.render`` draws a recorded table.
"""
