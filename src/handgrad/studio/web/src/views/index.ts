// The views, in the order of their tabs. A view is shown once its state is there.
import type { ComponentType } from "preact";
import { backward } from "./backward";
import { derivation } from "./derivation";
import { training } from "./training";

export interface View<State = any> {
  /** The topic of its events, and the address of its questions. */
  name: string;
  title: string;
  useState: () => State | null;
  /** What of it is to be seen at a glance, beside the tabs. */
  Status?: ComponentType<{ state: State }>;
  /** `wanted` is the gradient that another view has sent the reader to. */
  View: ComponentType<{ state: State; wanted: string | null }>;
}

export const views: View[] = [backward, derivation, training];
