"""libride through ctypes, whose calls release the GIL: the functions of ride/ride.h, contexts of threads, and errors as exceptions. NumPy is not
needed here, nor when this package is built."""
import ctypes
import os
import threading
import weakref
from ctypes import POINTER, Structure, byref, c_char_p, c_double, c_float, c_int, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path

F32, F64 = 1, 2


class RideError(Exception):
    """What libride refused, in its own words. The subclasses say what kind of fault it was."""


class ModelError(RideError, ValueError):
    """The file is no model, or a bad one; every finding is a line of the text."""


class DataError(RideError, ValueError):
    """The rows do not fit the model."""


class UnsupportedError(RideError, NotImplementedError):
    """A fine model or call, of a kind that this version does not do."""


class MissingFileError(RideError, FileNotFoundError):
    """The model file cannot be opened or read."""


for _error in (RideError, ModelError, DataError, UnsupportedError, MissingFileError):
    _error.__module__ = "ride"  # the name that a person imports and reads in a traceback
ERRORS = {1: DataError, 2: MissingFileError, 3: ModelError, 4: UnsupportedError, 5: DataError, 6: MemoryError, 7: RideError}


class ContextOptions(Structure):
    _fields_ = [("struct_bytes", c_uint32), ("threads", c_uint32)]


class LoadOptions(Structure):
    _fields_ = [("struct_bytes", c_uint32), ("best_iteration", c_uint32), ("bytes_max", c_uint64), ("trees_max", c_uint32),
                ("nodes_max", c_uint32)]


class Matrix(Structure):
    _fields_ = [("values", c_void_p), ("number", c_int), ("columns_count", c_uint32), ("rows_count", c_uint64),
                ("row_stride", c_int64), ("column_stride", c_int64)]


class Scores(Structure):
    _fields_ = [("margins", c_void_p), ("answers", c_void_p), ("number", c_int)]


class Explanation(Structure):
    _fields_ = [("values", c_void_p), ("number", c_int)]


class ExplainOptions(Structure):
    _fields_ = [("struct_bytes", c_uint32), ("reserved", c_uint32), ("bytes_max", c_uint64), ("background", POINTER(Matrix))]


FUNCTIONS = {
    "ride_version": (c_char_p,),
    "ride_context_create": (c_int, c_void_p, POINTER(c_void_p)),
    "ride_context_destroy": (None, c_void_p),
    "ride_context_error": (c_char_p, c_void_p),
    "ride_load": (c_int, c_void_p, c_char_p, c_void_p, POINTER(c_void_p)),
    "ride_load_memory": (c_int, c_void_p, c_void_p, c_size_t, c_char_p, c_void_p, POINTER(c_void_p)),
    "ride_unload": (None, c_void_p),
    "ride_inputs_count": (c_uint32, c_void_p),
    "ride_outputs_count": (c_uint32, c_void_p),
    "ride_input_number": (c_int, c_void_p),
    "ride_output_number": (c_int, c_void_p),
    "ride_input_name": (c_char_p, c_void_p, c_uint32),
    "ride_input_is_category": (c_int, c_void_p, c_uint32),
    "ride_input_categories_count": (c_uint32, c_void_p, c_uint32),
    "ride_input_category": (c_char_p, c_void_p, c_uint32, c_uint32),
    "ride_info": (c_char_p, c_void_p),
    "ride_predict": (c_int, c_void_p, c_void_p, c_void_p, c_void_p),
    "ride_predict_arrow": (c_int, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p),
    "ride_explain": (c_int, c_void_p, c_void_p, c_void_p, c_void_p),
    "ride_explain_prepare": (c_int, c_void_p, c_void_p, c_void_p, POINTER(c_void_p)),
    "ride_explain_release": (None, c_void_p),
    "ride_explain_by": (c_int, c_void_p, c_void_p, c_void_p, c_void_p),
}


def candidates():
    """Where the library may be: named by RIDE_LIBRARY, beside this file (the wheel), in a build of the source tree, in an installed tree, or where
    the system looks."""
    here = Path(__file__).resolve().parent
    if os.environ.get("RIDE_LIBRARY"):
        return [os.environ["RIDE_LIBRARY"]]
    if (here / "libride.so").exists():
        return [str(here / "libride.so")]
    folders = (here.parents[1] / "build/release/lib", here.parents[2] / "lib") if len(here.parents) > 2 else ()
    return [str(folder / "libride.so.0") for folder in folders if (folder / "libride.so.0").exists()] + ["libride.so.0"]


def opened():
    reasons = []
    for path in candidates():
        try:
            library = ctypes.CDLL(path)
        except OSError as error:
            reasons.append(f"{path}: {error}")
            continue
        for name, (result, *arguments) in FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        return library
    raise ImportError("libride cannot be opened (RIDE_LIBRARY may name it): " + "; ".join(reasons))


lib = opened()
own = threading.local()  # contexts of this thread, by their number of threads
forks = [0]              # contexts of a parent have no threads in its child


def after_fork():
    forks[0] += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=after_fork)


def destroy(handle, fork):
    if fork == forks[0]:
        lib.ride_context_destroy(handle)


class Context:
    """What one Python thread works with: `threads` threads of libride, scratch memory, the last error."""

    def __init__(self, threads):
        self.handle, self.fork = c_void_p(), forks[0]
        options = ContextOptions(ctypes.sizeof(ContextOptions), threads)
        result = lib.ride_context_create(byref(options), byref(self.handle))
        if result != 0:
            raise ERRORS.get(result, RideError)(f"no context of {threads} threads can be made")
        weakref.finalize(self, destroy, self.handle, self.fork).atexit = False  # a daemon thread may be in a call then

    def check(self, result):
        if result == 0:
            return
        text = lib.ride_context_error(self.handle).decode("utf-8", "replace")
        raise ERRORS.get(result, RideError)(text)


def context(threads):
    """This thread's context of so many threads."""
    known = own.__dict__
    found = known.get(threads)
    if found is None or found.fork != forks[0]:
        found = known[threads] = Context(threads)
    return found
