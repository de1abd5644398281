"""The executable's own time: runs a StableHLO program in a loop in this process, with no protocol around it.

    python own_time.py PROGRAM.mlir STATE_COUNT STEPS [--pipelined]

The first STATE_COUNT arguments are replaced by the results of the same positions after every step; each step waits for the last result,
unless --pipelined. Prints the median milliseconds of blocks of ten steps. Needs PYTHONPATH=scripts/runner.
"""
import statistics
import sys
import time

import numpy as np
from engram_runner.device import Device


def main() -> None:
    path, state_count, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    pipelined = "--pipelined" in sys.argv
    with open(path, encoding="utf-8") as file:
        text = file.read()
    device = Device("cpu", 0)
    program, _ = device.compile("own_time", text, tuple(range(state_count)))
    shapes = [(64, 64)] * state_count + [(256, 256), ()]
    arguments = [device.put(np.ones(shape, np.float32)) for shape in shapes]
    times = []
    for _ in range(steps // 10):
        begin = time.perf_counter()
        for _ in range(10):
            results = device.execute(program, arguments)
            arguments = results[:state_count] + arguments[state_count:]
            if not pipelined:
                device.get(results[-1])
        device.get(results[-1])
        times.append((time.perf_counter() - begin) * 100)
    print(statistics.median(times))


main()
