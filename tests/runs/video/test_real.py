import os
from pathlib import Path

import pytest

from bandpass.data.video.clips import Clips
from bandpass.data.video.options import Options
from bandpass.data.video.prepare import prepare_video
from bandpass.data.video.sources import find
from bandpass.runs.video.frames import Frames
from bandpass.runs.video.sample import draw
from bandpass.runs.video.surprise import motion_by_row

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def raw() -> Path:
    root = os.environ.get("BANDPASS_DATA")
    if not root:
        pytest.skip("BANDPASS_DATA is not set")
    folder = Path(root) / "video" / "ucsd_ped2"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}")
    return folder


def test_frame_difference_finds_the_anomalies_of_ped2_as_well_as_its_readme_says(raw, tmp_path):
    source, published = find("ucsd_ped2"), {"test_clips": ""}
    whole, small = (
        prepare_video(source, raw, tmp_path / name, Options(1, of_source=published, **size))
        for name, size in (("whole", {"height": 240, "width": 360}), ("small", {}))
    )
    found = []
    for store in (whole, small):
        test = draw(Clips(store, 2, 1, "test"))
        judged = Frames.of(test).judge(motion_by_row(test), seed=0)
        found.append({metric: estimate.value for _, metric, estimate in judged})
    print(f"AUROC at 240 x 360: {found[0]['auroc']:.3f}, at {source.size}: {found[1]['auroc']:.3f}")
    assert found[0]["auroc"] == pytest.approx(0.714, abs=0.005)
    assert found[0]["prevalence"] == pytest.approx(0.82, abs=0.005)
