"""Does what requests say.

Three threads: the reader takes requests off the stream and answers at once what must not wait (ping, cancel, the end of the
stream); the worker, which is the main thread, carries out the others in order; the deliverer waits for results and sends
them, so that the worker can start the next execution meanwhile.
"""
import io
import os
import queue
import sys
import threading
import traceback

from . import failure, tensor_file
from .device import Device, costs, versions
from .failure import Failure, RequestError, invalid
from .messages import PROTOCOL_VERSION, FilePiece, GetReply, Reply, Request
from .stream import CHUNK_BYTES, FrameWriter, StreamError, read_frame


class Server:
    def __init__(self, requests, replies):
        self._stream = requests
        self._writer = FrameWriter(replies)
        self._queue: queue.SimpleQueue = queue.SimpleQueue()
        self._deliveries: queue.SimpleQueue = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._stopping = 0
        self._device: Device | None = None
        self._tpu_compiler = None
        self._buffers: dict[int, object] = {}
        # Buffers that could not be made, kept apart so that an execution need look for them only when there are any.
        self._failed: dict[int, Failure] = {}
        self._executables: dict[int, object] = {}
        self._executions = 0
        self._partial: dict[int, tuple] = {}
        self._reading: dict[int, int] = {}
        self._reading_done = threading.Condition()
        self._handlers = {name: getattr(self, "_" + name) for name in (
            "hello", "compile", "release_executable", "execute", "put", "put_data", "get", "wait", "free", "save", "load", "statistics",
            "compile_for",
        )}  # fmt: skip

    def run(self) -> int:
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._deliver, daemon=True).start()
        while True:
            request = self._queue.get()
            if self._stopping:
                self._writer.write(Reply(id=self._stopping, done={}))
                return 0
            self._carry_out(request)

    # The reader.

    def _read(self) -> None:
        first = True
        try:
            while (request := read_frame(self._stream, Request)) is not None:
                body = request.WhichOneof("body")
                if body is None or request.id == 0:
                    raise StreamError("a frame is not a request")
                if first and body != "hello":
                    raise StreamError(f"the first request is {body}, expected hello")
                first = False
                if body == "ping":
                    self._writer.write(Reply(id=request.id, done={}))
                elif body == "cancel":
                    self._cancelled.add(request.cancel.request)
                elif body == "shutdown":
                    self._stopping = request.id
                    self._queue.put(None)
                else:
                    self._queue.put(request)
            code = 0
        except StreamError as error:
            sys.stderr.write(f"engram_runner: {error}\n")
            code = 3
            try:
                self._writer.write(Reply(error={"kind": failure.PROTOCOL, "message": str(error)}))
            except OSError:
                pass
        except BaseException:
            traceback.print_exc()
            code = 5
        # The client is gone, so nobody waits for what the worker does, and a compilation could go on for minutes.
        tensor_file.discard_unfinished()
        sys.stderr.flush()
        os._exit(code)

    # The worker.

    def _carry_out(self, request) -> None:
        name = request.WhichOneof("body")
        body = getattr(request, name)
        try:
            if self._cancelled and request.id in self._cancelled and name != "put_data":
                self._cancelled.discard(request.id)
                raise RequestError(Failure(failure.CANCELLED, "cancelled before it began", "", request.id))
            reply = self._handlers[name](request.id, body)
        except RequestError as error:
            self._fail(request.id, name, body, error.failure)
        except Exception as error:
            traceback.print_exc()
            self._fail(request.id, name, body, Failure(failure.INTERNAL, f"{type(error).__name__}: {error}"))
        else:
            if reply is not None:
                self._writer.write(reply)

    def _fail(self, id: int, name: str, body, cause: Failure) -> None:
        if cause.origin == 0:
            cause = Failure(cause.kind, cause.message, cause.status, id)
        if name == "execute":
            self._drop_donated(body)
            for buffer in range(body.first_output, body.first_output + body.output_count):
                self._failed[buffer] = cause
        elif name == "put":
            self._failed[body.buffer] = cause
        if name != "free":
            self._writer.write(_error(id, cause))

    def _buffer(self, id: int):
        array = self._buffers.get(id)
        if array is None:
            if id in self._failed:
                raise RequestError(self._failed[id])
            raise invalid(f"there is no buffer {id}")
        return array

    def _hello(self, id, body):
        reply = Reply(id=id)
        reply.hello.protocol_version = PROTOCOL_VERSION
        reply.hello.versions.update(versions())
        if body.protocol_version != PROTOCOL_VERSION:
            return reply
        reply.hello.platform = body.platform
        reply.hello.process_id = os.getpid()
        if body.platform == "tpu-compiler":
            from .tpu_compiler import TpuCompiler

            # Without libtpu the versions say so.
            if "libtpu" in reply.hello.versions:
                self._tpu_compiler = TpuCompiler()
            return reply
        self._device = Device(body.platform, body.devices)
        for device in self._device.all:
            reply.hello.devices.add(id=device.id, kind=device.device_kind, description=str(device))
        return reply

    def _compile(self, id, body):
        program, seconds = self._device.compile(
            body.name, body.text, tuple(body.donated_arguments), body.partitions, [output.dims for output in body.outputs]
        )
        self._executables[body.executable] = program
        reply = Reply(id=id)
        reply.compile.compile_seconds = seconds
        reply.compile.output_count = program.output_count
        _fill_costs(reply.compile, program.loaded)
        return reply

    def _release_executable(self, id, body):
        self._executables.pop(body.executable, None)
        return Reply(id=id, done={})

    def _execute(self, id, body):
        program = self._executables.get(body.executable)
        if program is None:
            raise invalid(f"there is no executable {body.executable}")
        buffers = self._buffers
        if body.inline:
            inline = iter(body.inline)
            arguments = [buffers.get(i) if i else self._put_inline(next(inline)) for i in body.inputs]
        else:
            arguments = [buffers.get(i) for i in body.inputs]
        if None in arguments:
            self._buffer(body.inputs[arguments.index(None)])
        if body.output_count != program.output_count:
            raise invalid(f"{program.name} has {program.output_count} results, the request names {body.output_count}")
        if program.donated and self._reading:
            self._wait_until_read([body.inputs[i] for i in program.donated])
        results = self._device.execute(program, arguments)
        self._executions += 1
        buffers.update(zip(range(body.first_output, body.first_output + body.output_count), results))
        self._drop_donated(body)
        return Reply(id=id, done={})

    def _compile_for(self, id, body):
        compiler = self._tpu_compiler
        if bool(body.topology) != (compiler is not None):
            raise invalid("a topology belongs to the platform tpu-compiler, and to no other")
        if compiler is None:
            program, seconds = self._device.compile(body.name, body.text, (), body.partitions)
            executable = program.loaded
        else:
            executable, seconds = compiler.compile(body.text, body.topology, list(body.chips_per_host), body.partitions)
        hlo = "\n".join(module.to_string() for module in executable.hlo_modules())
        self._send_file(id, FilePiece.KIND_HLO, "", io.BytesIO(hlo.encode()))
        for name, path in compiler.kernels().items() if compiler else ():
            with open(path, "rb") as file:
                self._send_file(id, FilePiece.KIND_BUNDLES, name, file)
        if body.send_executable and compiler:
            self._send_file(id, FilePiece.KIND_EXECUTABLE, "", io.BytesIO(executable.serialize()))
        reply = Reply(id=id)
        summary = reply.compile_for.summary
        summary.compile_seconds = seconds
        _fill_costs(summary, executable)
        return reply

    def _send_file(self, id, kind, name, file) -> None:
        while data := file.read(CHUNK_BYTES):
            self._writer.write(Reply(id=id, compile_for={"piece": {"kind": kind, "name": name, "data": data}}))

    def _put_inline(self, array):
        return self._device.put(self._device.host_array(array.type, array.data))

    def _drop_donated(self, body) -> None:
        program = self._executables.get(body.executable)
        if program is not None:
            for position in program.donated:
                if position < len(body.inputs):
                    self._buffers.pop(body.inputs[position], None)
                    self._failed.pop(body.inputs[position], None)

    def _put(self, id, body):
        total = body.total_bytes
        if len(body.data) == total:
            self._buffers[body.buffer] = self._device.put(self._device.host_array(body.type, body.data))
            return Reply(id=id, done={})
        store = memoryview(self._device.empty(total))
        store[: len(body.data)] = body.data
        self._partial[id] = (body, store, len(body.data))
        return None

    def _put_data(self, id, body):
        if id not in self._partial:
            # The rest of a put that failed; its first piece has been answered.
            return None
        first, store, filled = self._partial.pop(id)
        end = filled + len(body.data)
        if end > len(store):
            cause = Failure(failure.INVALID, f"more than the {len(store)} bytes that were announced", "", id)
            self._failed[first.buffer] = cause
            return _error(id, cause)
        store[filled:end] = body.data
        if end < len(store):
            self._partial[id] = (first, store, end)
            return None
        try:
            self._buffers[first.buffer] = self._device.put(self._device.host_array(first.type, store))
        except RequestError as error:
            cause = Failure(error.failure.kind, error.failure.message, error.failure.status, id)
            self._failed[first.buffer] = cause
            return _error(id, cause)
        return Reply(id=id, done={})

    def _get(self, id, body):
        self._hand_over(id, [body.buffer], self._send_array)
        return None

    def _wait(self, id, body):
        self._hand_over(id, list(body.buffers), None)
        return None

    def _free(self, id, body):
        for buffer in body.buffers:
            self._buffers.pop(buffer, None)
            self._failed.pop(buffer, None)
        return None

    def _save(self, id, body):
        arrays = {entry.name: self._device.get(self._buffer(entry.buffer)) for entry in body.buffers}
        try:
            tensor_file.write(body.path, arrays, dict(body.metadata))
        except (OSError, ValueError) as error:
            raise RequestError(Failure(failure.FILE, _file_message("write", body.path, error))) from error
        return Reply(id=id, done={})

    def _load(self, id, body):
        try:
            arrays, metadata = tensor_file.read(body.path)
        except (OSError, ValueError) as error:
            raise RequestError(Failure(failure.FILE, _file_message("read", body.path, error))) from error
        reply = Reply(id=id)
        reply.load.metadata.update(metadata)
        for buffer, (name, array) in enumerate(arrays.items(), body.first_buffer):
            # A copy, since a mapped file that somebody cuts short would take the process with it.
            self._buffers[buffer] = self._device.put(array.copy())
            entry = reply.load.buffers.add(name=name, buffer=buffer)
            entry.type.dtype = self._device.dtype_names[array.dtype]
            entry.type.dims.extend(array.shape)
        return reply

    def _statistics(self, id, body):
        import resource

        reply = Reply(id=id)
        reply.statistics.buffers = len(self._buffers)
        reply.statistics.buffer_bytes = sum(array.nbytes for array in self._buffers.values())
        reply.statistics.executables = len(self._executables)
        reply.statistics.executions = self._executions
        unit = 1 if sys.platform == "darwin" else 1024
        reply.statistics.peak_resident_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        return reply

    def _hand_over(self, id: int, buffers: list[int], then) -> None:
        arrays = [self._buffer(buffer) for buffer in buffers]
        # What is there and small goes out at once: a change of threads takes longer.
        if all(array.is_ready() for array in arrays) and (then is None or arrays[0].nbytes <= CHUNK_BYTES):
            self._answer(id, arrays, then)
            return
        with self._reading_done:
            for buffer in buffers:
                self._reading[buffer] = self._reading.get(buffer, 0) + 1
        self._deliveries.put((id, buffers, arrays, then))

    def _wait_until_read(self, buffers: list[int]) -> None:
        """A donated buffer is overwritten, so whoever still reads it comes first."""
        with self._reading_done:
            self._reading_done.wait_for(lambda: not any(buffer in self._reading for buffer in buffers))

    # The deliverer.

    def _deliver(self) -> None:
        while True:
            id, buffers, arrays, then = self._deliveries.get()
            try:
                self._answer(id, arrays, then)
            except RequestError as error:
                self._writer.write(_error(id, error.failure))
            except Exception as error:
                traceback.print_exc()
                self._writer.write(_error(id, Failure(failure.INTERNAL, f"{type(error).__name__}: {error}")))
            # No reference may outlive the delivery: it would keep a donated buffer from being reused in place.
            arrays = None
            with self._reading_done:
                for buffer in buffers:
                    self._reading[buffer] -= 1
                    if self._reading[buffer] == 0:
                        del self._reading[buffer]
                self._reading_done.notify_all()

    def _answer(self, id: int, arrays: list, then) -> None:
        for array in arrays:
            self._device.wait(array)
        if then is None:
            self._writer.write(Reply(id=id, done={}))
        else:
            then(id, arrays[0])

    def _send_array(self, id: int, array) -> None:
        host = self._device.get(array)
        data = self._device.wire(host)
        head = GetReply(total_bytes=len(data), type={"dtype": self._device.dtype_names[host.dtype], "dims": host.shape})
        for begin in range(0, max(1, len(data)), CHUNK_BYTES):
            self._writer.write_get(id, head, data[begin : begin + CHUNK_BYTES])


def _fill_costs(to, executable) -> None:
    memory, cost = costs(executable)
    if memory is not None:
        to.memory.arguments = max(0, memory.argument_size_in_bytes)
        to.memory.outputs = max(0, memory.output_size_in_bytes)
        to.memory.temporaries = max(0, memory.temp_size_in_bytes)
        to.memory.aliased = max(0, memory.alias_size_in_bytes)
        to.memory.code = max(0, memory.generated_code_size_in_bytes)
        to.memory.peak = max(0, memory.peak_memory_in_bytes)
    if "flops" in cost:
        to.flops = cost["flops"]
    if "bytes accessed" in cost:
        to.bytes_accessed = cost["bytes accessed"]


def _error(id: int, cause: Failure):
    reply = Reply(id=id)
    reply.error.kind = cause.kind
    reply.error.message = cause.message
    reply.error.status = cause.status
    reply.error.origin = cause.origin
    return reply


def _file_message(verb: str, path: str, error: Exception) -> str:
    return f"cannot {verb} {path}: {error.strerror}" if isinstance(error, OSError) and error.strerror else f"cannot {verb} {path}: {error}"
