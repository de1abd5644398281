"""Compiles for TPUs that are not there: XLA's TPU compiler is in libtpu and runs on any Linux x86-64 machine.

Like `device`, this file knows parts of JAX that promise no stability; the versions are pinned in requirements-tpu.txt. What the
compiler writes about a program (the final instruction bundles of its kernels) is handed on as it is: what follows from it is
worked out on the other side.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from . import failure
from .failure import Failure, RequestError, invalid

# libtpu reads these when it is loaded; without them it looks for the machine's TPU and its neighbours.
_ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "TPU_SKIP_MDS_QUERY": "1",
    # Several processes may compile at once.
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_WORKER_ID": "0",
}
_KERNEL = re.compile(r"(\d+)-(.*)-\d+-final_bundles\.txt")
# Removes the folder as soon as the process at the other end of the pipe has ended, however it ended.
_CARETAKER = "import shutil, sys; sys.stdin.read(); shutil.rmtree(sys.argv[1], ignore_errors=True)"


class TpuCompiler:
    """XLA's TPU compiler. It can end the process (an abort in C++), so a process that has one should do nothing else."""

    def __init__(self):
        os.environ.update(_ENVIRONMENT)
        self._folder = tempfile.mkdtemp(prefix="engram-tpu-")
        self._caretaker = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _CARETAKER, self._folder],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        dump = f"--xla_jf_dump_to={self._folder} --xla_jf_dump_llo_text=true --xla_jf_dump_llo_pass_label_regex=final_bundles"
        os.environ["LIBTPU_INIT_ARGS"] = f"{os.environ.get('LIBTPU_INIT_ARGS', '')} {dump}".strip()
        try:
            import libtpu  # noqa: F401
            import numpy as np
            from jax.experimental import topologies
            from jax.extend.backend import get_compile_options
            from jax.extend.lowering import JaxIrContext, upstream_dialects
            from jax.extend.mlir import ir
            from jaxlib import xla_client
            from jaxlib.mlir.dialects import chlo, sdy, stablehlo
        except ImportError as error:
            raise RequestError(Failure.of(failure.START, error)) from error
        self._np, self._ir, self._topologies = np, ir, topologies
        self._compile_options, self._device_list = get_compile_options, xla_client.DeviceList
        self._context = JaxIrContext()
        self._context.append_dialect_registry(upstream_dialects)
        self._context.load_all_available_dialects()
        for dialect in (stablehlo, chlo, sdy):
            if hasattr(dialect, "register_dialect"):
                dialect.register_dialect(self._context)

    def compile(self, text: str, topology: str, chips_per_host: list[int], partitions: int):
        """The executable and the seconds it took. Throws RequestError with the compiler's own message."""
        for entry in os.scandir(self._folder):
            shutil.rmtree(entry.path) if entry.is_dir() else os.unlink(entry.path)
        devices = self._devices(topology, chips_per_host, partitions)
        start = time.perf_counter()
        try:
            with self._context:
                module = self._ir.Module.parse(text)
                # What does not verify can make the compiler abort.
                module.operation.verify()
                executable = devices[0].client.compile(
                    module, executable_devices=self._device_list(tuple(devices)), compile_options=self._options(devices)
                )
        except (self._ir.MLIRError, RuntimeError) as error:
            # The parser of MLIR writes "-":7:12 where XLA writes -:7:12.
            cause = Failure.of(failure.COMPILE, error)
            raise RequestError(Failure(cause.kind, cause.message.replace('"-":', "-:"), cause.status)) from error
        return executable, time.perf_counter() - start

    def _devices(self, topology, chips_per_host, partitions):
        shape = {"chips_per_host_bounds": chips_per_host} if chips_per_host else {}
        try:
            devices = self._topologies.get_topology_desc(platform="tpu", topology_name=topology, **shape).devices
        except (RuntimeError, ValueError) as error:
            raise invalid(f"libtpu has no topology {topology}: {error}") from error
        if partitions > len(devices):
            raise invalid(f"the program is for {partitions} devices, {topology} has {len(devices)}")
        return devices[:partitions]

    def _options(self, devices):
        assignment = self._np.array([[device.id for device in devices]])
        options = self._compile_options(num_replicas=1, num_partitions=len(devices), device_assignment=assignment)
        options.executable_build_options.use_spmd_partitioning = True
        options.executable_build_options.use_shardy_partitioner = True
        return options

    def kernels(self) -> dict[str, str]:
        """Files with the instruction bundles of the last compilation, by the op of the program that each belongs to."""
        found = {}
        for name in sorted(os.listdir(self._folder)):
            match = _KERNEL.fullmatch(name)
            if match and not match.group(2).endswith("-schedule-analysis"):
                found[match.group(2)] = os.path.join(self._folder, name)
        return found
