"""The jobs of the rules: what a run hands over, what hits there are, why there is one.

Each is a JSON object in and a JSON object out, as those of ``jobs.py``. The run itself is a
process of its own (``rule_running``); the daemon only keeps what it finds, a little at a time.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from node.errors import ConfigurationError
from node.knowledge_import import import_knowledge
from node.store import LogEntry, NodeStore
from node.store.hits import HitFilter, HitRow, SealedHit
from node.store.rule_runs import NewRun, RuleOutcome, RuleRun
from node.supervision.explaining import explain_hit
from scoring_kernel import Catalog
from scoring_kernel.rules import RuleBook, load_rules
from security.progress import ProgressReporter

__all__ = ["READERS", "RuleJobs", "packed", "unpacked"]

Result = dict[str, Any]
READERS: Final = ("rules_show", "rules_explain", "knowledge")
"""Jobs that change nothing, and do not wait for the writer."""
_SHOWN_ID: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleJobs:
    """The rules' jobs over one store."""

    catalog: Catalog
    store: NodeStore
    now: Callable[[], datetime]

    def table(self) -> Mapping[str, Callable[[Result, ProgressReporter], Result]]:
        """Jobs by the name under which the command line and the socket know them."""
        return {
            "rules_begin": self.begin,
            "rules_keep": self.keep,
            "rules_sweep": self.sweep,
            "rules_note": self.note,
            "rules_end": self.end,
            "rules_show": self.show,
            "rules_explain": self.explain,
            "knowledge": self.knowledge,
            "knowledge_import": self.import_knowledge,
        }

    def begin(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Begin a run."""
        run = NewRun(
            started_at=arguments["started_at"],
            book_digest=bytes.fromhex(arguments["book_digest"]),
            knowledge_digest=bytes.fromhex(arguments["knowledge_digest"]),
            first_month=arguments["first_month"],
            last_month=arguments["last_month"],
        )
        return {"run": self.store.supervision.begin(run)}

    def keep(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Keep hits of a run; their bodies come sealed."""
        self.store.supervision.keep(
            arguments["run"],
            arguments["rule"],
            [unpacked(one) for one in arguments["changed"]],
            [bytes.fromhex(one) for one in arguments["same"]],
        )
        return {}

    def sweep(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Mark what a run did not find again as gone."""
        names = ("run", "rule", "first_month", "last_month")
        return {"gone": self.store.supervision.sweep(*(arguments[name] for name in names))}

    def note(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Note what came of a rule."""
        self.store.supervision.note(arguments["run"], RuleOutcome(**arguments["outcome"]))
        return {}

    def end(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Note that a run came to its end."""
        self.store.supervision.end(arguments["run"], arguments["ended_at"])
        return {}

    def show(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """List hits, the largest amounts first, with sums by rule and the last run."""
        keeper, book = self.store.supervision, self._book()
        months = arguments.get("months") or (0, 999_912)
        wanted = HitFilter(
            rule=_known_rule(book, arguments.get("rule") or ""),
            institution=arguments.get("institution") or "",
            first_month=months[0],
            last_month=months[1],
            gone=bool(arguments.get("gone")),
        )
        runs = keeper.runs(1)
        return {
            "run": _run_shown(runs[0]) if runs else None,
            "totals": [
                {
                    "rule": rule,
                    "name_zh": _name(book, rule),
                    "verdict": verdict,
                    "hits": count,
                    "amount_fen": fen,
                }
                for rule, verdict, count, fen in keeper.totals(wanted)
            ],
            "hits": [
                _hit_shown(book, one)
                for one in keeper.hits(
                    wanted, limit=arguments["limit"], offset=arguments.get("offset", 0)
                )
            ],
        }

    def explain(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Explain one hit: the rule, what was in force, what it rests on."""
        hit = _hit_of(self.store, arguments["hit"])
        revealed_to = arguments.get("reveal_to")
        if revealed_to is not None:
            self._note_reveal(hit, revealed_to)
        return explain_hit(
            self.store,
            self.store.supervision,
            self._book(),
            self.catalog,
            hit,
            revealed=revealed_to is not None,
        )

    def _note_reveal(self, hit: HitRow, operator: str) -> None:
        if not operator:
            raise ConfigurationError("no login name found: name yourself with --operator")
        at = self.now().isoformat(timespec="seconds")
        entry = LogEntry(at=at, operator=operator, action="hit_reveal", subject=hit.id.hex())
        self.store.desk.note(entry)

    def knowledge(self, _arguments: Result, _progress: ProgressReporter) -> Result:
        """List what was imported, and what holds when."""
        keeper = self.store.supervision
        return {
            "imports": [
                {
                    "id": one.id,
                    "source": one.source,
                    "begins_on": one.begins_on,
                    "imported_at": one.imported_at,
                    "operator": one.operator,
                    "rows": dict(one.rows),
                    "unbound": one.unbound,
                }
                for one in keeper.knowledge_imports()
            ],
            "versions": [
                {"table": one.name, "begins_on": one.begins_on, "ends_on": one.ends_on}
                for one in keeper.knowledge_versions()
            ],
        }

    def import_knowledge(self, arguments: Result, _progress: ProgressReporter) -> Result:
        """Take a file of knowledge points."""
        return asdict(
            import_knowledge(
                self.store,
                self._book(),
                Path(arguments["file"]),
                begins_on=arguments.get("begins_on"),
                operator=arguments["operator"],
                now=self.now(),
            )
        )

    def _book(self) -> RuleBook:
        return load_rules(self.catalog)


def packed(hit: SealedHit) -> list[object]:
    """Write a sealed hit as JSON values."""
    body = base64.b64encode(hit.body).decode()
    clear = (hit.version, hit.institution, hit.month, hit.at, hit.amount_fen, hit.verdict)
    return [hit.id.hex(), *clear, hit.digest.hex(), body]


def unpacked(values: list[Any]) -> SealedHit:
    """Read a sealed hit.

    Raises:
        ConfigurationError: It is not of the form: the daemon is of another release.
    """
    try:
        name, version, institution, month, at, amount_fen, verdict, digest, body = values
        return SealedHit(
            id=bytes.fromhex(name),
            version=version,
            institution=institution,
            month=month,
            at=at,
            amount_fen=amount_fen,
            verdict=verdict,
            digest=bytes.fromhex(digest),
            body=base64.b64decode(body, validate=True),
        )
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            "a hit came that is not of this release's form: restart the daemon"
        ) from error


def _hit_of(store: NodeStore, prefix: str) -> HitRow:
    if not prefix.strip():
        raise ConfigurationError(
            "an empty text names no hit: expected an id or its first digits;"
            " list hits with: yixin node rules show"
        )
    try:
        found = store.supervision.find(prefix)
    except ValueError:
        found = ()
    if len(found) != 1:
        problem = "is no hit of this node" if not found else "begins more than one hit's id"
        raise ConfigurationError(
            f"{prefix[:32]!r} {problem}; list hits with: yixin node rules show"
        )
    return found[0]


def _known_rule(book: RuleBook, name: str) -> str:
    if name and name not in book.rules:
        raise ConfigurationError(f"{name[:20]!r} is no rule; list them with: yixin rules list")
    return name


def _name(book: RuleBook, rule: str) -> str:
    return book.rules[rule].name_zh if rule in book.rules else "（已不在规则库）"


def _hit_shown(book: RuleBook, hit: HitRow) -> Result:
    return {
        "id": hit.id.hex()[:_SHOWN_ID],
        "rule": hit.rule,
        "name_zh": _name(book, hit.rule),
        "verdict": hit.verdict,
        "institution": hit.institution,
        "at": hit.at,
        "amount_fen": hit.amount_fen,
        "first_run": hit.first_run,
        "last_run": hit.last_run,
        "gone_run": hit.gone_run,
    }


def _run_shown(kept: RuleRun) -> Result:
    return {
        "run": kept.id,
        "started_at": kept.run.started_at,
        "ended_at": kept.ended_at,
        "book_digest": kept.run.book_digest.hex(),
        "knowledge_digest": kept.run.knowledge_digest.hex(),
        "rules": len(kept.outcomes),
        "stopped": {one.rule: one.error for one in kept.outcomes.values() if one.error},
    }
