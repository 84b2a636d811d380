"""The index of boxes finds exactly what looking at every box would."""

import random

from backend.live.boxes import Box, Boxes, contains


def test_the_index_agrees_with_looking_at_every_box(rng: random.Random) -> None:
    boxes: dict[int, Box] = {}
    index: Boxes[int] = Boxes()
    for number in range(300):
        size = 10 ** rng.uniform(-4, 2.3)
        west, south = rng.uniform(-180, 180), rng.uniform(-90, 90)
        east, north = west + size, min(south + size, 90)
        boxes[number] = (west, south, east if east <= 180 else max(east - 360, -180), north)
        index.add(number, boxes[number])
    for _ in range(3000):
        near = boxes[rng.randrange(300)]
        latitude = rng.choice([near[1], near[3], rng.uniform(-90, 90)])
        longitude = rng.choice([near[0], near[2], -180.0, 180.0, rng.uniform(-180, 180)])
        wanted = {number for number, box in boxes.items() if contains(box, latitude, longitude)}
        assert index.around(latitude, longitude) == wanted
    for number, box in boxes.items():
        index.remove(number, box)
    assert not index and not index._squares


def test_a_small_box_is_not_asked_about_far_places() -> None:
    index: Boxes[str] = Boxes()
    index.add("town", (15.9, 45.7, 16.1, 45.9))
    assert index.around(45.8, 16.0) == {"town"}
    assert index.around(48.0, 16.0) == set()


def test_a_box_may_cross_the_antimeridian() -> None:
    box = (179.0, -20.0, -179.0, -10.0)
    assert contains(box, -15, 179.5) and contains(box, -15, -179.5) and contains(box, -15, 180.0)
    assert not contains(box, -15, 0.0) and not contains(box, 0.0, 179.5)
    index: Boxes[str] = Boxes()
    index.add("Fiji", box)
    assert index.around(-15, -179.5) == index.around(-15, 179.5) == {"Fiji"}
    assert index.around(-15, 0.0) == set()
