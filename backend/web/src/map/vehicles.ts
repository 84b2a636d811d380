/**
 * The vehicles as one WebGL layer: an instanced quad each, cut from an atlas that is drawn on a canvas at start.
 *
 * Positions go to the card relative to a point near them, because 32 bits of Web Mercator are metres wide while these are centimetres.
 */
import type { CustomLayerInterface, CustomRenderMethodInput, Map as MapView } from "maplibre-gl";
import { DRIVER, DRIVER_STATES } from "./look.ts";
import type { DriverState } from "./fleet.ts";
import type { Motion } from "../shared/motion.ts";

const CELL = 96;
/** A cell is shown this many CSS pixels wide at full size. */
const SHOWN = 40;
const FLOATS = 5; // x, y, heading, column of the atlas, size

const VERTEX = `#version 300 es
uniform mat4 u_matrix;
uniform vec2 u_pixel;
in vec2 a_corner;
in vec2 a_place;
in vec3 a_look;
out vec2 v_texture;
void main() {
  float pointed = a_look.x < -360.0 ? 0.0 : 1.0;
  float angle = pointed * radians(a_look.x);
  vec2 turned = vec2(a_corner.x * cos(angle) + a_corner.y * sin(angle), a_corner.y * cos(angle) - a_corner.x * sin(angle));
  vec4 place = u_matrix * vec4(a_place, 0.0, 1.0);
  gl_Position = place + vec4(turned * a_look.z * u_pixel * place.w, 0.0, 0.0);
  v_texture = vec2((a_look.y + a_corner.x + 0.5) / ${DRIVER_STATES.length + 1}.0, (pointed + 0.5 - a_corner.y) / 2.0);
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
uniform sampler2D u_atlas;
in vec2 v_texture;
out vec4 colour;
void main() { colour = texture(u_atlas, v_texture); }`;

export interface VehicleStyle {
  state(id: string): DriverState;
  /** Seen by the filters; a vehicle that is not is not drawn. */
  shown(id: string): boolean;
}

export class Vehicles implements CustomLayerInterface {
  readonly id = "vehicles";
  readonly type = "custom";
  selected: string | undefined;
  hovered: string | undefined;
  /** How many frames were drawn, and how many vehicles in the last one. */
  frames = 0;
  drawn = 0;
  /** Called each frame after the positions were brought up to date. */
  sampled: (() => void) | undefined;
  readonly #motion: Motion;
  readonly #style: VehicleStyle;
  #map: MapView | undefined;
  #drawing: Drawing | undefined;
  #data = new Float32Array(64 * FLOATS);
  #order: number[] = [];
  #orderOld = true;

  constructor(motion: Motion, style: VehicleStyle) {
    this.#motion = motion;
    this.#style = style;
  }

  /** States, filters or the set of vehicles changed. */
  restyle(): void {
    this.#orderOld = true;
    this.#map?.triggerRepaint();
  }

  onAdd(map: MapView, gl: WebGL2RenderingContext): void {
    this.#map = map;
    this.#drawing = prepare(gl);
    this.#orderOld = true;
  }

  onRemove(): void {
    this.#drawing = undefined;
  }

  render(gl: WebGL2RenderingContext, options: CustomRenderMethodInput): void {
    const drawing = this.#drawing;
    const map = this.#map;
    if (drawing === undefined || map === undefined) return;
    const moves = this.#motion.sample(performance.now());
    if (this.#orderOld) this.#sort();
    const [refX, refY] = this.#reference();
    const count = this.#fill(refX, refY, sizeAt(map.getZoom(), this.#order.length));
    const { width, height } = gl.canvas;
    gl.useProgram(drawing.program);
    gl.bindVertexArray(drawing.array);
    gl.bindBuffer(gl.ARRAY_BUFFER, drawing.buffer);
    gl.bufferData(gl.ARRAY_BUFFER, this.#data.subarray(0, count * FLOATS), gl.DYNAMIC_DRAW);
    gl.uniformMatrix4fv(drawing.matrix, false, around(options.defaultProjectionData.mainMatrix, refX, refY));
    const ratio = map.getPixelRatio();
    gl.uniform2f(drawing.pixel, (2 * ratio) / width, (2 * ratio) / height);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, drawing.atlas);
    gl.uniform1i(drawing.sampler, 0);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, count);
    gl.bindVertexArray(null);
    this.frames += 1;
    this.drawn = this.#order.length;
    this.sampled?.();
    if (moves) map.triggerRepaint();
  }

