-- Payments' own database: what became of each charge. Pending means that nobody knows yet.

create table charges (
    key text primary key,
    order_id bigint,
    amount bigint not null,
    currency text not null,
    state text not null
        check (state in ('pending', 'captured', 'declined', 'expired_card', 'refused', 'refunded', 'voided')),
    provider_id text,
    created timestamptz not null default now(),
    changed timestamptz not null default now()
);

create index charges_order on charges (order_id);
