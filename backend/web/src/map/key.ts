/** The key: taken out of the address at once, kept for this tab alone, never sent but in a header. */
import { h } from "../shared/dom.ts";

const NAME = "codriver.key";

export function takeKey(): string | undefined {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    sessionStorage.setItem(NAME, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return sessionStorage.getItem(NAME) ?? undefined;
}

export function forgetKey(): void {
  sessionStorage.removeItem(NAME);
}

export function keyForm(root: HTMLElement, message: string | undefined, entered: (key: string) => void): void {
  const field = h("input", {
    id: "key", type: "password", autocomplete: "off", spellcheck: "false", required: true, "data-testid": "key-field",
    ...(message !== undefined && { "aria-describedby": "key-message", "aria-invalid": "true" }),
  });
  const form = h(
    "form.key-card",
    {
      "data-testid": "key-form",
      onsubmit: (event: Event) => {
        event.preventDefault();
        const key = field.value.trim();
        if (key) entered(key);
      },
    },
    h("h1", {}, "Codriver"),
    h("p", {}, "The live map of your fleet. Enter an API key of your account; a viewer key is enough."),
    message !== undefined && h("p.key-message", { id: "key-message", role: "alert", "data-testid": "key-message" }, message),
    h("label", { for: "key" }, "API key"),
    field,
    h("button.primary", { type: "submit" }, "Open the map"),
    h("p.small", {}, "The key stays in this tab and is forgotten when you close it."),
  );
  root.className = "";
  root.replaceChildren(h("main.key-page", {}, form));
  field.focus();
}
