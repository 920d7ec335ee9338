"""The lists of what this release brings come in; what settings are checked against goes out."""

from service.intake.providers.registry import PRESETS
from service.settings import Known, KnownKind
from service.worker.crms.kind import Kind
from service.worker.crms.registry import CRMS


def known_kind(kind: Kind) -> KnownKind:
    """What a kind of destination takes, as the checks of the settings ask."""
    can = kind.capabilities
    return KnownKind(
        title=kind.title,
        url=kind.default_url is not None,
        options={option.name: option.required for option in kind.options},
        grants=kind.oauth.grants if kind.oauth else (),
        token_url=bool(kind.oauth and kind.oauth.url),
        needs=kind.oauth.needs if kind.oauth else (),
        keeps=kind.targets is not None if can else None,
        lifecycles=tuple(kind.targets or ()) if can else (),
        creates=can.creates if can else None,
        notes=can.notes if can else None,
        limits=[limit.name for limit in kind.limits] if kind.limits else None,
    )


KNOWN = Known(
    providers=frozenset(preset.name for preset in PRESETS),
    crms=frozenset(kind.name for kind in CRMS),
    kinds={kind.name: known_kind(kind) for kind in CRMS},
    options={preset.name: preset.options for preset in PRESETS},
    url_tokens=frozenset(preset.name for preset in PRESETS if preset.url_token),
    keyless=frozenset(preset.name for preset in PRESETS if preset.keyless),
    mapped=frozenset(preset.name for preset in PRESETS if preset.mapped),
    asked={preset.name: preset.api for preset in PRESETS if preset.asks},
)
