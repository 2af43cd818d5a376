"""Installation of Chromium for the tests of the HTML page, on Debian."""

import os
import shutil
import subprocess
import sys

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Debian's. Ubuntu has Chromium as a snap only: there apt-get fails, and main returns its message.
PACKAGE = "chromium"


def find_chromium():
    """Return the path of an installed Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def install():
    """Run apt-get as root, or through sudo; return whether it succeeded."""
    privileged = [] if os.geteuid() == 0 else [shutil.which("sudo") or ""]
    if not shutil.which("apt-get") or "" in privileged:
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    commands = (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-qq", "--no-install-recommends", PACKAGE],
    )
    return all(subprocess.run([*privileged, *each], env=environment, check=False).returncode == 0 for each in commands)


def main():
    """Return None if there is a browser now, or one line that says what is missing."""
    if find_chromium() or (install() and find_chromium()):
        return None
    return f"the tests of the HTML page need Chromium: install one of {', '.join(PROGRAMS)} and put it on the PATH"


if __name__ == "__main__":
    sys.exit(main())
