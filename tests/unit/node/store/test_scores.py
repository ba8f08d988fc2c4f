from pathlib import Path

from node.store.database import open_database
from node.store.scores import PreScore, ScoreStore, _migrations, add_classes


def prescore(total: int) -> PreScore:
    return PreScore(
        period="2026H1",
        subject="H33030200001",
        subject_class="designated_medical_institution",
        total_centi=total,
        grade="poor",
        earned_grade="good",
        basis="proposal",
        coverage_centi=100_000,
        final_inputs=True,
        model_digest="ab" * 32,
        inputs_digest="cd" * 32,
        reference_digest="",
        points={"fund_growth": 3000},
    )


def keep(store: ScoreStore, version: int, body: bytes) -> bool:
    return store.keep_statement(
        period="2026H1",
        subject="H33030200001",
        version=version,
        body=body,
        collected_at="2026-07-20T00:00:00+00:00",
    )


def test_a_statement_is_kept_once_and_the_newest_version_counts(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path)
    assert keep(store, 2, b"second")
    assert keep(store, 1, b"first")
    assert not keep(store, 2, b"other bytes never replace it")
    wanted = {"H33030200001", "H33030200002"}
    assert store.latest_statements("2026H1", wanted) == {"H33030200001": b"second"}
    assert store.latest_statements("2026H1", {"H33030200002"}) == {}
    assert store.latest_statements("2025H1", wanted) == {}
    assert store.count_statements() == {"2026H1": 1}
    store.close()


def test_prescores_of_a_period_replace_each_other_and_survive_reopening(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path)
    store.replace_prescores("2026H1", [prescore(81000)], scored_at="a")
    store.replace_prescores("2026H1", [prescore(82000)], scored_at="b")
    store.close()
    again = ScoreStore(tmp_path)
    assert again.prescores("2026H1") == [prescore(82000)]
    assert again.prescores() == [prescore(82000)]
    assert again.prescores("2025H1") == []
    again.close()


def test_older_prescores_are_of_hospitals_and_earned_their_grade(tmp_path: Path) -> None:
    db = open_database(tmp_path)
    create = next(one for one in _migrations.pending(db) if one.name == "create_score_tables")
    create.fn(db)
    db.table("prescore").insert(
        {
            "period": "2025H2",
            "subject": "H33030200001",
            "total_centi": 1,
            "grade": "bad",
            "basis": "proposal",
            "coverage_centi": 1,
            "final_inputs": 0,
            "points": "{}",
            "scored_at": "a",
        }
    )
    with db.atomic():
        add_classes(db)
    (row,) = db.table("prescore").rows
    assert (row["subject_class"], row["earned_grade"]) == ("designated_medical_institution", "bad")
    db.close()
