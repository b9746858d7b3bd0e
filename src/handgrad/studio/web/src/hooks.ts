// What views share: the state of a topic, answers to questions, keys, the theme.
import { createContext } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";
import type { Connection, Source } from "./source";

export const SourceContext = createContext<Source>(null!);
export const useSource = () => useContext(SourceContext);

/** The last state of a topic; null before there is one. */
export function useTopic<State>(topic: string): State | null {
  const source = useSource();
  const [state, setState] = useState<State | null>(null);
  useEffect(() => source.subscribe(topic, setState), [source, topic]);
  return state;
}

export function useConnection(): Connection {
  const source = useSource();
  const [connection, setConnection] = useState<Connection>("live");
  useEffect(() => source.connected(setConnection), [source]);
  return connection;
}

export interface Answer<T> {
  value: T | null;
  error: string | null;
}

/** The answer to a question, asked anew whenever the question or what it is about changes; null asks nothing. */
export function useAnswer<T>(view: string, question: object | null, about: unknown): Answer<T> {
  const source = useSource();
  const [answer, setAnswer] = useState<Answer<T>>({ value: null, error: null });
  const asked = question && JSON.stringify(question);
  useEffect(() => {
    if (!asked) return setAnswer({ value: null, error: null });
    let current = true;
    source.ask<T>(view, JSON.parse(asked)).then(
      (value) => current && setAnswer({ value, error: null }),
      (error: Error) => current && setAnswer({ value: null, error: error.message }),
    );
    return () => {
      current = false;
    };
  }, [source, view, asked, about]);
  return answer;
}

/** Where keys are heard: in all of a page, and in a notebook in the widget alone. */
export const KeysContext = createContext<EventTarget>(window);

/** Keys that do something wherever the focus is, but for fields in which one types. */
export function useKeys(keys: Record<string, () => void>) {
  const heard = useContext(KeysContext);
  useEffect(() => {
    const pressed = (happened: Event) => {
      const event = happened as KeyboardEvent;
      const target = event.composedPath()[0];
      const types = target instanceof Element && target.closest("input, textarea, select, .cm-content");
      if (event.ctrlKey || event.metaKey || event.altKey || types) return;
      const action = keys[event.key];
      if (action) {
        event.preventDefault();
        event.stopPropagation();
        action();
      }
    };
    heard.addEventListener("keydown", pressed);
    return () => heard.removeEventListener("keydown", pressed);
  });
}

export type Theme = "light" | "dark";
export const ThemeContext = createContext<Theme>("light");
export const useTheme = () => useContext(ThemeContext);

/** What one view shows because another asked for it: a gradient, by its name. */
export interface Wanted {
  view: string;
  gradient: string;
}
export const ShowContext = createContext<(wanted: Wanted) => void>(() => {});
export const useShow = () => useContext(ShowContext);
