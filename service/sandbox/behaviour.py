"""How the sandbox CRM misbehaves on demand: a wish arrives as JSON, each call asks for its turn."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Mode = Literal["ok", "status", "hang", "reset", "garbage", "endless", "redirect"]


class Behaviour(BaseModel):
    """One wish; it replaces the one before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode = "ok"
    times: int | None = Field(default=None, ge=1, description="Calls it lasts; null: for ever.")
    subject: str | None = Field(default=None, description="Only for this subject.")
    effect: bool = Field(default=False, description="Record the effect before misbehaving.")
    status: int = Field(default=503, ge=200, le=599)
    retry_after: str | None = Field(default=None, pattern=r"^[ -~]{1,64}$")
    delay_ms: int = Field(default=0, ge=0, le=60_000)

    @model_validator(mode="after")
    def _ok_has_its_effect(self) -> Self:
        if self.mode == "ok" and self.effect:
            raise ValueError("mode ok always has its effect; leave effect out")
        return self


GOOD = Behaviour()


class Mood:
    """The behaviour in force and how many turns it has left."""

    def __init__(self) -> None:
        self.wish = GOOD
        self._left: int | None = None

    def change(self, wish: Behaviour) -> None:
        self.wish, self._left = wish, wish.times

    def turn(self, subject: str) -> Behaviour:
        """How to treat this call; spends one turn when the wish is about it."""
        if self.wish.subject not in {None, subject}:
            return GOOD
        wish = self.wish
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self.change(GOOD)
        return wish
