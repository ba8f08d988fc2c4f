"""What is drawn of the small world: themes of items that meet, biases, boundaries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from tests.support.parity_world import DAY, FIRST_DAYS, HOUR, ITEMS

if TYPE_CHECKING:
    from datetime import date

    from tests.support.rule_facts import Facts

__all__ = ["worlds"]

_THEMES: Final = (
    *(ITEMS[:2], ITEMS[2:4], ITEMS[4:6], ITEMS[6:8], ITEMS[8:9], ITEMS[9:11], ITEMS[11:14]),
    *(ITEMS[14:15], ITEMS[15:19], ITEMS[18:21], ITEMS[21:22], ITEMS[22:]),
)
"""Items that rules see together: few of them in a world, so that they meet."""
_LINES: Final[dict[str, tuple[Any, ...]]] = {
    # A service is charged again a minute, six hours and days later.
    "after": (0, 1, 59, 61, 6 * HOUR, 6 * HOUR + 1, DAY, 2 * DAY),
    "scope": (1, 1, 1, 0.7, 0, None),
    "count": (1, 1, 2, 3, 12, 26),
    "price": (10.5, 9.0, 9.009, 9.01, 12.013),
    "cap": (None, None, 9_000_000, 999_999_000_000),
    "doctor": ("D1", "D1", None, "D2", "D3"),
    "days": (None, None, 3, 7, 8, 30, 31, 85),
    "dose": (
        *(None, ("0.5g", "qid"), ("1500mg", "bid"), ("0.67 g", "每日三次"), ("2000.1mg", "qd")),
        *(("1片", "qd"), ("9000000mcg", "q4h")),
    ),
    "trace": ((), (), ("81",), ("82",), ("83",), ("84",), ("81", "82")),
    "maternity": (None, None, True),
    "emergency": (None, None, None, True),
    # Taken back: a half, the whole, or by a line that does not say what it takes back: a half, the
    # whole or more, at once, an hour or days later or too early, by its physician or another.
    "back": (
        *(None, None, None, None, None, None, 0.5, 0.5, 1, 1),
        *((0.5, 0, None), (1, HOUR, None), (1, 0, "D1"), (0.3, 3 * DAY, "D2"), (1.7, DAY, "D1")),
        (1, -DAY, None),
    ),
}
_VISITS: Final[dict[str, tuple[Any, ...]]] = {
    "person": ("P1", "P1", "P2", "P3", "P4"),
    "institution": ("H1", "H1", "H2", "H3", "S1"),
    "ago": (0, 0, 0, 0, 0, 14, 15, 16, 90, 91),
    "lasts": (0, 0, 0, DAY, 25 * HOUR, 2 * DAY, 66 * HOUR, 5 * DAY),
    "med_type": ("11", "13", "14", "51"),
    "insutype": ("310", "310", "390"),
    "icd": (
        *(("I10.x00",), ("I10.900",), ("J20.900", "I10.x00"), ("Z51.000",), ("N18.501",)),
        *(("J20.900", "A04.01.02"), ("A04.01.02",), ()),
    ),
    "way": ("1", "1", "1", "2"),
    "planned": (False, False, False, True),
    "settled": (True, True, True, True, True, False),
    "left": (True, True, True, True, False),
    "undone": (False, False, False, False, True),
    "fund": (1, 1, 0.6, 0),
    "sold": (False, True),
}
_BIASES: Final[tuple[dict[str, tuple[Any, ...]], ...]] = (
    {},
    {"person": ("P1",), "ago": (0,), "lasts": (0, 0, DAY)},
    {"person": ("P1",), "institution": ("H1", "H1", "H2", "H3", "S1"), "ago": (0, 14, 15, 16)}
    | {"lasts": (DAY, 25 * HOUR, 49 * HOUR, 3 * DAY), "icd": (("I10.x00",), ("I10.900",))},
    {"person": ("P2", "P3", "P4"), "ago": (0,)},
)
"""What is drawn otherwise in some worlds: one person's days, his stays, the young."""
_TRIALS: Final = st.tuples(
    st.sampled_from(("mismatch", "mismatch", "match", "match", "absent", "spoof", "unjudged")),
    st.sampled_from(((None, None), (4_649, 4_650), (4_650, 4_650), (4_649, None), (None, 4_650))),
    st.sampled_from((None, None, None, "病情")),
    st.sampled_from(("window", "window", "entrance", "pharmacy", "bed")),
    st.booleans(),
)
"""Result, score and threshold, reason to let pass, place, and whether the visit is named."""
_STOCK: Final = st.fixed_dictionaries(
    {
        "what": st.sampled_from(("purchase", "sale", "sale_return")),
        "code": st.sampled_from(("81", "82", "83")),
        "item": st.sampled_from((None, "XG01", "XD04AAA004001")),
        "institution": st.sampled_from(("H1", "S1")),
        "day": st.integers(-1, 8),
        "sent": st.sampled_from(
            (
                ("move",),
                ("move",),
                ("move", "move"),
                ("move", "delete"),
                ("move", "delete", "move"),
                ("move", "move", "delete"),
            )
        ),
    }
)


def _drawn(choices: dict[str, tuple[Any, ...]]) -> dict[str, st.SearchStrategy[Any]]:
    return {name: st.sampled_from(values) for name, values in choices.items()}


def _lines(items: tuple[str, ...]) -> st.SearchStrategy[Facts]:
    return st.fixed_dictionaries(
        {
            "item": st.sampled_from(items),
            "amount": st.integers(1, 40).map(lambda yuan: round(yuan * 1.11, 2)),
            **_drawn(_LINES),
        }
    )


def _visits(
    items: tuple[str, ...], choices: dict[str, tuple[Any, ...]]
) -> st.SearchStrategy[Facts]:
    return st.fixed_dictionaries(
        {
            "begins": st.integers(0, 9 * 24 - 1).map(lambda hour: hour * HOUR),
            "identity": st.lists(_TRIALS, max_size=5),
            "lines": st.lists(_lines(items), min_size=1, max_size=7),
            **_drawn({**_VISITS, **choices}),
        }
    )


@st.composite
def worlds(draw: st.DrawFn) -> tuple[date, list[Facts], list[Facts]]:
    """Draw a first day, visits and events of trace codes: of all persons or one, stays or not."""
    first = draw(st.sampled_from(sorted(FIRST_DAYS, reverse=True)))
    themes = draw(st.lists(st.sampled_from(_THEMES), min_size=1, max_size=3, unique=True))
    items = tuple(dict.fromkeys(item for theme in themes for item in theme))
    choices: dict[str, tuple[Any, ...]] = draw(st.sampled_from(_BIASES))
    visits = draw(
        st.lists(
            _visits(items, choices),
            min_size=3,
            max_size=10,
            unique_by=lambda one: (one["person"], one["begins"] - one["ago"] * DAY),
        )
    )
    return first, visits, draw(st.lists(_STOCK, max_size=3))
