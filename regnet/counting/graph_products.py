"""Products in TensorFlow's graph of a layer that has no rule: whether there are any.

The names are those of TensorFlow's operations for what counts (``counting_rules``): matrix
products, convolutions and max pooling; and for calls of other graphs, such as loops, whose
insides are not looked into.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

PRODUCTS = frozenset(
    {
        *("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum", "XlaDot"),
        *("SparseMatMul", "SparseTensorDenseMatMul", "XlaDotV2", "XlaEinsum"),
        *("Conv", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "XlaConv", "XlaConvV2"),
        *("Conv2DBackpropInput", "Conv2DBackpropInputV2", "Conv3DBackpropInput"),
        *("Conv3DBackpropInputV2", "DepthwiseConv2dNativeBackpropInput"),
        *("MaxPool", "MaxPoolV2", "MaxPool3D", "MaxPoolWithArgmax", "Dilation2D"),
    }
)
CALLS = frozenset(
    {
        *(
            "PartitionedCall",
            "StatefulPartitionedCall",
            "XlaLaunch",
            "RemoteCall",
            "SymbolicGradient",
        ),
        *("While", "StatelessWhile", "If", "StatelessIf", "Case", "StatelessCase", "For"),
        *("MapDefun", "PyFunc", "EagerPyFunc", "PyFuncStateless"),
    }
)


def why_uncountable(operations: Iterable[Any]) -> str:
    """Return what stands against counting a layer as free, or nothing."""
    kinds = dict.fromkeys(operation.type for operation in operations)
    products = [kind for kind in kinds if kind in PRODUCTS]
    if products:
        return f"multiplies or pools outside standard layers ({', '.join(products)})"
    calls = [kind for kind in kinds if kind in CALLS]
    return f"runs a loop or a function of its own ({', '.join(calls)})" if calls else ""
