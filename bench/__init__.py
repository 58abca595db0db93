"""Benchmarks: this product beside its rivals on the same machine in the same run."""
