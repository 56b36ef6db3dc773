/* The page's words, in Chinese and in English. */
import { read, write } from "./kept.js";

const LANGUAGES = ["zh", "en"];
const TAGS = { zh: "zh-Hans", en: "en" };

let chosen = LANGUAGES.includes(read("language")) ? read("language") : "zh";
document.documentElement.lang = TAGS[chosen];

export function language() {
  return chosen;
}

export function setLanguage(name) {
  chosen = name;
  write("language", name);
  document.documentElement.lang = TAGS[name];
}

/** `const t = words({ found: ["找到 {n} 段", "{n} passages"] })`, then `t("found", { n: 3 })`. */
export function words(table) {
  return (key, values = {}) => {
    const text = table[key][LANGUAGES.indexOf(chosen)];
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  };
}

/** What one does with text of the documents and of the service's own messages: these stay Chinese. */
export const CHINESE = TAGS.zh;
