from eventscope.engine.ring import EventRing
from tests.events import Listed, an_insert


def entries(count: int) -> list[Listed]:
    return [Listed(an_insert(new={"id": number})) for number in range(count)]


def test_events_are_found_by_their_number() -> None:
    ring, added = EventRing(10), entries(4)
    ring.extend(added)
    assert (ring.first, ring.next) == (0, 4)
    assert [ring.get(seq) for seq in range(4)] == [entry.event() for entry in added]
    assert ring.get(4) is None


def test_the_oldest_go_first() -> None:
    ring, added = EventRing(3), entries(5)
    for entry in added:
        ring.extend([entry])
    assert (ring.first, ring.next) == (2, 5)
    assert ring.get(1) is None
    assert ring.get(2) is added[2].event()


def test_of_a_large_batch_the_last_ones_stay() -> None:
    ring, added = EventRing(3), entries(100)
    ring.extend(added)
    assert (ring.first, ring.next) == (97, 100)
    assert [ring.entry(seq) for seq in range(97, 100)] == added[97:]


def test_an_entry_outlives_its_place() -> None:
    ring, added = EventRing(2), entries(9)
    ring.extend(added[:2])
    kept = ring.entry(0)
    ring.extend(added[2:])
    assert ring.entry(0) is None
    assert kept is not None
    assert kept.event() is added[0].event()


def test_a_place_before_the_first_holds_nothing() -> None:
    ring = EventRing(4)
    ring.extend(entries(4))
    assert ring.get(-1) is None


def test_a_stretch_holds_what_is_still_there() -> None:
    ring, added = EventRing(3), entries(5)
    ring.extend(added)
    assert ring.between(0, 4) == added[2:4]
    assert ring.between(4, 99) == added[4:]
    assert ring.between(5, 9) == []
