"""Is a graph captured and used as torch says, where none of the machines at hand has graphs?"""

import warnings
from contextlib import contextmanager

import torch

from conformance.devices import features
from conformance.devices.features import GRAPHS, DeviceFeature, SecondDevice, capture_graph

CPU = torch.device("cpu")


class Played:
    """What torch.cuda is for CUDA, and writes down what is asked of it."""

    def __init__(self):
        self.asked = []
        self.Stream = lambda: "a stream"
        self.CUDAGraph = lambda: "a graph"

    def synchronize(self):
        self.asked.append("synchronize")

    @contextmanager
    def stream(self, stream):
        self.asked.append(f"on {stream}")
        yield

    @contextmanager
    def graph(self, graph):
        self.asked.append(f"into {graph}")
        yield


def test_a_call_is_tried_on_a_stream_before_it_is_captured(monkeypatch):
    played, calls = Played(), []
    monkeypatch.setattr(features, "device_namespace", lambda device: played)

    graph, out = capture_graph(CPU, lambda: calls.append(len(played.asked)) or torch.ones(3))

    assert graph == "a graph"
    assert out.tolist() == [1, 1, 1]
    assert played.asked == ["synchronize", "on a stream", "synchronize", "into a graph"]
    assert calls == [2, 4]


def test_a_device_without_graphs_says_so():
    assert GRAPHS.unavailable_reason(CPU).startswith("cpu has no graphs: AttributeError")


def test_a_feature_that_warns_is_there():
    warns = DeviceFeature("warnings", lambda *_: warnings.warn("this feature is new", UserWarning, stacklevel=1))

    assert warns.unavailable_reason(CPU) is None


def test_a_second_device_that_can_not_be_asked_for_is_not_there():
    odd = SecondDevice("odd", lambda device: torch.device(device.type, device.index + 1))

    assert odd.unavailable_reason(CPU).startswith("the probe failed: TypeError: ")
