// Addresses as components write them: complete, or relative to the provider's server or to the page.

/** The page's own address, where there is a page. */
function pageUrl(): string | undefined {
  return typeof location === 'undefined' ? undefined : location.href;
}

/** A complete address, over HTTP whatever its scheme was: `ws:` becomes `http:`. */
export function completed(path: string, server: string | undefined): URL {
  try {
    const url = new URL(path, server === undefined ? pageUrl() : new URL(server, pageUrl()));
    return new URL(url.href.replace(/^ws/, 'http'));
  } catch {
    throw new Error(`${JSON.stringify(path)} has no server: write it out, or put a BoardcastProvider with a url around it`);
  }
}
