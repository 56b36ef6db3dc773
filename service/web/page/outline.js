/* A document's sections: as a list to go by, and which of them comes before, at and behind a place. */
import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { guard } from "./vendor/lit-html/directives/guard.js";
import { tidy } from "./text.js";
import { CHINESE, words } from "./words.js";

const t = words({
  outline: ["目录", "Contents"],
});
const DEEPEST = 4;

/** The innermost section that holds an offset; undefined where none does. */
export function sectionAt(sections, offset) {
  return sections.filter((x) => x.span[0] <= offset && offset < x.span[1]).sort((a, b) => a.level - b.level).at(-1);
}

/** Where the section before an offset begins, and the one behind it; undefined where there is none. */
export function beginsAbout(sections, offset) {
  const starts = sections.map((x) => x.span[0]).sort((a, b) => a - b);
  return { previous: starts.findLast((x) => x < offset), next: starts.find((x) => x > offset) };
}

/** A section's own name; one that the text does not print stands in 〔…〕. */
export function nameOf(section) {
  const name = tidy(section.path.at(-1));
  return section.restored ? `〔${name}〕` : name;
}

/** A list that opens; its entries are made once it does. `chosen(section)` hears which one the reader wants. */
export function outlineView({ sections, current, isShown, toggled, chosen }) {
  if (!sections.length) return nothing;
  return html`<details class="outline" .open=${isShown} @toggle=${(event) => toggled(event.currentTarget.open)}>
    <summary>${t("outline")}${current ? html`<span class="faint" lang=${CHINESE}>${nameOf(current)}</span>` : nothing}</summary>
    ${isShown ? guard([sections, current], () => list(sections, current, chosen)) : nothing}
  </details>`;
}

function list(sections, current, chosen) {
  return html`<ol lang=${CHINESE}>
    ${sections.map(
      (x) => html`<li class="level-${Math.min(x.level, DEEPEST)}">
        <button aria-current=${x === current ? "location" : nothing} @click=${() => chosen(x)}>${nameOf(x)}</button>
      </li>`,
    )}
  </ol>`;
}
