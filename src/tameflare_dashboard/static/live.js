// One event stream for all tabs: browsers allow six connections to an HTTP/1 server, and a stream of
// each tab would use them up. The tab that holds the lock has the stream, and passes on what it hears.

const CHANNEL = "tameflare-live";
const NAMES = ["approval", "config", "kill_switch", "traffic"];

class Shared extends EventTarget {
  constructor(url) {
    super();
    this.readyState = EventSource.CONNECTING;
    this.channel = new BroadcastChannel(CHANNEL);
    this.channel.addEventListener("message", ({ data }) => this.tell(data));
    this.closing = new AbortController();
    // What changed since the page was made was not heard; the stream begins with the same for its tab.
    setTimeout(() => this.leading || NAMES.forEach((name) => this.tell(name)), 150);
    navigator.locks
      .request(CHANNEL, { signal: this.closing.signal }, () => this.lead(url))
      .catch((error) => {
        if (error.name !== "AbortError") throw error;
      });
  }

  lead(url) {
    this.leading = true;
    return new Promise((release) => {
      const source = new EventSource(url);
      this.closing.signal.addEventListener("abort", () => {
        source.close();
        release();
      });
      for (const name of NAMES) {
        source.addEventListener(name, () => {
          this.channel.postMessage(name);
          this.tell(name);
        });
      }
      source.onopen = () => this.tell("open");
    });
  }

  tell(name) {
    this.readyState = EventSource.OPEN;
    if (name === "open") this.onopen?.(new Event("open"));
    else this.dispatchEvent(new MessageEvent(name, { data: "1" }));
  }

  close() {
    this.readyState = EventSource.CLOSED;
    this.closing.abort();
    this.channel.close();
  }
}

/** Let htmx's extension use it; without locks (plain http on another machine) a tab has its own. */
export function shareEvents() {
  if (navigator.locks) htmx.createEventSource = (url) => new Shared(url);
}
