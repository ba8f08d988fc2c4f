"""How sources are named, and that a stream's user and password are shown nowhere."""

from __future__ import annotations

import pytest

from edge_devices.errors import DeviceConfigurationError
from edge_devices.face_terminals.sources.port import SourceKind, parse_source


@pytest.mark.parametrize(
    ("text", "kind", "target", "shown"),
    [
        ("camera", SourceKind.CAMERA, "0", "camera:0"),
        ("camera:2", SourceKind.CAMERA, "2", "camera:2"),
        ("video:a:b.avi", SourceKind.VIDEO, "a:b.avi", "video:a:b.avi"),
        ("folder:/x", SourceKind.FOLDER, "/x", "folder:/x"),
        ("rtsp://h/p", SourceKind.RTSP, "rtsp://h/p", "rtsp://h:554"),
        ("rtsp:rtsp://u:s3cret@h:99/p", SourceKind.RTSP, "rtsp://u:s3cret@h:99/p", "rtsp://h:99"),
        ("rtsps://u:s3cret@h/p?k=s3cret", SourceKind.RTSP, "rtsps://u:s3cret@h/p?k=s3cret",
         "rtsps://h:554"),
    ],
)  # fmt: skip
def test_named(text: str, kind: SourceKind, target: str, shown: str) -> None:
    spec = parse_source(text)
    assert (spec.kind, spec.target, spec.shown) == (kind, target, shown)
    assert "s3cret" not in spec.shown + repr(spec)


@pytest.mark.parametrize(
    "text",
    ["", "webcam", "camera:x", "camera:-1", "camera:64", "camera:٣", "video:", "folder:", "rtsp:",
     "rtsp://", "rtsp://u:s3cret@", "rtsp://h:x/s3cret", "rtsp://h:0/", "http://s3cret@h/",
     "folder:" + "x" * 2000],
)  # fmt: skip
def test_anything_else_is_refused_without_its_secret(text: str) -> None:
    with pytest.raises(DeviceConfigurationError) as caught:
        parse_source(text)
    assert "s3cret" not in str(caught.value)


def test_pace_and_size_are_bounded_and_go_with_recordings() -> None:
    assert parse_source("folder:x", pace=25).is_live
    assert not parse_source("folder:x").is_live
    assert parse_source("camera").is_live
    for text, values in (
        ("folder:x", {"pace": -1}),
        ("folder:x", {"pace": 61}),
        ("folder:x", {"upscale": 0}),
        ("folder:x", {"upscale": 9}),
        ("camera", {"pace": 5}),
    ):
        with pytest.raises(DeviceConfigurationError):
            parse_source(text, **values)
