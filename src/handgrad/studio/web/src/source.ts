// Where the page has its data from: a server, the page's own file, or a notebook.

export type Listener = (state: any) => void;
export type Connection = "live" | "lost" | "file";

export interface Source {
  /** Hear the state of a topic, now and whenever it changes; the answer ends that. */
  subscribe(topic: string, heard: Listener): () => void;
  /** Hear whether the server is there. */
  connected(heard: (connection: Connection) => void): () => void;
  /** A question to a view; rejected with an Error whose message is for people. */
  ask<Answer>(view: string, question: object): Promise<Answer>;
}

/** Keeps the last state of each topic for who comes later. */
class Topics {
  private states = new Map<string, any>();
  private listeners = new Map<string, Set<Listener>>();

  tell(topic: string, state: any) {
    this.states.set(topic, state);
    this.listeners.get(topic)?.forEach((heard) => heard(state));
  }

  subscribe(topic: string, heard: Listener): () => void {
    const all = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, all.add(heard));
    if (this.states.has(topic)) heard(this.states.get(topic));
    return () => all.delete(heard);
  }
}

/** The server that the page came from. */
export function liveSource(token: string): Source {
  const topics = new Topics();
  const connection = new Topics();
  const heardOf = new Set<string>();
  const events = new EventSource(`events?token=${encodeURIComponent(token)}`);
  events.onopen = () => connection.tell("", "live");
  events.onerror = () => connection.tell("", "lost");

  return {
    subscribe(topic, heard) {
      if (!heardOf.has(topic)) {
        heardOf.add(topic);
        events.addEventListener(topic, (event) => topics.tell(topic, JSON.parse((event as MessageEvent).data)));
      }
      return topics.subscribe(topic, heard);
    },
    connected: (heard) => connection.subscribe("", heard),
    async ask(view, question) {
      let response: Response;
      try {
        response = await fetch(`ask/${view}`, {
          method: "POST",
          headers: { "content-type": "application/json", "x-token": token },
          body: JSON.stringify(question),
        });
      } catch {
        throw new Error("The server is gone. Start 'handgrad studio' again.");
      }
      if (response.ok) return response.json();
      const said = await response.text();
      throw new Error(response.status === 422 ? JSON.parse(said).error : said);
    },
  };
}

/** A page with everything in it. `answers` holds, for each view, what was asked beforehand, by the question as JSON. */
export function fileSource(states: Record<string, any>, answers: Record<string, Record<string, any>> = {}): Source {
  const topics = new Topics();
  for (const [topic, state] of Object.entries(states)) topics.tell(topic, state);
  return {
    subscribe: (topic, heard) => topics.subscribe(topic, heard),
    connected(heard) {
      heard("file");
      return () => {};
    },
    async ask(view, question) {
      const answer = answers[view]?.[JSON.stringify(question)];
      if (answer === undefined) throw new Error("This was not asked when the page was written.");
      return answer;
    },
  };
}
