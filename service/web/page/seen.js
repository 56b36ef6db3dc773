/* What the source panel shows on the screen, and where it is scrolled to. Offsets are code points of the text. */

/** The box that scrolls; null where no text is shown. */
export function textBox() {
  return document.querySelector(".panel .source-text");
}

/** Bring an offset into sight: the quote that begins there into the middle, any other place to the top. */
export function scrollTo(offset, isQuote) {
  const box = textBox();
  const mark = isQuote ? box?.querySelector("mark") : null;
  const target = mark ?? lineAt(offset);
  if (!target) return;
  const [inner, outer] = [target.getBoundingClientRect(), box.getBoundingClientRect()];
  const room = mark ? Math.max(0, outer.height - inner.height) / 2 : 0;
  box.scrollTop += inner.top - outer.top - room;
}

/** Gives what puts the line that is seen first back in its place, once text was put before it. */
export function held() {
  const line = firstSeen();
  if (!line) return () => {};
  const { start } = line.dataset;
  const { top } = line.getBoundingClientRect();
  return () => {
    const same = textBox()?.querySelector(`.line[data-start="${start}"]`);
    if (same) textBox().scrollTop += same.getBoundingClientRect().top - top;
  };
}

/** Where the reader looks: at `offset`, where they went last, or, once that is out of sight, at what they see first. */
export function lookedAt(offset) {
  const box = textBox()?.getBoundingClientRect();
  const line = lineAt(offset)?.getBoundingClientRect();
  if (!box || (line && line.bottom > box.top && line.top < box.bottom)) return offset;
  return Number(firstSeen()?.dataset.start ?? offset);
}

function lines() {
  return [...(textBox()?.querySelectorAll(".line") ?? [])];
}

function lineAt(offset) {
  return lines().findLast((x) => Number(x.dataset.start) <= offset);
}

function firstSeen() {
  const top = textBox()?.getBoundingClientRect().top;
  return lines().find((x) => x.getBoundingClientRect().bottom > top + 1);
}
