"""Single operations of torch's public API, by name, with a call of each: random ones, and ones that write in place.

What torch has and these catalogues do not is reported by name: a new release can't bring one that nobody looks at.
"""
