"""Base classes of faults: what they patch and how they are injected."""
