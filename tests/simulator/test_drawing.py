from io import BytesIO

import pytest
from PIL import Image

from simulator.drawing import draw


@pytest.mark.parametrize(("kind", "form"), [("signature", "PNG"), ("image", "JPEG"), ("barcode", "JPEG")])
def test_a_drawing_is_a_small_image_and_the_same_every_time(kind: str, form: str):
    data = draw(f"{kind}/1/stop")
    with Image.open(BytesIO(data)) as image:
        image.load()
        assert image.format == form
    assert 3_000 < len(data) < 80_000
    assert data == draw(f"{kind}/1/stop")
    assert data != draw(f"{kind}/1/next")
