"""Transport and telematics, as listed to people."""

from service.intake.preset import Preset
from service.intake.providers.telematics import samsara

PRESETS: tuple[Preset, ...] = (samsara.PRESET,)
