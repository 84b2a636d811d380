/** The map's background where no style is set: a calm ground and a graticule, made here, so that no other host is asked for anything. */
import type { GeoJSONSource, Map as MapView, StyleSpecification } from "maplibre-gl";
import { degrees, graticule } from "./geo.ts";

export const GROUND = "#eef1f0";
/** Glyphs are drawn from the machine's own fonts, since the style names no glyph server. */
export const FONT = ["Helvetica Neue", "Arial", "Liberation Sans"];
/** The weight is read off the first name; the families that follow are drawn in it. */
export const BOLD = ["Arial Bold", "Helvetica Neue", "Arial", "Liberation Sans"];

export function plainStyle(): StyleSpecification {
  return {
    version: 8,
    sources: { graticule: { type: "geojson", data: { type: "FeatureCollection", features: [] } } },
    layers: [
      { id: "ground", type: "background", paint: { "background-color": GROUND } },
      { id: "graticule", type: "line", source: "graticule", paint: { "line-color": "#dde3e2", "line-width": 1 } },
      {
        id: "graticule-names",
        type: "symbol",
        source: "graticule",
        layout: {
          "symbol-placement": "line",
          "symbol-spacing": 520,
          "text-field": ["get", "name"],
          "text-font": FONT,
          "text-size": 11,
          "text-offset": [0, -0.7],
        },
        paint: { "text-color": "#a3b0b2", "text-halo-color": GROUND, "text-halo-width": 1.2 },
      },
    ],
  };
}

/** Draw the graticule of what is seen, again after each move. */
export function drawGraticule(map: MapView): void {
  const draw = (): void => {
    const source = map.getSource<GeoJSONSource>("graticule");
    if (source === undefined) return;
    const box = map.getBounds();
    const wide = (box.getEast() - box.getWest()) * 0.5;
    const high = (box.getNorth() - box.getSouth()) * 0.5;
    const [west, east, south, north] = [box.getWest() - wide, box.getEast() + wide, Math.max(-85, box.getSouth() - high), Math.min(85, box.getNorth() + high)];
    const { step, meridians, parallels } = graticule(west, south, east, north, 8);
    const line = (name: string, coordinates: [number, number][]): GeoJSON.Feature => ({ type: "Feature", properties: { name }, geometry: { type: "LineString", coordinates } });
    void source.setData({
      type: "FeatureCollection",
      features: [
        ...meridians.map((at) => line(degrees(at, step, "lng"), [[at, south], [at, north]])),
        ...parallels.map((at) => line(degrees(at, step, "lat"), [[west, at], [east, at]])),
      ],
    });
  };
  map.on("style.load", draw);
  map.on("moveend", draw);
  draw();
}
