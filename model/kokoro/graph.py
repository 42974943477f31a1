"""`Graph`: an ONNX graph to edit, with the producer and the consumers of each tensor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Graph:
    """The nodes and constants of an onnx.ModelProto, for replacing patterns of nodes.

    Replacements take effect together at `commit`, so that patterns are matched on an unchanged graph.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self.nodes: list[Any] = list(model.graph.node)
        self._constants = {constant.name: constant for constant in model.graph.initializer}
        self._replacements: dict[int, list[Any]] = {}
        self._index()

    def producer(self, tensor: str) -> Any | None:
        """The node that makes a tensor; None for inputs and constants."""
        return self._producers.get(tensor)

    def consumers(self, tensor: str) -> list[Any]:
        """The nodes that read a tensor."""
        return self._consumers[tensor]

    def only_consumer(self, tensor: str, operator: str) -> Any | None:
        """The one node that reads a tensor, if it is of that operator; None otherwise and for outputs of the graph."""
        readers = self._consumers[tensor]
        is_inner = len(readers) == 1 and tensor not in self._outputs
        return readers[0] if is_inner and readers[0].op_type == operator else None

    def made_by(self, tensor: str, operator: str) -> Any | None:
        """The node that makes a tensor, if it is of that operator."""
        node = self._producers.get(tensor)
        return node if node is not None and node.op_type == operator else None

    def value(self, tensor: str) -> Array | None:
        """The value of a constant; None for other tensors."""
        from onnx import numpy_helper

        constant = self._constants.get(tensor)
        return None if constant is None else np.asarray(numpy_helper.to_array(constant))

    def constant(self, name: str, value: Array) -> str:
        """Add a constant, unless there is one of that name. Returns the name."""
        from onnx import numpy_helper

        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def replace(self, node: Any, nodes: Sequence[Any]) -> None:
        """Put nodes in the place of one, from the next `commit` on. They make the same tensors."""
        self._replacements[id(node)] = list(nodes)

    def commit(self) -> None:
        """Make the replacements, and drop the nodes whose results nobody reads any more."""
        nodes = [new for node in self.nodes for new in self._replacements.get(id(node), [node])]
        self._replacements = {}
        while True:
            read = self._outputs | {tensor for node in nodes for tensor in node.input}
            kept = [node for node in nodes if any(tensor in read for tensor in node.output)]
            if len(kept) == len(nodes):
                break
            nodes = kept
        self.nodes = nodes
        self._index()

    def add_output(self, tensor: str) -> None:
        """Make a float32 tensor an output of the graph, after the others."""
        from onnx import TensorProto, helper

        self._model.graph.output.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, None))
        self._index()

    def model(self) -> Any:
        """The onnx.ModelProto with the graph as it is now; the one that was given is changed."""
        graph = self._model.graph
        read = {tensor for node in self.nodes for tensor in node.input}
        constants = [constant for name, constant in self._constants.items() if name in read]
        for field, values in (("node", self.nodes), ("initializer", constants), ("value_info", [])):
            graph.ClearField(field)
            getattr(graph, field).extend(values)
        return self._model

    def _index(self) -> None:
        self._outputs = {output.name for output in self._model.graph.output}
        self._producers = {tensor: node for node in self.nodes for tensor in node.output}
        self._consumers: defaultdict[str, list[Any]] = defaultdict(list)
        for node in self.nodes:
            for tensor in node.input:
                self._consumers[tensor].append(node)


def attributes(node: Any) -> dict[str, Any]:
    """The attributes of a node, by name."""
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
