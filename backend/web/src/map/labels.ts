/** Names beside the vehicles: a few dozen elements at most, placed where they do not cover each other, moved with the map. */
import type { Map as MapView } from "maplibre-gl";
import { setText } from "../shared/dom.ts";
import { fromMercator, toMercator } from "../shared/geo.ts";
import type { Motion } from "../shared/motion.ts";
import type { VehicleStyle } from "./vehicles.ts";

const MOST = 60;
const HEIGHT = 20;
const CROWD = 250;

export class Labels {
  selected: string | undefined;
  hovered: string | undefined;
  readonly #layer: HTMLElement;
  readonly #map: MapView;
  readonly #motion: Motion;
  readonly #style: VehicleStyle & { name(id: string): string };
  readonly #pool: HTMLElement[] = [];
  #shown: string[] = [];

  constructor(container: HTMLElement, map: MapView, motion: Motion, style: VehicleStyle & { name(id: string): string }) {
    this.#layer = document.createElement("div");
    this.#layer.className = "labels";
    this.#layer.setAttribute("aria-hidden", "true");
    container.append(this.#layer);
    this.#map = map;
    this.#motion = motion;
    this.#style = style;
  }

  /** Decide anew whose names are shown: the chosen one first, then those that are on screen and have room. */
  choose(): void {
    const taken: [x: number, y: number, width: number][] = [];
    const shown: string[] = [];
    const wanted = [this.selected, this.hovered, ...this.#inView()];
    for (const id of wanted) {
      if (id === undefined || shown.includes(id) || this.#motion.slot(id) === undefined) continue;
      const [x, y] = this.#at(id);
      const wide = Math.min(150, 14 + this.#style.name(id).length * 6.6);
      if (id !== this.selected && taken.some(([tx, ty, tw]) => Math.abs(ty - y) < HEIGHT && x < tx + tw && tx < x + wide)) continue;
      taken.push([x, y, wide]);
      shown.push(id);
      if (shown.length >= MOST) break;
    }
    this.#shown = shown;
    this.#fill();
    this.place();
  }

  /** Move the names to where their vehicles are drawn. */
  place(): void {
    this.#shown.forEach((id, i) => {
      const element = this.#pool[i]!;
      if (this.#motion.slot(id) === undefined) return;
      const [x, y] = this.#at(id);
      element.style.transform = `translate(${(x + 15).toFixed(1)}px, ${(y - HEIGHT / 2).toFixed(1)}px)`;
    });
  }

  #fill(): void {
    while (this.#pool.length < this.#shown.length) {
      const element = document.createElement("div");
      element.className = "label";
      element.dataset["testid"] = "vehicle-label";
      this.#layer.append(element);
      this.#pool.push(element);
    }
    this.#pool.forEach((element, i) => {
      const id = this.#shown[i];
      element.hidden = id === undefined;
      if (id === undefined) return;
      setText(element, this.#style.name(id));
      element.classList.toggle("chosen", id === this.selected);
      element.classList.toggle("pale", this.#style.state(id) === "stale");
    });
  }

  #at(id: string): [number, number] {
    const slot = this.#motion.slot(id)!;
    const point = this.#map.project(fromMercator(this.#motion.x[slot]!, this.#motion.y[slot]!));
    return [point.x, point.y];
  }

  /** Those on the screen; none where they are so many that names would only hide them. */
  #inView(): string[] {
    const box = this.#map.getBounds();
    const [west, north] = toMercator(box.getWest(), box.getNorth());
    const [east, south] = toMercator(box.getEast(), box.getSouth());
    const { x, y, ids } = this.#motion;
    const found: string[] = [];
    for (let slot = 0; slot < ids.length; slot++) {
      if (x[slot]! < west || x[slot]! > east || y[slot]! < north || y[slot]! > south) continue;
      const id = ids[slot]!;
      if (!this.#style.shown(id) || this.#style.state(id) === "off") continue;
      found.push(id);
      if (found.length > CROWD) return [];
    }
    return found;
  }
}
