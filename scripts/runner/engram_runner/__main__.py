"""`python -m engram_runner`: serves one client over standard input and output."""
import os
import signal
import sys

# The first thing said about a Python that is too old has to be readable for it: no newer syntax in this file, and no import
# of the package's other modules before the check.
if sys.version_info < (3, 11):
    sys.stderr.write("engram_runner: Python 3.11 or newer is needed, this is %d.%d.%d (%s)\n" % (sys.version_info[:3] + (sys.executable,)))
    sys.exit(4)


def main():
    # Replies go to a descriptor of their own; whatever else is printed, by a library or from C, ends up in the log.
    replies = os.fdopen(os.dup(1), "wb", 0)
    os.dup2(2, 1)
    # Ctrl-C in the terminal is the client's business: it saves its state through this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The reader has to get a word in while the worker runs Python code, within less than the usual 5 ms.
    sys.setswitchinterval(0.0005)
    try:
        from .server import Server
    except ImportError as error:
        sys.stderr.write("engram_runner: %s (%s)\n" % (error, sys.executable))
        return 4
    return Server(os.fdopen(0, "rb", 1 << 20), replies).run()


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Not sys.exit: nothing is left to save, and the teardown of XLA's threads can take long.
    os._exit(code)
