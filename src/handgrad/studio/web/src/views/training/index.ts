// The view of runs, while they are trained and afterwards.
import { useTopic } from "../../hooks";
import type { View } from "..";
import type { State } from "./data";
import { Status } from "./status";
import { Training } from "./view";

export const training: View<State> = {
  name: "training",
  title: "Training",
  useState: () => useTopic<State>("training"),
  Status,
  View: Training,
};
