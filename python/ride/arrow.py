"""Anything that speaks the Arrow PyCapsule protocol (pyarrow, polars, pandas, DuckDB …) as batches for ride_predict_arrow. No Arrow library is
needed: the structs of the C data and stream interfaces are read in place, and the producer keeps what is its own."""
import ctypes
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p

capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
capsule_pointer.restype, capsule_pointer.argtypes = c_void_p, [ctypes.py_object, c_char_p]


class ArrowSchema(Structure):
    pass


class ArrowArray(Structure):
    pass


class ArrowArrayStream(Structure):
    pass


ArrowSchema._fields_ = [("format", c_char_p), ("name", c_char_p), ("metadata", c_void_p), ("flags", c_int64), ("n_children", c_int64),
                        ("children", c_void_p), ("dictionary", c_void_p), ("release", CFUNCTYPE(None, POINTER(ArrowSchema))),
                        ("private_data", c_void_p)]
ArrowArray._fields_ = [("length", c_int64), ("null_count", c_int64), ("offset", c_int64), ("n_buffers", c_int64), ("n_children", c_int64),
                       ("buffers", c_void_p), ("children", c_void_p), ("dictionary", c_void_p),
                       ("release", CFUNCTYPE(None, POINTER(ArrowArray))), ("private_data", c_void_p)]
ArrowArrayStream._fields_ = [("get_schema", CFUNCTYPE(c_int, POINTER(ArrowArrayStream), POINTER(ArrowSchema))),
                             ("get_next", CFUNCTYPE(c_int, POINTER(ArrowArrayStream), POINTER(ArrowArray))),
                             ("get_last_error", CFUNCTYPE(c_char_p, POINTER(ArrowArrayStream))),
                             ("release", CFUNCTYPE(None, POINTER(ArrowArrayStream))), ("private_data", c_void_p)]


def speaks(rows):
    return hasattr(rows, "__arrow_c_array__") or hasattr(rows, "__arrow_c_stream__")


def batches(rows):
    """(address of an ArrowSchema, address of an ArrowArray, rows in it) for each batch; an address is good until the next one is asked for."""
    if hasattr(rows, "__arrow_c_array__"):
        schema, array = rows.__arrow_c_array__()
        at = capsule_pointer(array, b"arrow_array")
        yield capsule_pointer(schema, b"arrow_schema"), at, ArrowArray.from_address(at).length
        return
    capsule = rows.__arrow_c_stream__()
    stream = ctypes.cast(capsule_pointer(capsule, b"arrow_array_stream"), POINTER(ArrowArrayStream))
    schema = ArrowSchema()
    check(stream, stream.contents.get_schema(stream, schema))
    try:
        while True:
            array = ArrowArray()
            check(stream, stream.contents.get_next(stream, array))
            if not array.release:
                return
            try:
                yield ctypes.addressof(schema), ctypes.addressof(array), array.length
            finally:
                array.release(array)
    finally:
        schema.release(schema)
        stream.contents.release(stream)


def check(stream, code):
    if code == 0:
        return
    text = stream.contents.get_last_error(stream)
    raise OSError(code, text.decode("utf-8", "replace") if text else "the Arrow stream failed")
