"""Arrays as safetensors files.

Written here and not with the safetensors package: its `serialize_file` does not report a disk that is full. Read here because
its NumPy side needs the data types of `ml_dtypes` registered one by one; the package checks the file before that.
"""
import json
import mmap
import os
import struct

import ml_dtypes
import numpy as np
import safetensors

# By the names that safetensors has; it has none for the other types.
FILE_DTYPES = {
    "BOOL": np.dtype(np.bool_),
    "I8": np.dtype(np.int8),
    "U8": np.dtype(np.uint8),
    "I16": np.dtype(np.int16),
    "U16": np.dtype(np.uint16),
    "I32": np.dtype(np.int32),
    "U32": np.dtype(np.uint32),
    "I64": np.dtype(np.int64),
    "U64": np.dtype(np.uint64),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
    "C64": np.dtype(np.complex64),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "F8_E5M2": np.dtype(ml_dtypes.float8_e5m2),
    "F8_E4M3FNUZ": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "F8_E5M2FNUZ": np.dtype(ml_dtypes.float8_e5m2fnuz),
    "F8_E8M0": np.dtype(ml_dtypes.float8_e8m0fnu),
}
_names = {dtype: name for name, dtype in FILE_DTYPES.items()}

_unfinished: str | None = None


def discard_unfinished() -> None:
    """Removes the file that a thread is just writing; for the moment before the process ends."""
    if _unfinished is not None:
        try:
            os.unlink(_unfinished)
        except OSError:
            pass


def write(path: str, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Writes the file whole or not at all. Throws OSError, or ValueError for a type that safetensors does not have."""
    global _unfinished
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    offset = 0
    # Widest elements first keeps every array aligned, as readers that map the file expect.
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    for name in order:
        array = arrays[name]
        if name == "__metadata__":
            raise ValueError("an array cannot be named __metadata__ in a safetensors file")
        if array.dtype not in _names:
            raise ValueError(f"{name} is {array.dtype.name}, which safetensors files cannot hold; they can hold {', '.join(d.name for d in FILE_DTYPES.values())}")
        header[name] = {"dtype": _names[array.dtype], "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb", buffering=0) as file:
            _unfinished = temporary
            _write_all(file, struct.pack("<Q", len(text)) + text)
            for name in order:
                _write_all(file, np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8))
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        discard_unfinished()
        raise
    finally:
        _unfinished = None


def _write_all(file, data) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def read(path: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays over the mapped file, and the metadata. Throws OSError, or ValueError for a file that is not whole."""
    with open(path, "rb") as file:
        try:
            # Checks the header, that the arrays cover the file, and every size in it.
            safetensors.safe_open(path, framework="np").__enter__()
        except safetensors.SafetensorError as error:
            raise ValueError(f"{path} is not a whole safetensors file: {error}") from error
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    metadata = header.pop("__metadata__", {})
    arrays = {}
    for name, entry in header.items():
        if entry["dtype"] not in FILE_DTYPES:
            raise ValueError(f"{path}: {name} is {entry['dtype']}, which this runner does not read")
        begin, end = entry["data_offsets"]
        raw = np.frombuffer(content, np.uint8, end - begin, 8 + size + begin)
        arrays[name] = raw.view(FILE_DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays, metadata
