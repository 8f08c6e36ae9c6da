import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { Conflict } from "./Conflict";
import { type Contact, type Draft, draftOf, FIELDS, type FieldName, read, save, STAGES } from "./contact";
import { problemOf, problemsBeside } from "./problem";

/** A dialog that changes one contact. */
export function Editor({ id, onClosed }: { id: string; onClosed: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const contact = useQuery({
    queryKey: ["contact", id],
    queryFn: ({ signal }) => read(id, signal),
    // Who opens the form again begins from what is there then.
    gcTime: 0,
  });
  const close = () => dialog.current?.close();

  useEffect(() => dialog.current?.showModal(), []);

  return (
    <dialog ref={dialog} aria-labelledby="editor" onClose={onClosed}>
      <h2 id="editor">{contact.data?.name ?? "Contact"}</h2>
      {contact.data ? (
        <Form newest={contact.data} close={close} />
      ) : (
        <>
          {contact.error ? <p role="alert">{contact.error.message}</p> : <p role="status">Loading</p>}
          <button type="button" onClick={close}>
            Close
          </button>
        </>
      )}
    </dialog>
  );
}

function Form({ newest, close }: { newest: Contact; close: () => void }) {
  const queries = useQueryClient();
  const form = useRef<HTMLFormElement>(null);
  // The version that the draft began from stays, whatever happens meanwhile: saving compares with it.
  const [base, setBase] = useState(newest);
  const [draft, setDraft] = useState(() => draftOf(newest));
  const [theirs, setTheirs] = useState<Contact>();

  const saving = useMutation({
    mutationFn: (change: { base: Contact; draft: Draft }) => save(change.base, change.draft),
    onSuccess: async (outcome) => {
      if ("theirs" in outcome) return setTheirs(outcome.theirs);
      await queries.invalidateQueries({ queryKey: ["contacts"] });
      close();
    },
  });

  useEffect(() => {
    if (saving.error) form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }, [saving.error]);

  if (theirs) {
    const settle = (settled: Draft) => {
      setBase(theirs);
      setDraft(settled);
      setTheirs(undefined);
      saving.mutate({ base: theirs, draft: settled });
    };
    return <Conflict base={base} mine={draft} theirs={theirs} onSettled={settle} onCancel={close} />;
  }

  const beside = saving.error && problemsBeside(saving.error, FIELDS.map((field) => field.pointer));
  return (
    <form
      ref={form}
      // The server checks, and says what is wrong with each field.
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        saving.mutate({ base, draft });
      }}
    >
      {newest.version > base.version && <p role="status">Somebody has changed this contact meanwhile. Saving shows you both.</p>}
      {beside?.map((detail) => (
        <p key={detail} role="alert">
          {detail}
        </p>
      ))}
      {FIELDS.map(({ name, label, pointer }) => {
        const problem = problemOf(saving.error, pointer);
        const shared = {
          value: draft[name],
          onChange: (event: { target: { value: string } }) => setDraft({ ...draft, [name]: event.target.value }),
          "aria-invalid": problem !== undefined,
          "aria-describedby": problem && `${name}-problem`,
        };
        return (
          <div key={name}>
            <label>
              {label}
              {name === "lifecycle_stage" ? <StageSelect {...shared} /> : <input {...shared} {...INPUTS[name]} />}
            </label>
            {problem && (
              <p id={`${name}-problem`} className="problem">
                {problem}
              </p>
            )}
          </div>
        );
      })}
      <footer>
        <button type="button" onClick={close}>
          Cancel
        </button>
        <button disabled={saving.isPending}>Save</button>
      </footer>
    </form>
  );
}

const INPUTS: Partial<Record<FieldName, { type: string }>> = { email: { type: "email" }, birthday: { type: "date" } };

function StageSelect(shared: React.ComponentProps<"select"> & { value: string }) {
  const known: string[] = STAGES.filter((stage) => stage !== shared.value);
  return (
    <select {...shared}>
      {[shared.value, ...known].map((stage) => (
        <option key={stage}>{stage}</option>
      ))}
    </select>
  );
}
