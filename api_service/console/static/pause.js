// Waiting that ends with its view.

/** Return after so many milliseconds; throws an AbortError if the signal aborts first. */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const leave = () => {
      clearTimeout(timer);
      reject(new DOMException("left", "AbortError"));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", leave);
      resolve();
    }, milliseconds);
    if (signal?.aborted) leave();
    else signal?.addEventListener("abort", leave, { once: true });
  });
}

/** Run a task now and every so many milliseconds while the page is visible, until the signal aborts. */
export async function repeat(milliseconds, signal, act) {
  while (!signal.aborted) {
    if (!document.hidden) await act();
    try {
      await pause(milliseconds, signal);
    } catch {
      return;
    }
  }
}
