"""What mjbridge costs, beside others doing the same work: `python -m benchmarks --help`. Not part of the wheel."""
