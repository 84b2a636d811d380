/** The map itself: background, routes, stops, vehicles, what is under the pointer, and where the camera looks. */
import { Map as MapView, NavigationControl, ScaleControl, setWorkerUrl, type GeoJSONSource, type LngLatBoundsLike, type MapMouseEvent } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import { fromMercator, type LngLat } from "../shared/geo.ts";
import { BOLD, drawGraticule, plainStyle } from "../shared/plainstyle.ts";
import { canDraw } from "../shared/webgl.ts";
import type { OrderStatus } from "../shared/wire.ts";
import type { Fleet } from "./fleet.ts";
import { Labels } from "./labels.ts";
import { depotFeatures, driven, lineOf, routeFeatures, stopFeatures } from "./features.ts";
import { drawDepot, overlayLayers, OVERLAY_SOURCES } from "./layers.ts";
import type { Motion } from "../shared/motion.ts";
import { Vehicles, type VehicleStyle } from "./vehicles.ts";

setWorkerUrl(workerUrl);

export interface ChartListener {
  driverPicked(id: string): void;
  stopPicked(orderId: string): void;
  groundPicked(): void;
  /** What the pointer is over; undefined over nothing. */
  pointed(target: { kind: "driver" | "stop"; id: string } | undefined, x: number, y: number): void;
  dragged(): void;
}

const CROWD = 300;

type SourceName = (typeof OVERLAY_SOURCES)[number];

export class Chart {
  readonly vehicles: Vehicles;
  readonly #map: MapView;
  readonly #labels: Labels;
  readonly #motion: Motion;
  readonly #style: VehicleStyle & { name(id: string): string };
  readonly #listener: ChartListener;
  readonly #data: Record<SourceName, GeoJSON.FeatureCollection>;
  #route: string | undefined;
  #hidden: ReadonlySet<OrderStatus> = new Set();
  #dirty = new Set<SourceName>();
  #flush: number | undefined;
  #following = false;
  #routesFrom = 0;

  /** The chart in `container`, or undefined where the browser has no WebGL 2. */
  static open(container: HTMLElement, motion: Motion, style: VehicleStyle & { name(id: string): string }, listener: ChartListener, styleUrl: string | undefined): Chart | undefined {
    if (!canDraw()) return undefined;
    try {
      return new Chart(container, motion, style, listener, styleUrl);
    } catch {
      return undefined;
    }
  }

