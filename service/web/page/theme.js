/* Light or dark: as the system has it, or as the reader chose. */
import { read, write } from "./kept.js";
import { update } from "./page.js";

export const THEMES = ["auto", "light", "dark"];

const system = window.matchMedia("(prefers-color-scheme: dark)");
let chosen = THEMES.includes(read("theme")) ? read("theme") : "auto";

export function theme() {
  return chosen;
}

export function setTheme(name) {
  chosen = name;
  write("theme", name);
  apply();
  update();
}

function apply() {
  const isDark = chosen === "dark" || (chosen === "auto" && system.matches);
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
}

system.addEventListener("change", apply);
apply();
