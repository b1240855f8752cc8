create table books (isbn text primary key, copies integer not null, price numeric(10, 2));
create table orders (id bigserial primary key, isbn text references books, at timestamptz default '2026-01-01T00:00:00Z', note jsonb, day date, tags text[], raw bytea, ok boolean);
