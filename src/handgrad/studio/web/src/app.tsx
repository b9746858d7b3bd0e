// The frame around the views: what is open, which view is shown, light or dark.
import { useEffect, useState } from "preact/hooks";
import { KeysContext, ShowContext, SourceContext, ThemeContext, useConnection, type Theme } from "./hooks";
import type { Source } from "./source";
import { views } from "./views";

export function App({ source, keys }: { source: Source; keys: EventTarget }) {
  const [theme, setTheme] = useTheme();
  return (
    <SourceContext.Provider value={source}>
      <KeysContext.Provider value={keys}>
        <ThemeContext.Provider value={theme}>
          <Frame theme={theme} setTheme={setTheme} />
        </ThemeContext.Provider>
      </KeysContext.Provider>
    </SourceContext.Provider>
  );
}

function Frame({ theme, setTheme }: { theme: Theme; setTheme: (theme: Theme) => void }) {
  const states = Object.fromEntries(views.map((view) => [view.name, view.useState()]));
  const open = views.filter((view) => states[view.name]);
  const [chosen, choose] = useState<{ view: string; gradient: string | null } | null>(null);
  const shown = open.find((view) => view.name === chosen?.view) ?? open[0];
  const connection = useConnection();
  const other = theme === "dark" ? "light" : "dark";
  return (
    <div class={connection === "notebook" ? "frame in-notebook" : "frame"} data-theme={theme} tabIndex={-1}>
      <header class="bar">
        <span class="brand">
          <Mark /> handgrad <b>studio</b>
        </span>
        <nav class="tabs" role="tablist" aria-label="Views">
          {open.map((view) => (
            <button role="tab" key={view.name} aria-selected={view === shown} onClick={() => choose({ view: view.name, gradient: null })}>
              {view.title}
            </button>
          ))}
        </nav>
        {shown?.Status && <shown.Status state={states[shown.name]} />}
        <span class="bar-space" />
        {connection === "lost" && <span class="lost">The server is gone; looking for it …</span>}
        {connection === "ended" && <span class="lost">This studio has ended. Open the address of the new one.</span>}
        <button class="quiet" onClick={() => setTheme(other)} aria-label={`${other} colours`} title={`${other} colours`}>
          {theme === "dark" ? "☀" : "☾"}
        </button>
      </header>
      <ShowContext.Provider value={choose}>
        {shown ? (
          <shown.View state={states[shown.name]} wanted={chosen?.gradient ?? null} />
        ) : (
          <p class="waiting">Starting …</p>
        )}
      </ShowContext.Provider>
    </div>
  );
}

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 24 24" aria-hidden="true">
      <path d="M3 8h13m-4-4 4 4-4 4" />
      <path d="M21 16H8m4 4-4-4 4-4" class="back" />
    </svg>
  );
}

/** Whether the page, or the notebook around it, is dark. */
const isDark = () => {
  const { dataset, classList } = document.body;
  if (dataset.jpThemeLight) return dataset.jpThemeLight === "false";
  if (dataset.vscodeThemeKind) return /dark|high-contrast$/.test(dataset.vscodeThemeKind);
  return classList.contains("vscode-dark") || matchMedia("(prefers-color-scheme: dark)").matches;
};

/** The chosen theme, else that of what is around. */
function useTheme(): [Theme, (theme: Theme) => void] {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const kept = () => {
    try {
      return localStorage.getItem("handgrad-theme") as Theme | null;
    } catch {
      return null;
    }
  };
  const [theme, setTheme] = useState<Theme>(kept() ?? (isDark() ? "dark" : "light"));
  useEffect(() => {
    const changed = () => kept() ?? setTheme(isDark() ? "dark" : "light");
    system.addEventListener("change", changed);
    return () => system.removeEventListener("change", changed);
  }, []);
  const choose = (theme: Theme) => {
    try {
      localStorage.setItem("handgrad-theme", theme);
    } catch {
      // a page from a file may keep nothing
    }
    setTheme(theme);
  };
  return [theme, choose];
}
