"""mjbridge itself, through its public names."""

from collections.abc import Iterable

from benchmarks.rivals import Run, Sample
from mjbridge import Task, normalizer


def run(provider: str | None, *, keep_raw: bool) -> Run:
    """Bytes to task to bytes, with the provider named or detected."""

    def normalize(sample: Sample) -> Iterable[bytes]:
        return map(Task.to_json, map(normalizer(provider, keep_raw=keep_raw), sample.lines))

    return normalize
