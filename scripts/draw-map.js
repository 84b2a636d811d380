// Run in the live map's page: what is on the screen, as the inside of an SVG. See draw-map.

const n = (value) => String(Math.round(value * 10) / 10);
const escape = (text) => text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);
const clear = (colour) => colour === "transparent" || /rgba\(.*, 0\)$/.test(colour);
let clips = 0;

function copy(routes) {
  return element(document.body, routes);
}

// One element with what is in it, in the order of painting (z-index aside, which only parts over the map have).
function element(node, routes) {
  const style = getComputedStyle(node);
  const box = node.getBoundingClientRect();
  if (style.display === "none" || style.visibility === "hidden") return "";
  if (box.width === 0 || box.height === 0) return inside(node, routes);
  if (!seen(node, box)) return "";
  if (node.matches("svg")) return drawing(node, style, box);
  const parts = [surface(style, box)];
  if (node.matches(".map")) parts.push(chart(box, routes));
  if (node.matches(".maplibregl-ctrl-icon")) parts.push(zoomSign(node, box));
  if (node.matches("input, select")) parts.push(field(node, style, box));
  else if (!node.matches("canvas")) parts.push(inside(node, routes));
  const content = parts.filter(Boolean).join("\n");
  if (content === "") return "";
  const scrolls = style.overflowY !== "visible" && node.scrollHeight > node.clientHeight + 1;
  const body = scrolls || node.matches(".middle, .labels, .bar") ? clipped(box, parseFloat(style.borderRadius) || 0, content) : content;
  return style.opacity === "1" ? body : `<g opacity="${n(style.opacity * 10) / 10}">${body}</g>`;
}

// Whether any of it is inside what holds and clips it: a long list is mostly scrolled away.
function seen(node, box) {
  for (let holder = node.parentElement; holder; holder = holder.parentElement) {
    if (getComputedStyle(holder).overflowY === "visible") continue;
    const frame = holder.getBoundingClientRect();
    if (box.bottom <= frame.top || box.top >= frame.bottom) return false;
  }
  return box.bottom > 0 && box.top < innerHeight;
}

function inside(node, routes) {
  // An icon laid over a field is painted after it.
  const children = [...node.childNodes].sort((a, b) => over(a) - over(b));
  return children
    .map((child) => (child.nodeType === Node.TEXT_NODE ? words(child) : child.nodeType === Node.ELEMENT_NODE ? element(child, routes) : ""))
    .filter(Boolean)
    .join("\n");
}

function over(node) {
  return node.nodeType === Node.ELEMENT_NODE && node.matches(".search > svg") ? 1 : 0;
}

function clipped(box, radius, content) {
  const id = `c${clips++}`;
  const shape = `<rect x="${n(box.x)}" y="${n(box.y)}" width="${n(box.width)}" height="${n(box.height)}" rx="${n(radius)}"/>`;
  return `<clipPath id="${id}">${shape}</clipPath><g clip-path="url(#${id})">\n${content}\n</g>`;
}

function surface(style, box) {
  if (style.transform.startsWith("matrix") && style.width === style.height) {
    // A turned square: its own size about the same middle.
    const size = parseFloat(style.width);
    box = new DOMRect(box.x + (box.width - size) / 2, box.y + (box.height - size) / 2, size, size);
  }
  const radius = Math.min(parseFloat(style.borderTopLeftRadius) * (style.borderTopLeftRadius.endsWith("%") ? box.width / 100 : 1) || 0, box.height / 2);
  const at = `x="${n(box.x)}" y="${n(box.y)}" width="${n(box.width)}" height="${n(box.height)}" rx="${n(radius)}"`;
  const parts = [];
  if (/rgba?\([^)]*\) 0px [1-9]/.test(style.boxShadow)) {
    parts.push(`<rect x="${n(box.x - 1)}" y="${n(box.y + 1)}" width="${n(box.width + 2)}" height="${n(box.height + 1)}" rx="${n(radius + 1)}" fill="#14233a" opacity=".09"/>`);
  }
  if (/inset/.test(style.boxShadow)) parts.push(`<rect x="${n(box.x)}" y="${n(box.y)}" width="3" height="${n(box.height)}" fill="${style.boxShadow.match(/rgba?\([^)]*\)/)[0]}"/>`);
  if (!clear(style.backgroundColor)) parts.push(`<rect ${at} fill="${style.backgroundColor}"/>`);
  const sides = ["Top", "Right", "Bottom", "Left"].filter((side) => parseFloat(style[`border${side}Width`]) > 0 && !clear(style[`border${side}Color`]));
  if (sides.length === 4) parts.push(`<rect ${at} fill="none" stroke="${style.borderTopColor}"/>`);
  else for (const side of sides) parts.push(edge(side, style, box));
  return parts.join("");
}

