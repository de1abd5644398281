"""The process that compiles and runs Engram's programs.

It reads requests from standard input and writes replies to standard output (proto/engram/v1/runner.proto says which) and is
kept thin: what an array or a program means is decided on the other side. `stream` carries frames, `messages` makes the
message classes, `server` does what requests say, `device` is the only module that touches JAX and XLA, `tensor_file` reads and
writes safetensors, `failure` is how a request fails.
"""
