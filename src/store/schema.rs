// @generated automatically by Diesel CLI.

diesel::table! {
    use crate::store::sql_types::*;

    activity (id) {
        id -> Integer,
        active_at -> Nullable<Integer>,
        probes -> Integer,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    api_keys (id) {
        id -> Integer,
        name -> Text,
        digest -> Binary,
        scopes -> Text,
        queues -> Text,
        created_at -> Integer,
        expires_at -> Nullable<Integer>,
        revoked_at -> Nullable<Integer>,
        last_used_at -> Nullable<Integer>,
        unfinished -> Integer,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    attempts (job_id, lease_token) {
        job_id -> Integer,
        lease_token -> Integer,
        attempt -> Integer,
        state -> Integer,
        started_at -> Nullable<Integer>,
        ended_at -> Integer,
        worker -> Nullable<Text>,
        code -> Nullable<Text>,
        message -> Nullable<Text>,
        detail -> Nullable<Text>,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    batch_end_actions (batch_id) {
        batch_id -> Integer,
        callback -> Nullable<Text>,
        then_job -> Nullable<Text>,
        then_id -> Nullable<Integer>,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    batch_ends (batch_id, seq) {
        batch_id -> Integer,
        seq -> Integer,
        job_id -> Integer,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    batch_queues (batch_id, queue_id) {
        batch_id -> Integer,
        queue_id -> Integer,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    batches (id) {
        id -> Integer,
        name -> Nullable<Text>,
        total -> Integer,
        scheduled -> Integer,
        queued -> Integer,
        running -> Integer,
        retrying -> Integer,
        completed -> Integer,
        failed -> Integer,
        cancelled -> Integer,
        created_at -> Integer,
        finished_at -> Nullable<Integer>,
        open_until -> Nullable<Integer>,
        queue_access -> Nullable<Text>,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    deliveries (id) {
        id -> Integer,
        job_id -> Nullable<Integer>,
        batch_id -> Nullable<Integer>,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    end_actions (job_id) {
        job_id -> Integer,
        callback -> Nullable<Text>,
        then_job -> Nullable<Text>,
        then_id -> Nullable<Integer>,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    epoch (id) {
        id -> Integer,
        token_floor -> Integer,
        began_at -> Nullable<Integer>,
        copied_at -> Nullable<Integer>,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    job_extras (job_id) {
        job_id -> Integer,
        attempts_granted -> Nullable<Integer>,
        truncate_result -> Integer,
        metadata -> Nullable<Text>,
        callback -> Nullable<Text>,
        traceparent -> Nullable<Text>,
        deferred -> Integer,
        deferred_since -> Nullable<Integer>,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    job_tags (tag, job_id) {
        tag -> Text,
        job_id -> Integer,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    jobs (id) {
        id -> Integer,
        state -> Integer,
        lane -> Integer,
        queue_id -> Integer,
        priority -> Integer,
        attempt -> Integer,
        max_attempts -> Integer,
        lease_token -> Integer,
        lease_expires_at -> Nullable<Integer>,
        created_at -> Integer,
        run_at -> Integer,
        started_at -> Nullable<Integer>,
        finished_at -> Nullable<Integer>,
        expires_at -> Nullable<Integer>,
        at_most_once -> Integer,
        cancel_requested -> Integer,
        timeout_ms -> Integer,
        batch_id -> Nullable<Integer>,
        provider_id -> Nullable<Integer>,
        limit_id -> Nullable<Integer>,
        key_id -> Nullable<Integer>,
        waits_for -> Nullable<Integer>,
        progress_percent -> Nullable<Float>,
        progress_message -> Nullable<Text>,
        error_code -> Nullable<Text>,
        error_message -> Nullable<Text>,
        backoff -> Nullable<Text>,
        tags -> Nullable<Text>,
        kind -> Text,
        payload -> Text,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    learned_kinds (kind, queues) {
        kind -> Text,
        queues -> Text,
        asked_at -> Integer,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    logs (job_id) {
        job_id -> Integer,
        total -> Integer,
        text -> Text,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    providers (id) {
        id -> Integer,
        name -> Text,
        running -> Integer,
        queued -> Integer,
        starts -> Nullable<Text>,
        trial -> Nullable<Integer>,
        pause -> Nullable<Text>,
        trial_since -> Nullable<Integer>,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    queue_counts (queue_id, state) {
        queue_id -> Integer,
        state -> Integer,
        jobs -> Integer,
        entered -> Integer,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    queues (id) {
        id -> Integer,
        name -> Text,
        paused -> Integer,
        max_running -> Nullable<Integer>,
        rate_limit -> Nullable<Integer>,
        rate_period_ms -> Nullable<Integer>,
        created_at -> Integer,
        starts -> Nullable<Text>,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    remote_leases (job_id) {
        job_id -> Integer,
        lease_ms -> Integer,
        worker -> Nullable<Text>,
        key_id -> Nullable<Integer>,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    results (job_id) {
        job_id -> Integer,
        truncated -> Integer,
        result -> Text,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    signing_secret (id) {
        id -> Integer,
        secret -> Binary,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    submissions (key_id, idempotency_key) {
        key_id -> Integer,
        idempotency_key -> Text,
        by_value -> Integer,
        fingerprint -> Binary,
        first_job_id -> Integer,
        jobs -> Integer,
        batch_id -> Nullable<Integer>,
        created_at -> Integer,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    time_buckets (queue_id, began_at) {
        queue_id -> Integer,
        began_at -> Integer,
        submitted -> Integer,
        started -> Integer,
        completed -> Integer,
        failed -> Integer,
        cancelled -> Integer,
        retried -> Integer,
        waiting -> Integer,
        running -> Integer,
        start -> Text,
        run -> Text,
    }
}

diesel::table! {
    use crate::store::sql_types::*;

    webhook_secrets (id) {
        id -> Integer,
        name -> Text,
        secret -> Binary,
        previous -> Nullable<Binary>,
        previous_until -> Nullable<Integer>,
        created_at -> Integer,
        rotated_at -> Nullable<Integer>,
        queues -> Text,
    }
}

diesel::joinable!(attempts -> jobs (job_id));
diesel::joinable!(deliveries -> jobs (id));
diesel::joinable!(end_actions -> jobs (job_id));
diesel::joinable!(job_extras -> jobs (job_id));
diesel::joinable!(jobs -> batches (batch_id));
diesel::joinable!(jobs -> queues (queue_id));
diesel::joinable!(logs -> jobs (job_id));
diesel::joinable!(queue_counts -> queues (queue_id));
diesel::joinable!(remote_leases -> jobs (job_id));
diesel::joinable!(results -> jobs (job_id));

diesel::allow_tables_to_appear_in_same_query!(
    activity,
    api_keys,
    attempts,
    batch_end_actions,
    batch_ends,
    batches,
    deliveries,
    end_actions,
    epoch,
    job_extras,
    job_tags,
    jobs,
    learned_kinds,
    logs,
    providers,
    queue_counts,
    queues,
    remote_leases,
    results,
    submissions,
    time_buckets,
    webhook_secrets,
);
