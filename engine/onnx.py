"""Networks as ONNX models, for everything that runs those: onnxruntime, browsers, phones, other frameworks.

Such a model takes ``images`` (batch, *input_shape) float32 in [0, 1] and gives ``probabilities`` (batch, K). Writing one
needs the package ``onnx``, which is imported only then.
"""

import numpy as np

from engine.activations import LeakyReLU
from engine.checks import InklingError, check_choice
from engine.files import whole_file

OPSET = 20  # https://onnx.ai/onnx/operators: the first with Gelu, and so the one that most runtimes read
INPUT, OUTPUT = "images", "probabilities"


class Graph:
    """The nodes of a model in the order in which they run, and the arrays that they hold."""

    def __init__(self):
        self.nodes = []  # (operator, the names of its inputs, the name of its output, its attributes)
        self.arrays = {}

    def node(self, operator, *inputs, **attributes):
        """Add a node and return its output's name; each input is the name of an earlier output, or an array to hold."""
        output = f"{operator}_{len(self.nodes) + 1}"
        names = [x if isinstance(x, str) else self._hold(f"{output}_{place}", x) for place, x in enumerate(inputs)]
        self.nodes.append((operator, names, output, attributes))
        return output

    def _hold(self, name, array):
        self.arrays[name] = np.asarray(array, np.int64 if array.dtype.kind == "i" else np.float32)
        return name


def dense(graph, x, layer):
    return graph.node("Gemm", x, layer.W, layer.b)


def activation(graph, x, layer):
    function = check_choice("an activation in an ONNX model", layer.function, ACTIVATION_NODES)
    return ACTIVATION_NODES[function](graph, x)


def conv2d(graph, x, layer):
    pads = [layer.padding] * 4  # above, left, below, right
    return graph.node("Conv", x, layer.W, layer.b, strides=[layer.stride] * 2, pads=pads)


def max_pool2d(graph, x, layer):
    return graph.node("MaxPool", x, kernel_shape=[layer.size] * 2, strides=[layer.stride or layer.size] * 2)


def avg_pool2d(graph, x, layer):
    return graph.node("AveragePool", x, kernel_shape=[layer.size] * 2, strides=[layer.stride or layer.size] * 2)


def flatten(graph, x, layer):
    return graph.node("Flatten", x)


def batch_norm(graph, x, layer):
    arrays = layer.gamma, layer.beta, layer.mean, layer.variance
    return graph.node("BatchNormalization", x, *arrays, epsilon=layer.epsilon)


def dropout(graph, x, layer):
    return x  # it drops in training only


def softmax(graph, x):
    return graph.node("Softmax", x, axis=-1)


def normalised(graph, x):
    last = np.array([-1])
    clipped = graph.node("Clip", x, np.float32(0), np.float32(1))
    says = graph.node("Greater", graph.node("ReduceSum", clipped, last), np.float32(0))
    parts = graph.node("Where", says, clipped, np.float32(1))  # a row that says nothing becomes equal parts
    return graph.node("Div", parts, graph.node("ReduceSum", parts, last))


# Each adds the nodes of its layer behind the value named ``x``, and returns the name of what they give.
LAYER_NODES = {
    "dense": dense,
    "activation": activation,
    "conv2d": conv2d,
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "flatten": flatten,
    "batch_norm": batch_norm,
    "dropout": dropout,
}
ACTIVATION_NODES = {
    "relu": lambda graph, x: graph.node("Relu", x),
    "leaky_relu": lambda graph, x: graph.node("LeakyRelu", x, alpha=LeakyReLU.slope),
    "sigmoid": lambda graph, x: graph.node("Sigmoid", x),
    "tanh": lambda graph, x: graph.node("Tanh", x),
    "gelu": lambda graph, x: graph.node("Gelu", x, approximate="tanh"),
    "identity": lambda graph, x: x,
    "softmax": softmax,
}
OUTPUT_NODES = {"softmax": softmax, "normalised": normalised}


def to_onnx(network):
    """``network`` as the bytes of an ONNX model that has passed ONNX's own checker.

    Raises ``InklingError`` without the package ``onnx``, and for a layer that has no function here.
    """
    try:
        from onnx import TensorProto, checker, helper, numpy_helper
    except ImportError:
        raise InklingError("an ONNX model needs the package onnx: pip install onnx") from None
    graph, x = Graph(), INPUT
    for layer in network.layers:
        x = LAYER_NODES[check_choice("a layer in an ONNX model", layer.kind, LAYER_NODES)](graph, x, layer)
    x = OUTPUT_NODES[check_choice("the output of an ONNX model", network.output, OUTPUT_NODES)](graph, x)

    def batch_of(name, shape, description):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape], description)

    nodes = [helper.make_node(operator, names, [y], y, **attributes) for operator, names, y, attributes in graph.nodes]
    nodes.append(helper.make_node("Identity", [x], [OUTPUT]))  # gives the result its name; runtimes drop it
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "network",
            inputs=[batch_of(INPUT, network.input_shape, "grey values from 0, paper, to 1, ink")],
            outputs=[batch_of(OUTPUT, network.output_shape, "of each class, summing to 1")],
            initializer=[numpy_helper.from_array(array, name) for name, array in graph.arrays.items()],
        ),
        opset_imports=opsets,
        ir_version=helper.find_min_ir_version_for(opsets),  # the newest, its default, would shut out older runtimes
        producer_name="Inkling",
        doc_string="A neural network trained with Inkling.",
    )
    checker.check_model(model, full_check=True)
    return model.SerializeToString()


def save_onnx(path, network):
    """Write ``network`` to ``path`` as an ONNX model, whole or not at all; raises as ``to_onnx`` does."""
    model = to_onnx(network)
    with whole_file(path) as file:
        file.write(model)
