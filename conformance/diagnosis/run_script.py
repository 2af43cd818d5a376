"""The process of one reproducer: it says which torch it has, runs the script, and exits with its exit code.

It is run as a script, without this package, as ``python run_script.py SCRIPT``.
"""

import json
import platform
import runpy
import sys
import traceback

CANNOT_TELL = 2
NO_TORCH = 8
MARK = "environment: "  # begins the line that stands before what the script prints


def main(path: str) -> int:
    """Print the environment, run the script at `path`, and return the exit code.

    Python exits with 1 after an exception that nothing catches. Here it is CANNOT_TELL: it shows another defect than
    the one that the script is about.
    """
    try:
        import torch
    except BaseException as error:  # noqa: BLE001 - a broken installation may raise anything, SystemExit included
        sys.stdout.write(f"{type(error).__name__}: {error}\n")
        return NO_TORCH
    here = {"torch": torch.__version__, "python": platform.python_version(), "platform": platform.platform()}
    sys.stdout.write(f"{MARK}{json.dumps(here)}\n")
    sys.stdout.flush()
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else CANNOT_TELL
    except Exception:  # noqa: BLE001 - it is shown, and means that the script can't tell
        traceback.print_exc()
    return CANNOT_TELL


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
