"""Do the recorded releases name tests that exist, so that no comparison calls a renamed test gone?"""

import gzip
import re

import pytest

from conformance.report import releases
from conformance.spec.coverage import asking_tests


@pytest.mark.parametrize("release", sorted(releases.recorded_release_paths()), ids=str)
def test_every_recorded_test_exists(release):
    # Read as text: what else the file holds, the reader has tests for.
    text = gzip.decompress(releases.recorded_release_paths()[release].read_bytes()).decode()

    recorded = set(re.findall(r'"test": "tests/(\w+\.py::\w+)', text))

    assert recorded
    assert recorded <= {test for tests in asking_tests().values() for test in tests}
