"""Facts for joining across nodes (跨节点关联), read from a snapshot of the node's records.

Rules:
- What is reversed, cancelled or taken back is no fact: the facts are read from the derived
  relations of the rule book, so that a node's rules and a hub's joins speak of the same visits.
- A stay (住院起止) has ended and was settled; a presence (现场结算) is a settlement of a kind of
  visit for which the person stands there; a dispense (重点药品配药) is of a watched class; a pack
  is shown by its trace code (追溯码), once per institution, net of returns, split packs left out;
  a session (接诊时段) is a run of a physician's presences at a hospital on a day, none of them far
  from the next; settlements without a time of day are left out, as are codes that are no
  physician's.
- Nothing is read whose retention at the hub is over, and nothing of a day that is yet to come.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Final, Protocol

import duckdb
import pyarrow as pa

from node.domain.clue_drafts import JoinFacts, Place
from node.errors import StoreError
from scoring_kernel.joining import Joining, JoinKind
from scoring_kernel.rules import Relation, RuleBook
from scoring_kernel.rules.relations import order
from scoring_kernel.subject_ids import CODE_FORMS, STAFF

__all__ = ["FactRecords", "open_facts", "read_facts", "read_places"]

_RELATIONS: Final = ("claim_settlement", "visit", "line")
_VIEWS: Final = frozenset({"line"})
"""Read through a filter that few lines pass: never made as a whole."""
_KINDS: Final = ("stock_movement", "trace_code", "institution_profile")
SCHEMA: Final = pa.schema(
    [
        ("institution", pa.string()),
        ("who", pa.string()),
        ("begins", pa.int64()),
        ("ends", pa.int64()),
        ("drug_class", pa.string()),
        ("leaf", pa.int64()),
    ]
)

_STAY: Final = """
    select v.institution, v.person as who, epoch(v.admitted_at)::bigint // 60 as begins,
        epoch(v.discharged_at)::bigint // 60 as ends, '' as drug_class, n._seq as leaf
    from visit v
    join settlement__numbered n on n.institution = v.institution and n.record_id = v.record_id
        and n.sign = 1
    where v.inpatient and v.settled and v.discharged_at > v.admitted_at
        and v.discharged_at >= $since and v.discharged_at < $until
"""
_PRESENCE: Final = """
    select c.institution, c.person as who, epoch(c.settled_at)::bigint // 60 as begins,
        begins as ends, '' as drug_class, n._seq as leaf
    from claim_settlement c
    join settlement__numbered n on n.institution = c.institution and n.setl_id = c.setl_id
        and n.sign = 1
    where not c.inpatient and list_contains($med_types, c.med_type)
        and c.settled_at >= $since and c.settled_at < $until
"""
_DISPENSE: Final = """
    select l.institution, l.person as who, epoch(l.day)::bigint // 60 as begins, begins as ends,
        w.class as drug_class, min(n._seq) as leaf
    from line l
    join watched w on starts_with(l.item_code, w.class)
    join fee_detail__numbered n on n.institution = l.institution and n.record_id = l.record_id
        and n.mdtrt_id = l.mdtrt_id and n.line = l.line
    where l.amount_fen > 0 and l.day >= $since and l.day < $until
    group by all
"""
_TRACE: Final = """
    with shown as (
        select code, institution, setl_id, source, occurred_at, _seq as leaf
        from trace_code__numbered
        where what in ('sale', 'settlement') and not coalesce(split, false)
        union all
        select trace, institution, setl_id, record_id, occurred_at, _seq
        from stock_movement__numbered
        where what = 'sale' and trace is not null and not coalesce(split, false)
    ),
    told as (
        select *, max(setl_id) over (
            partition by code, institution, occurred_at::date
        ) as day_setl
        from shown
        anti join (select institution, setl_id from settlement where sign = -1) as reversed
            using (institution, setl_id)
    ),
    sold as (
        select code, institution, count(distinct coalesce(setl_id, source)) as times,
            min(occurred_at) as sold_at, min(leaf) as leaf
        from told
        where setl_id is not null or day_setl is null
        group by code, institution
    ),
    back as (
        select code, institution, count(distinct source) as times
        from (
            select code, institution, source from trace_code where what = 'sale_return'
            union all
            select trace, institution, record_id from stock_movement
            where what = 'sale_return' and trace is not null
        ) as returned
        group by code, institution
    )
    select s.institution, s.code as who, epoch(s.sold_at)::bigint // 60 as begins, begins as ends,
        '' as drug_class, s.leaf
    from sold s
    left join back b using (institution, code)
    where s.times > coalesce(b.times, 0) and s.sold_at >= $since and s.sold_at < $until
