"""Reads [[size, k, recall, rank, override], ...] from stdin and prints for each the bins that jaxlib chooses, with the logarithm of the entries per bin."""
import json
import sys

from jax._src.lib import _jax

print(json.dumps([_jax.approx_top_k_reduction_output_size(size, rank, k, recall, False, override) for size, k, recall, rank, override in json.load(sys.stdin)]))
