// Waiting, for as long as a view is shown.

/** Return after so many milliseconds; throws an AbortError when the signal comes first. */
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

/** Do something now and again every so many milliseconds while the page can be seen, until the signal. */
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
