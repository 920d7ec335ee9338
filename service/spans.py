"""OpenTelemetry: stretches of the road go in, spans go out to a collector. Needs the extra `otel`.

Where to, how many and under which name is decided by the standard OTEL_* variables, which the SDK
reads itself (OpenTelemetry specification 1.x, "Environment Variable Specification").
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from threading import Thread

from opentelemetry import trace
from opentelemetry.context import Context as Ambient
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from service.tracing import Context, Kind, Value

FLUSH = 5.0
"""Seconds the end of a process may wait for a collector that does not answer."""
KINDS: Mapping[Kind, SpanKind] = {
    "server": SpanKind.SERVER,
    "internal": SpanKind.INTERNAL,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "client": SpanKind.CLIENT,
}


@asynccontextmanager
async def exporting(
    environ: Mapping[str, str], *, version: str, instance: str
) -> AsyncIterator["Recorder"]:
    """A recorder that sends spans to the collector of the environment; the last ones at the end."""
    said = {"service.version": version, "service.instance.id": instance}
    resources = environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    if not environ.get("OTEL_SERVICE_NAME") and "service.name=" not in resources:
        said["service.name"] = "orderhook"
    provider = TracerProvider(resource=Resource.create(said), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    try:
        yield Recorder(provider)
    finally:
        # The SDK itself would wait for 30 seconds, and a thread that is no daemon for ever.
        flush = Thread(target=provider.shutdown, name="flush-spans", daemon=True)
        flush.start()
        await asyncio.to_thread(flush.join, FLUSH)


class Recorder:
    """Makes the spans of one tracer provider."""

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._tracer = provider.get_tracer("orderhook")

    def begin(
        self,
        name: str,
        *,
        kind: Kind,
        parent: Context | None,
        links: Iterable[Context],
        attributes: Mapping[str, Value],
    ) -> "Stretch":
        above = Ambient()
        if parent is not None:
            above = trace.set_span_in_context(NonRecordingSpan(_parsed(parent)), above)
        span = self._tracer.start_span(
            name,
            context=above,
            kind=KINDS[kind],
            attributes=dict(attributes),
            links=[Link(_parsed(link)) for link in links],
        )
        return Stretch(span)


class Stretch:
    """One span, under way."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        said = span.get_span_context()
        self.context = (
            f"00-{said.trace_id:032x}-{said.span_id:016x}-01" if said.trace_flags.sampled else None
        )

    def set(self, attributes: Mapping[str, Value]) -> None:
        self._span.set_attributes(attributes)

    def fail(self, reason: str) -> None:
        self._span.set_status(trace.StatusCode.ERROR, reason)

    def end(self) -> None:
        self._span.end()


def _parsed(context: Context) -> SpanContext:
    """Read what `tracing` has checked already."""
    _, trace_id, span_id, flags = context.split("-")
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
    )
