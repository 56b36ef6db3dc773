/* The documents as the service has them, and what changes them. `documents.js` and `uploads.js` show it. */
import { drawable, getJson, Problem, sendJson } from "./api.js";
import { update } from "./page.js";
import { tidy } from "./text.js";

const SLOW = 200; // milliseconds until one sees that something is awaited

/**
 * `documents` is null until it is known, `removed` are reports that can be brought back, `gone` the ids of what was
 * removed here; `forbidden` is the service's word where the key may only read.
 */
export const library = { documents: null, removed: [], gone: new Set(), problem: null, isSlow: false, forbidden: "" };

let latest = 0;

/** Ask for the documents; where several ask, the last answer counts. */
export async function load() {
  const number = ++latest;
  const slow = setTimeout(() => {
    library.isSlow = true;
    update();
  }, SLOW);
  const found = { problem: null };
  try {
    const { documents, removed } = drawable(await getJson("v1/documents"), listed);
    Object.assign(found, { documents, removed });
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    found.problem = problem;
  }
  clearTimeout(slow);
  if (number !== latest) return;
  Object.assign(library, found, { isSlow: false });
  update();
}

/** All that is said of the documents in words. */
function listed({ documents, removed }) {
  const own = documents.map(({ title, series, kind, notes }) => [title, series, kind, ...notes].map(tidy));
  return [own, removed.map(({ title }) => tidy(title))];
}

export function find(id) {
  return library.documents?.find((document) => document.id === id);
}

/** Correct a document; gives it as it now is. */
export async function change(id, about) {
  const [{ document }] = await changed("PATCH", pathOf(id), about);
  library.documents = library.documents?.map((known) => (known.id === id ? document : known)) ?? null;
  return document;
}

export async function remove(id) {
  await changed("DELETE", pathOf(id));
  library.gone.add(id);
  library.documents = library.documents?.filter((known) => known.id !== id) ?? null;
  load(); // which also says what can be brought back
}

export async function restore(id) {
  await changed("POST", `${pathOf(id)}/restore`);
  library.gone.delete(id);
  library.removed = library.removed.filter((known) => known.id !== id);
  await load();
}

export function pathOf(id) {
  return `v1/documents/${encodeURIComponent(id)}`;
}

/** Remember a refusal that holds for all that this key may do. */
export function noteRefusal(problem) {
  if (problem.code === "scope_forbidden") library.forbidden = problem.message;
}

async function changed(method, path, body) {
  try {
    return drawable(await sendJson(method, path, body), ({ documents }) => documents[0].status).documents;
  } catch (problem) {
    noteRefusal(problem);
    throw problem;
  }
}
