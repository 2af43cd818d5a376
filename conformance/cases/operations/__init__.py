"""Single operations of torch's public API, each with a call: random, in-place, and with `out=`.

Operations of torch that these catalogues lack are reported by name, such as those of a new release.
"""
