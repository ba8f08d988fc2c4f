"""Make the report's font: the characters of its template, out of Noto Sans SC, renamed.

Run after a change of ``report.typ`` that needs new characters:

    python -m deploy.audit.make_font NotoSansSC-Regular.ttf

Rules: the licence (SIL Open Font License 1.1) stays beside the font; a changed font does not bear
the reserved name, so it is called ``Yixin Report``. Needs fontTools, which nothing else does.
"""

import sys
from pathlib import Path
from typing import Any, Final

NAME: Final = "Yixin Report"
FOLDER: Final = Path(__file__).parent
FONT: Final = FOLDER / "report_font.ttf"
TEMPLATE: Final = FOLDER / "report.typ"
_FAMILY, _STYLE, _UNIQUE, _FULL, _VERSION, _POSTSCRIPT = 1, 2, 3, 4, 5, 6
_LICENCE, _LICENCE_URL = 13, 14
_KEPT: Final = frozenset({0, _LICENCE, _LICENCE_URL})


def wanted_characters() -> str:
    """Every character that a report can hold: those of the template, and printable ASCII."""
    template = TEMPLATE.read_text("utf-8")
    return "".join(sorted({*template, *map(chr, range(32, 127))} - {"\n"}))


def main(arguments: list[str]) -> int:
    """Write the font; the one argument is the source font."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m deploy.audit.make_font NotoSansSC-Regular.ttf\n")
        return 2
    from fontTools import subset  # type: ignore[import-untyped]  # noqa: PLC0415 - only here
    from fontTools.ttLib import (  # type: ignore[import-untyped]  # noqa: PLC0415 - only here
        TTFont,
    )

    font: Any = TTFont(arguments[0], recalcTimestamp=False)
    options = subset.Options(name_IDs=["*"], hinting=False, layout_features=["kern", "locl"])
    cutter = subset.Subsetter(options)
    cutter.populate(text=wanted_characters())
    cutter.subset(font)
    names = font["name"]
    names.names = [record for record in names.names if record.nameID in _KEPT]
    for number, text in {
        _FAMILY: NAME,
        _STYLE: "Regular",
        _UNIQUE: f"{NAME} Regular",
        _FULL: f"{NAME} Regular",
        _VERSION: "Version 1.0",
        _POSTSCRIPT: "YixinReport-Regular",
    }.items():
        names.setName(text, number, 3, 1, 0x409)
    font.save(FONT)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
