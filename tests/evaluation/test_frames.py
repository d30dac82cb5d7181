import numpy as np
import pytest

from bandpass.evaluation import frame_scores

ROWS = np.array([[0, 1, 2], [2, 3, 4]])


def test_frames_take_the_mean_or_the_highest_of_the_clips_that_cover_them():
    scores = np.array([1.0, 3.0])
    assert frame_scores(scores, ROWS, 5).tolist() == [1, 1, 2, 3, 3]
    assert frame_scores(scores, ROWS, 5, combine="max").tolist() == [1, 1, 3, 3, 3]


def test_positions_have_scores_of_their_own():
    scores = np.array([[1.0, 2, 3], [5, 6, 7]])
    assert frame_scores(scores, ROWS, 5).tolist() == [1, 2, 4, 6, 7]


@pytest.mark.parametrize("combine", ["mean", "max"])
def test_a_frame_of_which_nothing_is_said_is_nan(combine):
    scores = np.array([[1.0, np.nan, 3], [np.nan, 6, 7]])
    found = frame_scores(scores, ROWS, 6, combine=combine)
    assert np.isnan(found[[1, 5]]).all()
    assert found[[0, 2, 3, 4]].tolist() == [1, 3, 6, 7]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"rows must lie in 0 \.\. 3"):
        frame_scores(np.ones(2), ROWS, 4)
    with pytest.raises(ValueError, match="as the rows are"):
        frame_scores(np.ones(3), ROWS, 5)
