"""A client of a SAMP hub (IVOA's Standard Profile 1.3: XML-RPC, the hub's place in a lock file)."""

from __future__ import annotations

import os
import xmlrpc.client
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from hscdb.errors import ConfigError
from hscdb.run.log import logger

_PREFIX = "std-lockurl:"


def _lock_file() -> Path:
    """Where the running hub says how to reach it: SAMP_HUB, else ~/.samp."""
    word = os.environ.get("SAMP_HUB", "")
    if word.startswith(_PREFIX):
        return Path(unquote(urlparse(word.removeprefix(_PREFIX)).path))
    return Path.home() / ".samp"


class Hub:
    """A registration with the running hub. ConfigError `no_hub` if there is none."""

    def __init__(self, name: str, about: str) -> None:
        lock = _lock_file()
        try:
            lines = [line.strip() for line in lock.read_text().splitlines()]
            told = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
            self._proxy = xmlrpc.client.ServerProxy(told["samp.hub.xmlrpc.url"], allow_none=True)
            self._key = str(self._call("register", told["samp.secret"])["samp.private-key"])
            self._call("declareMetadata", self._key, {"samp.name": name, "samp.description.text": about})
        except (OSError, KeyError, xmlrpc.client.Error) as error:
            why = f"no {lock}" if isinstance(error, FileNotFoundError) else f"{type(error).__name__}: {error}"
            raise ConfigError(
                f"display: no SAMP hub answers ({why}). Start TOPCAT, Aladin or DS9 (which bring one), then again.",
                code="no_hub",
            ) from None

    def _call(self, method: str, *words: Any) -> Any:
        return getattr(self._proxy, f"samp.hub.{method}")(*words)

    def names(self) -> dict[str, str]:
        """{id: name} of the other clients, the hub among them."""
        return {
            str(each): str(self._call("getMetadata", self._key, each).get("samp.name", each))
            for each in self._call("getRegisteredClients", self._key)
        }

    def takers(self, mtype: str) -> list[str]:
        """Ids of the clients that understand a kind of message."""
        return [str(each) for each in self._call("getSubscribedClients", self._key, mtype)]

    def send(self, to: str, mtype: str, params: Mapping[str, str]) -> None:
        """Send a message for which no answer is wanted."""
        self._call("notify", self._key, to, {"samp.mtype": mtype, "samp.params": dict(params)})

    def close(self) -> None:
        """Take leave; a hub that has gone already is no matter."""
        try:
            self._call("unregister", self._key)
        except (OSError, xmlrpc.client.Error) as error:
            logger.debug("display: the SAMP hub did not take leave: %s", error)
        self._proxy("close")()
