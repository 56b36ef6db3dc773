/* Whether the service answers. Once it does not, its open address is tried until it does again. */
import { toast, update } from "./page.js";
import { words } from "./words.js";

const SECONDS = 1;
const t = words({ back: ["已重新连上。", "Connected again."] });

export const connection = { isDown: false, isLost, isFound };

function isLost() {
  if (connection.isDown) return;
  connection.isDown = true;
  update();
  setTimeout(look, SECONDS * 1000);
}

function isFound() {
  if (!connection.isDown) return;
  connection.isDown = false;
  toast(t("back"));
}

async function look() {
  if (!connection.isDown) return;
  try {
    const response = await fetch("healthz", { cache: "no-store" });
    if (response.ok) return isFound();
  } catch {
    // still away
  }
  setTimeout(look, SECONDS * 1000);
}
