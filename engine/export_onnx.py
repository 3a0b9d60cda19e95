"""Export of networks as ONNX models, which run in onnxruntime, in browsers, on phones and in other frameworks.

A model takes ``images`` (batch, *input_shape) float32 in [0, 1] and gives ``probabilities`` (batch, K). Its metadata, in
JSON, say the rest: ``class_names`` (K,), ``input_range`` (paper, ink), and ``threshold``: the network is not sure if the
largest probability is below it. The package ``onnx`` is optional; it is imported when a model is made.
"""

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.activations import LeakyReLU
from engine.calibration import threshold
from engine.checks import InklingError, check_choice, check_integer
from engine.files import atomic_write
from engine.layers import BatchNorm, Conv2D, Dense
from engine.network import Network

OPSET = 20  # https://onnx.ai/onnx/operators: the oldest one with Gelu, and so the one that most runtimes know
OLDEST_OPSET = 13  # the first in which ReduceSum takes its axes as an input
FIRST_OPSETS = {"Gelu": 20}  # of operators that came later
INPUT, OUTPUT = "images", "probabilities"


class Graph:
    """The nodes of a model in the order in which they run, and the constant arrays that they use."""

    def __init__(self) -> None:
        self.nodes: list[tuple[str, list[str], str, dict[str, Any]]] = []  # operator, input names, output name, attributes
        self.arrays: dict[str, npt.NDArray] = {}

    def node(self, operator: str, *inputs: str | npt.NDArray | np.generic, **attributes: Any) -> str:
        """Add a node and return the name of its output. Each input is the name of an earlier output, or a constant array."""
        output = f"{operator}_{len(self.nodes) + 1}"
        names = [x if isinstance(x, str) else self._add_array(f"{output}_{i}", x) for i, x in enumerate(inputs)]
        self.nodes.append((operator, names, output, attributes))
        return output

    def _add_array(self, name: str, array: npt.NDArray | np.generic) -> str:
        self.arrays[name] = np.asarray(array, np.int64 if array.dtype.kind == "i" else np.float32)
        return name


def dense(graph: Graph, x: str, layer: Dense) -> str:
    return graph.node("Gemm", x, layer.W, layer.b)


def activation(graph: Graph, x: str, layer: Any) -> str:
    function = check_choice("an activation in an ONNX model", layer.function, ACTIVATION_NODES)
    return ACTIVATION_NODES[function](graph, x)


def conv2d(graph: Graph, x: str, layer: Conv2D) -> str:
    pads = [layer.padding] * 4  # top, left, bottom, right
    return graph.node("Conv", x, layer.W, layer.b, strides=[layer.stride] * 2, pads=pads)


def pooling(operator: str) -> Callable[[Graph, str, Any], str]:
    """The function that adds a pooling layer as a node with this operator."""

    def pool(graph: Graph, x: str, layer: Any) -> str:
        return graph.node(operator, x, kernel_shape=[layer.size] * 2, strides=[layer.stride or layer.size] * 2)

    return pool


def batch_norm(graph: Graph, x: str, layer: BatchNorm) -> str:
    arrays = layer.gamma, layer.beta, layer.mean, layer.variance
    return graph.node("BatchNormalization", x, *arrays, epsilon=layer.epsilon)


def softmax(graph: Graph, x: str) -> str:
    return graph.node("Softmax", x, axis=-1)


def normalised(graph: Graph, x: str) -> str:
    last = np.array([-1])
    clipped = graph.node("Clip", x, np.float32(0), np.float32(1))
    has_positive = graph.node("Greater", graph.node("ReduceSum", clipped, last), np.float32(0))
    values = graph.node("Where", has_positive, clipped, np.float32(1))  # without any, all classes are equal
    return graph.node("Div", values, graph.node("ReduceSum", values, last))


# Each function adds the nodes of a layer to the graph, with ``x`` as input, and returns the name of their output.
LAYER_NODES: dict[str, Callable[[Graph, str, Any], str]] = {
    "dense": dense,
    "activation": activation,
    "conv2d": conv2d,
    "max_pool2d": pooling("MaxPool"),
    "avg_pool2d": pooling("AveragePool"),
    "flatten": lambda graph, x, layer: graph.node("Flatten", x),
    "batch_norm": batch_norm,
    "dropout": lambda graph, x, layer: x,  # it works in training only
}
ACTIVATION_NODES: dict[str, Callable[[Graph, str], str]] = {
    "relu": lambda graph, x: graph.node("Relu", x),
    "leaky_relu": lambda graph, x: graph.node("LeakyRelu", x, alpha=LeakyReLU.slope),
    "sigmoid": lambda graph, x: graph.node("Sigmoid", x),
    "tanh": lambda graph, x: graph.node("Tanh", x),
    "gelu": lambda graph, x: graph.node("Gelu", x, approximate="tanh"),
    "identity": lambda graph, x: x,
    "softmax": softmax,
}
OUTPUT_NODES: dict[str, Callable[[Graph, str], str]] = {"softmax": softmax, "normalised": normalised}


def to_onnx(network: Network, opset: int = OPSET) -> bytes:
    """The bytes of an ONNX model of ``network``, checked by ONNX's own checker.

    ``opset`` is the version of ONNX's operators, from 13: older runtimes need an older one. Raises ``InklingError`` if the
    package ``onnx`` is not installed, for a layer that is not in ``LAYER_NODES``, and for one that the opset does not have.
    """
    try:
        from onnx import TensorProto, checker, defs, helper, numpy_helper
    except ImportError:
        raise InklingError("an ONNX model needs the package onnx: pip install onnx") from None
    check_integer("opset", opset, OLDEST_OPSET, defs.onnx_opset_version())
    graph, x = Graph(), INPUT
    for layer in network.layers:
        x = LAYER_NODES[check_choice("a layer in an ONNX model", layer.kind, LAYER_NODES)](graph, x, layer)
    x = OUTPUT_NODES[check_choice("the output of an ONNX model", network.output, OUTPUT_NODES)](graph, x)
    for operator, *_ in graph.nodes:
        if opset < FIRST_OPSETS.get(operator, OLDEST_OPSET):
            raise InklingError(f"opset must be {FIRST_OPSETS[operator]} or newer for {operator.lower()}, got {opset}")

    def batch_of(name: str, shape: Sequence[int], description: str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape], description)

    nodes = [helper.make_node(operator, names, [y], y, **attributes) for operator, names, y, attributes in graph.nodes]
    nodes.append(helper.make_node("Identity", [x], [OUTPUT]))  # names the result; runtimes remove it
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "network",
            inputs=[batch_of(INPUT, network.input_shape, "grey values from 0 (paper) to 1 (ink)")],
            outputs=[batch_of(OUTPUT, network.output_shape, "probability of each class")],
            initializer=[numpy_helper.from_array(array, name) for name, array in graph.arrays.items()],
        ),
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),  # older runtimes refuse the newest one, the default
        producer_name="Inkling",
        doc_string="A neural network trained with Inkling.",
    )
    facts = {"class_names": network.class_names, "input_range": [0, 1], "threshold": threshold(network)}
    helper.set_model_props(model, {name: json.dumps(fact) for name, fact in facts.items()})
    checker.check_model(model, full_check=True)
    return model.SerializeToString()


def save_onnx(path: str | os.PathLike[str], network: Network, opset: int = OPSET) -> None:
    """Write ``network`` to ``path`` as an ONNX model; raises what ``to_onnx`` and ``atomic_write`` do."""
    model = to_onnx(network, opset)
    with atomic_write(path) as file:
        file.write(model)
