"""A long fit says how far it is; a short one keeps quiet."""

import logging

from hscdb.mosaic import progress


def test_only_what_takes_long_is_told_with_memory_and_the_time_left(monkeypatch, caplog) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    watch = progress.Watch("positions", "mas")
    with caplog.at_level(logging.INFO, "hscdb.mosaic"):
        for n_pass, at in ((1, 6.0), (2, 12.0), (3, 18.0), (4, 24.0)):
            now[0] = at
            watch.tell(n_pass, 0.5)
    assert len(caplog.messages) == 2
    assert caplog.messages[0].startswith("positions: pass 2 moved by 0.5 mas; ")
    assert caplog.messages[0].endswith(" GB, about 30 s left")
    assert caplog.messages[1].endswith("about 18 s left")


def test_steps_of_many_detections_are_told_with_what_is_to_come(caplog) -> None:
    with caplog.at_level(logging.INFO, "hscdb.mosaic"):
        for n_obs in (10_000, 2_000_000):
            steps = progress.Steps(n_obs)
            steps.begin(70_000, 66)
            steps.write(1_000)
    assert len(caplog.messages) == 2
    assert caplog.messages[0].startswith("2000000 detections of 70000 stars in 66 visits are read; ")
    assert caplog.messages[0].endswith(" GB, positions and fluxes take about 60 s")
    assert caplog.messages[1].endswith(" GB, writing rows and files takes about 24 s")
