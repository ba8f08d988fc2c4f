"""The supervision rules' book (监管规则库): rules as data, checked SQL, knowledge tables."""

from scoring_kernel.rules.book import RuleBook
from scoring_kernel.rules.knowledge import KnowledgeTable
from scoring_kernel.rules.loader import load_rules, parse_rules, verify_rules
from scoring_kernel.rules.points import Points, read_points, read_table_rows
from scoring_kernel.rules.relations import Relation
from scoring_kernel.rules.rule import (
    INVOLVED,
    RESULT_COLUMNS,
    VIOLATING,
    ParameterVersion,
    Rule,
    RuleParameter,
    Statement,
)

__all__ = [
    "INVOLVED",
    "RESULT_COLUMNS",
    "VIOLATING",
    "KnowledgeTable",
    "ParameterVersion",
    "Points",
    "Relation",
    "Rule",
    "RuleBook",
    "RuleParameter",
    "Statement",
    "load_rules",
    "parse_rules",
    "read_points",
    "read_table_rows",
    "verify_rules",
]
