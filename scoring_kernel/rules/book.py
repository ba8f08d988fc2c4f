"""The rule book (规则库): every rule with the relations and the knowledge it reads, checked.

Rules:
- What is in the book was checked: every rule parses, reads what it declares, names known
  columns, joins within bounds, can be said in Spark's SQL and returns ``RESULT_COLUMNS``.
- Its digest is SHA-256 over the files of ``rules/`` and ``knowledge/``; a result carries it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scoring_kernel.rules.relations import order
from scoring_kernel.rules.rendering import spans, statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scoring_kernel.rules.knowledge import KnowledgeTable
    from scoring_kernel.rules.relations import Relation
    from scoring_kernel.rules.rule import Rule, Statement


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """All rules, relations and knowledge tables of a catalogue."""

    digest: bytes
    """SHA-256, 32 bytes."""
    rules: Mapping[str, Rule] = field(repr=False)
    """Rules and warnings by id."""
    relations: Mapping[str, Relation] = field(repr=False)
    """Derived relations by name."""
    knowledge: Mapping[str, KnowledgeTable] = field(repr=False)
    """Knowledge tables by id."""

    @property
    def cited_sources(self) -> frozenset[str]:
        """Keys of the sources that rules and their parameters rest on."""
        return frozenset().union(*(rule.sources for rule in self.rules.values()))

    @property
    def runnable(self) -> tuple[Rule, ...]:
        """Rules with SQL, in order of their ids."""
        return tuple(rule for rule in self.rules.values() if rule.sql is not None)

    def statements(self, rule: Rule) -> tuple[Statement, ...]:
        """SQL of a rule, one statement per span of its parameters.

        Args:
            rule: A rule of this book.

        Returns:
            Statements in order of days; none for a warning without SQL.
        """
        if rule.sql is None:
            return ()
        return tuple(statement(rule, f"rules/{rule.id}.yaml", *span) for span in spans(rule))

    def prepare(
        self, rules: Iterable[Rule] | None = None, months: Iterable[int] = ()
    ) -> tuple[str, ...]:
        """Statements that make the derived relations, in order.

        Args:
            rules: Rules that will run; all when None.
            months: Months (yyyymm) of the records; with them large relations are made in parts
                and compressed, which takes a fifth of the memory, see ``relations``.

        Returns:
            Statements for the relations that the rules need, each after what it reads.
        """
        parts = tuple(months)
        needed = (self.relations[name] for name in self._needed(rules))
        return tuple(made for relation in needed for made in relation.statements(parts))

    def kinds(self, rules: Iterable[Rule] | None = None) -> tuple[str, ...]:
        """Record kinds that rules read, themselves or through relations, sorted."""
        wanted = tuple(self.runnable if rules is None else rules)
        read = {name for rule in wanted for name in rule.relations}
        read |= {name for one in self._needed(wanted) for name in self.relations[one].reads}
        return tuple(sorted(read - self.relations.keys()))

    def tables(self, rules: Iterable[Rule] | None = None) -> tuple[str, ...]:
        """Knowledge tables that rules read, sorted."""
        wanted = self.runnable if rules is None else rules
        return tuple(sorted({name for rule in wanted for name in rule.knowledge}))

    def readers(self, table: str) -> tuple[str, ...]:
        """Ids of the rules that read a knowledge table."""
        return tuple(rule.id for rule in self.rules.values() if table in rule.knowledge)

    def _needed(self, rules: Iterable[Rule] | None) -> tuple[str, ...]:
        wanted = self.runnable if rules is None else rules
        names = [name for rule in wanted for name in rule.relations]
        return order(self.relations, names, {})
