"""ERP and back office, as listed to people."""

from service.intake.preset import Preset

PRESETS: tuple[Preset, ...] = ()
