"""Tables of pairs: what is read, and that every mistake names its line and quotes nobody."""

from __future__ import annotations

import numpy as np
import pytest

from scoring_kernel.errors import CalibrationError
from scoring_kernel.faces import pair_table
from scoring_kernel.faces.matching import score_e4
from scoring_kernel.faces.pair_table import read_pairs
from scoring_kernel.faces.pairs import ImagePairs, Scores

IMAGES = """left,right,same,left_subject,right_subject,group
a/1.jpg,a/2.jpg,1,王小明,王小明,f
a/1.jpg,./b/1.jpg,0,王小明,李四,
b/1.jpg,a/2.jpg,0,李四,王小明,m
"""


def images(text: str) -> ImagePairs:
    found = read_pairs(text.encode(), "pairs.csv")
    assert isinstance(found, ImagePairs)
    return found


def scores(text: str) -> Scores:
    found = read_pairs(text.encode(), "pairs.csv")
    assert isinstance(found, Scores)
    return found


def test_images_are_read_once_each_with_their_labels() -> None:
    found = images(IMAGES)
    assert found.images == ("a/1.jpg", "a/2.jpg", "b/1.jpg")
    assert found.lines == (2, 2, 3)
    assert found.left.tolist() == [0, 0, 2]
    assert found.right.tolist() == [1, 2, 1]
    labels = found.labels
    assert labels.same.tolist() == [True, False, False]
    assert labels.left is not None
    assert labels.right is not None
    assert labels.group is not None
    assert (labels.left.tolist(), labels.right.tolist()) == ([0, 0, 1], [0, 1, 0])
    assert (labels.subjects, labels.groups, labels.group.tolist()) == (2, ("f", "m"), [0, -1, 1])


def test_columns_may_stand_in_any_order_behind_a_byte_order_mark() -> None:
    found = read_pairs(b"\xef\xbb\xbfsame,score\r\n1,0.5\r\n0,-1\r\n", "pairs.csv")
    assert isinstance(found, Scores)
    assert found.e4.tolist() == [5_000, -10_000]
    assert found.labels.left is None
    assert found.labels.subjects == 0


@pytest.mark.parametrize(
    ("text", "e4"),
    [
        ("0.51", 5_100),
        ("0.50999999999999", 5_099),
        ("1", 10_000),
        ("1.000", 10_000),
        ("-0.00001", -1),
        ("1.5e-4", 1),
        ("-0", 0),
    ],
)
def test_scores_are_rounded_down_as_they_are_written(text: str, e4: int) -> None:
    assert scores(f"score,same\n{text},1\n").e4.tolist() == [e4]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "found nothing"),
        ("left,right\na,b\n", 1, "another header"),
        ("left,right,same,same\n", 1, "another header"),
        ("left,right,same,left_subject\na,b,1,x\n", 1, "another header"),
        ("left,right,score,same\n", 1, "another header"),
        ("left,right,same,note\n", 1, "another header"),
        ("left,right,same\n", 1, "a header alone"),
        ("left,right,same\na,b,1\n\nc,d,1\n", 3, "an empty line"),
        ("left,right,same\na,b,1\nc,d\n", 3, "found 2 cells, expected 3"),
        ("left,right,same\na,b,2\n", 2, "same: expected 1 or 0"),
        ("left,right,same\na,b,yes\n", 2, "same: expected 1 or 0"),
        ("left,right,same\n,b,1\n", 2, "left: expected the name"),
        ("left,right,same\n/etc/passwd,b,1\n", 2, "left: expected the name"),
        ("left,right,same\na,x/../../b,1\n", 2, "right: expected the name"),
        ("left,right,same\na,c:\\b,1\n", 2, "right: expected the name"),
        ("left,right,same\na,./a,1\n", 2, "are one image"),
        ("left,right,same\na,b,1\nc,d,1\nb,a,1\n", 4, "the pair of line 2 again"),
        ('left,right,same\n"a,b,1\nc,d,0\n', 2, "not CSV"),
        ('left,right,same\n"a\nb",c,1\n', 2, "quoted cell goes on"),
        ('left,right,same\na,"b"x,1\n', 2, "not CSV"),
        ("left,right,same\na\x1b[2J,b,1\n", 2, "control characters"),
        (f"left,right,same\n{'a' * 600},b,1\n", 2, "longer than 512"),
        (f'left,right,same\na,b,1\n"{"a" * 140_000}', 3, "not CSV"),
        ("score,same\nnan,1\n", 2, "score: expected"),
        ("score,same\n1e-3,1\ninf,1\n", 3, "score: expected"),
        ("score,same\n1.01,1\n", 2, "score: expected"),
        ("score,same\n1_0,1\n", 2, "score: expected"),
        ("score,same\n\uff11,1\n", 2, "score: expected"),
        ("score,same\n,1\n", 2, "score: expected"),
        ("left,right,same,left_subject,right_subject\na,b,1,x,y\n", 2, "same says otherwise"),
        ("left,right,same,left_subject,right_subject\na,b,0,x,x\n", 2, "same says otherwise"),
        ("left,right,same,left_subject,right_subject\na,b,1,,\n", 2, "left_subject: expected"),
        ("left,right,same,left_subject,right_subject\na,b,1,x, x\n", 2, "right_subject: exp"),
        (f"left,right,same,group\na,b,1,{'g' * 65}\n", 2, "group: expected 1 to 64"),
    ],
)
def test_a_mistake_names_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(CalibrationError, match=rf"^pairs\.csv:{line}: .*{words}"):
        read_pairs(text.encode(), "pairs.csv")


