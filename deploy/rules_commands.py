"""``yixin rules``: list and check the supervision rules, import knowledge points into a node.

Exit codes: 0 done, 2 wrong usage, 18 a rule, relation or table is not sound: the message says
where and how to mend it. ``import-knowledge`` shares the exit codes of ``yixin node``.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from deploy.model.options import describe, today
from node.cli_options import AsJson, Directory, Operator, login_name
from node.commands import Result, run_job, start
from node.config import node_directory
from scoring_kernel import Catalog, load_catalog
from scoring_kernel.rules import ParameterVersion, Rule, load_rules, verify_rules
from scoring_kernel.rules.live.forms import FORMS
from security.operator.output import CommandOutput, speaking

__all__ = ["app"]

app = typer.Typer(
    name="rules",
    no_args_is_help=True,
    help="Supervision rules (监管规则): list and check them, import knowledge points.",
)

_PHASES: Final[Mapping[str, str]] = {"pre": "事前", "in": "事中", "post": "事后"}
_VERDICTS: Final[Mapping[str, str]] = {
    "violation": "违规",
    "suspicion": "可疑",
    "warning": "提醒",
}
_BLOCKS: Final = "拦截"
_LIVE: Final = "●"
_SETS: Final[Mapping[str, str]] = {"core": "监控规则", "reserve": "备用规则", "warning": "实时预警"}

DayOption = Annotated[
    datetime | None,
    typer.Option("--day", formats=["%Y-%m-%d"], help="Parameters in force on this day; else now."),
]


@app.command("list")
def show(*, day: DayOption = None, as_json: AsJson = False) -> None:
    """List rules and warnings: phase, result, parameters in force today, legal basis.

    A warning that blocks unless a node's settings say otherwise shows 拦截; ● under 实时 marks what
    is judged live, at the till, as well.

    Example: [bold]yixin rules list[/bold]
    """
    with speaking(CommandOutput(as_json=as_json), describe) as out:
        on = today() if day is None else day.date()
        catalog = load_catalog()
        book = load_rules(catalog)
        rules = [_shown(one, catalog, one.find_parameters(on)) for one in book.rules.values()]
        if as_json:
            out.json({"day": on.isoformat(), "digest": book.digest.hex(), "rules": rules})
            return
        for name, title in _SETS.items():
            of_set = [one for one in rules if one["set"] == name]
            out.rows(f"{title} {len(of_set)}", [_row(one) for one in of_set])
        counts = {name: sum(one["set"] == name for one in rules) for name in _SETS}
        out.say(
            f"{counts['core']} rules and {counts['warning']} warnings, {counts['reserve']} of the"
            f" reserve; parameters in force on {on.isoformat()}; digest {book.digest.hex()}"
        )


@app.command("check")
def check(
    *,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]", help="Folder with rules/ and knowledge/; else the catalogue's."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every rule: form, dates, columns, joins, both engines' SQL, and that it runs.

    Example: [bold]yixin rules check[/bold]
    """
    if folder is not None and not (folder / "rules").is_dir():
        raise typer.BadParameter(f"{folder} has no folder rules/")
    with speaking(CommandOutput(as_json=as_json), describe) as out:
        from deploy.rule_binding import bind  # noqa: PLC0415  # the other commands need no engine

        catalog = load_catalog()
        book = verify_rules() if folder is None else load_rules(catalog, folder)
        statements = bind(book, catalog)
        out.done(
            {
                "rules": len(book.rules),
                "statements": statements,
                "relations": len(book.relations),
                "tables": len(book.knowledge),
                "digest": book.digest.hex(),
            },
            f"sound: {len(book.rules)} rules and warnings, {statements} statements, "
            f"{len(book.relations)} relations, {len(book.knowledge)} tables, digest "
            f"{book.digest.hex()}",
        )