function edge(side, style, box) {
  const [x1, y1, x2, y2] = {
    Top: [box.left, box.top, box.right, box.top],
    Bottom: [box.left, box.bottom, box.right, box.bottom],
    Left: [box.left, box.top, box.left, box.bottom],
    Right: [box.right, box.top, box.right, box.bottom],
  }[side];
  return `<path d="M${n(x1)} ${n(y1)}L${n(x2)} ${n(y2)}" stroke="${style[`border${side}Color`]}" stroke-width="${parseFloat(style[`border${side}Width`])}"/>`;
}

// A text, line by line as the browser broke it, cut where the browser cut it.
function words(node) {
  const text = node.textContent;
  if (text.trim() === "") return "";
  const holder = node.parentElement;
  const style = getComputedStyle(holder);
  let cut = holder;
  while (cut && getComputedStyle(cut).display === "inline") cut = cut.parentElement;
  const limit = cut && getComputedStyle(cut).textOverflow === "ellipsis" ? cut.getBoundingClientRect().right : Infinity;
  const range = document.createRange();
  const lines = [];
  for (let i = 0; i < text.length; i++) {
    range.setStart(node, i);
    range.setEnd(node, i + 1);
    const box = range.getClientRects()[0];
    if (box === undefined || box.width === 0) continue;
    const line = lines.at(-1);
    if (line && Math.abs(line.top - box.top) < 3) {
      line.text += text[i];
      if (text[i] !== " ") line.right = box.right;
    } else if (text[i].trim() !== "") lines.push({ text: text[i], left: box.left, right: box.right, top: box.top, bottom: box.bottom });
  }
  return lines.map((line) => shown(line, style, limit)).join("");
}

function shown(line, style, limit) {
  let { text, left, right } = line;
  if (right > limit + 0.5) {
    const each = (right - left) / text.length;
    text = `${text.slice(0, Math.max(0, Math.floor((limit - left) / each) - 2)).trimEnd()}…`;
    right = Math.min(limit, left + each * text.length);
  }
  return type(text.trimEnd(), left, (line.top + line.bottom) / 2, right - left, style);
}

function type(text, left, middle, width, style) {
  const size = parseFloat(style.fontSize);
  const through = /line-through/.test(style.textDecorationLine) ? ' text-decoration="line-through"' : "";
  return `<text x="${n(left)}" y="${n(middle + size * 0.35)}" font-size="${n(size)}" font-weight="${style.fontWeight}" fill="${style.color}" textLength="${n(width)}" lengthAdjust="spacingAndGlyphs"${through}>${escape(text)}</text>`;
}

function field(node, style, box) {
  const text = node.matches("select") ? node.selectedOptions[0].text : node.value || node.placeholder;
  if (!text) return "";
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  if (node.matches("input") && !node.value) style = { ...pick(style), color: "#8592a3" };
  return type(text, box.left + parseFloat(style.paddingLeft), box.top + box.height / 2, pen.measureText(text).width, style);
}

function zoomSign(node, box) {
  const up = node.closest(".maplibregl-ctrl-zoom-in") ? "M0 -5V5" : "";
  return `<path transform="translate(${n(box.x + box.width / 2)} ${n(box.y + box.height / 2)})" d="M-5 0H5${up}" stroke="#333" stroke-width="2.4" stroke-linecap="round"/>`;
}

function pick({ fontSize, fontWeight, fontFamily, color, paddingLeft, textDecorationLine }) {
  return { fontSize, fontWeight, fontFamily, color, paddingLeft, textDecorationLine };
}

function drawing(node, style, box) {
  const scale = box.width / node.viewBox.baseVal.width;
  const paths = [...node.querySelectorAll("path")].map((path) => `<path d="${path.getAttribute("d")}"/>`).join("");
  return `<g transform="translate(${n(box.x)} ${n(box.y)}) scale(${Math.round(scale * 1000) / 1000})" fill="none" stroke="${style.color}" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${paths}</g>`;
}