def test_bytes_that_are_no_text_name_their_line() -> None:
    with pytest.raises(CalibrationError, match=r"^pairs\.csv:3: found bytes that are not UTF-8"):
        read_pairs(b"score,same\n0.5,1\n" + "张三".encode("gb18030") + b",1\n", "pairs.csv")


def test_no_message_quotes_a_person() -> None:
    text = IMAGES.replace("b/1.jpg,a/2.jpg,0", "张三.jpg,a/2.jpg,x")
    with pytest.raises(CalibrationError) as caught:
        read_pairs(text.encode(), "pairs.csv")
    assert not any(name in str(caught.value) for name in ("张三", "李四", "王小明"))


def test_bounds_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    many = "score,same,group\n" + "".join(f"0.5,1,g{number}\n" for number in range(65))
    with pytest.raises(CalibrationError, match=r":66: group: expected at most 64 groups"):
        read_pairs(many.encode(), "pairs.csv")
    monkeypatch.setattr(pair_table, "MAX_ROWS", 2)
    assert len(scores("score,same\n0.5,1\n0.5,0\n").e4) == 2
    with pytest.raises(CalibrationError, match=r":4: expected at most 2 pairs"):
        read_pairs(b"score,same\n0.5,1\n0.5,0\n0.5,0\n", "pairs.csv")
    monkeypatch.setattr(pair_table, "MAX_BYTES", 10)
    with pytest.raises(CalibrationError, match="expected at most 10"):
        read_pairs(b"score,same\n0.5,1\n", "pairs.csv")


def test_pairs_are_scored_as_the_matching_scores_them_and_subjects_counted_anew() -> None:
    found = images(IMAGES)
    generator = np.random.default_rng(1)  # noqa: TID251  # a seeded test
    vectors = generator.normal(size=(3, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    told = found.compare(vectors, np.array([True, True, True]))
    assert told.e4.tolist() == [
        score_e4(vectors[left], vectors[right])
        for left, right in zip(found.left, found.right, strict=True)
    ]
    fewer = found.compare(vectors, np.array([True, True, False]))
    assert fewer.e4.tolist() == told.e4[:1].tolist()
    assert fewer.labels.subjects == 1
    plain = images("left,right,same\na,b,1\n").labels.take(np.array([True]))
    assert plain.left is None
