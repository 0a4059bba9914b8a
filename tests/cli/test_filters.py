"""Filters as text: what they choose, and what is said about wrong ones."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tables import ROWS, done, failed
from vector_files import Forebay

FILTERS = [
    ("n = 3", lambda i: i == 3),
    ("n == 3", lambda i: i == 3),
    ("n != 3", lambda i: i is not None and i != 3),
    ("n <> 3", lambda i: i is not None and i != 3),
    ("n<3", lambda i: i is not None and i < 3),
    ("n <= 3 AND n>=2", lambda i: i in (2, 3)),
    ("not n > 3", lambda i: i is not None and i <= 3),
    ("n > 290 or n < 2", lambda i: i is not None and (i > 290 or i < 2)),
    ("n = 1 or n = 2 and n = 3", lambda i: i == 1),
    ("(n = 1 or n = 2) and not (n = 1)", lambda i: i == 2),
    ("n + 1 = 2 * 3 - 4 / 2", lambda i: i == 3),
    ("2 - 3 - 4 = -5 and n = 0", lambda i: i == 0),
    ("-n = -7", lambda i: i == 7),
    ("- -n = 7", lambda i: i == 7),
    ("n > -1 and n < 1", lambda i: i == 0),
    ("n = 3.0", lambda i: i == 3),
    ("n > 2.5 and n < 3.5", lambda i: i == 3),
    ("n < 1e0", lambda i: i == 0),
    ("n < .5", lambda i: i == 0),
    ("half = 1.5", lambda i: i == 3),
    ("half > 1 and half < 2", lambda i: i == 3),
    ("n in (1, 2, 300)", lambda i: i in (1, 2)),
    ("n not in (1, 2)", lambda i: i is not None and i not in (1, 2)),
    ("word in ('word 1', 'it''s')", lambda i: i == 1),
    ("n is null", lambda i: i is None),
    ("n is not null", lambda i: i is not None),
    ("n = null", lambda _: False),
    ("word like 'word 1_'", None),
    ("word not like 'word%'", lambda _: False),
    ("length(word) = 6", None),
    ("LENGTH ( word ) = 6", None),
    ("upper(word) = 'WORD 3'", lambda i: i == 3),
    ("starts_with(word, 'word 29')", None),
    ("ends_with(word, ' 3')", lambda i: i == 3),
    ("contains(word, 'd 3')", None),
    ("matches(word, '^word [34]$')", lambda i: i in (3, 4)),
    ("abs(n - 5) <= 1", lambda i: i in (4, 5, 6)),
    ("coalesce(n, 1000) = 3", lambda i: i == 3),
    ("\"word\" = 'word 3'", lambda i: i == 3),
    ("true", lambda _: True),
    ("false or n = 3", lambda i: i == 3),
    ("9223372036854775807 > n and n = 3", lambda i: i == 3),
    ("n > -9223372036854775808", lambda i: i is not None),
]
COUNTS = {
    "word like 'word 1_'": 10,
    "length(word) = 6": 10,
    "LENGTH ( word ) = 6": 10,
    "starts_with(word, 'word 29')": 11,
    "contains(word, 'd 3')": 11,
}


@pytest.mark.parametrize(("text", "passes"), FILTERS)
def test_filters(
    forebay: Forebay, shared: Path, text: str, passes: Callable[[int | None], bool] | None
) -> None:
    numbers = [None if i % 10 == 9 else i for i in range(ROWS)]
    expected = COUNTS[text] if passes is None else sum(passes(number) for number in numbers)
    assert done(forebay("scan", shared, "--count", "--filter", text)) == f"{expected}\n"


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("", 1, "expected a column, a constant, a function, or (...)"),
        ("n >", 4, "expected a column"),
        ("n > 3 and", 10, "expected a column"),
        ("n > 3 n", 7, "expected an operator, or the end"),
        ("3abc = 1", 2, "expected an operator"),
        ("(n > 3", 7, "expected ')'"),
        ("n in 3", 6, "expected '(' and a list"),
        ("n in ()", 7, "expected a column"),
        ("n not 3", 7, "expected in or like"),
        ("n is 3", 6, "expected null or not null"),
        ("word like 3", 11, "expected a pattern"),
        ("word = 'x", 10, "expected a ' at the end"),
        ('"word = 3', 10, 'expected a " at the end'),
        ("n = 1 or wrod = 'x'", 10, "there is no column 'wrod'; the table has: word, n, half"),
        ('n = 1 or "a b" = 2', 11, "there is no column 'a b'"),
        ("kön = 1", 1, "there is no column 'kön'"),
        ("word = 'ü' and köln = 1", 16, "there is no column 'köln'"),
        ("size(word) = 1", 1, "there is no function 'size'"),
        ("length(word, 3) = 1", 1, "function 'utf8_length' takes 1 argument, got 2"),
        ("sum(n) = 1", 1, "there is no function 'sum'"),
        ("starts_with(word, word)", 1, "expected starts_with(a text, 'a constant')"),
        ("n = 1 and n = 'x'", 13, "equal"),
        ("n + word = 1", 3, "add_checked"),
        ("n and true", 3, "and_kleene"),
        ("n = 99999999999999999999", 5, "too large for 64 bits"),
        ("n < 18446744073709551615", 3, "not in range"),  # n is int64.
        ("n = -18446744073709551615", 5, "too small for 64 bits"),
        ("(" * 300 + "true", 101, "nesting depth exceeded"),
        ("not " * 300 + "true", 801, "nesting depth exceeded"),
        (" or ".join(["n = 1"] * 300), 2239, "too deep"),
    ],
)
def test_filter_errors(forebay: Forebay, shared: Path, text: str, at: int, says: str) -> None:
    result = forebay("scan", shared, "--filter", text)
    failed(result, f"the filter, at character {at}: ", says)
    assert result.stdout == ""
    assert result.stderr.splitlines()[1:] == [f"  {text}", f"  {'^':>{at}}"]


def test_filter_must_be_boolean(forebay: Forebay, shared: Path) -> None:
    failed(forebay("scan", shared, "--filter", "n + 1"), "the filter must be true or false")
