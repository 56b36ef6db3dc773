/* The number of a citation behind a sentence: pointing at it shows the quote, clicking it opens the source. */
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { ref } from "./vendor/lit-html/directives/ref.js";
import { update } from "./page.js";
import { openSource } from "./panel.js";
import { shown, tidy } from "./text.js";
import { words } from "./words.js";

const LONGEST = 300;
const GAP = 8; // pixels
const t = words({ number: ["出处 {n}，{label}。打开原文", "Source {n}, {label}. Open it"] });

let pointed = null; // { citation, box }

function point(citation, element) {
  pointed = { citation, element, box: element.getBoundingClientRect() };
  update();
}

function leave() {
  pointed = null;
  update();
}

export function citationNumber(citation) {
  const isPointed = pointed?.citation === citation;
  return html`<button
    class="number"
    aria-label=${t("number", { n: citation.number, label: tidy(citation.label) })}
    aria-describedby=${isPointed ? "preview" : nothing}
    @pointerenter=${(event) => event.pointerType !== "touch" && point(citation, event.currentTarget)}
    @pointerleave=${leave}
    @focus=${(event) => event.currentTarget.matches(":focus-visible") && point(citation, event.currentTarget)}
    @blur=${leave}
    @keydown=${(event) => event.key === "Escape" && leave()}
    @click=${() => {
      leave();
      openSource(citation);
    }}
  >${citation.number}</button>`;
}

/** The quote of the number that is pointed at; drawn once, by the frame. */
export function preview() {
  if (!pointed?.element.isConnected) return nothing; // what is taken away is never left by the pointer
  const { citation, box } = pointed;
  const characters = Array.from(citation.quote);
  const quote = characters.length > LONGEST ? `${characters.slice(0, LONGEST).join("")}…` : citation.quote;
  const settle = (element) => {
    const { width, height } = element.getBoundingClientRect();
    const left = Math.max(GAP, Math.min(box.left, window.innerWidth - width - GAP));
    const below = box.bottom + GAP;
    element.style.left = `${left}px`;
    element.style.top = `${below + height < window.innerHeight ? below : Math.max(GAP, box.top - height - GAP)}px`;
  };
  return html`<div id="preview" class="preview" role="tooltip" ${ref((element) => element && queueMicrotask(() => settle(element)))}>
    <p>${shown(quote)}</p>
    <p class="faint">${tidy(citation.label)}</p>
  </div>`;
}
