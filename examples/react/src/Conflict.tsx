import { useState } from "react";
import { type Contact, differences, type Draft, type FieldName, merged, type Side } from "./contact";

interface Props {
  /** What both began from. */
  base: Contact;
  mine: Draft;
  theirs: Contact;
  onSettled: (draft: Draft) => void;
  onCancel: () => void;
}

/** Somebody else was faster: shows both versions where they differ, and lets the user choose field by field. */
export function Conflict({ base, mine, theirs, onSettled, onCancel }: Props) {
  const [chosen, setChosen] = useState<Partial<Record<FieldName, Side>>>({});
  const found = differences(base, mine, theirs);

  return (
    <form
      aria-label="Both versions"
      onSubmit={(event) => {
        event.preventDefault();
        onSettled(merged(theirs, found, chosen));
      }}
    >
      <p role="alert">
        Somebody changed this contact at {new Date(theirs.updated_at).toLocaleTimeString()}, while you were editing it.{" "}
        {found.length > 0 ? "Choose what shall stay." : "The fields of this form are the same in both versions."}
      </p>
      {found.map(({ field, likely, ...values }) => (
        <fieldset key={field.name}>
          <legend>{field.label}</legend>
          {(["mine", "theirs"] as const).map((side) => (
            <label key={side} className="choice">
              <input
                type="radio"
                name={field.name}
                checked={(chosen[field.name] ?? likely) === side}
                onChange={() => setChosen({ ...chosen, [field.name]: side })}
              />
              {side === "mine" ? "Mine" : "Theirs"}: <strong>{values[side] || "nothing"}</strong>
            </label>
          ))}
        </fieldset>
      ))}
      <footer>
        <button type="button" onClick={onCancel}>
          Discard mine
        </button>
        <button>Save the choice</button>
      </footer>
    </form>
  );
}
