/* A comparison on the clipboard: a table to paste into a document, and the same in Markdown. Sources are numbered notes. */
import { tidy } from "./text.js";
import { words } from "./words.js";

const BULLET = /^\s*[-•■»]\s*/;
const t = words({
  year: ["{n} 年", "{n}"],
  sources: ["出处", "Sources"],
});

/** Whether the browser took it. */
export async function copyTable(comparison) {
  const forms = { "text/html": asHtml(comparison), "text/plain": asMarkdown(comparison) };
  try {
    const blobs = Object.entries(forms).map(([type, text]) => [type, new Blob([text], { type })]);
    await navigator.clipboard.write([new ClipboardItem(Object.fromEntries(blobs))]);
    return true;
  } catch {
    return copyByCommand(forms); // a page over plain http has no clipboard of its own
  }
}

function copyByCommand(forms) {
  let isTaken = false;
  const give = (event) => {
    event.preventDefault();
    event.stopPropagation();
    for (const [type, text] of Object.entries(forms)) event.clipboardData.setData(type, text);
    isTaken = true;
  };
  document.addEventListener("copy", give, true);
  try {
    document.execCommand("copy");
  } finally {
    document.removeEventListener("copy", give, true);
  }
  return isTaken;
}

function titleOf({ subject, aspect }) {
  return tidy(aspect ? `${subject} · ${aspect}` : subject);
}

/** What a column says, a sentence each: a label, the sentence, and its numbers; or why it is silent. */
function lines({ cells, reason }) {
  if (!cells.length) return [{ label: "", text: tidy(reason.message), numbers: "" }];
  return cells.map((x) => ({
    label: x.label ? `${tidy(x.label)}：` : "",
    text: tidy(x.text.replace(BULLET, "")),
    numbers: x.citations.map((n) => `[${n}]`).join(""),
  }));
}

/* ---- HTML: made of nodes, so that no text of a document can be markup -------------------------- */

function asHtml(comparison) {
  const heads = comparison.columns.map((x) => node("th", {}, t("year", { n: x.year })));
  const cells = comparison.columns.map((column) =>
    node("td", { valign: "top" }, ...lines(column).map((x) => node("p", {}, node("b", {}, x.label), x.text, node("sup", {}, x.numbers)))),
  );
  const table = node("table", { border: 1, cellspacing: 0, cellpadding: 6 }, node("tr", {}, ...heads), node("tr", {}, ...cells));
  const notes = comparison.citations.map((x) => node("p", {}, `[${x.number}] `, node("a", { href: x.url }, tidy(x.label))));
  const title = node("p", {}, node("b", {}, titleOf(comparison)));
  return node("div", {}, title, table, node("p", {}, node("b", {}, t("sources"))), ...notes).outerHTML;
}

function node(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/* ---- Markdown ---------------------------------------------------------------------------------- */

function asMarkdown(comparison) {
  const { columns, citations } = comparison;
  const row = (cells) => `| ${cells.join(" | ")} |`;
  const said = (column) =>
    lines(column)
      .map((x) => escaped(`${x.label}${x.text}`) + x.numbers)
      .join("<br>");
  const table = [row(columns.map((x) => t("year", { n: x.year }))), row(columns.map(() => "---")), row(columns.map(said))];
  const notes = citations.map((x) => `[${x.number}] [${escaped(tidy(x.label))}](<${x.url}>)`);
  return [`**${escaped(titleOf(comparison))}**`, table.join("\n"), `**${t("sources")}**`, notes.join("\n\n")].join("\n\n") + "\n";
}

/** Text that Markdown shows as it is; a bar would end the table's cell. */
function escaped(text) {
  return text.replace(/[\\`*_{}[\]<>()#+!|~&]/g, "\\$&");
}