// What WebGL draws: routes, stops, depots and vehicles, where the camera has them.
function chart(box, routes) {
  const view = codriver.view();
  const world = 512 * 2 ** view.zoom;
  const y = (latitude) => 0.5 - Math.log(Math.tan(Math.PI / 4 + (latitude * Math.PI) / 360)) / (2 * Math.PI);
  const place = (longitude, latitude) => [
    box.x + view.width / 2 + ((longitude - view.longitude) / 360) * world,
    box.y + view.height / 2 + (y(latitude) - y(view.latitude)) * world,
  ];
  const colourOf = (testid) => getComputedStyle(document.querySelector(`[data-testid=${testid}] .dot`)).backgroundColor;
  const drivers = codriver.drivers();
  const chosen = document.querySelector("[data-testid=day-name]").textContent;
  const mine = drivers.find((each) => each.name === chosen)?.id;
  const by = new Map(drivers.map((each) => [each.id, each]));
  const path = (route) => "M" + decode(route.polyline ?? "").map(([longitude, latitude]) => place(longitude, latitude).map(n).join(" ")).join("L");
  const others = routes.filter((route) => route.driverId !== mine && route.polyline);
  const line = (route, colour, width, opacity) => `<path d="${path(route)}" fill="none" stroke="${colour}" stroke-width="${width}" stroke-opacity="${opacity}" stroke-linejoin="round" stroke-linecap="round"/>`;
  const parts = [`<rect x="${n(box.x)}" y="${n(box.y)}" width="${n(box.width)}" height="${n(box.height)}" fill="#eef1f0"/>`, ...grid(box, view, place)];
  for (const route of others) parts.push(line(route, "#fff", 4, 0.85));
  for (const route of others) parts.push(line(route, by.get(route.driverId)?.colour ?? "#8b95a5", 1.5, 0.35));
  for (const route of routes.filter((each) => each.driverId === mine)) parts.push(line(route, "#fff", 8, 1), line(route, by.get(mine).colour, 4, 0.9));
  for (const at of new Map(routes.flatMap((route) => [route.start, route.end]).filter(Boolean).map((each) => [`${each.latitude.toFixed(4)} ${each.longitude.toFixed(4)}`, each])).values()) parts.push(depot(...place(at.longitude, at.latitude)));
  for (const mineLast of [false, true]) {
    for (const route of routes.filter((each) => (each.driverId === mine) === mineLast)) {
      for (const stop of route.stops.filter((each) => each.type === "order")) {
        const [cx, cy] = place(stop.longitude, stop.latitude);
        const status = codriver.orders()[stop.orderNo] ?? stop.status;
        parts.push(`<circle cx="${n(cx)}" cy="${n(cy)}" r="5.5" fill="${colourOf(`status-${status}`)}" stroke="#fff" stroke-width="1.6"${mineLast || mine === undefined ? "" : ' opacity=".45"'}/>`);
      }
    }
  }
  const rank = ["off", "stale", "idle", "driving", "servicing"];
  for (const each of drivers.filter((one) => one.longitude !== undefined).sort((a, b) => (a.id === mine) - (b.id === mine) || rank.indexOf(a.state) - rank.indexOf(b.state))) {
    parts.push(vehicle(...place(each.longitude, each.latitude), each, colourOf(`state-${each.state}`), each.id === mine));
  }
  return parts.join("\n");
}

function grid(box, view, place) {
  const step = [1, 0.5, 0.25, 0.1, 0.05, 0.025, 0.01].find((each) => (view.width / (512 * 2 ** view.zoom)) * 360 / each >= 4) ?? 0.01;
  const lines = [];
  for (let i = -20; i <= 20; i++) {
    const longitude = (Math.round(view.longitude / step) + i) * step;
    const latitude = (Math.round(view.latitude / step) + i) * step;
    const [x] = place(longitude, view.latitude);
    const [, y] = place(view.longitude, latitude);
    if (x > box.left && x < box.right) lines.push(`<path d="M${n(x)} ${n(box.top)}V${n(box.bottom)}" stroke="#dde3e2"/>`);
    if (y > box.top && y < box.bottom) lines.push(`<path d="M${n(box.left)} ${n(y)}H${n(box.right)}" stroke="#dde3e2"/>`);
  }
  return lines;
}

function depot(x, y) {
  return `<g transform="translate(${n(x - 12)} ${n(y - 12)})"><rect width="24" height="24" rx="6" fill="#17324d" stroke="#fff" stroke-width="2"/><path d="M12 5l7 6v7H5v-7z" fill="#fff"/></g>`;
}

function vehicle(x, y, driver, colour, chosen) {
  const pointed = (driver.state === "driving" || driver.state === "idle") && driver.heading !== undefined;
  const body = pointed ? `<path d="M0 -16L8.3 -4.8A9.6 9.6 0 1 1 -8.3 -4.8Z" transform="rotate(${n(driver.heading)})"` : '<circle r="9.6"';
  const sign = driver.state === "servicing" ? '<path d="M-2.4 -3.6v7.2M2.4 -3.6v7.2" stroke="#fff" stroke-width="2.2"/>' : driver.state === "driving" || driver.state === "idle" ? '<circle r="3.2" fill="#fff"/>' : "";
  const halo = chosen ? '<circle r="25" fill="#17324d" fill-opacity=".14" stroke="#17324d" stroke-opacity=".35"/>' : "";
  return `<g transform="translate(${n(x)} ${n(y)})${chosen ? " scale(1.2)" : ""}">${halo}${body} fill="${colour}" stroke="#fff" stroke-width="2.4" stroke-linejoin="round" paint-order="stroke"/>${sign}</g>`;
}

function decode(text) {
  const points = [];
  let [at, latitude, longitude] = [0, 0, 0];
  const next = () => {
    let [value, shift, code] = [0, 0, 32];
    while (code >= 32) {
      code = text.charCodeAt(at++) - 63;
      value |= (code & 31) << shift;
      shift += 5;
    }
    return value & 1 ? ~(value >> 1) : value >> 1;
  };
  while (at < text.length) {
    latitude += next();
    longitude += next();
    points.push([longitude / 1e5, latitude / 1e5]);
  }
  return points;
}
