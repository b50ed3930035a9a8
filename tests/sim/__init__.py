"""The simulated module and its in-process backend."""
