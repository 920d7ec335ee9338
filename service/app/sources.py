"""Sources as configured come in, each with its provider come out."""

from service.intake import captures
from service.intake.provider import Provider
from service.intake.providers import registry as providers
from service.intake.receive import Sender
from service.settings import Settings, Source


def senders(settings: Settings) -> dict[str, Sender]:
    """Every configured source with its provider."""
    return {name: Sender(source, _provider(source)) for name, source in settings.sources.items()}


def _provider(source: Source) -> Provider:
    if source.mode == "capture":
        return captures.capturing(source)
    return providers.preset(source.provider).build(source)
