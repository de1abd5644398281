"""Everything that touches JAX, jaxlib and XLA.

`DeviceList`, `batched_device_put`, `GSPMDSharding` and the methods of a loaded executable promise no stability: the versions are pinned in
requirements.txt, and this file is the only one to change with them.
"""
import os
import sys
import time
from dataclasses import dataclass

from . import failure
from .failure import Failure, RequestError, invalid


def _dtypes():
    import ml_dtypes
    import numpy as np

    names = {
        "bool": np.bool_, "i2": ml_dtypes.int2, "i4": ml_dtypes.int4, "i8": np.int8, "i16": np.int16, "i32": np.int32, "i64": np.int64,
        "u2": ml_dtypes.uint2, "u4": ml_dtypes.uint4, "u8": np.uint8, "u16": np.uint16, "u32": np.uint32, "u64": np.uint64,
        "f4E2M1FN": ml_dtypes.float4_e2m1fn, "f8E3M4": ml_dtypes.float8_e3m4, "f8E4M3": ml_dtypes.float8_e4m3,
        "f8E4M3FN": ml_dtypes.float8_e4m3fn, "f8E4M3FNUZ": ml_dtypes.float8_e4m3fnuz, "f8E4M3B11FNUZ": ml_dtypes.float8_e4m3b11fnuz,
        "f8E5M2": ml_dtypes.float8_e5m2, "f8E5M2FNUZ": ml_dtypes.float8_e5m2fnuz, "f8E8M0FNU": ml_dtypes.float8_e8m0fnu,
        "bf16": ml_dtypes.bfloat16, "f16": np.float16, "f32": np.float32, "f64": np.float64, "c64": np.complex64, "c128": np.complex128,
    }  # fmt: skip
    return {name: np.dtype(dtype) for name, dtype in names.items()}


@dataclass(frozen=True, slots=True)
class Program:
    """A loaded executable. `donated` are positions of arguments that are gone once it has been called."""

    loaded: object
    name: str
    output_count: int
    donated: tuple[int, ...]
    # Of a program for several devices: how arguments and results lie on them, and the whole results' shapes.
    inputs: tuple = ()
    outputs: tuple = ()
    shapes: tuple[tuple[int, ...], ...] = ()


