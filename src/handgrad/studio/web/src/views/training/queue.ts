// A browser keeps six connections to a server: questions that take long are asked two at a time, and leave the others free.
import type { Source } from "../../source";

const AT_ONCE = 2;

/** The same source, asked few questions at a time. */
export function patient(source: Source): Source {
  let asking = 0;
  const waiting: (() => void)[] = [];
  return {
    ...source,
    async ask<Answer>(view: string, question: object): Promise<Answer> {
      if (asking >= AT_ONCE) await new Promise<void>((go) => waiting.push(go));
      else asking++;
      try {
        return await source.ask<Answer>(view, question);
      } finally {
        const next = waiting.shift();
        if (next) next();
        else asking--;
      }
    },
  };
}
