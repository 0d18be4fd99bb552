"""Words of the command line in whatever order people give them."""

import pytest

from hscdb.cli import commands
from hscdb.errors import ConfigError


@pytest.mark.parametrize(
    "words",
    ["query R S --format csv", "query R --format csv S", "query --format csv R S", "query R --limit 5 S --format csv"],
)
def test_options_stand_between_the_repository_and_the_statement_too(words: str) -> None:
    args = commands.parse(words.split())
    assert args is not None
    assert (args.repository, args.statement, args.format) == ("R", "S", "csv")


def test_a_word_too_many_and_a_word_missing_are_told() -> None:
    with pytest.raises(ConfigError, match="unrecognized arguments: T"):
        commands.parse(["query", "R", "S", "T"])
    with pytest.raises(ConfigError, match="REPO is missing"):
        commands.parse(["query", "--format", "csv"])


def test_words_for_another_program_are_handed_on_as_they_are() -> None:
    args = commands.parse(["psql", "R", "--", "-c", "SELECT 1", "--csv"])
    assert args is not None
    assert args.words == ["-c", "SELECT 1", "--csv"]