  /** Drawn last is on top: those at work above those that are not, the chosen one above all. */
  #sort(): void {
    const rank = new Map(DRIVER_STATES.map((state, at) => [state, at]));
    const ids = this.#motion.ids;
    const ranks = ids.map((id) => rank.get(this.#style.state(id))! + (id === this.selected ? 10 : 0));
    this.#order = [];
    for (let slot = 0; slot < ids.length; slot++) if (this.#style.shown(ids[slot]!)) this.#order.push(slot);
    this.#order.sort((a, b) => ranks[a]! - ranks[b]!);
    this.#orderOld = false;
  }

  #reference(): [number, number] {
    const first = this.#order[0];
    const centre = this.#map!.getCenter();
    if (first === undefined) return [0.5, 0.5];
    const x = centre.lng / 360 + 0.5;
    return [Math.fround(x), Math.fround(this.#motion.y[first]!)];
  }

  #fill(refX: number, refY: number, size: number): number {
    const { x, y, heading, ids } = this.#motion;
    const needed = (this.#order.length + 2) * FLOATS;
    if (this.#data.length < needed) this.#data = new Float32Array(needed * 2);
    const data = this.#data;
    let at = 0;
    for (const slot of this.#order) {
      const id = ids[slot]!;
      const state = this.#style.state(id);
      const dx = x[slot]! - refX;
      const px = dx - Math.round(dx); // the copy of the world that is looked at
      const py = y[slot]! - refY;
      const scale = id === this.selected ? 1.3 : id === this.hovered ? 1.15 : 1;
      if (id === this.selected || id === this.hovered) at = put(data, at, px, py, -999, DRIVER_STATES.length, size * scale * 1.5);
      const pointed = (state === "driving" || state === "idle") && !Number.isNaN(heading[slot]!);
      at = put(data, at, px, py, pointed ? heading[slot]! : -999, DRIVER_STATES.indexOf(state), size * scale * (state === "off" ? 0.75 : 1));
    }
    return at / FLOATS;
  }
}

function put(data: Float32Array, at: number, x: number, y: number, heading: number, column: number, size: number): number {
  data[at] = x;
  data[at + 1] = y;
  data[at + 2] = heading;
  data[at + 3] = column;
  data[at + 4] = size;
  return at + FLOATS;
}

/** Smaller from afar and where there are thousands. */
function sizeAt(zoom: number, count: number): number {
  const near = Math.min(1, Math.max(0, (zoom - 7) / 6));
  const crowd = count > 3000 ? 0.55 : count > 600 ? 0.75 : 1;
  return SHOWN * (0.55 + 0.45 * near) * crowd;
}

/** `matrix` for coordinates relative to (x, y), multiplied in 64 bits. */
function around(matrix: ArrayLike<number>, x: number, y: number): Float32Array {
  const moved = Float64Array.from(matrix);
  for (let row = 0; row < 4; row++) moved[12 + row] = matrix[row]! * x + matrix[4 + row]! * y + matrix[12 + row]!;
  return new Float32Array(moved);
}

interface Drawing {
  program: WebGLProgram;
  array: WebGLVertexArrayObject;
  buffer: WebGLBuffer;
  atlas: WebGLTexture;
  matrix: WebGLUniformLocation | null;
  pixel: WebGLUniformLocation | null;
  sampler: WebGLUniformLocation | null;
}

function prepare(gl: WebGL2RenderingContext): Drawing {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]] as const) {
    const shader = gl.createShader(kind)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) throw new Error(gl.getShaderInfoLog(shader) ?? "shader");
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  const array = gl.createVertexArray();
  gl.bindVertexArray(array);
  const corners = gl.createBuffer();
  gl.bindBuffer(gl.ARRAY_BUFFER, corners);
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-0.5, -0.5, 0.5, -0.5, -0.5, 0.5, 0.5, 0.5]), gl.STATIC_DRAW);
  attribute(gl, program, "a_corner", 2, 8, 0, 0);
  const buffer = gl.createBuffer();
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  attribute(gl, program, "a_place", 2, FLOATS * 4, 0, 1);
  attribute(gl, program, "a_look", 3, FLOATS * 4, 8, 1);
  gl.bindVertexArray(null);
  return {
    program,
    array,
    buffer,
    atlas: texture(gl),
    matrix: gl.getUniformLocation(program, "u_matrix"),
    pixel: gl.getUniformLocation(program, "u_pixel"),
    sampler: gl.getUniformLocation(program, "u_atlas"),
  };
}

