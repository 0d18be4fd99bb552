"""The header of a file in sql/: what the statement is, takes and returns; checked against its body.

    -- One sentence that ends in a period.
    -- params:  band text, radius_arcsec double precision
    -- returns: source_id bigint, sep_arcsec double precision      (or: count)
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from hscdb.errors import SchemaError

VERBS = ("read", "find", "count", "link", "insert", "replace", "mark", "delete", "claim")
_BIND = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")
_SPLIT = re.compile(r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$.*?\$\$""", re.DOTALL)
_HEADER_LINE = re.compile(r"^--\s?(.*)$")


@dataclass(frozen=True)
class Statement:
    """A checked file: its sentence, its body without comments, and the types by name. `returns` is None for count."""

    name: str
    summary: str
    sql: str
    params: dict[str, str]
    returns: dict[str, str] | None


def _refuse(name: str, what: str) -> SchemaError:
    return SchemaError(f"sql/{name}.sql: {what}.", code="bad_query")


def strip_comments(text: str) -> str:
    """The statement without its comments; text in quotes is left alone."""
    return _SPLIT.sub(lambda found: "" if found[0].startswith(("--", "/*")) else found[0], text)


def _outside_quotes(sql: str) -> str:
    return _SPLIT.sub(lambda found: " " * len(found[0]), sql)


def _each_bind(sql: str, change: Callable[[str], str], quoted: Callable[[str], str]) -> str:
    """Replace every :name outside quotes by change(name), and every quoted piece by quoted(piece)."""
    out, at = [], 0
    for piece in _SPLIT.finditer(sql):
        out.append(_BIND.sub(lambda found: change(found[1]), sql[at : piece.start()]))
        out.append(quoted(piece[0]))
        at = piece.end()
    out.append(_BIND.sub(lambda found: change(found[1]), sql[at:]))
    return "".join(out)


def for_sqlalchemy(statement: "Statement") -> str:
    """The body for text(): each parameter cast to its declared type, colons in quotes escaped.

    The cast settles what an empty array, NULL or small integer would leave open for the server.
    """
    types = statement.params
    return _each_bind(
        statement.sql, lambda name: f"CAST(:{name} AS {types[name]})", lambda text: text.replace(":", "\\:")
    )


def for_psycopg(statement: "Statement") -> str:
    """The body with %(name)s placeholders."""
    types = statement.params
    doubled = _each_bind(statement.sql.replace("%", "%%"), lambda name: f"\0{name}\0", lambda text: text)
    return re.sub("\0(\\w+)\0", lambda found: f"CAST(%({found[1]})s AS {types[found[1]]})", doubled)


def with_binds(statement: "Statement", places: dict[str, str]) -> str:
    """The body with each parameter replaced by the text given for it, e.g. {"visit": "$1"}."""
    return _each_bind(statement.sql, places.__getitem__, lambda text: text)


def _declarations(name: str, field: str, text: str) -> dict[str, str]:
    """`a text, b numeric(3, 1)` -> {"a": "text", "b": "numeric(3, 1)"}."""
    declared: dict[str, str] = {}
    for part in re.split(r",(?![^()]*\))", text):
        word, _, type_name = part.strip().partition(" ")
        if not re.fullmatch(r"[a-z_][a-z0-9_]*", word) or not type_name.strip():
            raise _refuse(name, f"`{field}:` has {part.strip()!r} where `name type` is needed")
        if word in declared:
            raise _refuse(name, f"`{field}:` names {word} twice")
        declared[word] = " ".join(type_name.split())
    return declared


def _head_lines(text: str) -> list[str]:
    """The comment lines at the top of the file."""
    lines: list[str] = []
    for line in text.splitlines():
        found = _HEADER_LINE.match(line)
        if found is None:
            break
        lines.append(found[1].rstrip())
    return lines


def _fields(name: str, lines: list[str]) -> tuple[str, dict[str, str]]:
    """Sentence, and the texts of `params:` and `returns:` with their continuation lines."""
    sentence: list[str] = []
    fields: dict[str, str] = {}
    current = ""
    for line in lines:
        word, colon, rest = line.strip().partition(":")
        if colon and word in ("params", "returns"):
            current = word
            fields[word] = rest.strip()
        elif current and line.startswith("  "):
            fields[current] += " " + line.strip()
        elif not current:
            sentence.append(line.strip())
        else:
            current = "note"
            fields[current] = ""
    if not sentence or not sentence[0]:
        raise _refuse(name, "the first line must be one sentence on what it does")
    summary = " ".join(sentence)
    if "." not in summary:
        raise _refuse(name, "the sentence at the top must end in a period")
    for word in ("params", "returns"):
        if word not in fields:
            raise _refuse(name, f"no `-- {word}:` line in the header")
    return summary, fields


def parse(name: str, text: str) -> Statement:
    """Check a file against its header. `name` is `stage/verb_noun`. SchemaError `bad_query` tells what disagrees."""
    verb = name.rpartition("/")[2].partition("_")[0]
    if verb not in VERBS:
        raise _refuse(name, f"the name begins with {verb!r}, not with one of {', '.join(VERBS)}")
    summary, fields = _fields(name, _head_lines(text))
    sql = strip_comments(text).strip().rstrip(";").strip()
    code = _outside_quotes(sql)
    if ";" in code:
        raise _refuse(name, "holds more than one statement")
    if re.search(r":[a-z_]\w*\s*::", code):
        raise _refuse(name, "casts a parameter with `::`; write CAST(:x AS type)")
    if re.search(r"\[[^\]]*[\w)]:(?!:)", code):
        raise _refuse(name, "holds an array slice, whose colon looks like a parameter")
    params_text = fields["params"].strip().rstrip(".")
    params = {} if params_text in ("", "none", "-") else _declarations(name, "params", params_text)
    used = set(_BIND.findall(code))
    if used - params.keys():
        raise _refuse(name, f"uses :{', :'.join(sorted(used - params.keys()))}, which `params:` does not declare")
    if params.keys() - used:
        raise _refuse(name, f"declares {', '.join(sorted(params.keys() - used))}, which the statement does not use")
    returns_text = fields["returns"].strip().rstrip(".")
    if returns_text == "count":
        return Statement(name, summary, sql, params, None)
    return Statement(name, summary, sql, params, _declarations(name, "returns", returns_text))