"""
_SESSION: Final = """
    with seen as (
        select c.institution, v.doctor as who, c.settled_at, n._seq as leaf
        from claim_settlement c
        join visit v on v.institution = c.institution and v.mdtrt_id = c.mdtrt_id
        join settlement__numbered n on n.institution = c.institution and n.setl_id = c.setl_id
            and n.sign = 1
        where not c.inpatient and list_contains($med_types, c.med_type)
            and starts_with(c.institution, 'H') and regexp_full_match(v.doctor, $staff)
            and c.settled_at <> date_trunc('day', c.settled_at)
            and c.settled_at >= $since and c.settled_at < $until
    ),
    spaced as (
        select *, coalesce(settled_at - lag(settled_at) over day > to_minutes($gap), true) as opens
        from seen
        window day as (
            partition by institution, who, settled_at::date order by settled_at, leaf
        )
    ),
    numbered as (
        select *, count(*) filter (opens) over (
            partition by institution, who order by settled_at, leaf rows unbounded preceding
        ) as session
        from spaced
    )
    select institution, who, epoch(min(settled_at))::bigint // 60 as begins,
        epoch(max(settled_at))::bigint // 60 as ends, '' as drug_class, min(leaf) as leaf
    from numbered
    group by institution, who, session
    having max(settled_at) > min(settled_at)
"""
_SQL: Final[Mapping[JoinKind, str]] = {
    JoinKind.STAY: _STAY,
    JoinKind.PRESENCE: _PRESENCE,
    JoinKind.DISPENSE: _DISPENSE,
    JoinKind.TRACE: _TRACE,
    JoinKind.SESSION: _SESSION,
}
_STANDING_THERE: Final = frozenset({JoinKind.PRESENCE, JoinKind.SESSION})
_PLACES: Final = """
    select institution, last(latitude_e6 order by begins_at), last(longitude_e6 order by begins_at)
    from institution_profile
    where latitude_e6 is not null and longitude_e6 is not null and begins_at < $until
        and (ends_at is null or ends_at >= $until)
    group by institution order by institution
"""


class FactRecords(Protocol):
    """The node's records."""

    def relations(self, kinds: Iterable[str]) -> duckdb.DuckDBPyConnection:
        """Open an engine over a snapshot of some kinds of record; the caller closes it."""


def open_facts(
    records: FactRecords, book: RuleBook, joining: Joining, kinds: Iterable[str] = ()
) -> duckdb.DuckDBPyConnection:
    """Open an engine that facts can be read from; the caller closes it.

    Args:
        records: The node's records.
        book: Gives the derived relations.
        joining: Gives the watched classes.
        kinds: Further kinds to open in the same snapshot.

    Raises:
        StoreError: A relation cannot be made.
    """
    needed = [book.relations[name] for name in order(book.relations, _RELATIONS, {})]
    read = {name for one in needed for name in one.reads} - book.relations.keys()
    engine = records.relations(sorted({*read, *_KINDS, *kinds}))
    try:
        for relation in needed:
            engine.execute(_made(relation))
        classes = pa.table({"class": pa.array(sorted(joining.watched_classes), pa.string())})
        engine.register("watched", classes)
    except duckdb.Error as error:
        engine.close()
        raise StoreError(
            f"the relations for joining cannot be made ({type(error).__name__}); check the "
            "catalogue with: yixin model check"
        ) from error
    return engine


def read_facts(
    engine: duckdb.DuckDBPyConnection, joining: Joining, today: date
) -> Iterator[JoinFacts]:
    """Read the facts of every kind, one after the other.

    Args:
        engine: Engine of ``open_facts``.
        joining: Retention and kinds of visit.
        today: Day in Shanghai.

    Raises:
        StoreError: The facts cannot be read.
    """
    until = datetime.combine(today + timedelta(days=1), time())
    for kind in JoinKind:
        since = until - timedelta(days=joining.retention_days[kind])
        values: dict[str, object] = {"since": since, "until": until}
        if kind in _STANDING_THERE:
            values["med_types"] = sorted(joining.presence_med_types)
        if kind is JoinKind.SESSION:
            values["gap"] = joining.session_gap_minutes
            values["staff"] = CODE_FORMS[STAFF][0].pattern
        try:
            found: pa.Table = engine.sql(_SQL[kind], params=values).to_arrow_table()
            rows = found.cast(SCHEMA)
        except (duckdb.Error, pa.ArrowException) as error:
            raise StoreError(
                f"facts of kind {kind} cannot be read ({type(error).__name__}); run again, and "
                "report it if it stays so"
            ) from error
        keys = [(name, "ascending") for name in SCHEMA.names]
        yield JoinFacts(kind=kind, rows=rows.sort_by(keys))


def read_places(engine: duckdb.DuckDBPyConnection, today: date) -> tuple[Place, ...]:
    """Where institutions stand, as far as their profiles say."""
    until = datetime.combine(today + timedelta(days=1), time())
    rows = engine.execute(_PLACES, {"until": until}).fetchall()
    return tuple(
        Place(institution=code, latitude_e6=latitude, longitude_e6=longitude)
        for code, latitude, longitude in rows
    )


def _made(relation: Relation) -> str:
    if relation.name in _VIEWS:
        return f"create view {relation.name} as {relation.sql}"
    return relation.statement