  private constructor(container: HTMLElement, motion: Motion, style: VehicleStyle & { name(id: string): string }, listener: ChartListener, styleUrl: string | undefined) {
    this.#motion = motion;
    this.#style = style;
    this.#listener = listener;
    this.#data = Object.fromEntries(OVERLAY_SOURCES.map((name) => [name, empty()])) as Record<SourceName, GeoJSON.FeatureCollection>;
    this.vehicles = new Vehicles(motion, style);
    this.#map = new MapView({
      container,
      style: styleUrl ?? plainStyle(),
      center: [16, 45.8],
      zoom: 6,
      maxZoom: 19,
      maxPitch: 0,
      dragRotate: false,
      pitchWithRotate: false,
      attributionControl: styleUrl ? { compact: true } : false,
      fadeDuration: 0,
    });
    this.#map.touchZoomRotate.disableRotation();
    this.#map.keyboard.disableRotation();
    this.#map.addControl(new NavigationControl({ showCompass: false }), "bottom-right");
    this.#map.addControl(new ScaleControl({ unit: "metric", maxWidth: 90 }), "bottom-right");
    this.#map.getCanvas().setAttribute("aria-label", "Map of the fleet. Arrow keys move it, plus and minus zoom.");
    if (styleUrl === undefined) drawGraticule(this.#map);
    this.#labels = new Labels(container, this.#map, motion, style);
    this.vehicles.sampled = () => this.#sampled();
    this.#map.on("style.load", () => this.#dress());
    this.#map.on("error", (event) => console.warn("map:", event.error?.message ?? event));
    this.#listen();
  }

  /** Where the camera looks, and the size of what it sees in CSS pixels. */
  get view(): { longitude: number; latitude: number; zoom: number; width: number; height: number } {
    const { lng, lat } = this.#map.getCenter();
    const { clientWidth: width, clientHeight: height } = this.#map.getContainer();
    return { longitude: lng, latitude: lat, zoom: this.#map.getZoom(), width, height };
  }

  /** All routes, stops and depots of the fleet. */
  drawRoutes(fleet: Fleet): void {
    this.#set("routes", routeFeatures(fleet));
    // Hundreds of lines at once say nothing: from afar only the chosen route is drawn then.
    this.#routesFrom = fleet.routes.size > CROWD ? 12 : 0;
    this.#zoomRoutes();
    this.#set("depots", depotFeatures(fleet));
    this.drawStops(fleet);
    this.drawChosen(fleet);
  }

  drawStops(fleet: Fleet): void {
    this.#set("stops", stopFeatures(fleet));
  }

  /** The chosen route, its driven part paler. */
  drawChosen(fleet: Fleet): void {
    const route = this.#route === undefined ? undefined : fleet.routes.get(this.#route);
    this.#set("chosen", route ? driven(route) : empty());
  }

  drawTrack(line: readonly LngLat[]): void {
    this.#set("track", line.length > 1 ? { type: "FeatureCollection", features: [lineOf([...line])] } : empty());
  }

  choose(driverId: string | undefined, routeId: string | undefined, orderId: string | undefined): void {
    this.vehicles.selected = driverId;
    this.#labels.selected = driverId;
    this.vehicles.restyle();
    this.#route = routeId;
    if (!this.#map.getLayer("stops")) return;
    const mine = (one: number, other: number): never => (routeId === undefined ? one : ["case", ["==", ["get", "routeId"], routeId], one, other]) as never;
    this.#map.setPaintProperty("stops", "circle-opacity", mine(1, 0.25));
    this.#map.setPaintProperty("stops", "circle-stroke-opacity", mine(1, 0.25));
    this.#map.setPaintProperty("stop-numbers", "text-opacity", mine(1, 0.15));
    this.#map.setPaintProperty("routes", "line-opacity", routeId === undefined ? 0.5 : 0.16);
    this.#map.setFilter("stop-chosen", ["==", ["get", "orderId"], orderId ?? ""]);
  }

  /** Statuses whose stops are not drawn. */
  hide(statuses: ReadonlySet<OrderStatus>): void {
    this.#hidden = statuses;
    const filter = ["!", ["in", ["get", "status"], ["literal", [...statuses]]]] as never;
    for (const layer of ["stops", "stop-numbers"]) if (this.#map.getLayer(layer)) this.#map.setFilter(layer, filter);
  }

  fit(points: readonly LngLat[], animate = true): void {
    if (points.length === 0) return;
    const box = points.reduce(([w, s, e, n], [x, y]) => [Math.min(w!, x), Math.min(s!, y), Math.max(e!, x), Math.max(n!, y)], [180, 90, -180, -90]);
    const small = this.#map.getContainer().clientHeight < 420;
    this.#map.fitBounds(box as unknown as LngLatBoundsLike, { padding: small ? { top: 64, bottom: 84, left: 28, right: 44 } : { top: 56, bottom: 84, left: 56, right: 64 }, maxZoom: 15, duration: animate ? calm(800) : 0 });
  }

  fly(to: LngLat, zoom = 14.5): void {
    this.#map.flyTo({ center: to, zoom: Math.max(this.#map.getZoom(), zoom), duration: calm(900), essential: false });
  }

  follow(on: boolean): void {
    this.#following = on;
    this.#map.triggerRepaint();
  }

  resize(): void {
    this.#map.resize();
  }

  repaint(): void {
    this.#map.triggerRepaint();
  }

  relabel(): void {
    this.#labels.choose();
  }

  #zoomRoutes(): void {
    for (const layer of ["route-beds", "routes"]) if (this.#map.getLayer(layer)) this.#map.setLayerZoomRange(layer, this.#routesFrom, 24);
  }

  /** Sources, images and layers on a fresh style: at the start, and after the card forgot everything. */
  #dress(): void {
    const map = this.#map;
    if (!map.getLayer("stops")) this.#overlay();
    if (!map.getLayer("vehicles")) map.addLayer(this.vehicles); // a restored style has all but this one
    this.hide(this.#hidden);
    this.#zoomRoutes();
  }

  #overlay(): void {
    const map = this.#map;
    for (const name of OVERLAY_SOURCES) map.addSource(name, { type: "geojson", data: this.#data[name], ...(name === "stops" && { promoteId: "orderId" }) });
    if (!map.hasImage("depot")) map.addImage("depot", drawDepot(), { pixelRatio: 2 });
    // The names of the graticule stay readable above the roads and below the stops.
    const names = map.getLayer("graticule-names") ? "graticule-names" : undefined;
    for (const layer of overlayLayers(BOLD)) map.addLayer(layer, layer.type === "line" ? names : undefined);
  }

  #listen(): void {
    const map = this.#map;
    map.on("click", (event) => {
      const target = this.#under(event);
      if (target?.kind === "driver") this.#listener.driverPicked(target.id);
      else if (target) this.#listener.stopPicked(target.id);
      else this.#listener.groundPicked();
    });
    let waiting: MapMouseEvent | undefined;
    map.on("mousemove", (event) => {
      if (waiting === undefined) requestAnimationFrame(() => {
        const last = waiting;
        waiting = undefined;
        if (last) this.#point(last);
      });
      waiting = event;
    });
    map.on("mouseout", () => this.#listener.pointed(undefined, 0, 0));
    map.on("dragstart", () => {
      this.#following = false;
      this.#listener.dragged();
    });
    map.on("moveend", () => this.#labels.choose());
  }

  #point(event: MapMouseEvent): void {
    const target = this.#under(event);
    this.#map.getCanvas().style.cursor = target ? "pointer" : "";
    const hovered = target?.kind === "driver" ? target.id : undefined;
    if (hovered !== this.vehicles.hovered) {
      this.vehicles.hovered = hovered;
      this.#labels.hovered = hovered;
      this.#labels.choose();
      this.#map.triggerRepaint();
    }
    this.#listener.pointed(target, event.point.x, event.point.y);
  }

  #under(event: MapMouseEvent): { kind: "driver" | "stop"; id: string } | undefined {
    let best: string | undefined;
    let least = 18 ** 2;
    const { x, y, ids } = this.#motion;
    const world = 512 * 2 ** this.#map.getZoom();
    const at = this.#map.unproject(event.point);
    const px = at.lng / 360 + 0.5;
    const py = mercatorY(at.lat);
    for (let slot = 0; slot < ids.length; slot++) {
      const dx = (x[slot]! - px) * world;
      const dy = (y[slot]! - py) * world;
      const far = dx * dx + dy * dy;
      if (far < least && this.#style.shown(ids[slot]!)) {
        least = far;
        best = ids[slot]!;
      }
    }
    if (best !== undefined) return { kind: "driver", id: best };
    if (!this.#map.getLayer("stops")) return undefined;
    const { x: cx, y: cy } = event.point;
    const found = this.#map.queryRenderedFeatures([[cx - 5, cy - 5], [cx + 5, cy + 5]], { layers: ["stops"] });
    const id = found[0]?.properties["orderId"];
    return typeof id === "string" ? { kind: "stop", id } : undefined;
  }

  #sampled(): void {
    this.#labels.place();
    if (!this.#following || this.vehicles.selected === undefined || this.#map.isMoving()) return;
    const slot = this.#motion.slot(this.vehicles.selected);
    if (slot === undefined) return;
    const centre = fromMercator(this.#motion.x[slot]!, this.#motion.y[slot]!);
    const now = this.#map.getCenter();
    if (Math.abs(now.lng - centre[0]) + Math.abs(now.lat - centre[1]) > 1e-7) this.#map.jumpTo({ center: centre });
  }

  /** Hand the data over a few times a second at most: the worker cuts it into tiles anew each time. */
  #set(name: SourceName, data: GeoJSON.FeatureCollection): void {
    this.#data[name] = data;
    this.#dirty.add(name);
    this.#flush ??= window.setTimeout(() => {
      this.#flush = undefined;
      for (const each of this.#dirty) void this.#map.getSource<GeoJSONSource>(each)?.setData(this.#data[each]);
      this.#dirty.clear();
    }, 120);
  }
}

function empty(): GeoJSON.FeatureCollection {
  return { type: "FeatureCollection", features: [] };
}

function calm(ms: number): number {
  return window.matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : ms;
}

function mercatorY(latitude: number): number {
  return 0.5 - Math.log(Math.tan(Math.PI / 4 + (latitude * Math.PI) / 360)) / (2 * Math.PI);
}
