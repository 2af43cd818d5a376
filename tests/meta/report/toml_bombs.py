"""TOML files that are small and make a naive reader compute for minutes or take gigabytes."""

LENGTH = 900_000  # characters


def entry(**fields):
    """One table of a known failure, with other fields than usual; the values are TOML."""
    facts = {
        "requirement": '"forward.a"',
        "torch": '">=2.0"',
        "raises": '"RuntimeError"',
        "reason": '"r"',
        "kind": '"limitation"',
        "effect": '"refused"',
        "match": '"m"',
        "implementation": '"torch.func"',
    }
    return "[[expectation]]\n" + "".join(f"{key} = {value}\n" for key, value in (facts | fields).items())


def repeated(make):
    """As many texts as fit."""
    return "".join(make(i) for i in range(LENGTH // len(make(10_000))))


def long_string(part):
    return '"""\n' + f"{part}\\\n" * (LENGTH // (len(part) + 2)) + '"""'


TOML_BOMBS = {
    "dotted-keys": lambda: repeated(lambda i: f"k{i}{'.a' * 240} = 1\n"),
    "dotted-tables": lambda: repeated(lambda i: f"[k{i}{'.a' * 240}]\n"),
    "one-dotted-key": lambda: "a." * (LENGTH // 2) + "a = 1",
    "nested-arrays": lambda: "a = " + "[\n" * (LENGTH // 2),
    "nested-tables": lambda: "a = " + "[\n{a = " * (LENGTH // 8),
    "deep-value": lambda: entry(torch="[\n" + ("[\n{" + "a." * 200 + "a = ") * 60 + "1" + "}]" * 60 + "]"),
    "empty-arrays": lambda: "a = [\n" + "[],\n" * (LENGTH // 4) + "]",
    "empty-tables": lambda: "[[expectation]]\n" * (LENGTH // 16),
    "keys": lambda: repeated(lambda i: f"k{i} = 1\n"),
    "comments": lambda: "#\n" * (LENGTH // 2),
    "long-reason": lambda: entry(reason=long_string("x" * 400)),
    "long-escapes": lambda: entry(reason=long_string("\\u0041" * 60)),
    "long-pattern": lambda: entry(test=long_string("*a" * 200)),
    "patterns": lambda: repeated(lambda i: entry(test=f'"{i}{"*a" * 200}b"')),
    "patterns-that-fit": lambda: "".join(entry(test=f'"*a*a*a*a*b{"*a" * 80}{i}b"') for i in range(1_900)),
    "devices": lambda: "".join(entry(device=f'"*a*a*a*a*b{"*a" * 30}{i}b"') for i in range(1_900)),
    "implementations": lambda: "".join(entry(implementation=f'"{"*a*b," * 60}{i}"') for i in range(1_900)),
    "clauses": lambda: entry(torch=long_string(">=2.0," * 60)),
    "clauses-that-fit": lambda: "".join(entry(torch=f'"{">=2.0," * 30}>{i}"') for i in range(1_900)),
    "digits": lambda: entry(torch='">=' + "9" * 190 + '"'),
    "integers": lambda: repeated(lambda i: f"k{i} = {'9' * 480}\n"),
    "floats": lambda: repeated(lambda i: f"k{i} = 1e{'9' * 400}\n"),
    "factor": lambda: f'device = "npu"\n[budget.float32]\nreason = "r"\nfactor = {"9" * 400}',
    "dates": lambda: repeated(lambda i: f"k{i} = 9999-12-31T23:59:59.{'9' * 400}-23:59\n"),
    "dtypes": lambda: 'device = "npu"\n[dtypes]\nreason = "r"\nsupported = [' + '"float32",\n' * 40_000 + "]",
    "quotes": lambda: "a = " + '"' * LENGTH,
    "line-breaks": lambda: "\n" * LENGTH,
}
