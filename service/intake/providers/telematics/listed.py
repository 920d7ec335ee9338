"""Transport and telematics, as listed to people."""

from service.intake.preset import Preset
from service.intake.providers.telematics import motive, project44, samsara

PRESETS: tuple[Preset, ...] = (samsara.PRESET, motive.PRESET, project44.PRESET)
