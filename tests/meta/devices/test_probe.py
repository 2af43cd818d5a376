"""Is what a device can do found by asking it?"""

import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from conformance.devices import cuda, environment, probe
from conformance.devices.environment import environment_facts
from conformance.devices.probe import (
    FOR_CUSTOM,
    ONLY_FOR,
    UnknownDeviceError,
    UnknownModuleError,
    UnusableDeviceError,
    choose_device,
    device_failure,
    dtype_unavailable_reason,
    load_module,
    main,
    resolve_device,
)
from conformance.utils.exit_codes import ExitCode


@pytest.mark.parametrize(
    ("name", "variables", "device"),
    [
        (None, {}, "cpu"),
        (None, {ONLY_FOR: "", FOR_CUSTOM: ""}, "cpu"),
        ("xpu", {}, "xpu"),
        ("xpu:1", {ONLY_FOR: "cuda,cpu", FOR_CUSTOM: "npu"}, "xpu:1"),
        (None, {ONLY_FOR: "cuda"}, "cuda"),
        (None, {ONLY_FOR: "cuda, cuda,", FOR_CUSTOM: "npu"}, "cuda"),
        (None, {FOR_CUSTOM: "npu"}, "npu"),
        (None, {FOR_CUSTOM: "privateuse1"}, "privateuseone"),
        (None, {ONLY_FOR: "privateuse1"}, "privateuseone"),
    ],
)
def test_the_device_is_the_one_that_is_asked_for_most_strongly(name, variables, device):
    assert choose_device(name, variables) == device


@pytest.mark.parametrize("variable", [ONLY_FOR, FOR_CUSTOM])
def test_several_devices_are_several_runs(variable):
    with pytest.raises(ValueError, match=f"{variable} lists cuda, cpu, and a run judges one: choose it with --device"):
        choose_device(None, {variable: "cuda,cpu"})


def test_the_variables_have_the_names_that_torch_gives_them():
    # As text: what tests torch's own devices does not import on a plain install.
    source = Path(torch.__file__).parent / "testing" / "_internal" / "common_device_type.py"
    text = source.read_text(encoding="utf-8")

    assert f'"{ONLY_FOR}"' in text
    assert f'"{FOR_CUSTOM}"' in text
    assert "PYTORCH_TESTING_DEVICE_FOR_CUSTOM=privateuse1" in text
    assert str(torch.device(probe.PRIVATE["privateuse1"]))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A vendor's package with this code in it."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, code):
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
        return name

    return write


def test_a_vendors_package_is_imported(package):
    load_module(package("vendor_works", "import torch"))

    assert "vendor_works" in sys.modules


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_vendor", "there is no package 'no_such_vendor'"),
        ("json.no_such_part", "there is no package 'json.no_such_part'"),
        ("a-dash", "'a-dash' is no name of a package"),
        ("", "'' is no name of a package"),
        (".relative", "'.relative' is no name of a package"),
    ],
)
def test_a_package_that_is_not_there_is_a_mistake(name, message):
    with pytest.raises(UnknownModuleError, match=message):
        load_module(name)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import no_such_runtime", "ModuleNotFoundError: No module named 'no_such_runtime'"),
        ("raise ImportError('libvendor.so: undefined symbol\\nmore')", "ImportError: libvendor.so: undefined symbol$"),
        ("raise ValueError('no licence')", "ValueError: no licence"),
    ],
    ids=["misses-another", "broken", "raises"],
)
def test_a_package_that_does_not_import_is_the_environments_fault(package, code, message):
    name = package(f"vendor_{len(code)}", code)

    with pytest.raises(UnusableDeviceError, match=f"{name} does not import: {message}"):
        load_module(name)


def test_the_cpu_resolves_and_computes():
    assert resolve_device("cpu") == torch.device("cpu")
    assert device_failure(torch.device("cpu")) is None
    assert dtype_unavailable_reason(torch.device("cpu"), torch.float64) is None


def test_a_device_that_torch_does_not_know():
    with pytest.raises(UnknownDeviceError, match="torch knows no device 'abacus'") as caught:
        resolve_device("abacus")

    assert "\n" not in str(caught.value)


def test_a_device_that_does_not_work_here():
    with pytest.raises(UnusableDeviceError, match=r"device 'meta' does not work here: .") as caught:
        resolve_device("meta")

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("known", "message"),
    [("no driver", "no driver"), (None, r"device 'cuda' does not work here: CUDA error: no kernel image")],
    ids=["known", "unknown"],
)
def test_of_cuda_it_is_said_what_is_missing(monkeypatch, known, message):
    def arange(*_, **__):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nand more")

    monkeypatch.setattr(torch, "arange", arange)
    monkeypatch.setattr(cuda, "problem", lambda device: known)

    with pytest.raises(UnusableDeviceError, match=f"^{message}"):
        resolve_device("cuda")


