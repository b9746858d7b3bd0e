// The views, in the order of their tabs. A view is shown once its state is there.
import type { ComponentType } from "preact";
import { backward } from "./backward";

export interface View<State = any> {
  /** The topic of its events, and the address of its questions. */
  name: string;
  title: string;
  useState: () => State | null;
  View: ComponentType<{ state: State }>;
}

export const views: View[] = [backward];
