-- Orders' own database: the orders, the vouchers, and the outbox of what others must still be told.

create table orders (
    id bigint generated always as identity primary key,
    customer text not null,
    name text not null,
    email text not null,
    key text not null,
    state text not null default 'pending' check (state in ('pending', 'paid', 'failed', 'refunded')),
    problem jsonb,
    attempt int not null default 1,
    currency text not null,
    subtotal bigint not null,
    discount bigint not null,
    vat bigint not null,
    total bigint not null,
    voucher bigint not null default 0,
    charged bigint not null,
    created timestamptz not null default now(),
    changed timestamptz not null default now(),
    unique (customer, key)
);

create table order_lines (
    order_id bigint not null references orders,
    book int not null,
    title text not null,
    quantity int not null check (quantity > 0),
    price bigint not null,
    amount bigint not null,
    primary key (order_id, book)
);

create table vouchers (
    code text primary key,
    value bigint not null check (value > 0),
    used_by bigint references orders
);

create table outbox (
    id bigint generated always as identity primary key,
    order_id bigint not null references orders,
    target text not null check (target in ('inventory', 'payments', 'notify')),
    path text not null,
    payload jsonb not null,
    created timestamptz not null default now(),
    sent timestamptz
);

create index outbox_unsent on outbox (id) where sent is null;

insert into vouchers (code, value) values ('GIFT5', 500), ('GIFT100', 10000), ('GÄNSEFÜẞCHEN', 100);
