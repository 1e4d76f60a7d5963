from benchmarks.schedule import Turn, next_turn

OURS, FLOOR, PEER = Turn("near", "cloudfs"), Turn("near", "floor"), Turn("near", "rclone", weight=2)


def order(most: int, seconds: float) -> list[str]:
    """Who runs when, if every run takes a second."""
    taken: dict[Turn, list[float]] = {}
    names: list[str] = []
    while turn := next_turn([PEER, OURS, FLOOR], taken, most, seconds - len(names)):
        taken.setdefault(turn, []).append(1.0)
        names.append(turn.system)
    return names


def test_the_systems_take_turns_and_peers_every_other_time() -> None:
    assert order(2, 100.0) == ["cloudfs", "floor", "rclone", "cloudfs", "floor", "rclone"]
    assert order(3, 100.0).count("rclone") == 3


def test_nobody_begins_again_who_would_not_be_done_in_time() -> None:
    assert order(3, 4.5) == ["cloudfs", "floor", "rclone", "cloudfs"]
    slow = {OURS: [10.0], FLOOR: [1.0]}
    assert next_turn([OURS, FLOOR], slow, 2, 5.0) == FLOOR


def test_it_ends_when_the_time_is_over() -> None:
    assert next_turn([OURS], {}, 3, 0.0) is None
