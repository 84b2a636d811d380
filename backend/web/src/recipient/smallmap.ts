/** The driver and the door, and nothing else. */
import { LngLatBounds, Map as MapView, Marker, setWorkerUrl } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?url";
import "maplibre-gl/dist/maplibre-gl.css";
import { h } from "../shared/dom.ts";
import { fromMercator, type LngLat } from "../shared/geo.ts";
import { drawGraticule, plainStyle } from "../shared/plainstyle.ts";
import { Motion } from "../shared/motion.ts";

setWorkerUrl(workerUrl);

const DRIVER = "driver";

export class SmallMap {
  readonly #map: MapView;
  readonly #motion = new Motion();
  readonly #arrow = h("i.arrow");
  readonly #marker: Marker;
  readonly #door: LngLat | undefined;
  #frame: number | undefined;
  #shown = false;

  /** A map in `holder`; throws where the browser cannot draw one. */
  static open(holder: HTMLElement, door: { longitude: number; latitude: number } | undefined): SmallMap {
    return new SmallMap(holder, door && [door.longitude, door.latitude]);
  }

  private constructor(holder: HTMLElement, door: LngLat | undefined) {
    this.#door = door;
    this.#map = new MapView({
      container: holder, style: plainStyle(), center: door ?? [0, 0], zoom: 13, maxZoom: 17, maxPitch: 0,
      dragRotate: false, pitchWithRotate: false, attributionControl: false, cooperativeGestures: true, fadeDuration: 0,
    });
    this.#map.touchZoomRotate.disableRotation();
    drawGraticule(this.#map);
    if (door) new Marker({ element: h("div.door", { role: "img", "aria-label": "Your address" }) }).setLngLat(door).addTo(this.#map);
    this.#marker = new Marker({ element: h("div.van", { role: "img", "aria-label": "The driver", "data-testid": "van" }, this.#arrow) });
  }

  /** The driver's newest position: glide there. */
  move(place: { longitude: number; latitude: number; heading: number | undefined }): void {
    this.#motion.place(DRIVER, place.longitude, place.latitude, place.heading, performance.now(), document.hidden);
    this.#draw();
    if (this.#shown) return;
    this.#shown = true;
    this.#marker.addTo(this.#map);
    const box = new LngLatBounds([place.longitude, place.latitude], [place.longitude, place.latitude]);
    if (this.#door) box.extend(this.#door);
    this.#map.fitBounds(box, { padding: 56, maxZoom: 15, duration: 0 });
  }

  remove(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#map.remove();
  }

  #draw(): void {
    const moves = this.#motion.sample(performance.now());
    this.#marker.setLngLat(fromMercator(this.#motion.x[0]!, this.#motion.y[0]!));
    const heading = this.#motion.heading[0]!;
    this.#arrow.hidden = Number.isNaN(heading);
    if (!Number.isNaN(heading)) this.#arrow.style.transform = `rotate(${heading.toFixed(0)}deg)`;
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#frame = moves ? requestAnimationFrame(() => this.#draw()) : undefined;
  }
}
