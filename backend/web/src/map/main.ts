import "maplibre-gl/dist/maplibre-gl.css";
import "./map.css";
import { App } from "./app.ts";
import { debugHandle } from "./debug.ts";
import { forgetKey, keyForm, takeKey } from "./key.ts";

const root = document.getElementById("app")!;

async function styleUrl(): Promise<string | undefined> {
  try {
    const answer = await fetch("/map/config.json", { credentials: "omit", signal: AbortSignal.timeout(5000) });
    return ((await answer.json()) as { styleUrl?: string }).styleUrl;
  } catch {
    return undefined; // the built-in style needs nothing
  }
}

async function start(key: string): Promise<void> {
  const url = await styleUrl();
  let over = false;
  const app = new App(root, key, url, (message) => {
    if (over) return;
    over = true;
    forgetKey();
    ask(message);
  });
  debugHandle(app);
}

function ask(message?: string): void {
  keyForm(root, message, (key) => {
    // A fresh page for a fresh key: nothing of another account stays behind.
    sessionStorage.setItem("codriver.key", key);
    location.reload();
  });
}

const key = takeKey();
if (key === undefined) ask();
else void start(key);
