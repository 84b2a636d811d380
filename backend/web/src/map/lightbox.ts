/** Small pictures that open large. What a browser cannot show (HEIC, PDF) is offered as a file. */
import { h, icon } from "../shared/dom.ts";
import { PATHS } from "./look.ts";

export interface Picture {
  label: string;
  url: string;
  type: string;
}

/** A row of thumbnails; each opens the box at itself. */
export function lightBox(pictures: readonly Picture[], title: string): HTMLElement {
  const images = pictures.filter((picture) => picture.type !== "application/pdf");
  return h("div.thumbs", { "data-testid": "proof" },
    ...pictures.map((picture) => {
      if (picture.type === "application/pdf") return file(picture);
      const image = h("img", { src: picture.url, alt: picture.label, loading: "lazy", decoding: "async" });
      const thumb = h("button.thumb", { type: "button", title: picture.label, "data-testid": "thumb", onclick: () => open(images, images.indexOf(picture), title) }, image, h("small", {}, picture.label));
      image.addEventListener("error", () => thumb.replaceWith(file(picture)));
      return thumb;
    }),
  );
}

function file(picture: Picture): HTMLElement {
  return h("a.thumb.file", { href: picture.url, target: "_blank", rel: "noopener noreferrer" }, icon(PATHS.file, 26), h("small", {}, picture.label));
}

function open(pictures: readonly Picture[], first: number, title: string): void {
  let at = first;
  const image = h("img", { alt: "" });
  const words = h("span");
  const step = (by: number): void => {
    at = (at + by + pictures.length) % pictures.length;
    const picture = pictures[at]!;
    image.src = picture.url;
    image.alt = picture.label;
    words.textContent = `${picture.label} · ${title}${pictures.length > 1 ? ` · ${at + 1} of ${pictures.length}` : ""}`;
  };
  const button = (path: string, label: string, run: () => void): HTMLElement => h("button.box-button", { type: "button", "aria-label": label, onclick: run }, icon(path, 24));
  const several = pictures.length > 1;
  const box = h("dialog.box", { "aria-label": "Proof of delivery", "data-testid": "light-box" },
    h("div.box-bar", {}, words, button(PATHS.close, "Close", () => box.close())),
    h("div.box-middle", {}, several && button(PATHS.left, "Before", () => step(-1)), image, several && button(PATHS.right, "Next", () => step(1))),
  );
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
  box.addEventListener("click", (event) => {
    if (event.target === box || (event.target as HTMLElement).classList.contains("box-middle")) box.close();
  });
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  step(0);
  box.showModal();
}
