"""Rows as people have them (NumPy arrays, lists, pandas frames) → one matrix of floats or doubles that libride can read where it lies."""
import numpy as np

from .native import F32, F64, DataError

NUMBERS = {F32: np.dtype(np.float32), F64: np.dtype(np.float64)}
CODES = {np.dtype(np.float32): F32, np.dtype(np.float64): F64}


def matrix(rows, model):
    """A 2-D array of float32 or float64 whose columns are the model's inputs; without a copy where it has that form already."""
    is_array = type(rows) is np.ndarray
    if not is_array:
        if is_pandas(rows):
            return frame(rows, model)
        if hasattr(rows, "__dataframe__") and not hasattr(rows, "__array_interface__"):
            return frame(from_interchange(rows), model)
        rows = other(rows)
    if rows.dtype not in CODES:
        rows = converted(rows, NUMBERS[model._input_number])
    if rows.ndim != 2:
        advice = "reshape(1, -1) makes one row of it" if is_array else "[row] is a list of one row"
        raise DataError(f"rows are a matrix; this has {rows.ndim} dimension{'s' if rows.ndim != 1 else ''}" + (f" ({advice})" if rows.ndim == 1 else ""))
    if rows.shape[1] != model.inputs:
        raise DataError(f"the matrix has {rows.shape[1]} columns, the model {model.inputs} inputs")
    size = rows.itemsize
    if not rows.flags.aligned or not rows.dtype.isnative or rows.strides[0] % size or rows.strides[1] % size:
        rows = np.array(rows, dtype=rows.dtype.newbyteorder("="), order="C")
    return rows


def other(rows):
    if hasattr(rows, "tocsr"):
        raise DataError("a sparse matrix does not say whether what it leaves out is zero or missing: make it dense, with zeros or NaN")
    if isinstance(rows, np.ma.MaskedArray):
        return np.ma.filled(rows.astype(np.float64 if rows.dtype != np.float32 else np.float32), np.nan)
    try:
        return np.asarray(rows)
    except ValueError as error:
        raise DataError(f"rows of different lengths: {error}") from None


def converted(array, dtype):
    """Whole numbers, bools, halves and objects, in one rounding."""
    if array.dtype.kind not in "iubfO":
        raise DataError(f"an array of {array.dtype} holds no numbers")
    if array.dtype.kind == "O" and any(isinstance(value, (str, bytes)) for value in array.flat):
        raise DataError("not all values are numbers: there is text among them")  # astype would read "1.5" as a number
    try:
        return array.astype(dtype)
    except (TypeError, ValueError) as error:
        raise DataError(f"not all values are numbers: {error}") from None


def is_pandas(rows):
    return type(rows).__module__.partition(".")[0] == "pandas" and hasattr(rows, "columns")


def from_interchange(rows):
    try:
        from pandas.api.interchange import from_dataframe
    except ImportError:
        raise DataError("a frame of the __dataframe__ protocol is read by way of pandas, which is not installed") from None
    return from_dataframe(rows)


def frame(rows, model):
    """A pandas frame: by name where the model has names, else by place."""
    names = model.feature_names
    if names is None:
        if rows.shape[1] != model.inputs:
            raise DataError(f"the frame has {rows.shape[1]} columns, the model {model.inputs} inputs without names")
        columns = [rows.iloc[:, i] for i in range(model.inputs)]
        in_order = True
    else:
        labels = [str(name) for name in rows.columns]
        places = {name: i for i, name in enumerate(labels)}
        missing = [name for name in names if name not in places]
        if missing:
            raise DataError(f"the frame lacks {len(missing)} of the model's {len(names)} inputs, first `{missing[0]}`")
        twice = {name for name in labels if labels.count(name) > 1} & set(names) if len(places) < len(labels) else set()
        if twice:
            raise DataError(f"the column `{min(twice)}` is there twice")
        in_order = labels == list(names)
        columns = [rows.iloc[:, places[name]] for name in names]
    kinds = {column.dtype for column in columns}
    if in_order and len(kinds) == 1 and kinds <= set(CODES):
        return rows.to_numpy()  # one block: a view
    dtype = NUMBERS[model._input_number]
    out = np.empty((model.inputs, len(rows)), dtype=dtype)
    for i, column in enumerate(columns):
        out[i] = numbers(column, i, dtype, model)
    return out.T


def numbers(column, index, dtype, model):
    """One column of a frame."""
    kind = column.dtype
    if hasattr(column, "cat"):
        return codes(np.asarray(column.cat.codes), list(column.cat.categories), index, dtype, model)
    if model._categories(index) is not None and kind.kind not in "iuf":
        values, known = column.to_numpy(dtype=object, na_value=None), {}
        found = np.fromiter((-1 if v is None or v != v else known.setdefault(v, len(known)) for v in values), dtype=np.int64,
                            count=len(values))
        return codes(found, list(known), index, dtype, model)
    if isinstance(kind, np.dtype):
        return converted(column.to_numpy(), dtype)
    try:
        return column.to_numpy(dtype=dtype, na_value=np.nan)  # nullable and Arrow columns
    except (TypeError, ValueError) as error:
        raise DataError(f"the column `{column.name}` holds no numbers: {error}") from None


def codes(found, categories, index, dtype, model):
    """Codes of a frame's categories → the model's; -1 is missing."""
    names = model._categories(index)
    if names is None:  # the model knows codes only: they are the frame's
        table = np.arange(len(categories), dtype=dtype)
    else:
        table = np.array([names.get(str(category), -1) for category in categories], dtype=dtype)
    values = np.append(table, dtype.type(np.nan))[found]  # -1 is the last
    if names is not None and (values == -1).any():
        unknown = categories[int(found[np.argmax(values == -1)])]
        raise DataError(f"row {int(np.argmax(values == -1))}: the model never saw the category `{unknown}` of input {index}")
    return values
