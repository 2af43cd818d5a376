"""Parts of the suite for runs inside a test."""

import pytest

from conformance.spec.coverage import chapter_files

ONE = ["--implementation=torch.func", "--requirement=stacking.sequences"]


STACKING = [str(path) for path in chapter_files("stacking")]


USAGE = pytest.ExitCode.USAGE_ERROR