@app.command("import-knowledge")
def import_knowledge(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Knowledge points, or rows of the table the file is named like: .csv or .xlsx.",
        ),
    ],
    *,
    begins: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            formats=["%Y-%m-%d"],
            help="First day they hold; else 2021-05-01 for a table's first import, then today.",
        ),
    ] = None,
    operator: Operator = None,
    directory: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Import national knowledge points (知识点) into a node: which table each goes to, or why not.

    A file named like a knowledge table (k_atc.csv) holds rows of that table instead. The same file
    again changes nothing. Former versions hold for their days for ever. Of several files each is
    imported by itself, and with --json they are listed under `files`.

    Example: [bold]yixin rules import-knowledge points.csv --dir /var/lib/yixin[/bold]
    """
    with start(as_json) as out:
        results = []
        for file in files:
            arguments: Result = {
                "file": str(file.absolute()),
                "begins_on": None if begins is None else begins.date().isoformat(),
                "operator": login_name(operator),
            }
            result = run_job(node_directory(directory), "knowledge_import", arguments, out)
            results.append(result)
            if not as_json:
                _say_imported(out, result)
        if as_json:
            changed = any(result["changed"] for result in results)
            out.json(results[0] if len(files) == 1 else {"changed": changed, "files": results})


def _say_imported(out: CommandOutput, result: Result) -> None:
    out.rows(
        f"Points of {result['source']}, by table",
        [
            {
                "表": one["name_zh"],
                "table": one["table"],
                "rules": ", ".join(one["rules"]),
                "points": one["points"],
                "rows": one["rows"],
                "from": one["begins_on"] if one["is_new"] else "unchanged",
            }
            for one in result["tables"]
        ],
    )
    if result["unbound"]:
        out.rows(
            "Bound to no rule",
            [{"原因": why, "points": count} for why, count in result["unbound"].items()],
        )
        for number, why in result["first_unbound"]:
            out.hint(f"point {number}: {why}")
    state = "imported" if result["changed"] else "nothing new"
    out.say(f"{result['bound']} of {result['points']} points bound: {state}.")


def _shown(
    rule: Rule, catalog: Catalog, held: Mapping[str, ParameterVersion] | None
) -> dict[str, Any]:
    basis = catalog.legal_basis[rule.basis]
    return {
        "id": rule.id,
        "name_zh": rule.name_zh,
        "name_en": rule.name_en,
        "set": rule.set,
        "class": rule.rule_class,
        "phases": list(rule.phases),
        "verdict": rule.verdict,
        "severity": rule.severity,
        "in_force": held is not None,
        "parameters": [
            {
                "name": name,
                "name_zh": rule.parameters[name].name_zh,
                "value": _value(version),
                "unit": rule.parameters[name].unit,
                "begins": version.begins.isoformat(),
                "basis": version.basis,
            }
            for name, version in (held or {}).items()
        ],
        "basis": rule.basis,
        "basis_zh": " ".join(
            one for one in (basis.title, basis.number, basis.article) if one is not None
        ),
        "knowledge": list(rule.knowledge),
        "forms_of": list(rule.forms_of),
        "answer": rule.answer,
        "live": any(one in FORMS for one in (rule.id, *rule.forms_of)),
    }


def _value(version: ParameterVersion) -> int | str | list[str] | None:
    value = version.value
    if isinstance(value, tuple):
        return list(value)
    return value if value is None or isinstance(value, int) else f"{float(value):g}"


def _row(shown: Mapping[str, Any]) -> dict[str, str]:
    return {
        "rule": shown["id"],
        "名称": shown["name_zh"],
        "阶段": "".join(_PHASES[one][1] for one in shown["phases"]),
        "结果": _BLOCKS if shown["answer"] == "block" else _VERDICTS[shown["verdict"]],
        "实时": _LIVE if shown["live"] else "",
        "参数": "；".join(_parameter(one) for one in shown["parameters"])
        if shown["in_force"]
        else "未施行",
        "依据": shown["basis_zh"],
    }


def _parameter(one: Mapping[str, Any]) -> str:
    value: int | str | Sequence[str] = one["value"]
    text = "、".join(value) if isinstance(value, list) else str(value)
    return f"{one['name_zh']} {text}"
