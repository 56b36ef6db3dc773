/* A citation to paste: as text, as a footnote, as Markdown, or as the link that opens it. */
import { html, render } from "./vendor/lit-html/lit-html.js";
import { ref } from "./vendor/lit-html/directives/ref.js";
import { drawable, getJson, Problem } from "./api.js";
import { toast } from "./page.js";
import { tidy } from "./text.js";
import { words } from "./words.js";

const GAP = 4; // pixels
const FORMS = ["text", "footnote", "markdown", "url"];
const t = words({
  cite: ["引用", "Cite"],
  text: ["复制为文字", "Copy as text"],
  footnote: ["复制为脚注（GB/T 7714）", "Copy as footnote (GB/T 7714)"],
  markdown: ["复制为 Markdown", "Copy as Markdown"],
  url: ["复制链接", "Copy link"],
  copied: ["已复制。", "Copied."],
  old: ["已复制。报告在引用之后有过改动，复制的是当时的原文。", "Copied. The report has changed since; this is what it said then."],
  changed: ["报告在引用之后有过改动，当时的原文没有留下，不能再引用。请重新提问。", "The report has changed since, and what it said then was not kept. Please ask again."],
  removed: ["这份资料已被移除，不能再引用。", "This document was removed and can't be cited any more."],
  title: ["请按 Ctrl+C 复制", "Press Ctrl+C to copy"],
  forms: ["要复制的文字", "Text to copy"],
  done: ["完成", "Done"],
});

let forms = null; // of the menu that is open: on their way from when it opens, so that they are there when one is chosen

/** A button with a menu of the forms. `citation` as the API has it; `document_id` and `spans` alone will do. */
export function copyMenu(citation, name = t("cite")) {
  const opened = ({ newState, currentTarget: menu }) => {
    menu.classList.toggle("placed", newState === "open");
    if (newState !== "open") return;
    forms = formsOf(citation);
    forms.catch(() => {}); // told when one is chosen
    beside(menu, menu.previousElementSibling);
    menu.querySelector("button").focus();
  };
  const chosen = (form) => (event) => {
    event.currentTarget.closest("[popover]").hidePopover();
    copy(forms, form);
  };
  return html`<span class="copy"><button type="button" class="button quiet small" aria-haspopup="menu" ${ref(opensNext)}>${name}</button
    ><ul class="menu" popover role="menu" aria-label=${name} @toggle=${opened} @keydown=${moved}>
      ${FORMS.map((x) => html`<li role="none"><button type="button" role="menuitem" tabindex="-1" @click=${chosen(x)}>${t(x)}</button></li>`)}
    </ul></span>`;
}

function opensNext(button) {
  if (button) button.popoverTargetElement = button.nextElementSibling;
}

/** Below its button or, where there is no room, above it. */
function beside(menu, button) {
  const place = button.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const below = place.bottom + GAP;
  const isRoom = below + height <= window.innerHeight;
  menu.style.left = `${Math.max(GAP, Math.min(place.left, document.documentElement.clientWidth - width - GAP))}px`;
  menu.style.top = `${isRoom ? below : Math.max(GAP, place.top - height - GAP)}px`;
}

function moved(event) {
  const items = [...event.currentTarget.querySelectorAll("button")];
  const at = items.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (event.key === "Tab") event.currentTarget.hidePopover();
  if (next === undefined) return;
  event.preventDefault();
  items.at(next % items.length).focus();
}

/** The citation of these words in all its forms, by the index's own text. Where this isn't the `quote` there is none. */
export async function formsOf({ document_id: id, spans, url, quote }) {
  const at = spans.map(([start, end]) => `${start}-${end}`).join(",");
  const h = (url && new URL(url, document.baseURI).searchParams.get("h")) || "";
  const answer = await getJson(`v1/documents/${encodeURIComponent(id)}/citation?${new URLSearchParams({ at, h })}`);
  const found = drawable(answer, (x) => x.quote === null || FORMS.map((form) => tidy(x[form])));
  return quote === undefined || found.quote === quote ? found : { ...found, quote: null };
}

async function copy(promise, form) {
  try {
    const forms = await promise;
    if (forms.quote === null) return toast(t("changed"));
    if (await isWritten(forms[form])) toast(t(forms.is_changed ? "old" : "copied"));
    else offer(forms[form]);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    toast(problem.status === 404 ? t("removed") : problem.message);
  }
}

async function isWritten(text) {
  try {
    await navigator.clipboard.writeText(text); // there is none without https, but on this machine itself
    return true;
  } catch {
    return false;
  }
}

/** The text itself, selected, for the reader's own keys. */
function offer(text) {
  const place = document.body.appendChild(document.createElement("div"));
  render(
    html`<dialog class="dialog by-hand" aria-labelledby="by-hand" @close=${() => place.remove()}>
      <form method="dialog">
        <h2 id="by-hand">${t("title")}</h2>
        <textarea class="field" readonly rows="8" aria-label=${t("forms")} .value=${text}></textarea>
        <div class="row end"><button class="button">${t("done")}</button></div>
      </form>
    </dialog>`,
    place,
  );
  place.querySelector("dialog").showModal();
  place.querySelector("textarea").select();
}
