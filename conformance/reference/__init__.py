"""The oracle: SimpleCNN, and combine, vmap and functional_call as loops over slices. The first package to read."""