class Device:
    """The first device of a platform, with what is needed to compile for it and to move arrays; programs may ask for more of them. Imports JAX."""

    def __init__(self, platform: str, devices: int):
        os.environ["JAX_PLATFORMS"] = platform
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        if devices:
            flags = os.environ.get("XLA_FLAGS", "")
            os.environ["XLA_FLAGS"] = f"{flags} --xla_force_host_platform_device_count={devices}".strip()
        try:
            import jax
            import numpy as np
            from jax.extend.backend import get_compile_options
            from jaxlib import xla_client

            # Without this, 64-bit arrays would silently become 32-bit ones.
            jax.config.update("jax_enable_x64", True)
            self.all = jax.local_devices(backend=platform)
        except (ImportError, RuntimeError) as error:
            raise RequestError(Failure.of(failure.START, error)) from error
        self._device = self.all[0]
        self._client = self._device.client
        self._sharding = jax.sharding.SingleDeviceSharding(self._device)
        self._shaped_array = jax.core.ShapedArray
        self._put = xla_client.batched_device_put
        self._device_list = xla_client.DeviceList((self._device,))
        self._get_options = get_compile_options
        self._options = get_compile_options(num_replicas=1, num_partitions=1, device_assignment=np.array([[self._device.id]]))
        # Whether a buffer may lie on several devices: only then is every argument looked at.
        self._spread = False
        self._np = np
        self.dtypes = _dtypes()
        self.dtype_names = {dtype: name for name, dtype in self.dtypes.items()}

    def compile(self, name: str, text: str, donated: tuple[int, ...], partitions: int = 1, shapes=()) -> tuple[Program, float]:
        """The program and the seconds it took. Syntax and verifier errors come from XLA's own parser."""
        devices = self._devices(name, partitions)
        start = time.perf_counter()
        if "@lapack_" in text:
            # JAX's calls of LAPACK have no functions behind them before this, and jump to address 0.
            from jaxlib.cpu import _lapack

            _lapack.initialize()
        try:
            loaded = self._client.compile_and_load(text, self._device_list_of(devices), self._options_for(devices))
        except RuntimeError as error:
            raise RequestError(Failure.of(failure.COMPILE, error)) from error
        seconds = time.perf_counter() - start
        kinds = loaded.get_output_memory_kinds()
        count = len(kinds[0]) if kinds else 0
        if partitions <= 1:
            return Program(loaded, name, count, donated), seconds
        inputs = self._shardings(loaded.get_parameter_shardings(), devices)
        outputs = self._shardings(loaded.get_output_shardings(), devices)
        return Program(loaded, name, count, donated, inputs, outputs, tuple(map(tuple, shapes))), seconds

    def _devices(self, name: str, partitions: int) -> list:
        if partitions > len(self.all):
            raise invalid(f"{name} is for {partitions} devices, the platform has {len(self.all)}")
        return self.all[: max(1, partitions)]

    def _device_list_of(self, devices):
        return self._device_list if len(devices) == 1 else type(self._device_list)(tuple(devices))

    def _options_for(self, devices):
        if len(devices) == 1:
            return self._options
        assignment = self._np.array([[device.id for device in devices]])
        options = self._get_options(num_replicas=1, num_partitions=len(devices), device_assignment=assignment)
        options.executable_build_options.use_spmd_partitioning = True
        options.executable_build_options.use_shardy_partitioner = True
        return options

    @staticmethod
    def _shardings(protos, devices) -> tuple:
        from jax._src.sharding_impls import GSPMDSharding

        return tuple(GSPMDSharding(tuple(devices), proto) for proto in protos)

    def execute(self, program: Program, arguments: list) -> list:
        """Starts the program; the results may still be under way."""
        try:
            if program.inputs:
                return self._execute_spread(program, arguments)
            if self._spread:
                arguments = [self._together(array) for array in arguments]
            return [shards[0] for shards in program.loaded.execute_sharded(arguments).disassemble_into_single_device_arrays()]
        except RuntimeError as error:
            raise RequestError(Failure.of(failure.EXECUTION, error)) from error

    def _execute_spread(self, program: Program, arguments: list) -> list:
        import jax

        self._spread = True
        placed = [jax.device_put(array, sharding) for array, sharding in zip(arguments, program.inputs, strict=True)]
        shards = program.loaded.execute_sharded(placed).disassemble_into_single_device_arrays()
        whole = zip(program.shapes, program.outputs, shards, strict=True)
        return [jax.make_array_from_single_device_arrays(shape, sharding, arrays) for shape, sharding, arrays in whole]

    def _together(self, array):
        import jax

        return array if len(array.sharding.device_set) == 1 else jax.device_put(array, self._sharding)

    def host_array(self, type_, data):
        """A NumPy array over `data`, the bytes of the wire."""
        np = self._np
        dtype = self.dtypes.get(type_.dtype)
        if dtype is None:
            raise invalid(f"XLA cannot hold arrays of {type_.dtype}")
        shape = tuple(type_.dims)
        count = 1
        for size in shape:
            count *= size
        if count * dtype.itemsize != len(data):
            raise invalid(f"an array of {type_.dtype}{list(shape)} takes {count * dtype.itemsize} bytes, got {len(data)}")
        flat = np.frombuffer(data, np.uint8)
        # A byte other than 0 and 1 is no NumPy bool.
        return (flat != 0 if dtype == np.bool_ else flat.view(dtype)).reshape(shape)

    def empty(self, size: int):
        """Bytes to be filled and put; aligned so that XLA on CPU can use them as they are."""
        np = self._np
        store = np.empty(size + 64, np.uint8)
        begin = -store.ctypes.data % 64
        return store[begin : begin + size]

    def put(self, array):
        """Copies to the device. `array` must not change afterwards: on CPU it may become the buffer."""
        try:
            return self._put(self._shaped_array(array.shape, array.dtype), self._sharding, [array], [self._device])
        except RuntimeError as error:
            raise RequestError(Failure.of(failure.EXECUTION, error)) from error

    def get(self, array):
        """The content as a dense NumPy array; waits for it. On CPU it may lie on the buffer itself."""
        try:
            return self._np.ascontiguousarray(self._np.asarray(array)).reshape(array.shape)
        except RuntimeError as error:
            raise RequestError(Failure.of(failure.EXECUTION, error)) from error

    def wire(self, host) -> memoryview:
        """The bytes of a dense array as they go over the wire."""
        np = self._np
        # XLA leaves the unused bits of a narrow integer's byte 0; as a byte its sign has to reach to the top.
        if host.dtype in (self.dtypes["i2"], self.dtypes["i4"]):
            host = host.astype(np.int8)
        return memoryview(host.reshape(-1).view(np.uint8))

    @staticmethod
    def wait(array) -> None:
        try:
            array.block_until_ready()
        except RuntimeError as error:
            raise RequestError(Failure.of(failure.EXECUTION, error)) from error


def costs(executable):
    """Memory statistics and cost figures, each None or empty where XLA has none for this program."""
    try:
        memory = executable.get_compiled_memory_stats()
    except RuntimeError:
        memory = None
    try:
        cost = executable.cost_analysis()
    except RuntimeError:
        cost = None
    if isinstance(cost, (list, tuple)):
        cost = cost[0] if cost else None
    return memory, cost or {}


def versions() -> dict[str, str]:
    """Of Python and every pinned package, `missing` where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": "%d.%d.%d" % sys.version_info[:3]}
    for package in ("jax", "jaxlib", "numpy", "protobuf", "safetensors", "ml_dtypes", "libtpu"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            if package != "libtpu":
                found[package] = "missing"
    return found
