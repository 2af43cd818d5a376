"""Set-ups that several test files share: training, precision, vmap calls, derivatives."""
