"""Cases to test: networks, modules, operations, optimizers and numeric settings."""
