/** When to come back after a socket closed: a pure rule over the close code, the attempt and one random number. */

export type Verdict =
  | { kind: "retry"; inMs: number }
  /** The credentials are not good: another key is needed. */
  | { kind: "refused" }
  /** Coming back would get the same answer. */
  | { kind: "stop" };

const FIRST_MS = 500;
const LONGEST_MS = 30_000;

/**
 * @param code the close code; 1006 where the connection broke or was never made
 * @param attempt how many attempts have failed since the last good one, from 0
 * @param random uniform in [0, 1): full jitter, so that thousands of pages do not come back at the same moment
 * @param drainMs what the server asked for before it closed
 */
export function afterClose(code: number, attempt: number, random: number, drainMs?: number): Verdict {
  switch (code) {
    case 4401:
    case 4403:
    case 4409:
      return { kind: "refused" };
    case 4400:
    case 4404:
      return { kind: "stop" };
    case 4408:
      return { kind: "retry", inMs: 200 + 800 * random };
    case 4429:
      return { kind: "retry", inMs: 15_000 + 30_000 * random };
    case 1012:
      if (drainMs !== undefined && attempt === 0) return { kind: "retry", inMs: drainMs + 1000 * random };
      return attempt === 0 ? { kind: "retry", inMs: 1000 + 4000 * random } : backoff(attempt, random);
    default:
      return backoff(attempt, random);
  }
}

function backoff(attempt: number, random: number): Verdict {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
  return { kind: "retry", inMs: Math.round(ceiling / 4 + ((ceiling * 3) / 4) * random) };
}
