"""Hosts with the same rows agree on what was replied, though a clock does not."""

import json

import pytest

from tests.mesh.test_processes import start


@pytest.mark.slow
def test_what_is_late_on_one_of_two_hosts_is_late_on_both(tmp_path):
    """Each of the two misses another turn's deadline; of three turns the last is replied to, by both alike."""
    mine, theirs = (
        json.loads(rank.out.splitlines()[-1]) for rank in start(2, "tests.environments.two_hosts", folder=tmp_path)
    )
    assert mine == theirs
    assert mine["nothing"] == []
    assert mine["told"][:2] == [None, None] and len(mine["told"][2]) > 10
    assert mine["met"][:3] == [["late"], ["late"], ["no_room"]]
    assert mine["turns"][:3] == [0, 0, 1], "a turn that is lost was none"
    assert mine["returned"][:3] == [0, 0, 1]
