"""A dataId tied to its butler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hscdb.butler.butler import Butler


class DataRef:
    """What is known of one frame (or product): `dataId`, complete; `get` needs no dataId any more."""

    def __init__(self, butler: Butler, datasetType: str, dataId: Mapping[str, Any]) -> None:
        self.butler, self.type, self.dataId = butler, datasetType, dict(dataId)

    def get(self, datasetType: str | None = None, **keys: Any) -> Any:
        """As Butler.get."""
        return self.butler.get(datasetType or self.type, self.dataId, **keys)

    def datasetExists(self, datasetType: str | None = None, **keys: Any) -> bool:
        """As Butler.datasetExists."""
        return self.butler.datasetExists(datasetType or self.type, self.dataId, **keys)

    def getUri(self, datasetType: str | None = None, **keys: Any) -> str:
        """As Butler.getUri."""
        return self.butler.getUri(datasetType or self.type, self.dataId, **keys)

    def put(self, *args: Any, **more: Any) -> None:
        """As Butler.put."""
        self.butler.put(*args, **more)

    def getButler(self) -> Butler:
        """The butler."""
        return self.butler

    def subItems(self, level: str | None = None) -> Iterator[DataRef]:
        """Parts of it: none, a frame is the smallest."""
        return iter(())

    def __repr__(self) -> str:
        return f"DataRef of {self.type}, {self.dataId}"


class ButlerSubset(list[DataRef]):
    """The DataRefs of a selection; `cache` holds their dataIds."""

    @property
    def cache(self) -> list[dict[str, Any]]:
        """The dataIds."""
        return [each.dataId for each in self]


def getDataRef(butler: Butler, dataId: Mapping[str, Any], datasetType: str = "raw") -> DataRef:
    """The DataRef of a dataId that fits one frame."""
    return butler.dataRef(datasetType, dataId=dataId)
