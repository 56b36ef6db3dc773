/* The service, as the views see it. Whatever goes wrong is a `Problem`, whose message can be shown. */
import { EventSourceParserStream } from "./vendor/eventsource-parser/stream.js";
import { connection } from "./connection.js";
import { askForKey, currentKey } from "./key.js";
import { tidy } from "./text.js";
import { language, words } from "./words.js";

const t = words({
  lost: ["连不上科问服务。请检查网络或服务是否在运行，然后重试。", "Can't reach kewen. Check the network and the service, then try again."],
  cut: ["回答没有说完就中断了，请再问一次。", "The answer was cut off. Please ask again."],
  busy: ["请求过于频繁，请 {n} 秒后再试。", "Too many requests. Please wait {n} seconds."],
  odd: ["服务出错（{n}）。请稍后再试。", "The service failed ({n}). Please try again later."],
  strange: ["服务的回答读不懂。请重试；若还是这样，请刷新网页，或告诉管理员。", "The service's answer makes no sense. Please try again; if that does not help, reload the page or tell the administrator."],
  aside: ["{code}（服务的原话：{message}）", "{code} (the service says: {message})"],
});

/** What went wrong. `code` is the service's own, or `connection_lost`; `message` is for the reader. */
export class Problem extends Error {
  constructor(code, message, more = {}) {
    super(message);
    Object.assign(this, { code, status: 0, retryAfter: 0, requestId: "", detail: {} }, more);
  }
}

/** An answer that can be drawn: `draw` is what will. What it can't draw, a proxy's page say, is a `Problem`. */
export function drawable(answer, draw) {
  try {
    draw(answer);
  } catch {
    throw strange();
  }
  return answer;
}

export async function getJson(path, { signal } = {}) {
  return jsonOf(await request(path, { signal }));
}

export async function postJson(path, body, { signal } = {}) {
  return sendJson("POST", path, body, { signal });
}

export async function sendJson(method, path, body, { signal } = {}) {
  const headers = { "Content-Type": "application/json" };
  return jsonOf(await request(path, { method, headers, body: JSON.stringify(body ?? {}), signal }));
}

export async function getBlob(path, { signal } = {}) {
  return whole((await request(path, { signal })).blob());
}

/** Ask, and hear what comes: `onEvent(name, data)`. Gives the whole answer, which alone counts. */
export async function askStream(body, onEvent, signal) {
  const headers = { "Content-Type": "application/json" };
  const asked = JSON.stringify({ ...body, stream: true });
  const response = await request("v1/ask", { method: "POST", headers, body: asked, signal });
  if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) throw strange();
  const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream()).getReader();
  for (;;) {
    const { done, value } = await events.read().catch((error) => {
      throw error.name === "AbortError" ? error : lost(t("cut"));
    });
    if (done) throw lost(t("cut"));
    const data = parsed(value.data);
    if (!isObject(data)) throw strange();
    if (value.event === "error") throw problemOf(0, { error: data });
    if (value.event === "answer") return data;
    onEvent(value.event, data);
  }
}

/** Send a form of files; `onProgress(share)` hears how much of it is out, 0 to 1. */
export async function upload(path, form, onProgress, signal) {
  for (;;) {
    const response = await send(path, form, onProgress, signal);
    if (response.status === 401 && (await askForKey(response.problem))) continue;
    if (response.problem) throw response.problem;
    return response.body;
  }
}

/** `fetch` has no word of how much it has sent; its elder has. */
function send(path, form, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const line = new XMLHttpRequest();
    line.open("POST", path);
    const key = currentKey();
    if (key) line.setRequestHeader("Authorization", `Bearer ${key}`);
    line.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    line.onload = () => {
      connection.isFound();
      const body = parsed(line.responseText);
      const isGood = line.status >= 200 && line.status < 300 && isObject(body);
      const retryAfter = Number(line.getResponseHeader("Retry-After"));
      resolve({ status: line.status, body, problem: isGood ? null : problemOf(line.status, body, retryAfter) });
    };
    line.onerror = () => reject(lost());
    line.onabort = () => reject(new DOMException("", "AbortError"));
    signal?.addEventListener("abort", () => line.abort());
    line.send(form);
  });
}

async function request(path, options) {
  for (;;) {
    const key = currentKey();
    const headers = { ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) };
    let response;
    try {
      response = await fetch(path, { ...options, headers, credentials: "omit", cache: "no-cache" });
    } catch (error) {
      throw error.name === "AbortError" ? error : lost();
    }
    connection.isFound();
    if (response.ok) return response;
    const problem = problemOf(response.status, parsed(await whole(response.text())), Number(response.headers.get("Retry-After")));
    if (response.status !== 401 || !(await askForKey(problem))) throw problem;
  }
}

async function jsonOf(response) {
  const body = parsed(await whole(response.text()));
  if (!isObject(body)) throw strange();
  return body;
}

/** The body of a response, which may break off. */
function whole(body) {
  return body.catch((error) => {
    throw error.name === "AbortError" ? error : lost();
  });
}

function isObject(value) {
  return typeof value === "object" && value !== null;
}

function strange() {
  return new Problem("strange", t("strange"));
}

function lost(message = t("lost")) {
  connection.isLost();
  return new Problem("connection_lost", message);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // a proxy's own words
  }
}

function problemOf(status, body, retryAfter) {
  const error = isObject(body?.error) ? body.error : {};
  const wait = retryAfter || error.detail?.retry_after || 0;
  const message = typeof error.message === "string" ? worded(error.code, error.message) : t("odd", { n: status });
  const said = status === 429 && wait ? t("busy", { n: Math.ceil(wait) }) : message;
  return new Problem(error.code ?? "unknown", said, {
    status,
    retryAfter: wait,
    requestId: error.request_id ?? "",
    detail: error.detail ?? {},
  });
}

/** The service speaks Chinese; who reads English sees the code beside it. */
function worded(code, message) {
  return language() === "en" ? t("aside", { code, message: tidy(message) }) : tidy(message);
}
