import { QueryClient, QueryClientProvider, useQueryClient } from "@tanstack/react-query";
import { type PropsWithChildren, useEffect, useState } from "react";
import { Contacts } from "./Contacts";
import { follow } from "./feed";
import { Refusal } from "./problem";
import { signOut, useIsSignedIn } from "./rapport";
import { SignIn } from "./SignIn";

export function App() {
  const isSignedIn = useIsSignedIn();
  return <Queries key={String(isSignedIn)}>{isSignedIn ? <Workspace /> : <SignIn />}</Queries>;
}

/** What was read, for one session: nothing of one user is left for the next one. */
function Queries({ children }: PropsWithChildren) {
  const [client] = useState(
    () =>
      new QueryClient({
        defaultOptions: {
          queries: {
            // The stream tells what has changed, so nothing is read again merely because time has passed.
            staleTime: Infinity,
            refetchOnWindowFocus: false,
            // What was refused for a reason is refused again; a server that is busy or out of reach may come back.
            retry: (failures, error) => failures < 3 && !(error instanceof Refusal && error.problem.status < 500),
          },
        },
      }),
  );
  return <QueryClientProvider client={client}>{children}</QueryClientProvider>;
}

function Workspace() {
  const queries = useQueryClient();
  const [feed, setFeed] = useState("Connecting");

  useEffect(() => {
    const leaving = new AbortController();
    void follow({
      signal: leaving.signal,
      // What is on the page is read again: then filters, order and rights hold for what has changed, too.
      onChange: () => void queries.invalidateQueries(),
      onLive: () => setFeed("Live"),
      onBreak: (reason) => setFeed(`Connecting again. ${reason.message}`),
    });
    return () => leaving.abort();
  }, [queries]);

  return (
    <>
      <header>
        <h1>Contacts</h1>
        <p role="status">{feed}</p>
        <button type="button" onClick={() => void signOut()}>
          Sign out
        </button>
      </header>
      <main>
        <Contacts />
      </main>
    </>
  );
}
