/* What the browser keeps for this page: for the tab, or beyond. Where it keeps nothing, all works but the memory. */

function attempt(work) {
  try {
    return work();
  } catch {
    return null; // private windows, full or forbidden storage
  }
}

/** What is kept under a name, as JSON; null where there is nothing. */
export function read(name, storage = "localStorage") {
  return attempt(() => JSON.parse(window[storage].getItem(`kewen.${name}`)));
}

/** A text that is kept under a name; "" where there is none. */
export function readText(name, storage) {
  const kept = read(name, storage);
  return typeof kept === "string" ? kept : "";
}

export function write(name, value, storage = "localStorage") {
  attempt(() => window[storage].setItem(`kewen.${name}`, JSON.stringify(value)));
}

export function forget(name) {
  for (const storage of ["localStorage", "sessionStorage"]) attempt(() => window[storage].removeItem(`kewen.${name}`));
}
