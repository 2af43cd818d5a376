"""Small helpers on torch, pytrees, child processes and timing; imports nothing else of this package."""
