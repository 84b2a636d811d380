from pathlib import Path

import pytest

from simulator.replay import load

GPX = """<?xml version="1.0"?>
<gpx version="1.1" creator="t" xmlns="http://www.topografix.com/GPX/1/1" xmlns:x="urn:x">
 <trk><trkseg>
  <trkpt lat="45.80" lon="15.97"><ele>121.5</ele><time>2026-03-02T07:00:00.250Z</time>
   <extensions><x:speed>8.5</x:speed><x:course>90</x:course></extensions></trkpt>
  <trkpt lat="45.81" lon="15.98"><time>2026-03-02T07:00:05Z</time></trkpt>
  <trkpt lat="45.82" lon="15.99"/>
 </trkseg></trk>
</gpx>"""
GEOJSON = """{"type": "Feature", "geometry": {"type": "LineString",
 "coordinates": [[15.97, 45.80, 120], [15.98, 45.81]]},
 "properties": {"coordinateProperties": {"times": ["2026-03-02T07:00:00.250Z", "2026-03-02T07:00:05Z"]}}}"""
POINTS = """{"type": "FeatureCollection", "features": [
 {"type": "Feature", "geometry": {"type": "Point", "coordinates": [15.98, 45.81]},
  "properties": {"timestamp": 1772434805}},
 {"type": "Feature", "geometry": {"type": "Point", "coordinates": [15.97, 45.80]},
  "properties": {"time": "2026-03-02T07:00:00.250Z", "speed": 8.5}}]}"""
CSV = """unix_time,latitude,longitude,accuracy_m,speed_mps,heading_deg,server_unix_time
1772434800.25,45.80,15.97,4.5,-1,90,
1772434805,45.81,15.98,,,,1772434806
"""


@pytest.mark.parametrize(
    ("name", "text"), [("a.gpx", GPX), ("a.geojson", GEOJSON), ("a.json", POINTS), ("a.csv", CSV), ("a.track", GPX)]
)
def test_every_format_gives_the_same_places_and_times(tmp_path: Path, name: str, text: str):
    (tmp_path / name).write_text(text)
    fixes = load(tmp_path / name)
    assert [(fix.at_ms, fix.latitude, fix.longitude) for fix in fixes] == [
        (1772434800250, 45.80, 15.97),
        (1772434805000, 45.81, 15.98),
    ]


def test_values_come_along_and_empty_cells_are_unknown(tmp_path: Path):
    (tmp_path / "a.gpx").write_text(GPX)
    (tmp_path / "a.csv").write_text(CSV)
    first = load(tmp_path / "a.gpx")[0]
    assert (first.speed, first.heading, first.altitude) == (8.5, 90.0, 121.5)
    first, second = load(tmp_path / "a.csv")
    assert (first.accuracy, first.speed, first.heading) == (4.5, -1.0, 90.0)
    assert (second.accuracy, second.speed, second.heading) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "text"), [("a.gpx", "<gpx/>"), ("a.csv", "x,y\n1,2\n"), ("a.json", "[]"), ("b.gpx", "<gpx")]
)
def test_what_is_no_track_is_refused_with_its_name(tmp_path: Path, name: str, text: str):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=name):
        load(tmp_path / name)


def test_a_real_van_day_is_read_whole(shared):
    fixes = load(shared("data/van-day.csv"))
    assert len(fixes) == 555
    assert fixes[3].latitude == 37.76919446666667 and fixes[3].speed == -2.72