def test_where_what_is_missing_can_not_be_found_the_device_is_quoted(monkeypatch):
    def fail(*_, **__):
        raise OSError("the driver does not answer")

    monkeypatch.setattr(torch, "arange", fail)
    monkeypatch.setattr(cuda, "problem", fail)

    with pytest.raises(UnusableDeviceError, match=r"^device 'cuda' does not work here: the driver does not answer$"):
        resolve_device("cuda")


def test_a_device_that_warns_works(monkeypatch):
    arange, ones = torch.arange, torch.ones

    def warning(call):
        def warn(*args, **options):
            warnings.warn("this device is new", UserWarning, stacklevel=2)
            return call(*args, **options)

        return warn

    monkeypatch.setattr(torch, "arange", warning(arange))
    monkeypatch.setattr(torch, "ones", warning(ones))

    assert resolve_device("cpu") == torch.device("cpu")
    assert dtype_unavailable_reason(torch.device("cpu"), torch.float64) is None


def test_a_device_that_computes_wrongly(monkeypatch):
    monkeypatch.setattr(torch, "arange", lambda *_, **__: torch.zeros(4))

    with pytest.raises(UnusableDeviceError, match="adds 0, 1, 2 and 3 to 0"):
        resolve_device("cpu")


def test_a_dtype_that_a_device_lacks_is_said_in_its_words():
    assert dtype_unavailable_reason(torch.device("meta"), torch.float32).startswith(
        "meta can't compute in torch.float32: "
    )


@pytest.mark.parametrize(("said", "dtype"), [(None, torch.float64), ("no float64 here", torch.float32)])
def test_the_finest_dtype_is_float64_where_there_is_one(monkeypatch, said, dtype):
    monkeypatch.setattr(
        probe, "dtype_unavailable_reason", lambda device, asked: said if asked == torch.float64 else None
    )

    assert probe.finest_dtype.__wrapped__("cpu") == dtype


@pytest.mark.parametrize("problem", [None, "no driver"])
def test_the_driver_is_asked_before_anything_is_installed(monkeypatch, capsys, problem):
    monkeypatch.setattr(cuda, "driver_problem", lambda: problem)

    assert main("cuda") == (ExitCode.CANNOT_ANSWER if problem else 0)
    assert capsys.readouterr().err == (f"environment can't answer: {problem}\n" if problem else "")
    assert main("cpu") == 0


def test_asking_for_the_driver_imports_nothing_that_would_have_to_be_installed():
    code = (
        "import sys; before = set(sys.modules); import conformance.devices.probe as d; d.main('cuda'); "
        "sys.exit(bool({name.partition('.')[0] for name in set(sys.modules) - before} "
        "- sys.stdlib_module_names - {'conformance'}))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_facts_are_those_of_this_build(monkeypatch):
    facts = environment_facts(torch.device("cpu"))

    assert facts["torch"] == torch.__version__
    assert type(facts["torch"]) is str
    assert facts["threads"] == torch.get_num_threads()
    assert facts["cpu_capability"] in torch.__config__.show()
    assert facts["packages"]["pytest"] == pytest.__version__
    assert facts["accelerators"] == []
    monkeypatch.setattr(torch.__config__, "show", lambda: "nothing")
    monkeypatch.setattr(environment, "PACKAGES", ("no-such-package",))
    assert environment_facts(torch.device("cpu"))["cpu_capability"] == "unknown CPU capability"
    assert environment_facts(torch.device("cpu"))["packages"] == {"no-such-package": None}
    assert ExitCode.CANNOT_ANSWER not in {code.value for code in pytest.ExitCode}


def test_the_facts_name_the_devices_of_the_type_that_is_judged(monkeypatch):
    vendors = SimpleNamespace(device_count=lambda: 2, get_device_name=lambda index: f"Abacus {index}")
    monkeypatch.setattr(torch, "xpu", vendors)

    assert environment_facts(torch.device("xpu"))["accelerators"] == ["Abacus 0", "Abacus 1"]
    assert environment_facts(torch.device("vulkan"))["accelerators"] == []


def test_devices_that_do_not_give_their_names_end_nothing(monkeypatch):
    def fail(index):
        raise RuntimeError(f"no answer from {index}\nand more")

    monkeypatch.setattr(torch, "xpu", SimpleNamespace(device_count=lambda: 2, get_device_name=fail))

    assert environment_facts(torch.device("xpu"))["accelerators"] == ["unknown: no answer from 0"]
