
// The connection to the run: requests with the token, and the stream of events.

// A status comes each second; without one for so long, the connection is lost.
const SILENCE_MS = 12_000;
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 15_000;
const ENDED_RETRY_MS = 5000;

const TOKEN_KEY = "towpath-token";
// As RFC 6750 has it.
const TOKEN_FORM = /^[A-Za-z0-9._~+/=-]+$/;

class Token {
  // `#token=` in the address is taken once, and leaves the address.
  takeFromAddress() {
    if (!location.hash.startsWith("#token=")) return;
    this.set(location.hash.slice("#token=".length));
    history.replaceState(null, "", location.pathname);
  }

  set(text) {
    const token = text.trim();
    if (TOKEN_FORM.test(token)) sessionStorage.setItem(TOKEN_KEY, token);
  }

  forget() {
    sessionStorage.removeItem(TOKEN_KEY);
  }

  get headers() {
    const token = sessionStorage.getItem(TOKEN_KEY);
    return token ? { Authorization: `Bearer ${token}` } : {};
  }

  get isSet() {
    return sessionStorage.getItem(TOKEN_KEY) !== null;
  }
}

// The token is missing or wrong.
class Unauthorized extends Error {}

async function request(path, token, signal) {
  const answer = await fetch(path, { headers: token.headers, cache: "no-store", credentials: "omit", redirect: "error", signal });
  if (answer.status === 401) throw new Unauthorized();
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
}

// Calls `on(name, data)` for each event of a stream; returns when it ends.
async function readEvents(body, on) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    on("sign of life", null);
    text += value;
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) {
      const fields = event.split("\n").map((line) => line.split(/: ?(.*)/s));
      const field = (name) => fields.filter(([key]) => key === name).map(([, value]) => value).join("\n");
      if (field("data")) on(field("event"), JSON.parse(field("data")));
    }
  }
}

class Feed {
  constructor(token, { onStatus, onState, onUnauthorized }) {
    Object.assign(this, { token, onStatus, onState, onUnauthorized });
    this.retryMs = FIRST_RETRY_MS;
    this.lostSince = null;
    this.hasEnded = false;
    this.timer = null;
    this.connection = null;
  }

  // Connects, and again when the connection ends, until the token is not accepted.
  async connect() {
    clearTimeout(this.timer);
    this.connection?.abort();
    const connection = new AbortController();
    this.connection = connection;
    let silence = null;
    const listen = () => {
      clearTimeout(silence);
      silence = setTimeout(() => connection.abort(), SILENCE_MS);
    };
    try {
      listen();
      const answer = await request("/v1/events?only=status", this.token, connection.signal);
      await readEvents(answer.body, (name, data) => {
        listen();
        this.take(name, data);
      });
    } catch (error) {
      if (connection !== this.connection) return;
      if (error instanceof Unauthorized) {
        clearTimeout(silence);
        this.onUnauthorized();
        return;
      }
    } finally {
      clearTimeout(silence);
    }
    if (connection === this.connection) this.lose();
  }

  take(name, data) {
    if (name === "status") {
      this.retryMs = FIRST_RETRY_MS;
      this.lostSince = null;
      this.hasEnded = false;
      this.onStatus(data);
      this.onState("live", "live");
    } else if (name === "end") {
      this.hasEnded = true;
    }
  }

  lose() {
    if (this.hasEnded) {
      this.onState("ended", "the run has ended");
      this.retryMs = ENDED_RETRY_MS;
    } else {
      this.lostSince ??= new Date();
      this.onState("lost", `connection lost since ${clockWithSeconds(this.lostSince)}`);
    }
    this.timer = setTimeout(() => this.connect(), this.retryMs);
    if (!this.hasEnded) this.retryMs = Math.min(this.retryMs * 2, LAST_RETRY_MS);
  }

  // Does not wait for the next attempt.
  hurry() {
    if (this.lostSince) this.connect();
  }
}
