//! The tables, as diesel knows them. A test compares them with a migrated database.

diesel::table! {
    secrets (name) {
        name -> Text,
        value -> Binary,
    }
}

diesel::table! {
    workspaces (id) {
        id -> Uuid,
        name -> Text,
        country -> Nullable<Text>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    users (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        email -> Text,
        name -> Text,
        password_hash -> Nullable<Text>,
        created_at -> Timestamptz,
        version -> BigInt,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        state -> Text,
    }
}

diesel::table! {
    roles (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        name -> Text,
        description -> Nullable<Text>,
        is_admin -> Bool,
        rules -> Jsonb,
        permissions -> Array<Text>,
    }
}

diesel::table! {
    user_roles (workspace_id, user_id, role_id) {
        workspace_id -> Uuid,
        user_id -> Uuid,
        role_id -> Uuid,
    }
}

diesel::table! {
    teams (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        name -> Text,
        description -> Nullable<Text>,
        parent_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    team_members (workspace_id, user_id, team_id) {
        workspace_id -> Uuid,
        user_id -> Uuid,
        team_id -> Uuid,
        place -> BigInt,
    }
}

diesel::table! {
    record_shares (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        record_kind -> Text,
        record_id -> Uuid,
        user_id -> Nullable<Uuid>,
        team_id -> Nullable<Uuid>,
        access -> Text,
        expires_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Uuid,
        workspace_id -> Uuid,
        name -> Text,
        scopes -> Nullable<Array<Text>>,
        created_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
        last_used_at -> Nullable<Timestamptz>,
        version -> BigInt,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        user_id -> Nullable<Uuid>,
        allowed_addresses -> Array<Text>,
        last_used_address -> Nullable<Text>,
        known_addresses -> Array<Text>,
    }
}

diesel::table! {
    api_key_secrets (workspace_id, api_key_id, secret_hash) {
        workspace_id -> Uuid,
        api_key_id -> Uuid,
        secret_hash -> Binary,
        created_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    user_tokens (workspace_id, token_hash) {
        workspace_id -> Uuid,
        token_hash -> Binary,
        user_id -> Uuid,
        purpose -> Text,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    sessions (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        user_id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        last_used_at -> Timestamptz,
        expires_at -> Timestamptz,
        address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
    }
}

diesel::table! {
    refresh_tokens (workspace_id, session_id, hash) {
        workspace_id -> Uuid,
        session_id -> Uuid,
        hash -> Binary,
        created_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    signing_keys (id) {
        id -> Uuid,
        public_key -> Binary,
        private_key -> Binary,
        created_at -> Timestamptz,
        signs_from -> Timestamptz,
    }
}

diesel::table! {
    journal (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        event -> Text,
        record_kind -> Text,
        record_id -> Uuid,
        version -> BigInt,
        changes -> Jsonb,
        actor_kind -> Text,
        actor_id -> Nullable<Uuid>,
        origin -> Nullable<Uuid>,
        request_id -> Nullable<Text>,
        at -> Timestamptz,
        is_audit -> Bool,
        address -> Nullable<Text>,
    }
}

diesel::table! {
    feed_positions (workspace_id, entry_id) {
        workspace_id -> Uuid,
        entry_id -> Uuid,
        position -> BigInt,
    }
}

diesel::table! {
    feed_waiting (workspace_id, entry_id) {
        workspace_id -> Uuid,
        entry_id -> Uuid,
        record_kind -> Text,
        record_id -> Uuid,
        version -> BigInt,
        at -> Timestamptz,
    }
}

diesel::table! {
    feed_heads (workspace_id) {
        workspace_id -> Uuid,
        position -> BigInt,
        tail -> BigInt,
    }
}

diesel::table! {
    assignment_rules (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        name -> Text,
        position -> BigInt,
        active -> Bool,
        filter -> Nullable<Jsonb>,
        strategy -> Text,
        user_ids -> Array<Uuid>,
        team_id -> Nullable<Uuid>,
        max_open_leads -> Nullable<BigInt>,
    }
}

diesel::table! {
    assignment_turns (workspace_id, rule_id) {
        workspace_id -> Uuid,
        rule_id -> Uuid,
        last_user_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    capture_forms (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        name -> Text,
        key -> Text,
        active -> Bool,
        allowed_origins -> Array<Text>,
        fields -> Jsonb,
        defaults -> Jsonb,
        owner_id -> Nullable<Uuid>,
        team_id -> Nullable<Uuid>,
        on_duplicate -> Text,
        honeypot_field -> Nullable<Text>,
        proof_of_work_bits -> BigInt,
        consent -> Nullable<Jsonb>,
        redirect_url -> Nullable<Text>,
    }
}

diesel::table! {
    capture_submissions (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        form_id -> Uuid,
        form_version -> BigInt,
        lead_id -> Uuid,
        result -> Text,
        received_at -> Timestamptz,
        values -> Jsonb,
        utm -> Nullable<Jsonb>,
        page_url -> Nullable<Text>,
        consent -> Nullable<Jsonb>,
        address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
    }
}

diesel::table! {
    spent_challenges (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    calendar_feeds (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        user_id -> Uuid,
        name -> Text,
        hash -> Binary,
    }
}

diesel::table! {
    tasks (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        deleted_at -> Nullable<Timestamptz>,
        owner_id -> Nullable<Uuid>,
        team_id -> Nullable<Uuid>,
        source -> Text,
        tags -> Array<Text>,
        external_ids -> Jsonb,
        custom -> Jsonb,
        name -> Text,
        kind -> Text,
        status -> Text,
        status_class -> Text,
        priority -> Text,
        parent_kind -> Nullable<Text>,
        parent_id -> Nullable<Uuid>,
        assignee_id -> Nullable<Uuid>,
        collaborator_ids -> Array<Uuid>,
        start_at -> Nullable<Timestamptz>,
        due_at -> Nullable<Timestamptz>,
        completed_at -> Nullable<Timestamptz>,
        series_id -> Nullable<Uuid>,
        details -> Jsonb,
        search -> Text,
        sort_name -> Text,
        folded -> Jsonb,
    }
}

diesel::table! {
    notes (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        deleted_at -> Nullable<Timestamptz>,
        owner_id -> Nullable<Uuid>,
        team_id -> Nullable<Uuid>,
        source -> Text,
        tags -> Array<Text>,
        external_ids -> Jsonb,
        custom -> Jsonb,
        parent_kind -> Text,
        parent_id -> Uuid,
        body -> Text,
        pinned -> Bool,
        internal -> Bool,
        mentions -> Array<Uuid>,
        search -> Text,
        folded -> Jsonb,
    }
}

diesel::table! {
    companies (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        deleted_at -> Nullable<Timestamptz>,
        owner_id -> Nullable<Uuid>,
        source -> Text,
        source_channel -> Nullable<Text>,
        tags -> Array<Text>,
        external_ids -> Jsonb,
        name -> Text,
        domain -> Nullable<Text>,
        kind -> Nullable<Text>,
        industry -> Nullable<Text>,
        employee_range -> Nullable<Text>,
        annual_revenue_amount -> Nullable<Numeric>,
        annual_revenue_currency -> Nullable<Text>,
        parent_id -> Nullable<Uuid>,
        lifecycle_stage -> Text,
        details -> Jsonb,
        match_keys -> Array<Text>,
        search -> Text,
        sort_name -> Text,
        country -> Nullable<Text>,
        latitude -> Nullable<Double>,
        longitude -> Nullable<Double>,
        team_id -> Nullable<Uuid>,
        custom -> Jsonb,
        folded -> Jsonb,
    }
}

diesel::table! {
    contacts (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        deleted_at -> Nullable<Timestamptz>,
        owner_id -> Nullable<Uuid>,
        source -> Text,
        source_channel -> Nullable<Text>,
        tags -> Array<Text>,
        external_ids -> Jsonb,
        first_name -> Nullable<Text>,
        last_name -> Nullable<Text>,
        job_title -> Nullable<Text>,
        company_id -> Nullable<Uuid>,
        birthday -> Nullable<Date>,
        locale -> Nullable<Text>,
        do_not_call -> Bool,
        lifecycle_stage -> Text,
        details -> Jsonb,
        match_keys -> Array<Text>,
        search -> Text,
        sort_name -> Text,
        country -> Nullable<Text>,
        latitude -> Nullable<Double>,
        longitude -> Nullable<Double>,
        team_id -> Nullable<Uuid>,
        custom -> Jsonb,
        folded -> Jsonb,
    }
}

diesel::table! {
    connections (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        key -> Text,
        name -> Text,
        kind -> Text,
        direction -> Text,
        status -> Text,
        settings -> Jsonb,
    }
}

diesel::table! {
    webhooks (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        name -> Text,
        url -> Text,
        kinds -> Array<Text>,
        events -> Array<Text>,
        exclude_origins -> Array<Uuid>,
        enabled -> Bool,
    }
}

diesel::table! {
    webhook_states (workspace_id, webhook_id) {
        workspace_id -> Uuid,
        webhook_id -> Uuid,
        secret -> Binary,
        old_secret -> Nullable<Binary>,
        old_secret_until -> Nullable<Timestamptz>,
        position -> BigInt,
        message_id -> Nullable<Uuid>,
        message_until -> Nullable<BigInt>,
        resync_required -> Bool,
        test_id -> Nullable<Uuid>,
        failures -> BigInt,
        failing_since -> Nullable<Timestamptz>,
        last_success_at -> Nullable<Timestamptz>,
        due_at -> Timestamptz,
        lease -> Nullable<Uuid>,
        leased_until -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    webhook_deliveries (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        webhook_id -> Uuid,
        message_id -> Uuid,
        kind -> Text,
        at -> Timestamptz,
        duration_ms -> BigInt,
        changes -> BigInt,
        position -> Nullable<BigInt>,
        succeeded -> Bool,
        status -> Nullable<Integer>,
        error -> Nullable<Text>,
        response -> Nullable<Text>,
    }
}

diesel::table! {
    external_ids (workspace_id, connection, record_kind, external_id) {
        workspace_id -> Uuid,
        connection -> Text,
        record_kind -> Text,
        external_id -> Text,
        record_id -> Uuid,
        source_version -> Nullable<BigInt>,
    }
}

diesel::table! {
    idempotency_keys (workspace_id, actor_id, key) {
        workspace_id -> Uuid,
        actor_id -> Uuid,
        key -> Text,
        fingerprint -> Binary,
        answer -> Nullable<Binary>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    imports (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        record_kind -> Text,
        fingerprint -> Binary,
        rows_done -> BigInt,
        created -> BigInt,
        updated -> BigInt,
        unchanged -> BigInt,
        failed -> BigInt,
        errors_length -> BigInt,
        started_at -> Timestamptz,
        finished_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    lead_conversions (workspace_id, lead_id, version) {
        workspace_id -> Uuid,
        lead_id -> Uuid,
        version -> BigInt,
        converted_at -> Timestamptz,
        reverted_at -> Nullable<Timestamptz>,
        status -> Text,
        status_entered_at -> Timestamptz,
        details -> Jsonb,
    }
}

diesel::table! {
    leads (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        updated_by -> Nullable<Uuid>,
        deleted_at -> Nullable<Timestamptz>,
        owner_id -> Nullable<Uuid>,
        team_id -> Nullable<Uuid>,
        tags -> Array<Text>,
        external_ids -> Jsonb,
        status -> Text,
        status_class -> Text,
        status_entered_at -> Timestamptz,
        lead_source -> Nullable<Text>,
        rating -> Nullable<Text>,
        expected_amount -> Nullable<Numeric>,
        currency -> Nullable<Text>,
        lost_reason_id -> Nullable<Uuid>,
        converted_contact_id -> Nullable<Uuid>,
        converted_company_id -> Nullable<Uuid>,
        converted_opportunity_id -> Nullable<Uuid>,
        custom -> Jsonb,
        details -> Jsonb,
        match_keys -> Array<Text>,
        search -> Text,
        sort_name -> Text,
        country -> Nullable<Text>,
        latitude -> Nullable<Double>,
        longitude -> Nullable<Double>,
        folded -> Jsonb,
        score -> Nullable<Numeric>,
    }
}

diesel::table! {
    lead_scores (workspace_id, lead_id) {
        workspace_id -> Uuid,
        lead_id -> Uuid,
        definition_id -> Nullable<Uuid>,
        number -> Nullable<BigInt>,
        total -> Nullable<BigInt>,
        contributions -> Jsonb,
        scored_at -> Nullable<Timestamptz>,
        changes -> BigInt,
        due_at -> Nullable<Timestamptz>,
        due_cause -> Nullable<Text>,
    }
}

diesel::table! {
    lead_score_changes (workspace_id, lead_id, change) {
        workspace_id -> Uuid,
        lead_id -> Uuid,
        change -> BigInt,
        at -> Timestamptz,
        cause -> Text,
        from_total -> Nullable<BigInt>,
        to_total -> Nullable<BigInt>,
        definition_id -> Nullable<Uuid>,
        number -> Nullable<BigInt>,
        differences -> Jsonb,
    }
}

diesel::table! {
    score_definitions (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        name -> Text,
        entity -> Text,
        state -> Text,
        groups -> Jsonb,
        has_changes -> Bool,
        published_version -> Nullable<BigInt>,
        published_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    score_versions (workspace_id, definition_id, number) {
        workspace_id -> Uuid,
        definition_id -> Uuid,
        number -> BigInt,
        entity -> Text,
        groups -> Jsonb,
        published_at -> Timestamptz,
        published_by -> Nullable<Uuid>,
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    scorings (workspace_id, entity) {
        workspace_id -> Uuid,
        entity -> Text,
        definition_id -> Nullable<Uuid>,
        number -> Nullable<BigInt>,
        position -> BigInt,
        after_id -> Nullable<Uuid>,
        is_walking -> Bool,
        scored -> BigInt,
        to_score -> BigInt,
    }
}

diesel::table! {
    lead_status_history (workspace_id, lead_id, version) {
        workspace_id -> Uuid,
        lead_id -> Uuid,
        version -> BigInt,
        from_status -> Nullable<Text>,
        to_status -> Text,
        to_status_class -> Text,
        entered_at -> Timestamptz,
        actor_kind -> Text,
        actor_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    lead_statuses (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        key -> Text,
        name -> Text,
        position -> BigInt,
        class -> Text,
        archived -> Bool,
    }
}

diesel::table! {
    lost_reasons (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        key -> Text,
        name -> Text,
        description -> Nullable<Text>,
        position -> BigInt,
        archived -> Bool,
    }
}

diesel::table! {
    products (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        deleted_at -> Nullable<Timestamptz>,
        owner_id -> Nullable<Uuid>,
        team_id -> Nullable<Uuid>,
        source -> Text,
        tags -> Array<Text>,
        external_ids -> Jsonb,
        custom -> Jsonb,
        code -> Text,
        name -> Text,
        tax_rate -> Nullable<Numeric>,
        recurring_interval -> Nullable<Text>,
        active -> Bool,
        stock_state -> Nullable<Text>,
        details -> Jsonb,
        currencies -> Array<Text>,
        search -> Text,
        sort_name -> Text,
        folded -> Jsonb,
    }
}

diesel::table! {
    exchange_rates (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        created_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        from_currency -> Text,
        to_currency -> Text,
        rate -> Numeric,
        valid_from -> Date,
    }
}

diesel::table! {
    pipelines (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        name -> Text,
        is_default -> Bool,
        archived -> Bool,
        allow_backward -> Bool,
        allow_skip -> Bool,
    }
}

diesel::table! {
    stages (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        pipeline_id -> Uuid,
        position -> Integer,
        archived -> Bool,
        key -> Text,
        name -> Text,
        class -> Text,
        probability -> SmallInt,
        forecast_category -> Text,
        expected_days -> Nullable<Integer>,
        warning_days -> Nullable<Integer>,
        can_begin -> Bool,
        required_fields -> Array<Text>,
    }
}

diesel::table! {
    opportunities (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        deleted_at -> Nullable<Timestamptz>,
        owner_id -> Nullable<Uuid>,
        team_id -> Nullable<Uuid>,
        source -> Text,
        tags -> Array<Text>,
        external_ids -> Jsonb,
        custom -> Jsonb,
        name -> Text,
        company_id -> Nullable<Uuid>,
        contact_ids -> Array<Uuid>,
        pipeline_id -> Uuid,
        stage_id -> Uuid,
        stage_class -> Text,
        stage_entered_at -> Timestamptz,
        probability -> SmallInt,
        forecast_category -> Text,
        amount -> Nullable<Numeric>,
        currency -> Nullable<Text>,
        close_date -> Nullable<Date>,
        closed_at -> Nullable<Timestamptz>,
        lost_reason_id -> Nullable<Uuid>,
        details -> Jsonb,
        search -> Text,
        sort_name -> Text,
        folded -> Jsonb,
    }
}

diesel::table! {
    opportunity_states (workspace_id, opportunity_id, version) {
        workspace_id -> Uuid,
        opportunity_id -> Uuid,
        version -> BigInt,
        valid_from -> Timestamptz,
        valid_to -> Nullable<Timestamptz>,
        deleted -> Bool,
        pipeline_id -> Uuid,
        stage_id -> Uuid,
        stage_class -> Text,
        stage_entered_at -> Timestamptz,
        probability -> SmallInt,
        forecast_category -> Text,
        amount -> Nullable<Numeric>,
        currency -> Nullable<Text>,
        close_date -> Nullable<Date>,
        closed_at -> Nullable<Timestamptz>,
        owner_id -> Nullable<Uuid>,
        team_id -> Nullable<Uuid>,
        lead_source -> Nullable<Text>,
        lost_reason_id -> Nullable<Uuid>,
        actor_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    views (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        owner_id -> Nullable<Uuid>,
        resource -> Text,
        name -> Text,
        description -> Nullable<Text>,
        filter -> Nullable<Jsonb>,
        sort -> Nullable<Text>,
        fields -> Array<Text>,
        visibility -> Text,
    }
}

diesel::table! {
    custom_fields (workspace_id, id) {
        workspace_id -> Uuid,
        id -> Uuid,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Uuid>,
        updated_by -> Nullable<Uuid>,
        archived_at -> Nullable<Timestamptz>,
        resource -> Text,
        key -> Text,
        label -> Text,
        description -> Nullable<Text>,
        kind -> Text,
        is_required -> Bool,
        is_unique -> Bool,
        is_sorted -> Bool,
        rules -> Jsonb,
        position -> BigInt,
    }
}

diesel::table! {
    custom_field_values (workspace_id, record_id, field_id) {
        workspace_id -> Uuid,
        record_id -> Uuid,
        field_id -> Uuid,
        unique_value -> Nullable<Text>,
        sort_key -> Nullable<Text>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(contacts, companies, leads, opportunities, users, external_ids, journal);
diesel::allow_tables_to_appear_in_same_query!(journal, feed_positions);
diesel::allow_tables_to_appear_in_same_query!(connections, external_ids);
diesel::allow_tables_to_appear_in_same_query!(users, user_tokens);
diesel::allow_tables_to_appear_in_same_query!(users, user_roles, roles, team_members, teams);
diesel::allow_tables_to_appear_in_same_query!(users, workspaces);
diesel::allow_tables_to_appear_in_same_query!(capture_forms, workspaces);
diesel::allow_tables_to_appear_in_same_query!(capture_submissions, leads);
