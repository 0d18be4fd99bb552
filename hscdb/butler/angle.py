"""Angles and coordinates under the names that hscPipe's scripts call.

An Angle is a float in radians; coordinates are turned into each other by astropy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hscdb.errors import ConfigError

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

_SYSTEMS = {
    "icrs": ("getRa", "getDec"), "fk5": ("getRa", "getDec"), "galactic": ("getL", "getB"),
    "barycentricmeanecliptic": ("getLambda", "getBeta"),
}  # fmt: skip


class AngleUnit:
    """A unit of angles: `0.2 * arcseconds` is an Angle."""

    __array_ufunc__ = None  # numpy's numbers leave the product to us

    def __init__(self, name: str, in_radians: float) -> None:
        self.name, self.in_radians = name, in_radians

    def __rmul__(self, number: float) -> Angle:
        return Angle(number, self)

    def __repr__(self) -> str:
        return self.name


radians = AngleUnit("radians", 1.0)
degrees = AngleUnit("degrees", math.pi / 180.0)
hours = AngleUnit("hours", math.pi / 12.0)
arcminutes = AngleUnit("arcminutes", math.pi / 180.0 / 60.0)
arcseconds = AngleUnit("arcseconds", math.pi / 180.0 / 3600.0)
milliarcseconds = AngleUnit("milliarcseconds", math.pi / 180.0 / 3.6e6)


class Angle(float):
    """An angle; as a float, radians."""

    def __new__(cls, number: float = 0.0, unit: AngleUnit = radians) -> Angle:
        return super().__new__(cls, float(number) * unit.in_radians)

    def asRadians(self) -> float:
        """In radians."""
        return float(self)

    def asDegrees(self) -> float:
        """In degrees."""
        return self.asAngularUnits(degrees)

    def asHours(self) -> float:
        """In hours."""
        return self.asAngularUnits(hours)

    def asArcminutes(self) -> float:
        """In arcminutes."""
        return self.asAngularUnits(arcminutes)

    def asArcseconds(self) -> float:
        """In arcseconds."""
        return self.asAngularUnits(arcseconds)

    def asMilliarcseconds(self) -> float:
        """In milliarcseconds."""
        return self.asAngularUnits(milliarcseconds)

    def asAngularUnits(self, unit: AngleUnit) -> float:
        """In any unit."""
        return float(self) / unit.in_radians

    def wrap(self) -> Angle:
        """The same direction in [0, 2 pi)."""
        return Angle(float(self) % (2 * math.pi))

    def __add__(self, other: float) -> Angle:
        return Angle(float(self) + float(other))

    def __sub__(self, other: float) -> Angle:
        return Angle(float(self) - float(other))

    def __neg__(self) -> Angle:
        return Angle(-float(self))

    def __str__(self) -> str:
        return f"{float(self):g} rad"

    __repr__ = __str__


class SpherePoint:
    """A direction on the sky, in one of the systems icrs, fk5, galactic, ecliptic; hscPipe's Coord.

    Two Angles, or two numbers with their unit.
    """

    def __init__(self, longitude: float, latitude: float, unit: AngleUnit | None = None, system: str = "icrs") -> None:
        if unit is None and not (isinstance(longitude, Angle) and isinstance(latitude, Angle)):
            raise ConfigError("SpherePoint: numbers without a unit. Add degrees, or give two Angles.", code="no_unit")
        of = (lambda number: Angle(number, unit)) if unit is not None else (lambda angle: angle)
        self.longitude, self.latitude, self.system = of(longitude).wrap(), of(latitude), system

    @property
    def astropy(self) -> SkyCoord:
        """As astropy's SkyCoord."""
        from astropy.coordinates import SkyCoord

        return SkyCoord(float(self.longitude), float(self.latitude), unit="rad", frame=self.system)

    def _to(self, system: str) -> SpherePoint:
        if system == self.system:
            return self
        found = self.astropy.transform_to(system).spherical
        return SpherePoint(Angle(found.lon.rad), Angle(found.lat.rad), system=system)

    def toIcrs(self) -> SpherePoint:
        """In ICRS."""
        return self._to("icrs")

    def toFk5(self) -> SpherePoint:
        """In FK5, J2000."""
        return self._to("fk5")

    def toGalactic(self) -> SpherePoint:
        """In galactic coordinates."""
        return self._to("galactic")

    def toEcliptic(self) -> SpherePoint:
        """In ecliptic coordinates, mean equinox J2000."""
        return self._to("barycentricmeanecliptic")

    def getLongitude(self) -> Angle:
        """The first coordinate, whatever the system."""
        return self.longitude

    def getLatitude(self) -> Angle:
        """The second coordinate, whatever the system."""
        return self.latitude

    def _own(self, name: str) -> Angle:
        names = _SYSTEMS[self.system]
        if name not in names:
            raise ConfigError(
                f"{name}: a coordinate of system {self.system} has {' and '.join(names)}. Convert it first.",
                code="other_system",
            )
        return self.longitude if name == names[0] else self.latitude

    def getRa(self) -> Angle:
        """Right ascension."""
        return self._own("getRa")

    def getDec(self) -> Angle:
        """Declination."""
        return self._own("getDec")

    def getL(self) -> Angle:
        """Galactic longitude."""
        return self._own("getL")

    def getB(self) -> Angle:
        """Galactic latitude."""
        return self._own("getB")

    def getLambda(self) -> Angle:
        """Ecliptic longitude."""
        return self._own("getLambda")

    def getBeta(self) -> Angle:
        """Ecliptic latitude."""
        return self._own("getBeta")

    def getPosition(self, unit: AngleUnit = degrees) -> tuple[float, float]:
        """Both coordinates in a unit."""
        return self.longitude.asAngularUnits(unit), self.latitude.asAngularUnits(unit)

    def separation(self, other: SpherePoint) -> Angle:
        """The angle to another direction."""
        from hscdb.sky import sphere

        there = other._to(self.system)
        return Angle(float(sphere.separation(*self.getPosition(), *there.getPosition())), degrees)

    angularSeparation = separation

    def __iter__(self) -> Iterator[Angle]:
        return iter((self.longitude, self.latitude))

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> Angle:
        return (self.longitude, self.latitude)[index]

    def __repr__(self) -> str:
        longitude, latitude = self.getPosition()
        return f"({longitude:.7f}, {latitude:+.7f} deg, {self.system})"


Coord = SpherePoint
IcrsCoord = SpherePoint


def Fk5Coord(longitude: float, latitude: float, unit: AngleUnit | None = None) -> SpherePoint:
    """A direction in FK5, J2000."""
    return SpherePoint(longitude, latitude, unit, "fk5")


def GalacticCoord(longitude: float, latitude: float, unit: AngleUnit | None = None) -> SpherePoint:
    """A direction in galactic coordinates."""
    return SpherePoint(longitude, latitude, unit, "galactic")
