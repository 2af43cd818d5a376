"""Trials of reliability: what was tried and survived, counted for the table that a run of tests/meta ends with."""

from collections import Counter


def count_trials(reports):
    """Yield a line for each kind of trial; a test records `trial` as a kind, or as kind, tried and survived."""
    tried, survived = Counter(), Counter()
    for report in reports:
        for name, value in report.user_properties:
            if name == "trial":
                kind, total, good = (value, 1, 1) if isinstance(value, str) else value
                tried[kind] += total
                survived[kind] += good if report.passed else 0
    width = max(map(len, tried), default=0)
    for kind in sorted(tried):
        yield f"{kind:{width}}  {tried[kind]:6,} tried  {survived[kind]:6,} survived"
