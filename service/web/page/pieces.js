/* Pieces of a report's text, and what is quoted of them. Offsets are code points of the whole text. */
import { drawable, getJson, Problem } from "./api.js";
import { linesOf } from "./lines.js";
import { codePoints } from "./text.js";

/** The text from `start` to `end` in whole lines, but for one too long that holds `from` or `to`:
 * `{ start, end, line, text, pages }`. Throws a `Problem` of status 422 where the document was replaced by now. */
export async function pieceOf({ id, characters, sha256 }, start, end, from, to) {
  const query = new URLSearchParams({ start: Math.max(0, Math.min(start, characters)), end: Math.min(end, characters) });
  const piece = drawable(await getJson(`v1/documents/${encodeURIComponent(id)}/text?${query}`), linesOf);
  if (piece.sha256 !== sha256) throw new Problem("replaced", "", { status: 422 });
  const lines = linesOf(piece);
  if (piece.start > 0 && lines.length > 1 && lines[1].start <= from) lines.shift();
  if (piece.end < characters && lines.length > 1 && lines.at(-1).start >= to) lines.pop();
  if (!lines.length) return piece;
  const text = lines.map((x) => x.text).join("");
  return { ...piece, start: lines[0].start, end: lines.at(-1).end, line: lines[0].number, text };
}

/** Two pieces that stand one behind the other. */
export function joined(first, second) {
  const pages = first.pages && [...new Map([...first.pages, ...second.pages])];
  return { ...first, end: second.end, text: first.text + second.text, pages };
}

/** The piece's text at `spans`, as far as it holds them. */
export function textAt({ start, text }, spans) {
  const characters = codePoints(text);
  return spans.map(([a, b]) => characters.slice(Math.max(a - start, 0), Math.max(b - start, 0)).join("")).join("");
}

/** The part of a quote whose place is within the piece, by the quote's own characters; null where it isn't of `spans`. */
export function quotedWithin({ start, end }, spans, quote) {
  const characters = codePoints(quote);
  if (spans.reduce((sum, [a, b]) => sum + b - a, 0) !== characters.length) return null;
  let offset = 0;
  const parts = spans.map(([a, b]) => {
    const part = characters.slice(offset + Math.max(start - a, 0), offset + Math.max(Math.min(b, end) - a, 0));
    offset += b - a;
    return part.join("");
  });
  return parts.join("");
}

/** A span without the white space at its ends; null where there is nothing else. */
export function trimmed(piece, [start, end]) {
  const text = textAt(piece, [[start, end]]);
  const [before, behind] = [text.trimStart(), text.trimEnd()].map((x) => codePoints(x).length);
  return behind ? [end - before, start + behind] : null;
}
