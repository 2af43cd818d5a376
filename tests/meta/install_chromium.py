"""Installation of Chromium for the tests of the HTML page: Debian's package, or elsewhere Playwright's own build."""

import os
import shutil
import subprocess
import sys

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium():
    """Return the path of an installed Chromium or Chrome that starts, or None.

    Ubuntu's package installs a script that only starts a snap.
    """
    found = filter(None, map(shutil.which, PROGRAMS))
    return next((path for path in found if succeeds([path, "--version"], stderr=subprocess.DEVNULL)), None)


def succeeds(command, **options):
    """Return whether the command ends with 0."""
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL, **options).returncode == 0


def install_package():
    """Run apt-get as root, or through sudo; return whether it succeeded."""
    privileged = [] if os.geteuid() == 0 else [shutil.which("sudo") or ""]
    if not shutil.which("apt-get") or "" in privileged:
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    commands = (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-qq", "--no-install-recommends", "chromium"],
    )
    return all(succeeds([*privileged, *each], env=environment) for each in commands)


def install_own_build():
    """Let Playwright fetch its own build with the libraries that it needs; return whether it succeeded."""
    return succeeds([sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"])


def main():
    """Return None if there is a browser now, or one line that says what is missing."""
    if find_chromium() or (install_package() and find_chromium()) or install_own_build():
        return None
    return f"the tests of the HTML page need Chromium: install one of {', '.join(PROGRAMS)} and put it on the PATH"


if __name__ == "__main__":
    sys.exit(main())
