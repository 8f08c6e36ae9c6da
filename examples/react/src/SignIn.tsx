import { useMutation } from "@tanstack/react-query";
import { signIn } from "./rapport";

export function SignIn() {
  const attempt = useMutation({ mutationFn: signIn });

  function submit(form: FormData) {
    const text = (name: string) => String(form.get(name));
    attempt.mutate({ workspace: text("workspace"), email: text("email"), password: text("password") });
  }

  return (
    <main>
      <h1>Sign in</h1>
      {/* Not an action: that would empty the form when the password was wrong. */}
      <form
        className="narrow"
        onSubmit={(event) => {
          event.preventDefault();
          submit(new FormData(event.currentTarget));
        }}
      >
        <label>
          Workspace
          <input name="workspace" required autoComplete="organization" />
        </label>
        <label>
          E-mail address
          <input name="email" type="email" required autoComplete="username" />
        </label>
        <label>
          Password
          <input name="password" type="password" required autoComplete="current-password" />
        </label>
        {attempt.error && <p role="alert">{attempt.error.message}</p>}
        <button disabled={attempt.isPending}>Sign in</button>
      </form>
    </main>
  );
}
