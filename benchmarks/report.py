"""What a benchmark found, as tables or JSON."""

from typing import Final, Literal

import msgspec


class Cost(msgspec.Struct, frozen=True):
    """What was measured of one contestant."""

    of: str
    value: float
    unit: str


class Claim(msgspec.Struct, frozen=True):
    """A ratio and what it is to reach."""

    of: str
    ratio: float
    bound: Literal["at least", "at most"]
    target: float

    @property
    def is_met(self) -> bool:
        """Whether it does."""
        return self.ratio >= self.target if self.bound == "at least" else self.ratio <= self.target


class Report(msgspec.Struct, frozen=True):
    """What was done, what it cost, and the claims drawn from that."""

    about: str
    costs: list[Cost]
    claims: list[Claim]

    def __str__(self) -> str:
        return "\n".join([self.about, "", *map(_cost, self.costs), "", *map(_claim, self.claims)])


_WIDTH: Final = 52


def _cost(cost: Cost) -> str:
    return f"{cost.of:<{_WIDTH}} {cost.value:>9.2f} {cost.unit}"


def _claim(claim: Claim) -> str:
    verdict = "met" if claim.is_met else "MISSED"
    return f"{claim.of:<{_WIDTH}} {claim.ratio:>9.2f} {claim.bound} {claim.target:.2f}: {verdict}"
