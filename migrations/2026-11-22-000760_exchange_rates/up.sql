-- What a currency is worth in another, from a day on. Rates are never changed: of several for a pair and day, the one
-- that was created last counts, and a look back at an earlier moment still finds the one that counted then.
CREATE TABLE exchange_rates (
    workspace_id uuid NOT NULL,
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid,
    from_currency text NOT NULL,
    to_currency text NOT NULL,
    rate numeric(20, 10) NOT NULL,
    valid_from date NOT NULL,
    CONSTRAINT exchange_rates_pkey PRIMARY KEY (workspace_id, id),
    CONSTRAINT exchange_rates_workspace_fkey FOREIGN KEY (workspace_id) REFERENCES workspaces (id),
    CONSTRAINT exchange_rates_currencies_check CHECK (from_currency <> to_currency),
    -- Not a number is greater than any number, and so is refused here, too.
    CONSTRAINT exchange_rates_rate_check CHECK (rate > 0 AND rate < 'Infinity')
);

-- The newest of each pair on a day, and the lists with and without their filters.
CREATE INDEX exchange_rates_pair_index
    ON exchange_rates (workspace_id, from_currency, to_currency, valid_from, created_at, id);
CREATE INDEX exchange_rates_valid_index ON exchange_rates (workspace_id, valid_from, id);
CREATE INDEX exchange_rates_from_index ON exchange_rates (workspace_id, from_currency, valid_from, id);
CREATE INDEX exchange_rates_to_index ON exchange_rates (workspace_id, to_currency, valid_from, id);
