"""A folder of reproducers, and a torch that is imported at once."""

from conformance.diagnosis import known_reproducers

ISSUE = '"""{title}\n\nExpected: A sum.\nObserved: A\nproduct.\n"""\n\nimport sys\n\nimport torch\n\n'
SHOWS = 'print("2 * 2 =", 4)\nsys.exit(1)\n'
ENTRY = '[[expectation]]\nrequirement = "{}"\n'


def make_folder(tmp_path, monkeypatch):
    """Return a function that writes a script with this body, and entries of requirements that name it."""
    torch = tmp_path / "site" / "torch.py"
    torch.parent.mkdir()
    torch.write_text('__version__ = "2.99.0"\n', encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(torch.parent))
    monkeypatch.setattr(known_reproducers, "FOLDER", tmp_path / "reproducers")
    monkeypatch.setattr(known_reproducers, "DEFAULT", tmp_path / "expectations.toml")
    known_reproducers.FOLDER.mkdir()
    known_reproducers.DEFAULT.touch()

    def write(name, body=SHOWS, *requirements, title="It multiplies"):
        path = known_reproducers.FOLDER / f"{name}.py"
        path.write_text(ISSUE.format(title=title) + body, encoding="utf-8")
        with known_reproducers.DEFAULT.open("a", encoding="utf-8") as file:
            file.writelines(f'{ENTRY.format(each)}reproducer = "{name}"\n' for each in requirements)
        return path

    return write
