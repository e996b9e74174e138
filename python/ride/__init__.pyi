from .native import DataError as DataError, MissingFileError as MissingFileError, ModelError as ModelError
from .native import RideError as RideError, UnsupportedError as UnsupportedError
from .model import Model as Model

__all__ = ["Model", "RideError", "ModelError", "DataError", "UnsupportedError", "MissingFileError", "version"]

def version() -> str: ...
