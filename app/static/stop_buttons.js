// The buttons that stop long work are seen as long as something runs: see `app/stopping.py`.

/** @type {Map<string, { events: Set<number>, focus: Element | null }>} by the id of a button, what it is there for, and where the focus was */
const running = new Map();

/**
 * Show that an event begins or has ended.
 *
 * @param {string} id of the button
 * @param {number} event
 * @param {boolean} isRunning
 */
export function showRunning(id, event, isRunning) {
  const entry = running.get(id) ?? { events: new Set(), focus: null };
  running.set(id, entry);
  if (isRunning && !entry.events.size) entry.focus = document.activeElement;
  if (isRunning) entry.events.add(event);
  else entry.events.delete(event);
  const button = document.getElementById(id);
  if (!button) return;
  const losesFocus = !entry.events.size && document.activeElement === button;
  button.toggleAttribute("data-running", entry.events.size > 0);
  if (losesFocus && entry.focus instanceof HTMLElement && entry.focus.isConnected) entry.focus.focus();
}
