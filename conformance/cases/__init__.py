"""What is ensembled: networks, modules, operations, optimizers, settings."""
