"""The files of a task: written to a temporary name, renamed just before the task's rows are committed.

So a row never points at nothing, and a file without a row is litter that `hscdb gc` sweeps. Products lie under
`rerun/<run>/` in hscPipe's places (fits/product.py), found through the chain of runs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hscdb.db.queries import query
from hscdb.errors import InputError
from hscdb.fits import product as layout

if TYPE_CHECKING:
    from sqlalchemy import Connection

find_product = query("run/find_product")
find_frame = query("run/find_frame")
replace_product = query("run/replace_product")
insert_promised_product = query("run/insert_promised_product")
read_task_products = query("run/read_task_products")
delete_products = query("run/delete_products")
mark_swept = query("run/mark_swept")

PREFIX = ".hscdb-"  # of temporary names; what begins so and is old is litter
_KEYS = ("visit", "ccd", "tract", "filter")


class MissingProductError(InputError):
    """A product is not there, or not any more. `stage` wrote it, where that is known: it can be made again.

    is_swept: it is missing because it was not kept, or was never written after all.
    """

    def __init__(self, message: str, code: str, stage: str | None = None, *, is_swept: bool = False) -> None:
        super().__init__(message, code)
        self.stage, self.is_swept = stage, is_swept


@dataclass
class _Pending:
    dataset: str
    ids: dict[str, Any]
    temporary: Path
    path: str  # relative to the repository
    n_byte: int = 0
    sha256: str = ""


class TaskFiles:
    """`Files` of one task (see run/stage.py), inside the worker's transaction.

    The worker calls `store` just before the commit, then `settle`; or `discard` after a roll-back.
    """

    def __init__(self, connection: Connection, repository: Path, run_id: int, run_name: str, task_id: int) -> None:
        self.connection, self.repository = connection, repository
        self.run_id, self.run_name, self.task_id = run_id, run_name, task_id
        self._pending: dict[str, _Pending] = {}  # by path, the newest last: a joint solution writes 20 000 files
        self._to_unlink: list[Path] = []
        self._promised: list[tuple[str, dict[str, Any], str]] = []

    def path(self, dataset: str, **data_id: Any) -> str:
        """Path of a product of this run, relative to the repository. `path=` names a place under the run itself."""
        given = data_id.get("path")
        if given is None:
            missing = layout.names(dataset) - set(data_id)
            if missing and data_id.get("visit") is not None:
                facts = find_frame.one(self.connection, visit=data_id["visit"])
                if facts is not None:
                    data_id = {name: facts[name] for name in facts.dtype.names} | data_id
            given = layout.path(dataset, **data_id)
        return f"rerun/{self.run_name}/{given}"

    @contextmanager
    def writing(self, dataset: str, **data_id: Any) -> Iterator[Path]:
        """Yield a temporary path beside the product's place; it becomes the product when the task is committed."""
        path = self.path(dataset, **data_id)
        final = self.repository / path
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = final.with_name(f"{PREFIX}{self.task_id}-{os.getpid()}-{final.name}")
        one = _Pending(dataset, data_id, temporary, path)
        self._pending.pop(path, None)
        self._pending[path] = one
        yield temporary
        try:
            with temporary.open("rb") as file:
                one.n_byte = os.fstat(file.fileno()).st_size
                one.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise RuntimeError(f"dataset {dataset}: nothing was written to {temporary}") from None

    def promise(self, dataset: str, **data_id: Any) -> None:
        """Enter a product that a stage behind this one writes; what an earlier attempt has written goes."""
        self._promised.append((dataset, data_id, self.path(dataset, **data_id)))

    def find(self, dataset: str, **data_id: Any) -> Path:
        """The newest such product in the chain of runs; one this task has just written is found under its temporary
        name. MissingProductError `no_<dataset>` if there is none, or it was swept."""
        for each in reversed(self._pending.values()):
            if each.dataset == dataset and all(each.ids.get(key) == entry for key, entry in data_id.items()):
                return each.temporary
        row = self._row(dataset, data_id)
        words = " ".join(f"{key}={entry}" for key, entry in data_id.items())
        if row is None:
            raise MissingProductError(
                f"{dataset} {words}: no such product in run {self.run_name} or its parents. Run its stage first.",
                f"no_{dataset}",
            )
        found = self.repository / str(row["path"])
        if row["is_swept"] or not found.exists():
            how = "was swept" if row["is_swept"] else f"is gone ({found})"
            raise MissingProductError(
                f"{dataset} {words}: the file {how}. Do stage {row['stage']} again.", f"no_{dataset}", row["stage"],
                is_swept=bool(row["is_swept"]),
            )  # fmt: skip
        return found

    def exists(self, dataset: str, **data_id: Any) -> bool:
        """Whether `find` would succeed."""
        try:
            self.find(dataset, **data_id)
        except MissingProductError:
            return False
        return True

    def sweep(self, dataset: str, **data_id: Any) -> None:
        """Remove a product of this run once the task is done. A product of a parent run is left alone."""
        row = self._row(dataset, data_id)
        if row is None or row["is_swept"] or row["run_id"] != self.run_id:
            return
        mark_swept(self.connection, product_id=row["product_id"])
        self._to_unlink.append(self.repository / str(row["path"]))

    def _row(self, dataset: str, data_id: dict[str, Any]) -> Any:
        keys = {key: data_id.get(key) for key in _KEYS}
        return find_product.one(self.connection, run_id=self.run_id, dataset=dataset, **keys)

    def store(self) -> None:
        """Enter the products, forget those an earlier attempt wrote and this one did not, and rename."""
        for each in self._pending.values():
            keys = {key: each.ids.get(key) for key in _KEYS}
            replace_product(
                self.connection,
                run_id=self.run_id,
                task_id=self.task_id,
                dataset=each.dataset,
                path=each.path,
                n_byte=each.n_byte,
                sha256=each.sha256,
                **keys,
            )
        for dataset, ids, path in self._promised:
            insert_promised_product(
                self.connection, run_id=self.run_id, task_id=self.task_id, dataset=dataset, path=path,
                **{key: ids.get(key) for key in _KEYS},
            )  # fmt: skip
            self._to_unlink.append(self.repository / path)
        written = self._pending.keys() | {path for _, _, path in self._promised}
        self._forget(lambda path: path not in written)
        for each in self._pending.values():
            each.temporary.rename(self.repository / each.path)

    def forget_all(self) -> None:
        """Forget every product of the task: it has failed."""
        self._forget(lambda path: True)

    def _forget(self, is_old: Any) -> None:
        rows = [row for row in read_task_products(self.connection, task_id=self.task_id) if is_old(row["path"])]
        if rows:
            delete_products(self.connection, product_ids=[int(row["product_id"]) for row in rows])
            self._to_unlink += [self.repository / str(row["path"]) for row in rows if not row["is_swept"]]

    def settle(self) -> None:
        """After the commit: remove the files of products that were swept or forgotten."""
        for path in self._to_unlink:
            path.unlink(missing_ok=True)
        self._pending, self._to_unlink, self._promised = {}, [], []

    def discard(self) -> None:
        """After a roll-back: remove the temporary files."""
        for each in self._pending.values():
            each.temporary.unlink(missing_ok=True)
        self._pending, self._to_unlink, self._promised = {}, [], []
