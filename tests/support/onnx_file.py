"""Writes ONNX files without the onnx package: what the tests need of the format, field numbers as in onnx.proto. Nothing is checked, so a file may be as
wrong as a test wants it.

    node("TreeEnsembleRegressor", ["X"], ["Y"], domain="ai.onnx.ml", n_targets=1, nodes_values=[0.5], …)
    model([node, …], inputs=[("X", FLOAT, 3)], outputs=[("Y", FLOAT)], constants={"W": array(rows)})"""
import struct

FLOAT, UINT8, INT32, INT64, STRING, DOUBLE = 1, 2, 6, 7, 8, 11
SIZES = {FLOAT: "f", UINT8: "B", INT32: "i", INT64: "q", DOUBLE: "d"}


def varint(value):
    value &= (1 << 64) - 1
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    """A field: bytes, text or a message as bytes, a whole number as varint, a float as 4 bytes."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3) + varint(int(value))


class Tensor:
    """Numbers of one type with a shape, as raw bytes."""

    def __init__(self, values, kind=FLOAT, shape=None):
        self.bytes = b"".join(field(1, n) for n in (shape if shape is not None else [len(values)])) + field(2, kind)
        self.bytes += field(9, struct.pack(f"<{len(values)}{SIZES[kind]}", *values))


def attribute(name, value):
    out = field(1, name)
    if isinstance(value, Tensor):
        return out + field(5, value.bytes) + field(20, 4)
    if isinstance(value, bool) or isinstance(value, int):
        return out + field(3, value) + field(20, 2)
    if isinstance(value, float):
        return out + field(2, value) + field(20, 1)
    if isinstance(value, str):
        return out + field(4, value) + field(20, 3)
    if len(value) > 0 and isinstance(value[0], str):
        return out + b"".join(field(9, v) for v in value) + field(20, 8)
    if any(isinstance(v, float) for v in value):
        return out + b"".join(field(7, float(v)) for v in value) + field(20, 6)
    return out + b"".join(field(8, v) for v in value) + field(20, 7)


def node(op, inputs, outputs, domain="", name="", **attributes):
    out = b"".join(field(1, i) for i in inputs) + b"".join(field(2, o) for o in outputs) + field(3, name) + field(4, op)
    out += b"".join(field(5, attribute(k, v)) for k, v in attributes.items() if v is not None)
    return out + field(7, domain)


def value(name, kind, columns=None):
    """columns None: no shape; 0: a column count that is not said; "map": a sequence of maps."""
    if columns == "map":
        return field(1, name) + field(2, field(4, field(1, b"")))
    tensor = field(1, kind)
    if columns is not None:
        tensor += field(2, field(1, field(2, "N")) + field(1, field(1, columns) if columns else field(2, "C")))
    return field(1, name) + field(2, field(1, tensor))


def model(nodes, inputs, outputs, constants=None, opset=18, opset_ml=3):
    graph = b"".join(field(1, n) for n in nodes) + field(2, "g")
    graph += b"".join(field(5, t.bytes + field(8, n)) for n, t in (constants or {}).items())
    graph += b"".join(field(11, value(*i)) for i in inputs) + b"".join(field(12, value(*o)) for o in outputs)
    out = field(1, 9) + field(2, "ride") + field(3, "1") + field(7, graph)
    return out + field(8, field(1, "") + field(2, opset)) + field(8, field(1, "ai.onnx.ml") + field(2, opset_ml))