function attribute(gl: WebGL2RenderingContext, program: WebGLProgram, name: string, size: number, stride: number, offset: number, divisor: number): void {
  const at = gl.getAttribLocation(program, name);
  gl.enableVertexAttribArray(at);
  gl.vertexAttribPointer(at, size, gl.FLOAT, false, stride, offset);
  gl.vertexAttribDivisor(at, divisor);
}

function texture(gl: WebGL2RenderingContext): WebGLTexture {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.pixelStorei(gl.UNPACK_FLIP_Y_WEBGL, false);
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, drawAtlas());
  gl.generateMipmap(gl.TEXTURE_2D);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.LINEAR);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  return made;
}

/** One column a state, standing above moving, and a last one for the halo of the chosen vehicle. */
function drawAtlas(): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = CELL * (DRIVER_STATES.length + 1);
  canvas.height = CELL * 2;
  const pen = canvas.getContext("2d")!;
  DRIVER_STATES.forEach((state, column) => {
    drawVehicle(pen, column * CELL + CELL / 2, CELL / 2, DRIVER[state].colour, false, state);
    drawVehicle(pen, column * CELL + CELL / 2, CELL * 1.5, DRIVER[state].colour, true, state);
  });
  for (const row of [0.5, 1.5]) {
    const x = (DRIVER_STATES.length + 0.5) * CELL;
    pen.beginPath();
    pen.arc(x, CELL * row, CELL * 0.44, 0, 2 * Math.PI);
    pen.fillStyle = "rgba(23, 50, 77, 0.14)";
    pen.fill();
    pen.lineWidth = 2;
    pen.strokeStyle = "rgba(23, 50, 77, 0.35)";
    pen.stroke();
  }
  return canvas;
}

function drawVehicle(pen: CanvasRenderingContext2D, x: number, y: number, colour: string, pointed: boolean, state: DriverState): void {
  const radius = CELL * 0.25;
  const body = new Path2D();
  if (pointed) {
    // A drop whose tip is the direction: the tangents of the circle meet above it.
    const tip = CELL * 0.44;
    const angle = Math.acos(radius / tip);
    body.moveTo(x, y - tip);
    body.arc(x, y, radius, -Math.PI / 2 + angle, -Math.PI / 2 - angle + 2 * Math.PI);
    body.closePath();
  } else {
    body.arc(x, y, radius, 0, 2 * Math.PI);
  }
  pen.save();
  pen.shadowColor = "rgba(15, 30, 50, 0.35)";
  pen.shadowBlur = 7;
  pen.shadowOffsetY = pointed ? 0 : 2;
  pen.lineJoin = "round";
  pen.strokeStyle = "#fff";
  pen.lineWidth = 11;
  pen.stroke(body);
  pen.restore();
  pen.fillStyle = colour;
  pen.fill(body);
  pen.fillStyle = "#fff";
  pen.strokeStyle = "#fff";
  pen.beginPath();
  if (state === "servicing") {
    pen.roundRect(x - 9, y - 10, 6, 20, 2);
    pen.roundRect(x + 3, y - 10, 6, 20, 2);
    pen.fill();
  } else if (state === "stale") {
    pen.font = "bold 30px sans-serif";
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText("?", x, y + 2);
  } else if (state !== "off") {
    pen.arc(x, y, CELL * 0.085, 0, 2 * Math.PI);
    pen.fill();
  }
}
