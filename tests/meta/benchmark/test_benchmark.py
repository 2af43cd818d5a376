"""Does the speed table time what is right, say what it leaves out, and draw what it recorded?"""

import json
import math

import pytest
import torch

from conformance.benchmark import __main__ as command
from conformance.benchmark import grid, measure, roofline, variants, verify
from conformance.benchmark.grid import Size
from conformance.benchmark.networks import NETWORKS, Network, cnn_by_hand
from conformance.reference.simple_cnn import small_cnn
from conformance.utils.exit_codes import ExitCode
from conformance.utils.torch_compile import EAGER, Backend

CPU = torch.device("cpu")
TINY = Network("tiny", small_cnn, cnn_by_hand, sample=(1, 8, 8), classes=13)
QUICK = roofline.Floor(math.inf, math.inf)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Chunks of two members, few rounds, and nothing is compiled, which takes seconds."""
    monkeypatch.setattr(variants, "CHUNK", 2)
    monkeypatch.setattr(variants, "BACKEND", Backend("no_such_backend"))
    monkeypatch.setattr(measure, "MAX_ROUNDS", 3)


def rows(network, *, machine=QUICK, limit=60.0, members=3, says=None):
    size = Size(network, members, 5)
    return list(measure.measure_rows([size], CPU, machine, limit, (says if says is not None else []).append))


def test_every_network_is_measured_at_every_size():
    assert len(grid.SIZES) == len({str(size) for size in grid.SIZES}) == 2 * 6 * 3
    assert str(grid.SIZES[-1]) == "SimpleCNN, 100 members, minibatches of 64"


@pytest.mark.parametrize("network", [TINY, NETWORKS[0]], ids=lambda network: network.name)
def test_each_form_is_right_and_gets_its_ratio(network):
    says = []

    table = rows(network, says=says)

    assert [row["what"] for row in table] == ["forward", "backward", "step"]
    assert says == [f"1 of 1: {network.name}, 3 members, minibatches of 5; 60 s of timing left"]
    for row in table:
        assert list(row["forms"]) == list(variants.VARIANTS)
        timed = [each for form, each in row["forms"].items() if form != "compiled"]
        assert all(each["ratio"] > 0 and each["low"] <= each["high"] for each in timed)
        assert row["forms"]["loop"]["ratio"] == 1


def test_what_is_compiled_is_right_too(monkeypatch):
    monkeypatch.setattr(variants, "BACKEND", EAGER)
    monkeypatch.setattr(measure, "TASKS", ("step",))

    (row,) = rows(TINY)

    assert row["forms"]["compiled"]["ratio"] > 0


def test_a_fast_form_that_is_wrong_is_not_timed():
    neighbours = Network("tiny", small_cnn, lambda *given: cnn_by_hand(*given).roll(1, 0), (1, 8, 8), 13)

    for row in rows(neighbours):
        assert row["forms"]["by hand"]["reason"].startswith("wrong: member 0")
        assert row["forms"]["vmap"]["ratio"] > 0


def test_a_form_that_fails_says_how():
    def by_hand(state, images):
        raise RuntimeError("out of memory\nand more")

    table = rows(Network("tiny", small_cnn, by_hand, (1, 8, 8), 13))

    assert [row["forms"]["by hand"] for row in table] == [{"reason": "fails: RuntimeError: out of memory"}] * 3


@pytest.mark.parametrize("what", ["backward", "step"])
def test_gradients_and_steps_are_checked(what):
    models, images, classes = Size(TINY, 3, 5).draw(CPU)
    expected = verify.ExpectedResults(models, images, classes)
    right, stale = (
        variants.LoopVariant(models, images, classes),
        variants.LoopVariant(models, images.flip(1).mul(2), classes),
    )

    assert expected.check(right, "backward") > 0
    with pytest.raises(AssertionError, match=rf"member 0: {what}"):
        expected.check(stale, what)


def test_what_there_is_no_form_for_is_said():
    for row in rows(TINY, members=2):
        assert row["forms"]["chunks"] == {"reason": "a chunk has 2 members: equal to vmap"}
        assert "no_such_backend does not work here" in row["forms"]["compiled"]["reason"]


@pytest.mark.parametrize("machine", [roofline.Floor(1e-9, 1e-9), QUICK], ids=["foreseen", "found"])
def test_what_would_outlast_the_limit_is_said(machine):
    (*_, row) = rows(TINY, machine=machine, limit=0.0)

    assert row["rounds"] == 0
    reasons = {form: each["reason"] for form, each in row["forms"].items()}
    assert {reasons[form] for form in ("loop", "vmap", "chunks", "by hand")} == {measure.TOO_LONG}
    assert "no_such_backend" in reasons["compiled"]


def test_the_floor_is_measured_and_counted():
    machine = roofline.measure_floor(CPU, side=16, numbers=64)
    models, images, classes = Size(NETWORKS[0], 1, 5).draw(CPU)

    flops, moved = roofline.count_flops(models[0], images[0], classes[0]), roofline.count_bytes(models[0])

    assert machine.flops > 0
    assert machine.bytes > 0
    products = 784 * 256 + 256 * 256 + 256 * 10
    assert flops["forward"] == 2 * 5 * products
    # What reaches the images needs no gradient.
    assert flops["backward"] == flops["step"] == 2 * 5 * (3 * products - 784 * 256)
    assert moved["step"] == 5 * moved["forward"] == 5 * 4 * (products + 256 + 256 + 10)
    assert roofline.Floor(10, 2).least(30, 4) == 3
    assert roofline.Floor(10, 2).least(30, 8) == 4


def test_the_command_writes_a_line_a_cell(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(grid, "SIZES", [Size(TINY, 2, 3)])
    monkeypatch.setattr(roofline, "measure_floor", lambda device: roofline.Floor(1e9, 1e9))
    monkeypatch.setenv(command.TUNABLES, "glibc.malloc.mmap_threshold=1")
    result = tmp_path / "result.json"

    code = command.main(["--device", "cpu", "--result", str(result), "--limit", "0"])

    written = json.loads(result.read_text(encoding="utf-8"))
    assert code == 0
    assert [row["what"] for row in written["rows"]] == list(grid.TASKS)
    assert sum('"what"' in line for line in result.read_text(encoding="utf-8").splitlines()) == 3
    assert written["environment"]["glibc_tunables"] == "glibc.malloc.mmap_threshold=1"
    assert written["floor"] == {"flops": 1e9, "bytes": 1e9}
    assert "1 of 1: tiny" in capsys.readouterr().err


def test_a_device_that_does_not_work_is_no_answer(tmp_path, capsys):
    assert command.main(["--device", "nonsense", "--result", str(tmp_path / "result.json")]) == ExitCode.CANNOT_ANSWER
    assert "environment can't answer" in capsys.readouterr().err
