/* What a view fetches, one thing at a time: a new one ends the one before, and that it takes long is told. */
import { Problem } from "./api.js";
import { update } from "./page.js";

const LATE = 200; // milliseconds after which one is told to wait

/** What a view's state says of its fetching. */
export const IDLE = { running: null, isLate: false, problem: null };

export function stop(state) {
  state.running?.abort();
  Object.assign(state, IDLE);
  update();
}

/** `get(signal)` fetches, `take` keeps what came, unless another has begun by then; what goes wrong is the state's. */
export async function fetching(state, get, take) {
  stop(state);
  const running = new AbortController();
  state.running = running;
  const late = setTimeout(() => {
    state.isLate = true;
    update();
  }, LATE);
  try {
    const found = await get(running.signal);
    if (state.running === running) take(found);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Problem)) throw error;
    if (state.running === running) state.problem = error;
  } finally {
    clearTimeout(late);
    if (state.running === running) Object.assign(state, { running: null, isLate: false });
    update();
  }
}
