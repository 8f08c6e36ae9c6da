import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { type Contact, type Filter, readPage, STAGES, type Stage } from "./contact";
import { Editor } from "./Editor";

export function Contacts() {
  const [filter, setFilter] = useState<Filter>({ q: "", stage: "" });
  const [wanted, setWanted] = useState(1);
  const [edited, setEdited] = useState<string>();
  const settled = useSettled(filter);
  const contacts = useInfiniteQuery({
    queryKey: ["contacts", settled],
    queryFn: ({ pageParam, signal }) => readPage(settled, pageParam, signal),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  });
  const pages = contacts.data?.pages ?? [];
  const rows = pages.flatMap((page) => page.data);

  const { fetchNextPage, hasNextPage, isFetching, isError } = contacts;
  const lacksPages = pages.length < wanted && hasNextPage && !isFetching && !isError;
  // A change that the stream tells of interrupts what is being read, so more is asked for until it is there.
  useEffect(() => {
    if (lacksPages) void fetchNextPage();
  }, [lacksPages, fetchNextPage]);

  function look(next: Filter) {
    setFilter(next);
    setWanted(1);
  }

  return (
    <>
      <search className="filter">
        <label>
          Search
          <input
            type="search"
            maxLength={200}
            value={filter.q}
            onChange={(event) => look({ ...filter, q: event.target.value })}
          />
        </label>
        <label>
          Stage
          <select value={filter.stage} onChange={(event) => look({ ...filter, stage: event.target.value as Stage | "" })}>
            <option value="">All</option>
            {STAGES.map((stage) => (
              <option key={stage}>{stage}</option>
            ))}
          </select>
        </label>
      </search>

      {contacts.error && (
        <p role="alert">
          {contacts.error.message}{" "}
          <button type="button" onClick={() => void contacts.refetch()}>
            Try again
          </button>
        </p>
      )}
      <p role="status">{contacts.isPending ? "Loading" : told(rows.length, hasNextPage)}</p>
      {rows.length > 0 && <Table rows={rows} onEdit={setEdited} />}
      {hasNextPage && (
        <button type="button" disabled={wanted > pages.length} onClick={() => setWanted(pages.length + 1)}>
          Load more
        </button>
      )}
      {edited && <Editor id={edited} onClosed={() => setEdited(undefined)} />}
    </>
  );
}

function told(count: number, more: boolean): string {
  if (count === 0) return "Nobody fits.";
  return more ? `Contacts shown: ${count}, and there are more.` : `Contacts shown: ${count}`;
}

function Table({ rows, onEdit }: { rows: Contact[]; onEdit: (id: string) => void }) {
  return (
    <div className="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Job title</th>
            <th scope="col">Company</th>
            <th scope="col">E-mail address</th>
            <th scope="col">Stage</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((contact) => (
            <tr key={contact.id}>
              <th scope="row">
                <button type="button" className="link" onClick={() => onEdit(contact.id)}>
                  {contact.name}
                </button>
              </th>
              <td>{contact.job_title}</td>
              <td>{contact.expanded?.company?.name}</td>
              <td>{contact.emails?.[0]?.address}</td>
              <td>{contact.lifecycle_stage}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The value, once it has rested for a moment: so not every letter is searched for. */
function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), 200);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
