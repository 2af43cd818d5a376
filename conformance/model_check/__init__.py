"""The code behind ``conformance check``: can a model be ensembled, correctly, and faster than by a loop?

`cli.check` reads the arguments into `options`, `supervisor` starts a child process that runs `worker`, and `terminal`
shows the events that the worker sends.
"""
