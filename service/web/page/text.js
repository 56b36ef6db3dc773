/* Source text. The service counts in code points, JavaScript in UTF-16 units: “𠮷” is one of those and two of these. */
import { html } from "./vendor/lit-html/lit-html.js";

/** The characters of a text, one a code point. */
export function codePoints(text) {
  return Array.from(text);
}

/** The pieces of a text that begins at offset `base`: those within `spans` are marked. Spans are in order and apart. */
export function cut(text, base, spans) {
  const characters = codePoints(text);
  const end = base + characters.length;
  const pieces = [];
  let at = base;
  const add = (to, isMarked) => {
    if (to > at) pieces.push({ text: characters.slice(at - base, to - base).join(""), isMarked, start: at });
    at = Math.max(at, to);
  };
  for (const [start, stop] of spans) {
    add(Math.min(Math.max(start, base), end), false);
    add(Math.min(Math.max(stop, base), end), true);
  }
  add(end, false);
  return pieces;
}

/** Source text as one reads it in a line: no bold marks, line breaks, control or direction marks. */
export function tidy(text) {
  return text
    .replaceAll("**", "")
    .replace(/\s+/g, " ")
    .replace(/[\p{Cc}\p{Cf}]/gu, "");
}

const ODD = /([\0\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])/u;

/** Source text exactly as it is, but that direction marks are shown and not obeyed. (HTML has no way to write NUL.) */
export function shown(text) {
  const pieces = text.split(ODD);
  if (pieces.length === 1) return text;
  return pieces.map((piece, n) => (n % 2 ? odd(piece) : piece));
}

function odd(character) {
  if (character === "\0") return "\ufffd";
  const name = `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  // Within an element of its own a mark turns nothing round but itself (UAX #9, isolates).
  return html`<bdi data-mark=${name}>${character}</bdi>`;
}
