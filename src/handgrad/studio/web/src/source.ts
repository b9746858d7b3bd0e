// Where the page has its data from: a server, the page's own file, or a notebook.

export type Listener = (state: any) => void;
/** With a server; without it, for now or for good; a page by itself; in a notebook. */
export type Connection = "live" | "lost" | "ended" | "file" | "notebook";

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
  events.onerror = () => connection.tell("", events.readyState === EventSource.CLOSED ? "ended" : "lost");

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

/** What anywidget hands to a widget, as far as it is used. */
export interface Model {
  get(name: string): any;
  on(event: string, heard: (...told: any[]) => void): void;
  off(event: string, heard: (...told: any[]) => void): void;
  send(message: object): void;
}

/** The notebook's kernel. */
export function notebookSource(model: Model): Source & { close: () => void } {
  const topics = new Topics();
  const waiting = new Map<number, { resolve: (answer: any) => void; reject: (error: Error) => void }>();
  let asked = 0;
  const changed = () => {
    for (const [topic, state] of Object.entries(model.get("states"))) topics.tell(topic, state);
  };
  const answered = ({ id, answer, error }: { id: number; answer?: any; error?: string }) => {
    const question = waiting.get(id);
    waiting.delete(id);
    if (error) question?.reject(new Error(error));
    else question?.resolve(answer);
  };
  changed();
  model.on("change:states", changed);
  model.on("msg:custom", answered);
  return {
    subscribe: (topic, heard) => topics.subscribe(topic, heard),
    connected(heard) {
      heard("notebook");
      return () => {};
    },
    ask(view, question) {
      const id = ++asked;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        model.send({ id, view, question });
      });
    },
    close() {
      model.off("change:states", changed);
      model.off("msg:custom", answered);
    },
  };
}
