"""tox's own hook: the environment `current` sees the torch of the Python that runs tox, in a venv or not."""

import sysconfig
from importlib.util import find_spec
from typing import Any

from tox.plugin import impl
from tox.report import HandledError


@impl
def tox_on_install(tox_env: Any, arguments: Any, section: str, of_type: str) -> None:
    """Before anything is installed, so that pip finds the torch that is there and fetches none."""
    if tox_env.name != "current":
        return
    if find_spec("torch") is None:
        raise HandledError("current: the Python that runs tox has no torch; install tox beside the torch to validate")
    surrounding = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    link = tox_env.env_site_package_dir() / "surrounding.pth"
    # A line each: what runs in a .pth file is no place for a comprehension.
    link.write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in surrounding), encoding="utf-8")
