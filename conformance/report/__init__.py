"""What a run found: the result model, the verdict on the terminal, the result file."""
