"""Is what a machine lacks for CUDA said right? There is a GPU in none of these tests: driver and torch are played."""

import ctypes
from types import SimpleNamespace

import pytest
import torch

from conformance.devices import cuda


class Driver:
    """A driver that answers with a code, finds so many devices and runs this version of CUDA."""

    def __init__(self, code=0, count=1, version=12040):
        self.code, self.count, self.version = code, count, version

    def cuInit(self, flags):  # noqa: N802 - the driver's own name
        return self.code

    def cuDeviceGetCount(self, pointer):  # noqa: N802 - the driver's own name
        return self._answer(pointer, self.count)

    def cuDriverGetVersion(self, pointer):  # noqa: N802 - the driver's own name
        return self._answer(pointer, self.version)

    def _answer(self, pointer, value):
        ctypes.cast(pointer, ctypes.POINTER(ctypes.c_int))[0] = value
        return 0


@pytest.fixture
def play(monkeypatch):
    """Put a driver in place, or None for a machine without one."""

    def put(driver):
        def load(name):
            if driver is None:
                raise OSError(name)
            return driver

        monkeypatch.setattr(ctypes, "CDLL", load)

    return put


NO_GPU = "the NVIDIA driver of this machine finds no GPU"
NO_DRIVER = f"no NVIDIA driver is installed on this machine ({cuda.DRIVER} does not load)"


@pytest.mark.parametrize(
    ("driver", "problem", "gpus"),
    [
        (Driver(count=3), None, 3),
        (Driver(count=0), NO_GPU, 0),
        (Driver(code=100), NO_GPU, 0),
        (None, NO_DRIVER, 0),
    ],
    ids=["gpus", "no-gpu", "no-init", "no-driver"],
)
def test_the_driver_says_how_many_gpus_there_are(play, driver, problem, gpus):
    play(driver)

    assert cuda.driver_problem() == problem
    assert cuda.count_gpus() == gpus


@pytest.mark.parametrize(
    ("listed", "count", "names"),
    [
        (None, 2, ["0", "1"]),
        ("3,1", 2, ["3", "1"]),
        ("GPU-8a1f, GPU-77c0", 2, ["GPU-8a1f", "GPU-77c0"]),
        ("2,-1,0", 1, ["2"]),
        ("", 0, []),
        (None, 0, []),
    ],
    ids=["not-listed", "indices", "uuids", "cut-short", "empty", "none"],
)
def test_the_visible_gpus_are_those_that_the_caller_lists_and_the_driver_counts(listed, count, names):
    assert cuda.visible_gpus(listed, count) == names


@pytest.mark.parametrize(
    ("kernels", "runs", "does_not_run"),
    [
        ("sm_80", [(8, 0), (8, 6), (8, 9)], [(7, 5), (9, 0), (12, 0)]),
        ("sm_86", [(8, 6), (8, 9)], [(8, 0), (9, 0)]),
        ("sm_120", [(12, 0), (12, 1)], [(10, 0), (8, 0)]),
        ("sm_90a", [(9, 0)], [(10, 0), (8, 9)]),
        ("sm_100f", [(10, 0), (10, 3)], [(9, 0), (11, 0), (12, 0)]),
        ("compute_80", [(8, 0), (8, 6), (9, 0), (12, 0)], [(7, 5)]),
        ("compute_90a", [(9, 0)], [(10, 0)]),
        ("compute_100f", [(10, 3)], [(12, 0)]),
    ],
)
def test_kernels_run_where_their_architecture_says(kernels, runs, does_not_run):
    assert all(cuda.runs_on(kernels, capability) for capability in runs)
    assert not any(cuda.runs_on(kernels, capability) for capability in does_not_run)


@pytest.fixture
def build(monkeypatch):
    """Play a build of torch for CUDA on a machine with one GPU."""

    def play(*, cuda="12.8", hip=None, kernels=("sm_80", "sm_90"), capability=(7, 0), available=True):
        monkeypatch.setattr(torch, "version", SimpleNamespace(cuda=cuda, hip=hip))
        monkeypatch.setattr(torch, "__version__", "2.13.0+played")
        for name, answer in {
            "is_available": available,
            "device_count": 1,
            "get_device_capability": capability,
            "get_device_name": "Tesla V100",
            "get_arch_list": list(kernels),
        }.items():
            monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer: answer)

    return play


KERNELS = "torch 2.13.0+played has kernels for sm_80 sm_90 alone"


@pytest.mark.parametrize(
    ("driver", "built", "problem"),
    [
        (Driver(), {"cuda": None}, "torch 2.13.0+played is built without CUDA"),
        (Driver(), {"cuda": None, "hip": "6.4"}, None),
        (None, {}, NO_DRIVER),
        (Driver(count=0), {}, NO_GPU),
        (
            Driver(version=11040),
            {},
            "the NVIDIA driver is too old: it runs CUDA 11.4, torch 2.13.0+played needs 12.8",
        ),
        (
            Driver(),
            {},
            f"the GPU is too old for this build: Tesla V100 has compute capability 7.0, {KERNELS}",
        ),
        (
            Driver(),
            {"capability": (12, 0)},
            f"the GPU is too new for this build: Tesla V100 has compute capability 12.0, {KERNELS}",
        ),
        (Driver(), {"capability": (12, 0), "kernels": ["sm_80", "compute_90"]}, None),
        (Driver(), {"capability": (8, 6)}, None),
        (Driver(), {"kernels": []}, None),
        (Driver(), {"available": False}, None),
    ],
    ids=[
        "built-for-the-cpu",
        "built-for-rocm",
        "no-driver",
        "no-gpu",
        "old-driver",
        "old-gpu",
        "new-gpu",
        "through-ptx",
        "same-major-version",
        "kernels-unknown",
        "not-available",
    ],
)
def test_what_stands_against_a_gpu_is_one_sentence(play, build, driver, built, problem):
    play(driver)
    build(**built)

    assert cuda.problem(torch.device("cuda")) == problem


def test_of_a_gpu_that_there_is_not_torch_speaks_for_itself(play, build):
    play(Driver())
    build()

    assert cuda.problem(torch.device("cuda:1")) is None


@pytest.mark.parametrize(("gigabytes", "fraction"), [(80, 0.0146), (1, 1.0)], ids=["large", "small"])
def test_a_process_allocates_its_share_and_no_more(monkeypatch, gigabytes, fraction):
    limits = []
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=gigabytes * 2**30))
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda *given: limits.append(given))

    cuda.limit_memory(torch.device("cuda"))

    ((limit, device),) = limits
    assert limit == pytest.approx(fraction, rel=0.01)
    assert device == torch.device("cuda")


def test_the_suites_workers_stay_below_four_gigabytes():
    context = 2**29
    contexts = (1 + cuda.WORKERS_A_GPU) * context  # the controller has one too

    assert contexts + cuda.WORKERS_A_GPU * cuda.ALLOCATED < 4 * 2**30
