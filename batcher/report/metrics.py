"""How a run ended, in Prometheus' text format, for `--metrics-file` (contract 16). `README.md` beside this lists the metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_SUCCESS = "batcher_last_success_timestamp_seconds"
_LAST_SUCCESS = re.compile(rb"^%b(?:\{[^\n]*\})? ([0-9]+(?:\.[0-9]+)?)$" % _SUCCESS.encode(), re.MULTILINE)
_GAUGES = (  # name, help, and the field of the command's object
    ("batcher_exit_code", "Exit code of the last run.", "exitCode"),
    ("batcher_requests", "Requests that the last run sent.", "requests"),
    ("batcher_duration_seconds", "How long the last run took.", "elapsedSeconds"),
)
_STATES = {"created": "created", "failed": "failed", "uncertain": "uncertain", "not_attempted": "notAttempted"}


def last_success_of(metrics: bytes) -> float:
    """When a run last succeeded (Unix time), as an earlier file says it; 0.0 if it doesn't."""
    found = _LAST_SUCCESS.search(metrics)
    return float(found[1]) if found else 0.0


def metrics_text(fields: Mapping[str, object], name: str, now: float, last_success: float) -> bytes:
    """The whole file. `fields` are those of the command's object, as far as they are known; `name` is every metric's label.

    `now` is Unix time, and the last success, too, if the exit code is 0.
    """
    label = f'name="{_escaped(name)}"'
    lines = [
        *_gauge("batcher_last_run_timestamp_seconds", "When the last run ended.", {label: now}),
        *_gauge(_SUCCESS, "When a run last ended with exit code 0; 0 if none has.", {label: last_success}),
    ]
    for metric, text, field in _GAUGES:
        lines += _gauge(metric, text, {label: fields.get(field)})
    rows = {f'{label},state="{state}"': fields.get(field) for state, field in _STATES.items()}
    lines += _gauge("batcher_rows", "Rows of the input by what became of them.", rows)
    reason = fields.get("stoppedReason")
    stopped = {f'{label},reason="{_escaped(str(reason))}"': 1} if reason else {}
    lines += _gauge("batcher_stopped", "1 for what stopped the last run, if anything did.", stopped)
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _gauge(metric: str, text: str, samples: Mapping[str, object]) -> Iterator[str]:
    known = {labels: value for labels, value in samples.items() if isinstance(value, int | float)}
    if known:
        yield f"# HELP {metric} {text}"
        yield f"# TYPE {metric} gauge"
        yield from (f"{metric}{{{labels}}} {value:.3f}".removesuffix(".000") for labels, value in known.items())


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
