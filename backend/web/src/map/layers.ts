/** The layers over the background, from the ground up. */
import type { ExpressionSpecification, LayerSpecification } from "maplibre-gl";
import { SHOWN_STATUSES, STATUS } from "./look.ts";

export const OVERLAY_SOURCES = ["routes", "chosen", "track", "depots", "stops"] as const;

const BY_STATUS = ["match", ["get", "status"], ...SHOWN_STATUSES.flatMap((status) => [status, STATUS[status].colour]), STATUS.scheduled.colour] as unknown as ExpressionSpecification;
/** Finished stops are smaller: what is left to do is what a dispatcher looks for. */
const RADIUS = (far: number, near: number): ExpressionSpecification => {
  const sized = (size: number): ExpressionSpecification => ["match", ["get", "status"], ["success", "cancelled"], size * 0.85, ["servicing", "on_route"], size * 1.2, size];
  return ["interpolate", ["linear"], ["zoom"], 8, sized(far), 12, sized((far + near) / 2), 15, sized(near)];
};

export function overlayLayers(bold: string[]): LayerSpecification[] {
  const round = { "line-join": "round", "line-cap": "round" } as const;
  return [
    { id: "route-beds", type: "line", source: "routes", layout: round, paint: { "line-color": "#ffffff", "line-width": ["interpolate", ["linear"], ["zoom"], 8, 2, 14, 8], "line-opacity": 0.85 } },
    { id: "routes", type: "line", source: "routes", layout: round, paint: { "line-color": ["get", "colour"], "line-width": ["interpolate", ["linear"], ["zoom"], 8, 1, 14, 2.5], "line-opacity": 0.5 } },
    { id: "track", type: "line", source: "track", layout: round, paint: { "line-color": "#17324d", "line-width": 2, "line-dasharray": [0.5, 2], "line-opacity": 0.85 } },
    { id: "chosen-bed", type: "line", source: "chosen", layout: round, paint: { "line-color": "#ffffff", "line-width": 8 } },
    { id: "chosen", type: "line", source: "chosen", layout: round, paint: { "line-color": ["get", "colour"], "line-width": 4, "line-opacity": ["case", ["get", "driven"], 0.35, 1] } },
    { id: "depots", type: "symbol", source: "depots", layout: { "icon-image": "depot", "icon-allow-overlap": true, "icon-size": ["interpolate", ["linear"], ["zoom"], 8, 0.6, 13, 1] } },
    { id: "stop-chosen", type: "circle", source: "stops", filter: ["==", ["get", "orderId"], ""], paint: { "circle-color": "#17324d", "circle-opacity": 0.2, "circle-radius": RADIUS(10, 22) } },
    {
      id: "stops",
      type: "circle",
      source: "stops",
      paint: {
        "circle-color": BY_STATUS,
        "circle-radius": RADIUS(2.6, 11),
        "circle-stroke-color": "#ffffff",
        "circle-stroke-width": ["interpolate", ["linear"], ["zoom"], 8, 0.8, 13, 2],
      },
    },
    {
      id: "stop-numbers",
      type: "symbol",
      source: "stops",
      minzoom: 12.6,
      layout: { "text-field": ["get", "number"], "text-font": bold, "text-size": ["interpolate", ["linear"], ["zoom"], 12.6, 8.5, 15, 11.5], "text-allow-overlap": true, "text-ignore-placement": true },
      paint: { "text-color": "#ffffff" },
    },
  ];
}

/** A house in a dark square, twice its shown size. */
export function drawDepot(): ImageData {
  const size = 52;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size;
  const pen = canvas.getContext("2d")!;
  pen.fillStyle = "#fff";
  pen.beginPath();
  pen.roundRect(0, 0, size, size, 14);
  pen.fill();
  pen.fillStyle = "#17324d";
  pen.beginPath();
  pen.roundRect(4, 4, size - 8, size - 8, 11);
  pen.fill();
  pen.fillStyle = "#fff";
  pen.beginPath();
  pen.moveTo(26, 12);
  pen.lineTo(41, 24);
  pen.lineTo(41, 39);
  pen.lineTo(11, 39);
  pen.lineTo(11, 24);
  pen.closePath();
  pen.fill();
  pen.fillStyle = "#17324d";
  pen.fillRect(20, 28, 12, 11);
  return pen.getImageData(0, 0, size, size);
}
