//! The tables, kept by hand; a test compares them with both migrated databases.
#![expect(missing_docs, reason = "the columns are described in the migrations")]

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    plans (code) {
        code -> Text,
        name -> Text,
        seats -> Nullable<BigInt>,
        rank -> BigInt,
        requests_per_minute -> Nullable<BigInt>,
        initial_credits -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    organisations (id) {
        id -> Id,
        name -> Text,
        slug -> Text,
        plan -> Text,
        status -> Text,
        isolation -> Text,
        created_at -> Moment,
        updated_at -> Moment,
        location -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    accounts (id) {
        id -> Id,
        email -> Text,
        password_hash -> Text,
        password_version -> BigInt,
        created_at -> Moment,
        updated_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    memberships (account_id, org_id) {
        account_id -> Id,
        org_id -> Id,
        user_id -> Id,
        created_at -> Moment,
        last_used_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    settings (org_id) {
        org_id -> Id,
        name -> Text,
        slug -> Text,
        plan -> Text,
        seats -> Nullable<BigInt>,
        status -> Text,
        created_at -> Moment,
        updated_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    users (org_id, id) {
        org_id -> Id,
        id -> Id,
        account_id -> Id,
        email -> Text,
        name -> Text,
        role -> Text,
        created_at -> Moment,
        updated_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    sessions (org_id, id) {
        org_id -> Id,
        id -> Id,
        user_id -> Id,
        password_version -> BigInt,
        refresh_hash -> Binary,
        refresh_generation -> BigInt,
        previous_hash -> Nullable<Binary>,
        rotated_at -> Moment,
        created_at -> Moment,
        expires_at -> Moment,
        ended_at -> Nullable<Moment>,
        ip -> Nullable<Text>,
        user_agent -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    invites (org_id, id) {
        org_id -> Id,
        id -> Id,
        email -> Text,
        name -> Nullable<Text>,
        role -> Text,
        token_hash -> Binary,
        invited_by -> Id,
        created_at -> Moment,
        expires_at -> Moment,
        accepted_at -> Nullable<Moment>,
        revoked_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    activity_heads (org_id) {
        org_id -> Id,
        epoch -> Id,
        first_seq -> BigInt,
        last_seq -> BigInt,
        last_id -> Nullable<Id>,
        last_at -> Moment,
        suspended_at -> Nullable<Moment>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    activities (org_id, seq) {
        org_id -> Id,
        seq -> BigInt,
        id -> Id,
        #[sql_name = "type"]
        kind -> Text,
        audience_kind -> Text,
        audience_id -> Nullable<Id>,
        actor_id -> Nullable<Id>,
        actor_name -> Nullable<Text>,
        target_id -> Nullable<Id>,
        target_name -> Nullable<Text>,
        payload -> Text,
        ip -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        created_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    activity_recipients (org_id, user_id, seq) {
        org_id -> Id,
        user_id -> Id,
        seq -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    idempotency_keys (org_id, user_id, method, path, key) {
        org_id -> Id,
        user_id -> Id,
        method -> Text,
        path -> Text,
        key -> Text,
        request_hash -> Binary,
        reserved_id -> Nullable<Id>,
        status -> Nullable<BigInt>,
        encoding -> Nullable<Text>,
        body -> Nullable<Binary>,
        created_at -> Moment,
        expires_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    credit_accounts (org_id) {
        org_id -> Id,
        initial -> BigInt,
        balance -> BigInt,
        reserved -> BigInt,
        last_seq -> BigInt,
        low_since -> Nullable<Moment>,
        untold_seq -> Nullable<BigInt>,
        created_at -> Moment,
        updated_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    credit_entries (org_id, seq) {
        org_id -> Id,
        seq -> BigInt,
        kind -> Text,
        amount -> BigInt,
        balance -> BigInt,
        message_id -> Nullable<Id>,
        reason -> Nullable<Text>,
        created_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    credit_reservations (org_id, message_id) {
        org_id -> Id,
        message_id -> Id,
        channel -> Text,
        amount -> BigInt,
        created_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    message_totals (org_id, channel, status) {
        org_id -> Id,
        channel -> Text,
        status -> Text,
        count -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    job_queues (org_id) {
        org_id -> Id,
        due_at -> Moment,
        announced_at -> Moment,
        dead -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    jobs (org_id, id) {
        org_id -> Id,
        id -> Id,
        kind -> Text,
        payload -> Text,
        state -> Text,
        due_at -> Nullable<Moment>,
        attempts -> BigInt,
        max_attempts -> BigInt,
        lease_id -> Nullable<Id>,
        last_error -> Nullable<Text>,
        created_at -> Moment,
        updated_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    messages (org_id, id) {
        org_id -> Id,
        id -> Id,
        recipient -> Text,
        channel -> Text,
        body -> Text,
        status -> Text,
        price -> BigInt,
        created_by -> Id,
        job_id -> Id,
        created_at -> Moment,
        updated_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    message_attempts (org_id, message_id, number) {
        org_id -> Id,
        message_id -> Id,
        number -> BigInt,
        gateway -> Text,
        started_at -> Moment,
        ended_at -> Nullable<Moment>,
        outcome -> Nullable<Text>,
        detail -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    administrators (id) {
        id -> Id,
        email -> Text,
        name -> Text,
        role -> Text,
        status -> Text,
        password_hash -> Text,
        password_version -> BigInt,
        created_at -> Moment,
        updated_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    administrator_sessions (id) {
        id -> Id,
        administrator_id -> Id,
        password_version -> BigInt,
        refresh_hash -> Binary,
        refresh_generation -> BigInt,
        previous_hash -> Nullable<Binary>,
        rotated_at -> Moment,
        created_at -> Moment,
        expires_at -> Moment,
        ended_at -> Nullable<Moment>,
        ip -> Nullable<Text>,
        user_agent -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    administrator_keys (administrator_id, method, path, key) {
        administrator_id -> Id,
        method -> Text,
        path -> Text,
        key -> Text,
        request_hash -> Binary,
        reserved_id -> Nullable<Id>,
        status -> Nullable<BigInt>,
        encoding -> Nullable<Text>,
        body -> Nullable<Binary>,
        created_at -> Moment,
        expires_at -> Moment,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    platform_audit (id) {
        id -> Id,
        created_at -> Moment,
        administrator_id -> Nullable<Id>,
        administrator_email -> Nullable<Text>,
        role -> Nullable<Text>,
        action -> Text,
        org_id -> Nullable<Id>,
        method -> Text,
        path -> Text,
        status -> Nullable<BigInt>,
        code -> Nullable<Text>,
        ip -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        request_id -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::types::sql::*;

    sign_ups (org_id, id) {
        org_id -> Id,
        id -> Id,
        token_hash -> Binary,
        administrator_id -> Id,
        created_at -> Moment,
        expires_at -> Moment,
        used_at -> Nullable<Moment>,
        revoked_at -> Nullable<Moment>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(memberships, organisations, accounts);
diesel::allow_tables_to_appear_in_same_query!(users, settings, sessions);
diesel::allow_tables_to_appear_in_same_query!(activities, activity_recipients, activity_heads);
diesel::allow_tables_to_appear_in_same_query!(administrators, administrator_sessions);
