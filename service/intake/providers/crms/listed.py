"""CRMs as senders, as listed to people."""

from service.intake.preset import Preset

PRESETS: tuple[Preset, ...] = ()
