"""What a fault has to turn red, wherever it is judged: here, or on the simulated device."""

from fnmatch import fnmatchcase

from conformance.faults import FAULTS
from conformance.spec.coverage import chapter_files


def asked(fault):
    """The files of the chapters in which something may go red."""
    chapters = {pattern.partition(".")[0] for pattern in (FAULTS[fault].breaks, *FAULTS[fault].also)}
    return [str(path) for chapter in sorted(chapters) for path in chapter_files(chapter)]


def assert_killed(fault, red, record_property):
    breaks, also = FAULTS[fault].breaks, FAULTS[fault].also
    record_property("kill", [breaks, fault, sorted(red)])
    assert breaks in red, fault
    unrelated = {each for each in red if not any(fnmatchcase(each, pattern) for pattern in (breaks, *also))}
    assert not unrelated, fault
