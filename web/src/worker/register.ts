// Makes the page installable and quick to open again. Where it is not possible (plain HTTP, an untrusted
// certificate) everything works the same without.

interface ScriptUrls {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL(url: string): unknown };
}

const OURS = new Set(['/sw.js']);

/** A worker's address, marked as ours for the browser's Trusted Types check. */
function trusted(url: string): string {
  const types = (window as { trustedTypes?: ScriptUrls }).trustedTypes;
  if (!types) return url;
  const policy = types.createPolicy('app-worker', {
    createScriptURL: (asked) => {
      if (OURS.has(asked)) return asked;
      throw new TypeError(`not a script of ours: ${asked}`);
    },
  });
  return policy.createScriptURL(url) as string;
}

export function registerWorker(): void {
  if (!import.meta.env.PROD || !isSecureContext || !('serviceWorker' in navigator)) return;
  navigator.serviceWorker.register(trusted('/sw.js')).catch(() => undefined);
}
